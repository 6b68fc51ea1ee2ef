"""The event stream: one append-only table that every reader follows from the id it has seen last."""

from __future__ import annotations

import json

from .models import Event

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .doorbell import Doorbell
    from .paths import Paths
    from .store import Store

_COLUMNS = "id, time_ns, type, action, actor, attributes"


class Subscription:
    """Events from the moment of subscribing on, without gap or repetition."""

    def __init__(self, events: Events, doorbell: Doorbell, last_id: int) -> None:
        self._events = events
        self._doorbell = doorbell
        self._last_id = last_id

    def fileno(self) -> int:
        """Readable when there may be news (`select`, `loop.add_reader`)."""
        return self._doorbell.fileno()

    def read(self) -> list[Event]:
        """The events since the last call; empty when there are none. Never blocks."""
        self._doorbell.drain()
        news = self._events.since(self._last_id)
        if news:
            self._last_id = news[-1].id
        return news

    def close(self) -> None:
        self._doorbell.close()


class Events:
    def __init__(self, store: Store, paths: Paths) -> None:
        self._store = store
        self._paths = paths

    def subscribe(self) -> Subscription:
        """Listen from now on. The socket exists before the id is read, so that nothing falls between."""
        from .doorbell import Doorbell

        doorbell = Doorbell(self._paths.doorbells)
        return Subscription(self, doorbell, self.last_id())

    def last_id(self) -> int:
        return int(self._store.query("SELECT coalesce(max(id), 0) FROM events")[0][0])

    def since(self, event_id: int = 0) -> list[Event]:
        """All kept events after this id, oldest first."""
        return [_event(row) for row in self._store.query(f"SELECT {_COLUMNS} FROM events WHERE id > ?", (event_id,))]

    def between(self, since_ns: int = 0, until_ns: int = 0) -> list[Event]:
        """Kept events of a span of time; 0 leaves an end open."""
        rows = self._store.query(
            f"SELECT {_COLUMNS} FROM events WHERE time_ns >= ? AND time_ns <= ?",
            (since_ns, until_ns or 1 << 62),
        )
        return [_event(row) for row in rows]

    def announce(self, kind: str, action: str, actor: str, attributes: dict[str, str] | None = None) -> None:
        """Append an event that belongs to no row of the database (images)."""
        with self._store.transaction() as tx:
            tx.event(kind, action, actor, attributes)


def _event(row: tuple[Any, ...]) -> Event:
    number, time_ns, kind, action, actor, attributes = row
    return Event(id=number, time_ns=time_ns, type=kind, action=action, actor=actor, attributes=json.loads(attributes))
