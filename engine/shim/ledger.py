"""What the shim writes about its container: its row, its events, and the record of its end.

A database that cannot be written now is told in the zygote's log; the container goes on, and its end is in
`exit.json` for the next host.
"""

from __future__ import annotations

import json
import os
import sys

from ..containers import files, rows
from ..errors import ContainerNotFound, EngineError
from ..networks.networks import release
from ..store import Store
from ..volumes.volumes import Volumes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ..models import Container, Mount
    from ..paths import Paths
    from ..store import Transaction
    from .exits import Exit

    Told = tuple[str, dict[str, str]]


class Ledger:
    """Opens the database for each entry, so that an idle shim holds nothing of it."""

    def __init__(self, paths: Paths, container_id: str) -> None:
        self._paths = paths
        self._id = container_id

    def change(
        self,
        change: Callable[[Container], Container],
        *events: Told,
        release_network: bool = False,
        also: Callable[[Transaction], object] | None = None,
        needed: bool = False,
        volumes: str = "",
    ) -> None:
        """Change the row and append events, in one transaction with the release of its addresses and ports, or with
        what `also` does. `volumes`: what is told of each of its volumes, "mount" or "unmount"."""
        store = Store(self._paths.database, self._paths.doorbells)
        mounts: list[Mount] = []

        def noted(row: Container) -> Container:
            mounts.extend(row.mounts)
            return change(row)

        def together(tx: Transaction) -> None:
            if release_network:
                release(tx, self._id)
            if also is not None:
                also(tx)
            if volumes:
                tell_volumes(tx, self._id, volumes, mounts)

        try:
            rows.update(store, self._id, noted, *events, also=together)
        except EngineError as error:
            if needed:
                raise
            self.complain(error.message)
        finally:
            store.close()

    def tell(self, *events: Told) -> None:
        """Append events that change nothing in the row."""
        self.change(lambda row: row, *events)

    def append(self, kind: str, action: str, actor: str, attributes: dict[str, str]) -> None:
        """Append an event of something else than the container."""
        store = Store(self._paths.database, self._paths.doorbells)
        try:
            with store.transaction() as tx:
                tx.event(kind, action, actor, attributes)
        except EngineError as error:
            self.complain(error.message)
        finally:
            store.close()

    def remove(self, *events: Told, volumes: str = "") -> None:
        """Delete the row, with these events and `destroy`, and the container's anonymous volumes."""
        store = Store(self._paths.database, self._paths.doorbells)
        try:
            row = rows.load(store, self._id)

            def together(tx: Transaction) -> None:
                release(tx, row.id)
                if volumes:
                    tell_volumes(tx, row.id, volumes, row.mounts)

            rows.delete(store, row, *events, also=together)
            files.remove_anonymous_volumes(Volumes(store, self._paths), row)
        except ContainerNotFound:
            pass
        except EngineError as error:
            self.complain(error.message)
        finally:
            store.close()

    def write_exit_record(self, end: Exit) -> None:
        """The end, beside the bundle, on disk when this returns; where there is no room, in the run folder."""
        text = json.dumps(end.to_json())
        path = self._paths.exit_record(self._id)
        try:
            _write_synced(path, text)
        except OSError as error:
            self.complain(f"{path}: {error.strerror}")
            try:
                _write_synced(self._paths.exit_record_aside(self._id), text)
            except OSError as worse:
                self.complain(f"{self._paths.exit_record_aside(self._id)}: {worse.strerror}")

    def complain(self, text: str) -> None:
        """A line in the zygote's log."""
        print(f"{self._id[:12]}: {text}", file=sys.stderr, flush=True)


def tell_volumes(tx: Transaction, container_id: str, action: str, mounts: Iterable[Mount]) -> None:
    """`mount` and `unmount` of volumes, with what Docker's events have."""
    for mount in mounts:
        if mount.type == "volume":
            about = {"container": container_id, "driver": "local"}
            if action == "mount":
                read_write = "false" if mount.read_only else "true"
                about |= {"destination": mount.target, "read/write": read_write, "propagation": ""}
            tx.event("volume", action, mount.source, about)


def _write_synced(path: str, text: str) -> None:
    with open(f"{path}.new", "w") as file:
        file.write(text)
        file.flush()
        os.fdatasync(file.fileno())
    os.replace(f"{path}.new", path)


def death_events(end: Exit) -> list[Told]:
    """What an end is told as, in Docker's words."""
    events: list[Told] = [("die", {"exitCode": str(end.code)})]
    if end.stop and end.stop.is_stop:
        events.append(("stop", {}))
    return events
