"""The event stream of another engine, with the face of `events.Events`."""

from __future__ import annotations

import time

from ..errors import EngineError
from .http import Documents
from .models import event as read_event

TYPE_CHECKING = False
if TYPE_CHECKING:
    import builtins

    from ..models import Event
    from .api import Api
    from .http import Response


class RemoteSubscription:
    """Events from now on."""

    def __init__(self, response: Response, where: str) -> None:
        self._response = response
        self._reader = Documents()
        self._where = where

    def fileno(self) -> int:
        return self._response.fileno()

    def read(self) -> list[Event]:
        """What has come. Raises `EngineError` when the other side has gone."""
        data, ended = self._response.available()
        found = [read_event(document) for document in self._reader.feed(data)]
        if ended and not found:
            raise EngineError(f"the engine at {self._where} has ended the stream of events")
        return found

    def close(self) -> None:
        self._response.close()


class RemoteEvents:
    def __init__(self, api: Api) -> None:
        self._api = api

    def subscribe(self) -> RemoteSubscription:
        return RemoteSubscription(self._api.open("GET", "/events"), self._api.target.text)

    def between(self, since_ns: int = 0, until_ns: int = 0) -> builtins.list[Event]:
        until_ns = until_ns or time.time_ns()
        query = {"since": _seconds(since_ns) or "0", "until": _seconds(until_ns)}
        with self._api.open("GET", "/events", query) as response:
            return [read_event(document) for document in response.documents()]


def _seconds(time_ns: int) -> str:
    seconds, rest = divmod(time_ns, 10**9)
    return f"{seconds}.{rest:09d}" if time_ns else ""
