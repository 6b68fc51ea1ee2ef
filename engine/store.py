"""The engine's database: one SQLite file in WAL mode, shared by every host and shim.

A change and the event that tells it are one transaction; after the commit every listening host is woken
(`doorbell.py`). Rows hold their object as one JSON document, so that a row has a single truth; what must be
unique or searched for is a generated column over it.

The database is never held open across a fork: each thread and each process opens its own connection.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import time

from .errors import Conflict, DiskFull, EngineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any, Self

SCHEMA_VERSION = 1
BUSY_TIMEOUT_S = 15
EVENTS_KEPT = 20_000

SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE containers (
    id TEXT PRIMARY KEY,
    document TEXT NOT NULL,
    request TEXT NOT NULL,
    name TEXT GENERATED ALWAYS AS (json_extract(document, '$.name')) STORED NOT NULL UNIQUE,
    state TEXT GENERATED ALWAYS AS (json_extract(document, '$.state')) STORED NOT NULL,
    created_ns INTEGER GENERATED ALWAYS AS (json_extract(document, '$.created_ns')) STORED
);
CREATE INDEX containers_by_state ON containers (state);
CREATE TABLE events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    time_ns INTEGER NOT NULL,
    type TEXT NOT NULL,
    action TEXT NOT NULL,
    actor TEXT NOT NULL,
    attributes TEXT NOT NULL
);
CREATE TABLE networks (id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, document TEXT NOT NULL);
CREATE TABLE endpoints (
    container_id TEXT NOT NULL,
    network TEXT NOT NULL,
    address TEXT,
    document TEXT NOT NULL,
    PRIMARY KEY (container_id, network),
    UNIQUE (network, address)
);
CREATE TABLE volumes (name TEXT PRIMARY KEY, document TEXT NOT NULL);
"""


class Transaction:
    """`with store.transaction() as tx:`; commits at the end, rolls back when the block raises."""

    def __init__(self, connection: sqlite3.Connection, doorbells: str) -> None:
        self._connection = connection
        self._doorbells = doorbells
        self._told = False

    def __enter__(self) -> Self:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            raise _translated(error) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is not None:
            self._roll_back()
            if isinstance(error, sqlite3.Error) and not isinstance(error, sqlite3.IntegrityError):
                raise _translated(error) from error
            return
        try:
            self._connection.execute("COMMIT")
        except sqlite3.Error as failure:
            self._roll_back()
            raise _translated(failure) from failure
        if self._told and self._doorbells:
            # only who writes pays for sockets
            from . import doorbell

            doorbell.ring(self._doorbells)

    def _roll_back(self) -> None:
        if self._connection.in_transaction:  # a full disk, for one, has SQLite do it by itself
            self._connection.execute("ROLLBACK")

    def execute(self, sql: str, arguments: tuple[object, ...] = ()) -> sqlite3.Cursor:
        """Run one statement; `sqlite3.IntegrityError` passes through for the caller to name."""
        return self._connection.execute(sql, arguments)

    def event(self, kind: str, action: str, actor: str, attributes: dict[str, str] | None = None) -> None:
        """Append an event; the hosts are woken after the commit."""
        cursor = self._connection.execute(
            "INSERT INTO events (time_ns, type, action, actor, attributes) VALUES (?, ?, ?, ?, ?)",
            (time.time_ns(), kind, action, actor, json.dumps(attributes or {})),
        )
        row_id = cursor.lastrowid or 0
        if row_id % 1000 == 0:
            self._connection.execute("DELETE FROM events WHERE id <= ?", (row_id - EVENTS_KEPT,))
        self._told = True


class Store:
    """One connection per thread, opened at first use. `doorbells`: the folder of listening hosts' sockets."""

    def __init__(self, path: str, doorbells: str = "") -> None:
        self.path = path
        self._doorbells = doorbells
        self._local = threading.local()
        self._open: list[sqlite3.Connection] = []  # guarded by the GIL: append and clear only
        self._closed = False

    def transaction(self) -> Transaction:
        """A write transaction; waits for other writers up to 15 s, then raises `Conflict`."""
        return Transaction(self._connection(), self._doorbells)

    def query(self, sql: str, arguments: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
        """All rows of a read."""
        try:
            return self._connection().execute(sql, arguments).fetchall()
        except sqlite3.Error as error:
            raise _translated(error) from error

    def close(self) -> None:
        """Close every thread's connection; the store cannot be used afterwards."""
        self._closed = True
        while self._open:
            self._open.pop().close()

    def _connection(self) -> sqlite3.Connection:
        if self._closed:
            raise EngineError("the engine is closed")
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = _connect(self.path)
            self._local.connection = connection
            self._open.append(connection)
        return connection


def _connect(path: str) -> sqlite3.Connection:
    new = not os.path.exists(path)
    try:
        connection = sqlite3.connect(
            path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False, cached_statements=32
        )
        if new:
            os.chmod(path, 0o600)
        connection.execute("PRAGMA synchronous=NORMAL")
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            _create(connection)
        elif version > SCHEMA_VERSION:
            raise EngineError(
                f"{path} was written by a newer pydock (schema {version}, known here {SCHEMA_VERSION})",
                hint="Use that version, or another --root.",
            )
    except sqlite3.Error as error:
        raise _translated(error, path) from error
    return connection


def _create(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("BEGIN IMMEDIATE")
    try:
        if connection.execute("PRAGMA user_version").fetchone()[0] == 0:
            for statement in SCHEMA.split(";\n"):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _translated(error: sqlite3.Error, path: str = "the database") -> EngineError:
    text = str(error)
    if "locked" in text or "busy" in text:
        return Conflict(f"{path} is busy: another process has held it for {BUSY_TIMEOUT_S} s")
    if "full" in text:
        return DiskFull(f"{path}: no space left on its file system", hint="Free some space: pydock rm, pydock rmi.")
    if "malformed" in text or "not a database" in text:
        return EngineError(
            f"{path} is damaged: {text}",
            hint="Move it aside; the next start makes a new one from what is on disk.",
        )
    if "readonly" in text or "unable to open" in text:
        return EngineError(f"cannot open {path} for writing: {text}", hint="Run it as root.")
    return EngineError(f"{path}: {text}")
