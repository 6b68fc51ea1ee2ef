"""Container rows: the one place that reads and writes the `containers` table.

Hosts write a row while no shim lives (create, start until the shim has it, remove); the shim writes it while it
lives. Every change is read, modify, write inside one transaction.
"""

from __future__ import annotations

import json
import sqlite3

from ..errors import ContainerNotFound, EngineError, InvalidRequest, NameInUse
from ..models import Container, CreateRequest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..store import Store, Transaction

_COLUMNS = "document, id, name"
LIVE_STATES = ("running", "paused", "restarting", "removing")


def insert(tx: Transaction, container: Container, request: CreateRequest) -> None:
    """Add a new row with its `create` event. Raises `NameInUse`."""
    try:
        tx.execute(
            "INSERT INTO containers (id, document, request) VALUES (?, ?, ?)",
            (container.id, _document(container), json.dumps(request.to_json())),
        )
    except sqlite3.IntegrityError as error:
        owner = tx.execute("SELECT id FROM containers WHERE name = ?", (container.name,)).fetchone()
        raise NameInUse(
            f'the container name "{container.name}" is already in use by container {owner[0][:12] if owner else "?"}',
            hint=f"Remove or rename that one (pydock rm {container.name}), or take another name.",
        ) from error
    tx.event("container", "create", container.id, attributes(container))


def id_bases(database: Store | Transaction) -> frozenset[int]:
    """The id ranges that containers have."""
    statement = "SELECT json_extract(document, '$.id_base') FROM containers"
    found = database.query(statement) if hasattr(database, "query") else database.execute(statement).fetchall()
    return frozenset(row[0] for row in found if row[0])


def load(store: Store, container_id: str) -> Container:
    """The row of a full id. Raises `ContainerNotFound`."""
    rows = store.query(f"SELECT {_COLUMNS} FROM containers WHERE id = ?", (container_id,))
    if not rows:
        raise ContainerNotFound(f"no such container: {container_id[:12]}")
    return _container(*rows[0])


def find(store: Store, reference: str) -> Container:
    """By name, full id, or unambiguous beginning of an id. Raises `ContainerNotFound`, `InvalidRequest`."""
    name = reference.removeprefix("/")
    rows = store.query(f"SELECT {_COLUMNS} FROM containers WHERE name = ? OR id = ?", (name, name))
    if not rows and name and all(c in "0123456789abcdef" for c in name):
        rows = store.query(f"SELECT {_COLUMNS} FROM containers WHERE id >= ? AND id < ? LIMIT 2", (name, name + "g"))
        if len(rows) > 1:
            raise InvalidRequest(f"{name} is the beginning of more than one container id", hint="Give more digits.")
    if not rows:
        raise ContainerNotFound(f"no such container: {reference}", hint="pydock ps -a lists them.")
    return _container(*rows[0])


def request(store: Store, container_id: str) -> CreateRequest:
    rows = store.query("SELECT request FROM containers WHERE id = ?", (container_id,))
    if not rows:
        raise ContainerNotFound(f"no such container: {container_id[:12]}")
    return CreateRequest.from_json(json.loads(rows[0][0]))


def set_request(tx: Transaction, container_id: str, changed: CreateRequest) -> None:
    """Change what the next start makes the container from."""
    tx.execute("UPDATE containers SET request = ? WHERE id = ?", (json.dumps(changed.to_json()), container_id))


def change_request(tx: Transaction, container_id: str, **changes: object) -> None:
    """Change fields of what the next start makes the container from."""
    row = tx.execute("SELECT request FROM containers WHERE id = ?", (container_id,)).fetchone()
    if row:
        set_request(tx, container_id, CreateRequest.from_json(json.loads(row[0])).replace(**changes))


def every(store: Store, *, states: tuple[str, ...] = (), brief: bool = False) -> list[Container]:
    """All containers, newest first; only those in these states when given. `brief`: without their phases, which are
    half of what there is to read."""
    where = f"WHERE state IN ({','.join('?' * len(states))})" if states else ""
    rest = f"FROM containers {where} ORDER BY created_ns DESC"
    if brief:
        try:
            rows = store.query(f"SELECT json_remove(document, '$.phases'), id, name {rest}", states)
        except EngineError:  # a document that SQLite cannot read fails the whole query; below it is one bad row
            rows = store.query(f"SELECT {_COLUMNS} {rest}", states)
    else:
        rows = store.query(f"SELECT {_COLUMNS} {rest}", states)
    return [_container(*row) for row in rows]


def live_ids(store: Store) -> list[str]:
    """The ids of all that live, without reading what they are."""
    where = ",".join("?" * len(LIVE_STATES))
    return [row[0] for row in store.query(f"SELECT id FROM containers WHERE state IN ({where})", LIVE_STATES)]


def update(
    store: Store,
    container_id: str,
    change: Callable[[Container], Container],
    *events: tuple[str, dict[str, str]],
    also: Callable[[Transaction], object] | None = None,
) -> Container:
    """Change a row and append its events, each an action with attributes of its own; `also` joins the transaction."""
    with store.transaction() as tx:
        row = tx.execute(f"SELECT {_COLUMNS} FROM containers WHERE id = ?", (container_id,)).fetchone()
        if row is None:
            raise ContainerNotFound(f"no such container: {container_id[:12]}")
        before = _container(*row)
        after = change(before)
        if after != before:
            try:
                tx.execute("UPDATE containers SET document = ? WHERE id = ?", (_document(after), container_id))
            except sqlite3.IntegrityError as error:
                raise NameInUse(f'the container name "{after.name}" is already in use') from error
        for action, extra in events:
            tx.event("container", action, container_id, {**attributes(after), **extra})
        if also:
            also(tx)
    return after


def delete(
    store: Store,
    container: Container,
    *events: tuple[str, dict[str, str]],
    also: Callable[[Transaction], object] | None = None,
) -> None:
    """Remove a row, with these events and `destroy` after them. Quiet when it is gone already."""
    with store.transaction() as tx:
        if tx.execute("DELETE FROM containers WHERE id = ?", (container.id,)).rowcount:
            for action, extra in (*events, ("destroy", {})):
                tx.event("container", action, container.id, {**attributes(container), **extra})
        if also:
            also(tx)


def attributes(container: Container) -> dict[str, str]:
    """What every event of a container carries, as Docker's do."""
    return {**container.labels, "image": container.image, "name": container.name}


def _document(container: Container) -> str:
    return json.dumps(container.to_json())


def _container(document: str, container_id: str, name: str) -> Container:
    try:
        return Container.from_json(json.loads(document))
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        # Shown, so that it can be removed; one such row must not hide all others.
        return Container(
            id=container_id,
            name=str(name),
            image="",
            image_id="",
            command=(),
            created_ns=0,
            state="dead",
            error=f"its row in the database is damaged: {error}",
        )
