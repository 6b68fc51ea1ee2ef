"""HTTP/1.1 with one client, by h11: requests in their turn, their bodies, their answers, and the way out of HTTP.

A body is collected up to a limit before its handler runs, unless its route reads it as it comes (`body.py`).
"""

from __future__ import annotations

import asyncio
import json
import sys
import traceback
from typing import TYPE_CHECKING

import h11

from .. import __version__
from ..errors import EngineError
from .body import BodyFeed
from .call import JSON, Answer, Call
from .errors import ApiError, answer_to, reason_of
from .tunnel import Tunnel
from .websocket import WebSocket, accept_key

if TYPE_CHECKING:
    from .connection import Connection
    from .router import Route
    from .service import Service

HEADER_BYTES = 64 << 10
BODY_BYTES = 4 << 20
AHEAD_BYTES = 64 << 10
REQUEST_TIMEOUT_S = 60.0
"""For a header to be complete, and for a collected body."""
DISCARD_BYTES = 64 << 20
DISCARD_S = 10.0
"""So much of a body that nobody wanted is still taken, for the client to see why."""
RAW_STREAM = "application/vnd.docker.raw-stream"
MULTIPLEXED_STREAM = "application/vnd.docker.multiplexed-stream"


class Exchange:
    """All of it runs on the loop."""

    def __init__(self, service: Service, line: Connection) -> None:
        self._service = service
        self._line = line
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=HEADER_BYTES)
        self._loop = asyncio.get_running_loop()
        self._task: asyncio.Task[None] | None = None
        self._call: Call | None = None
        self._route: Route | None = None
        self._refused: ApiError | None = None
        self._body = bytearray()
        self._feed: BodyFeed | None = None
        self._discard_left = 0
        self._ahead_bytes = 0
        self._timer: asyncio.TimerHandle | None = None
        self._may_upgrade = False

    # the connection's side

    def receive(self, data: bytes) -> None:
        self._http.receive_data(data)
        if self._task and not self._feed:  # sent ahead: it waits its turn
            self._ahead_bytes += len(data)
            if self._ahead_bytes > AHEAD_BYTES:
                self._line.read(False)
            return
        if not self._timer and not self._feed:
            self._limit(REQUEST_TIMEOUT_S)
        self._advance()

    def receive_end(self) -> None:
        if self._feed or not self._task:
            self._http.receive_data(b"")
            self._advance()

    def lose(self) -> None:
        self._limit(None)
        if self._feed:
            self._feed.fail("the client is gone")
        if self._task and not self._line.tunnel:
            self._task.cancel()

    # the handler's side, by way of its Call

    def send_head(self, status: int, headers: tuple[tuple[str, str], ...]) -> None:
        fixed = (
            ("Api-Version", self._service.api_version),
            ("Docker-Experimental", "false"),
            ("Ostype", "linux"),
            ("Server", f"pydock/{__version__} (linux)"),
        )
        response = h11.Response(status_code=status, headers=[*fixed, *headers], reason=reason_of(status))
        self._send(response)

    def send_data(self, data: bytes) -> None:
        if data:
            self._send(h11.Data(data=data))

    async def drained(self) -> None:
        await self._line.drained()

    def upgrade(self, *, framed: bool, named: bool) -> Tunnel:
        """101 for who asks for `Upgrade: tcp`, else a 200 whose body is raw to the end of the connection."""
        self._check_there()
        kind = MULTIPLEXED_STREAM if framed and named else RAW_STREAM
        if self._may_upgrade:
            headers = [("Content-Type", kind), ("Connection", "Upgrade"), ("Upgrade", "tcp")]
            self._send(h11.InformationalResponse(status_code=101, headers=headers, reason=b"UPGRADED"))
        else:
            self._line.write(f"HTTP/1.1 200 OK\r\nContent-Type: {RAW_STREAM}\r\n\r\n".encode())
        return self._enter(Tunnel(self._line.transport, self._http.trailing_data[0]))

    def upgrade_to_websocket(self, key: str, protocol: str) -> Tunnel:
        self._check_there()
        headers = [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Accept", accept_key(key))]
        headers += [("Sec-WebSocket-Protocol", protocol)] if protocol else []
        self._send(h11.InformationalResponse(status_code=101, headers=headers, reason=b"Switching Protocols"))
        return self._enter(WebSocket(self._line.transport, self._http.trailing_data[0]))

    # HTTP

    def _advance(self) -> None:
        try:
            while (not self._task or self._feed) and not self._line.lost:
                event = self._http.next_event()
                if event is h11.NEED_DATA or event is h11.PAUSED:
                    if self._http.they_are_waiting_for_100_continue:
                        self._send(h11.InformationalResponse(status_code=100, headers=[]))
                    return
                if isinstance(event, h11.Request):
                    self._begin(event)
                elif isinstance(event, h11.Data):
                    self._take(bytes(event.data))
                elif isinstance(event, h11.EndOfMessage):
                    self._complete()
                else:  # closed by the peer
                    self._line.close()
                    return
        except h11.RemoteProtocolError as error:
            if self._feed:
                self._feed.fail(f"malformed request: {error}")
                self._feed = None
                return
            self._refuse_and_close(error.error_status_hint, f"malformed request: {error}")
        except ApiError as error:
            self._refuse_and_close(error.status, error.message)

    def _begin(self, request: h11.Request) -> None:
        self._body.clear()
        self._refused = self._call = self._route = None
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in request.headers}
        self._may_upgrade = bool(headers.get("upgrade"))
        method, target = request.method.decode(), request.target.decode("latin-1")
        try:
            self._route, version, words, query = self._service.router.resolve(method, target)
            self._call = Call(
                self._service, self, method=method, version=version, words=words, query=query, headers=headers
            )
        except ApiError as error:
            if "transfer-encoding" in headers or headers.get("content-length", "0") != "0":
                raise  # not worth reading the body
            self._refused = error
            return
        if self._route.streams_body:
            self._feed = BodyFeed(self._loop, self._line.read)
            self._call.input = self._feed
            self._serve()

    def _take(self, data: bytes) -> None:
        if self._discard_left:
            self._discard_left -= len(data)
            if self._discard_left <= 0:
                self._line.abort()
        elif self._feed:
            self._feed.put(data)
        else:
            self._body += data
            if len(self._body) > BODY_BYTES:
                raise ApiError(413, f"request body is larger than {BODY_BYTES} bytes")

    def _complete(self) -> None:
        if self._discard_left:
            self._discard_left = 0
            self._next()
        elif self._feed:
            self._feed.end()
            self._feed = None
        else:
            self._serve()

    def _serve(self) -> None:
        self._limit(None)
        self._task = self._loop.create_task(self._run())

    async def _run(self) -> None:
        """Answer one request, and go on to the next."""
        try:
            await self._respond()
        except asyncio.CancelledError:
            if not self._line.tunnel:
                self._line.abort()
            return
        if self._line.tunnel:
            return
        self._task = None
        self._ahead_bytes = 0
        if self._feed:  # nobody reads it any more
            self._feed = None
            self._discard_left = DISCARD_BYTES
        if not self._line.lost:
            self._next()

    def _next(self) -> None:
        self._limit(None)
        if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            self._http.start_next_cycle()
            self._line.read(True)
            if self._line.half_closed:
                self._http.receive_data(b"")
            self._advance()
        elif self._discard_left and self._http.their_state is h11.SEND_BODY:
            self._limit(DISCARD_S)
            self._line.read(True)
            self._advance()
        else:
            self._line.close()

    async def _respond(self) -> None:
        call = self._call
        try:
            if self._refused or call is None or self._route is None:
                raise self._refused or ApiError(500, "request without a route")
            call.body = bytes(self._body)
            self._body.clear()
            answer = await self._route.handler(call)
        except Exception as error:
            answer = self._answer_to(error)
            if self._line.tunnel or (call and call.streaming):
                # the status is out already; a cut stream is all that can still be told
                self._line.abort()
                return
        if self._line.tunnel or self._line.lost:
            return
        if answer is None:
            self._send(h11.EndOfMessage())
        else:
            self._send_answer(answer, bodiless=call is not None and call.method == "HEAD")

    def _answer_to(self, error: Exception) -> Answer:
        status, message = answer_to(error)
        if status == 500 and not isinstance(error, (ApiError, EngineError)):
            traceback.print_exception(error, file=sys.stderr)
        return _error_answer(status, message)

    def _refuse_and_close(self, status: int, message: str) -> None:
        if self._http.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            answer = _error_answer(status, message)
            self._send_answer(Answer(status, answer.body, (*answer.headers, ("Connection", "close"))))
        self._line.close()

    def _send_answer(self, answer: Answer, *, bodiless: bool = False) -> None:
        headers = answer.headers
        if answer.status not in (204, 304):
            headers = (*headers, ("Content-Length", str(len(answer.body))))
        self.send_head(answer.status, headers)
        if not bodiless:
            self.send_data(answer.body)
        self._send(h11.EndOfMessage())

    def _send(self, event: h11.Event) -> None:
        data = self._http.send(event)
        if data:
            self._line.write(data)

    def _limit(self, seconds: float | None) -> None:
        """The client has so long for what it began; None: it is not waited for."""
        if self._timer:
            self._timer.cancel()
        self._timer = self._loop.call_later(seconds, self._line.abort) if seconds else None

    # out of HTTP

    def _check_there(self) -> None:
        if self._line.lost:
            raise asyncio.CancelledError

    def _enter(self, tunnel: Tunnel) -> Tunnel:
        self._line.read(True)
        self._line.tunnel = tunnel
        if not self._line.writable:
            tunnel.pause()
        if self._line.half_closed:
            tunnel.end()
        return tunnel


def _error_answer(status: int, message: str) -> Answer:
    body = json.dumps({"message": message}, ensure_ascii=False).encode("utf-8", "replace") + b"\n"
    return Answer(status, body, (("Content-Type", JSON),))
