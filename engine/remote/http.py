"""HTTP/1.1 as an engine's API needs it, on blocking sockets: JSON calls, streams, and connections that leave HTTP.

`http.client` would do the first two for 26 ms of imports, and gives no connection away; this is all that is needed.
A connection is kept for the next call once an answer has been read to its end.
"""

from __future__ import annotations

import json

from ..errors import EngineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any, Self

    from .target import Channel, Target

HEAD_LIMIT = 1 << 17


class BrokenAnswer(EngineError):
    """The other side closed the connection in the middle, or does not speak HTTP."""


class Body:
    """Undoes the framing of a body: a length, chunks, or all until the connection ends."""

    def __init__(self, headers: Mapping[str, str], *, empty: bool = False) -> None:
        self._chunked = "chunked" in headers.get("transfer-encoding", "").lower()
        length = headers.get("content-length", "")
        self._left = 0 if empty else int(length) if length.isdigit() and not self._chunked else -1
        self._in_chunk = 0
        self._pending = bytearray()
        self.done = self._left == 0

    @property
    def framed(self) -> bool:
        """Whether the body says itself where it ends."""
        return self._chunked or self._left >= 0

    def feed(self, data: bytes) -> bytes:
        """The payload of what came."""
        if not self._chunked:
            if self._left < 0:
                return data
            part = data[: self._left]
            self._left -= len(part)
            self.done = self._left == 0
            return part
        self._pending += data
        parts = []
        while not self.done:
            if self._in_chunk > 2:
                part = bytes(self._pending[: self._in_chunk - 2])
                del self._pending[: len(part)]
                self._in_chunk -= len(part)
                if part:
                    parts.append(part)
                if self._in_chunk > 2:
                    break
            if self._in_chunk:  # the line end after a chunk
                if len(self._pending) < self._in_chunk:
                    break
                del self._pending[: self._in_chunk]
                self._in_chunk = 0
            line, end, rest = self._pending.partition(b"\r\n")
            if not end:
                break
            self._pending = rest
            try:
                size = int(line.partition(b";")[0], 16)
            except ValueError:
                raise BrokenAnswer(f"the engine answered with a broken chunk: {bytes(line[:40])!r}") from None
            self._in_chunk = size + 2
            self.done = size == 0
        return b"".join(parts)


class Response:
    """An answer whose body is still to be read. `close()` it, unless `read()` has come to the end."""

    def __init__(self, client: Client, channel: Channel, status: int, headers: dict[str, str], rest: bytes) -> None:
        self.status = status
        self.headers = headers
        self._client = client
        self._channel: Channel | None = channel
        self._body = Body(headers, empty=status in (204, 304))
        self._rest = rest

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def fileno(self) -> int:
        return self._channel.fileno() if self._channel else -1

    def read(self) -> bytes:
        return b"".join(self.chunks())

    def chunks(self) -> Iterator[bytes]:
        """The body as it comes, blocking. Raises `BrokenAnswer` when it ends too early."""
        if self._rest:
            first, self._rest = self._rest, b""
            yield self._body.feed(first)
        while not self._body.done and self._channel is not None:
            data = self._channel.recv()
            if not data:
                if self._body.framed:
                    self.close()
                    raise BrokenAnswer("the engine closed the connection in the middle of an answer")
                break
            yield self._body.feed(data)
        self._finish()

    def available(self) -> tuple[bytes, bool]:
        """(what has come since the last call, whether that was the end); never waits."""
        parts = []
        if self._rest:
            parts.append(self._body.feed(self._rest))
            self._rest = b""
        while not self._body.done and self._channel is not None:
            data = self._channel.recv_available()
            if data is None:
                return b"".join(parts), False
            if not data:
                break
            parts.append(self._body.feed(data))
        return b"".join(parts), True

    def documents(self) -> Iterator[dict[str, Any]]:
        """The body as JSON documents, one after the other."""
        reader = Documents()
        for chunk in self.chunks():
            yield from reader.feed(chunk)

    def hijacked(self) -> tuple[Channel, bytes]:
        """The connection, for whoever goes on without HTTP, and what has come after the head."""
        channel, self._channel = self._channel, None
        assert channel is not None
        return channel, self._rest

    def close(self) -> None:
        if self._channel is not None:
            self._channel.close()
            self._channel = None

    def _finish(self) -> None:
        if self._channel is None:
            return
        reusable = self._body.done and "close" not in self.headers.get("connection", "").lower()
        if reusable:
            self._client.keep(self._channel)
            self._channel = None
        else:
            self.close()


class Documents:
    """Cuts a stream of JSON documents, which end in a line break."""

    def __init__(self) -> None:
        self._pending = b""

    def feed(self, data: bytes) -> list[dict[str, Any]]:
        *lines, self._pending = (self._pending + data).split(b"\n")
        return [json.loads(line) for line in lines if line.strip()]


class Client:
    """Requests to one engine, over as many connections as are busy at once."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self._idle: list[Channel] = []

    def request(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | Iterator[bytes] = b"",
    ) -> Response:
        """Send, and read the head of the answer. A body that is an iterator goes out in chunks."""
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self.target.name}", "User-Agent: pydock"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        streamed = not isinstance(body, bytes)
        if streamed:
            lines.append("Transfer-Encoding: chunked")
        elif body or method in ("POST", "PUT"):
            lines.append(f"Content-Length: {len(body)}")  # type: ignore[arg-type]
        head = ("\r\n".join(lines) + "\r\n\r\n").encode()
        reused = bool(self._idle)
        channel = self._idle.pop() if reused else self.target.connect()
        try:
            if streamed:
                channel.sendall(head)
                for part in body:
                    assert isinstance(part, bytes)
                    if part:
                        channel.sendall(b"%x\r\n" % len(part) + part + b"\r\n")
                channel.sendall(b"0\r\n\r\n")
            else:
                assert isinstance(body, bytes)
                channel.sendall(head + body)
        except ConnectionError:
            if streamed or not reused:
                # an engine that refuses a body says why before it closes
                try:
                    return self._head(channel, method)
                except BrokenAnswer:
                    raise BrokenAnswer(f"the engine at {self.target.text} closed the connection") from None
            channel.close()
            return self.request(method, path, headers=headers, body=body)
        try:
            return self._head(channel, method)
        except BrokenAnswer:
            if reused and not streamed and method in ("GET", "HEAD"):
                return self.request(method, path, headers=headers, body=body)
            raise

    def keep(self, channel: Channel) -> None:
        self._idle.append(channel)

    def close(self) -> None:
        while self._idle:
            self._idle.pop().close()

    def _head(self, channel: Channel, method: str) -> Response:
        received = bytearray()
        while b"\r\n\r\n" not in received:
            data = channel.recv()
            if not data or len(received) > HEAD_LIMIT:
                channel.close()
                raise BrokenAnswer(
                    f"the engine at {self.target.text} closed the connection without an answer",
                    hint="Does it want TLS? Then give --tlsverify." if self.target.host and not self.target.tls else "",
                )
            received += data
        head, _, rest = bytes(received).partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        version, _, status = first.partition(" ")
        if not version.startswith("HTTP/1.") or not status[:3].isdigit():
            channel.close()
            raise BrokenAnswer(f"what answers at {self.target.text} does not speak HTTP")
        headers = {}
        for line in lines:
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        if method == "HEAD":
            headers["content-length"] = "0"
            headers.pop("transfer-encoding", None)
        return Response(self, channel, int(status[:3]), headers, rest)
