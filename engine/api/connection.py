"""One client: HTTP/1.1 by h11 over an asyncio transport, until it closes or leaves HTTP.

Memory per client is bounded: headers, bodies and what it sends ahead have limits, and what it does not read stops the
producer. The end of a client's own sending is no end of its reading (half-close), so the kernel is asked whether the
peer is still there at all.
"""

from __future__ import annotations

import asyncio
import json
import select
import sys
import traceback
from typing import TYPE_CHECKING, cast

import h11

from .. import __version__
from .call import JSON, Answer, Call
from .errors import ApiError, answer_to, reason_of
from .tunnel import Tunnel

if TYPE_CHECKING:
    from .router import Route
    from .service import Service

HEADER_BYTES = 64 << 10
BODY_BYTES = 4 << 20
AHEAD_BYTES = 64 << 10
HIGH_WATER_BYTES = 128 << 10
REQUEST_TIMEOUT_S = 60.0
PEER_CHECK_S = 0.5
RAW_STREAM = "application/vnd.docker.raw-stream"
MULTIPLEXED_STREAM = "application/vnd.docker.multiplexed-stream"


class Connection(asyncio.Protocol):
    """Made for each accepted client; all of it runs on the loop."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=HEADER_BYTES)
        self._loop = asyncio.get_running_loop()
        self._task: asyncio.Task[None] | None = None
        self._call: Call | None = None
        self._route: Route | None = None
        self._refused: ApiError | None = None
        self._body = bytearray()
        self._ahead_bytes = 0
        self._writable = asyncio.Event()
        self._writable.set()
        self._tunnel: Tunnel | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._half_closed = False
        self._may_upgrade = False
        self._lost = False

    # asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=HIGH_WATER_BYTES)
        self._service.joined(self)

    def data_received(self, data: bytes) -> None:
        if self._tunnel:
            self._tunnel.data(data)
            return
        self._http.receive_data(data)
        if self._task:  # sent ahead: it waits its turn
            self._ahead_bytes += len(data)
            if self._ahead_bytes > AHEAD_BYTES:
                self._transport.pause_reading()
            return
        self._advance()

    def eof_received(self) -> bool:
        self._half_closed = True
        if self._peer_is_gone():
            return False
        if self._tunnel:
            self._tunnel.end()
        elif not self._task:
            self._http.receive_data(b"")
            self._advance()
        self._watch_peer()
        return True

    def pause_writing(self) -> None:
        self._writable.clear()
        if self._tunnel:
            self._tunnel.pause()

    def resume_writing(self) -> None:
        self._writable.set()
        if self._tunnel:
            self._tunnel.resume()

    def connection_lost(self, error: Exception | None) -> None:
        self._lost = True
        self._writable.set()
        if self._timer:
            self._timer.cancel()
        if self._tunnel:
            self._tunnel.lose()
        elif self._task:
            self._task.cancel()
        self._service.left(self)

    def close(self) -> None:
        """End it now; the server is closing."""
        self._transport.abort()

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
        await self._writable.wait()
        if self._lost:
            raise asyncio.CancelledError

    def upgrade(self, *, framed: bool, named: bool) -> Tunnel:
        """101 for who asks for `Upgrade: tcp`, else a 200 whose body is raw to the end of the connection."""
        if self._lost:
            raise asyncio.CancelledError
        kind = MULTIPLEXED_STREAM if framed and named else RAW_STREAM
        if self._may_upgrade:
            headers = [("Content-Type", kind), ("Connection", "Upgrade"), ("Upgrade", "tcp")]
            self._send(h11.InformationalResponse(status_code=101, headers=headers, reason=b"UPGRADED"))
        else:
            self._write(f"HTTP/1.1 200 OK\r\nContent-Type: {RAW_STREAM}\r\n\r\n".encode())
        early = self._http.trailing_data[0]
        self._tunnel = Tunnel(self._transport, early)
        if not self._writable.is_set():
            self._tunnel.pause()
        self._transport.resume_reading()
        if self._half_closed:
            self._tunnel.end()
        return self._tunnel

    # HTTP

    def _advance(self) -> None:
        try:
            while not self._task and not self._lost:
                event = self._http.next_event()
                if event is h11.NEED_DATA or event is h11.PAUSED:
                    if self._http.they_are_waiting_for_100_continue:
                        self._send(h11.InformationalResponse(status_code=100, headers=[]))
                    return
                if isinstance(event, h11.Request):
                    self._begin(event)
                elif isinstance(event, h11.Data):
                    self._body += event.data
                    if len(self._body) > BODY_BYTES:
                        raise ApiError(413, f"request body is larger than {BODY_BYTES} bytes")
                elif isinstance(event, h11.EndOfMessage):
                    self._serve()
                else:  # closed by the peer
                    self._transport.close()
                    return
        except h11.RemoteProtocolError as error:
            self._refuse_and_close(error.error_status_hint, f"malformed request: {error}")
        except ApiError as error:
            self._refuse_and_close(error.status, error.message)

    def _begin(self, request: h11.Request) -> None:
        self._body.clear()
        self._refused = self._call = self._route = None
        self._timer = self._loop.call_later(REQUEST_TIMEOUT_S, self._transport.abort)
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

    def _serve(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None
        self._task = self._loop.create_task(self._run())

    async def _run(self) -> None:
        """Answer one request, and go on to the next."""
        try:
            await self._respond()
        except asyncio.CancelledError:
            if not self._tunnel:
                self._transport.abort()
            return
        if self._tunnel:
            return
        self._task = None
        self._ahead_bytes = 0
        if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            self._http.start_next_cycle()
            self._transport.resume_reading()
            if self._half_closed:
                self._http.receive_data(b"")
            self._advance()
        else:
            self._transport.close()

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
            if self._tunnel or (call and call.streaming):
                # the status is out already; a cut stream is all that can still be told
                self._transport.abort()
                return
        if self._tunnel or self._lost:
            return
        if answer is None:
            self._send(h11.EndOfMessage())
        else:
            self._send_answer(answer, bodiless=call is not None and call.method == "HEAD")

    def _answer_to(self, error: Exception) -> Answer:
        status, message = answer_to(error)
        if status == 500 and not isinstance(error, ApiError):
            traceback.print_exception(error, file=sys.stderr)
        return _error_answer(status, message)

    def _refuse_and_close(self, status: int, message: str) -> None:
        if self._http.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            answer = _error_answer(status, message)
            self._send_answer(Answer(status, answer.body, (*answer.headers, ("Connection", "close"))))
        self._transport.close()

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
            self._write(data)

    def _write(self, data: bytes) -> None:
        if not self._lost:
            self._transport.write(data)

    # half-closed peers

    def _peer_is_gone(self) -> bool:
        """POLLHUP: both directions are closed."""
        socket = self._transport.get_extra_info("socket")
        if socket is None or socket.fileno() < 0:
            return True
        poll = select.poll()
        poll.register(socket.fileno(), 0)
        return any(events & (select.POLLHUP | select.POLLERR) for _fd, events in poll.poll(0))

    def _watch_peer(self) -> None:
        if self._lost:
            return
        if self._peer_is_gone():
            self._transport.abort()
            return
        self._loop.call_later(PEER_CHECK_S, self._watch_peer)


def _error_answer(status: int, message: str) -> Answer:
    body = json.dumps({"message": message}, ensure_ascii=False).encode("utf-8", "replace") + b"\n"
    return Answer(status, body, (("Content-Type", JSON),))
