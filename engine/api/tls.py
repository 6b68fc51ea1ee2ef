"""TLS with client certificates below a connection, with half-close.

asyncio's own TLS ends a connection at the peer's close_notify; docker's client sends it to say that its input has
ended, and goes on reading. So the layer is made here of memory BIOs: close_notify is the end of one direction. A client
that does not finish its handshake never becomes a connection.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import TYPE_CHECKING, Any, cast

from ..errors import InvalidRequest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .connection import Connection

HANDSHAKE_S = 15.0
PIECE_BYTES = 64 << 10
KEEPALIVE_S = 30


class TlsFiles:
    """Paths: the CA of the clients, the server's certificate and its key."""

    def __init__(self, ca: str, certificate: str, key: str) -> None:
        self.ca = ca
        self.certificate = certificate
        self.key = key


def server_context(files: TlsFiles) -> ssl.SSLContext:
    """Raises `InvalidRequest` that names the file at fault."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_REQUIRED
    for path in (files.ca, files.certificate, files.key):
        try:
            with open(path, "rb"):
                pass
        except OSError as error:
            raise InvalidRequest(f"cannot read {path}: {(error.strerror or str(error)).lower()}") from error
    try:
        context.load_verify_locations(files.ca)
    except ssl.SSLError as error:
        raise InvalidRequest(f"{files.ca} is no certificate authority in PEM: {error.reason}") from error
    try:
        context.load_cert_chain(files.certificate, files.key)
    except ssl.SSLError as error:
        raise InvalidRequest(
            f"{files.certificate} and {files.key} are no certificate and key in PEM: {error.reason}"
        ) from error
    return context


class TlsLayer(asyncio.Protocol):
    """The protocol of a TCP transport, and the transport of a `Connection`."""

    def __init__(self, context: ssl.SSLContext, inner: Connection) -> None:
        self._inner = inner
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._loop = asyncio.get_running_loop()
        self._facade = TlsTransport(self)
        self._shaken = False
        self._paused = False
        self._input_ended = False
        self._closing = False
        self._pumping = False

    # of the TCP transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        sock = self.transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_S)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, KEEPALIVE_S // 3)
        self._timer = self._loop.call_later(HANDSHAKE_S, self.transport.abort)

    def data_received(self, data: bytes) -> None:
        self._incoming.write(data)
        self._pump()

    def eof_received(self) -> bool:
        return False  # the network connection has ended, whatever TLS had to say

    def pause_writing(self) -> None:
        if self._shaken:
            self._inner.pause_writing()

    def resume_writing(self) -> None:
        if self._shaken:
            self._inner.resume_writing()

    def connection_lost(self, error: Exception | None) -> None:
        self._timer.cancel()
        if self._shaken:
            self._inner.connection_lost(error)

    # of the facade

    def write(self, data: bytes) -> None:
        if self._closing or self.transport.is_closing():
            return
        view = memoryview(data)
        try:
            while view:
                view = view[self._tls.write(view) :]
        except ssl.SSLError:
            self.transport.abort()
            return
        self._flush()

    def read(self, wanted: bool) -> None:
        self._paused = not wanted
        if self.transport.is_closing():
            return
        if wanted:
            self.transport.resume_reading()
            self._loop.call_soon(self._pump)
        else:
            self.transport.pause_reading()

    def close(self) -> None:
        if self._closing:
            return
        self._closing = True
        try:
            self._tls.unwrap()
        except ssl.SSLError:  # the peer's own close_notify has not come, and is not waited for
            pass
        self._flush()
        self.transport.close()

    def _pump(self) -> None:
        if self._pumping:  # a handler below has asked for more: the loop above gets there
            return
        self._pumping = True
        try:
            if self._shaken or self._shake():
                self._deliver()
        except ssl.SSLError:
            self._flush()
            self.transport.close()
        finally:
            self._pumping = False

    def _shake(self) -> bool:
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
            return False
        self._flush()
        self._timer.cancel()
        self._shaken = True
        self._inner.connection_made(self._facade)
        return True

    def _deliver(self) -> None:
        while not (self._paused or self._input_ended or self.transport.is_closing()):
            try:
                data = self._tls.read(PIECE_BYTES)
            except ssl.SSLWantReadError:
                break
            except ssl.SSLZeroReturnError:
                data = b""
            if data:
                self._inner.data_received(data)
                continue
            self._input_ended = True
            if not self._inner.eof_received():
                self.close()
        self._flush()

    def _flush(self) -> None:
        data = self._outgoing.read()
        if data and not self.transport.is_closing():
            self.transport.write(data)


class TlsTransport(asyncio.Transport):
    """What a `Connection` knows of TLS."""

    def __init__(self, layer: TlsLayer) -> None:
        super().__init__()
        self._layer = layer

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        self._layer.write(bytes(data))

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview[Any]]) -> None:
        self._layer.write(b"".join(list_of_data))

    def pause_reading(self) -> None:
        self._layer.read(False)

    def resume_reading(self) -> None:
        self._layer.read(True)

    def close(self) -> None:
        self._layer.close()

    def abort(self) -> None:
        self._layer.transport.abort()

    def is_closing(self) -> bool:
        return self._layer.transport.is_closing()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._layer.transport.set_write_buffer_limits(high, low)

    def get_write_buffer_size(self) -> int:
        return self._layer.transport.get_write_buffer_size()

    def get_extra_info(self, name: str, default: object = None) -> Any:
        return self._layer.transport.get_extra_info(name, default)
