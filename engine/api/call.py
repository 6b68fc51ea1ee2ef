"""One request, and the ways to answer it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from .errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .body import BodyFeed
    from .exchange import Exchange
    from .service import Service
    from .tunnel import Tunnel

    Headers = tuple[tuple[str, str], ...]

JSON = "application/json"
KEPT_PIECES = 8
"""So many pieces of an archive, of some 64 kB each, are made ahead of the client."""
FALSE = ("", "0", "no", "false", "none")


class Answer:
    """A whole answer. `length`: of the body that a HEAD answer does not carry."""

    def __init__(self, status: int, body: bytes = b"", headers: Headers = ()) -> None:
        self.status = status
        self.body = body
        self.headers = headers


def json_answer(data: object, status: int = 200) -> Answer:
    """Compact, with Docker's line break at its end."""
    body = json.dumps(data, separators=(",", ":"), ensure_ascii=False, default=str)
    return Answer(status, body.encode("utf-8", "surrogateescape") + b"\n", (("Content-Type", JSON),))


NO_CONTENT = Answer(204)
NOT_MODIFIED = Answer(304)


class Call:
    """What a handler gets. Parameters are read with Docker's rules for what is true.

    `body` is whole, unless the route reads it as it comes: then `input` is a file for a thread.
    """

    def __init__(
        self,
        service: Service,
        exchange: Exchange,
        *,
        method: str,
        version: tuple[int, int],
        words: dict[str, str],
        query: str,
        headers: dict[str, str],
    ) -> None:
        self.service = service
        self.engine = service.engine
        self.threads = service.threads
        self.method = method
        self.version = version
        self.words = words
        self.headers = headers
        self.body = b""
        self.streaming = False
        self.input: BodyFeed | None = None
        self._exchange = exchange
        try:
            self._query = parse_qs(query, keep_blank_values=True, errors="surrogateescape", max_num_fields=1000)
        except ValueError as error:
            raise ApiError(400, f"invalid query: {error}") from error

    def given(self, name: str) -> bool:
        return name in self._query

    def text(self, name: str, default: str = "") -> str:
        return self._query[name][0] if name in self._query else default

    def texts(self, name: str) -> list[str]:
        return self._query.get(name, [])

    def flag(self, name: str, default: bool = False) -> bool:
        """Anything but nothing, 0, no, false and none is true."""
        return self.text(name).strip().lower() not in FALSE if name in self._query else default

    def number(self, name: str, default: int | None = None) -> int | None:
        """Raises `ApiError` for what is no whole number."""
        text = self.text(name)
        if not text:
            return default
        try:
            return int(text)
        except ValueError:
            raise ApiError(400, f"invalid value {text!r} for {name}: not a number") from None

    def json(self) -> dict[str, Any]:
        """The body as a JSON object; {} when there is none."""
        if not self.body.strip():
            return {}
        try:
            data = json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise ApiError(400, f"invalid JSON: {error}") from None
        if data is None:
            return {}
        if not isinstance(data, dict):
            raise ApiError(400, "invalid JSON: an object is wanted")
        return data

    def file(self) -> BodyFeed:
        """The body of a route that streams it."""
        if self.input is None:
            raise ApiError(500, "a body that is not streamed")
        return self.input

    async def begin(self, content_type: str, status: int = 200, headers: Headers = ()) -> None:
        """Send status and headers of a stream at once; the body follows by `write` and ends with the handler."""
        self.streaming = True
        self._exchange.send_head(status, (("Content-Type", content_type), *headers))
        await self._exchange.drained()

    async def write(self, data: bytes) -> None:
        """Send a piece of the stream; waits while the client does not take it."""
        self._exchange.send_data(data)
        await self._exchange.drained()

    async def send_pieces(self, open_pieces: Callable[[], tuple[Headers, Iterator[bytes]]], content_type: str) -> None:
        """A long answer that a thread makes piece by piece; what fails before the first piece is a status."""

        def produce(cancelled: Callable[[], bool]) -> Iterator[Headers | bytes]:
            headers, pieces = open_pieces()
            try:
                first = next(pieces, b"")
                yield headers
                yield first
                yield from pieces
            finally:
                close = getattr(pieces, "close", None)
                if close:
                    close()

        async for batch in self.threads.stream(produce, kept=KEPT_PIECES):
            for item in batch:
                if isinstance(item, tuple):
                    await self.begin(content_type, headers=item)
                else:
                    await self.write(item)

    def upgrade(self, *, framed: bool) -> Tunnel:
        """Leave HTTP: the connection carries raw bytes from now on, in Docker's two forms."""
        return self._exchange.upgrade(framed=framed, named=self.version >= (1, 42))

    def upgrade_to_websocket(self, key: str, protocol: str) -> Tunnel:
        return self._exchange.upgrade_to_websocket(key, protocol)
