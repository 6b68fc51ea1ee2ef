"""Where another engine answers: the address of `--host`, and how to connect to it.

Addresses are docker's: unix:///PATH, tcp://HOST[:PORT], http:// and https://HOST[:PORT]. With `tls` the connection
is checked against a certificate authority and shows a certificate of its own, as files named in it say.
"""

from __future__ import annotations

import os
import socket

from .. import unix
from ..errors import EngineError, InvalidRequest
from ..record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl

PLAIN_PORT = 2375
TLS_PORT = 2376
CONNECT_S = 30
CERTIFICATES = "Are the certificates (--tlscacert, --tlscert, --tlskey) those of this engine?"


class Tls(Record):
    """Files of a TLS connection; "" for none. `verify`: whether the engine has to prove who it is."""

    ca: str = ""
    certificate: str = ""
    key: str = ""
    verify: bool = True


class Target(Record):
    """A parsed address. `path` of a unix socket, or `host` and `port`."""

    text: str
    path: str = ""
    host: str = ""
    port: int = 0
    tls: Tls | None = None

    @property
    def name(self) -> str:
        """What the Host header says."""
        return f"{self.host}:{self.port}" if self.host else "localhost"

    def connect(self) -> Channel:
        """Raises `EngineError` that says who does not answer and what to look at."""
        try:
            if self.path:
                plain = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                unix.connect(plain, self.path)
                return Channel(plain)
            plain = socket.create_connection((self.host, self.port), CONNECT_S)
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            plain.settimeout(None)
        except OSError as error:
            why = (error.strerror or str(error)).lower()
            raise EngineError(f"cannot connect to the engine at {self.text}: {why}", hint=self._hint(error)) from None
        if self.tls is None:
            return Channel(plain)
        import ssl

        try:
            return Channel(_context(self.tls).wrap_socket(plain, server_hostname=self.host))
        except (ssl.SSLError, OSError) as error:
            plain.close()
            raise EngineError(
                f"cannot connect to the engine at {self.text}: {getattr(error, 'reason', None) or error}",
                hint=CERTIFICATES,
            ) from None

    def _hint(self, error: OSError) -> str:
        if isinstance(error, PermissionError):
            return f"Only some users may use {self.path}: use sudo, or join the group that owns it."
        return "Is it running there? 'pydock context ls' shows the addresses that are known."


class Channel:
    """A connected socket, plain or TLS, that can also be read without waiting."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._tls = hasattr(connection, "pending")

    def fileno(self) -> int:
        return self._socket.fileno()

    def sendall(self, data: bytes) -> None:
        try:
            self._socket.sendall(data)
        except ConnectionError:
            raise
        except OSError as error:
            raise self._told(error) from None

    def recv(self) -> bytes:
        """Wait for some bytes; b"" at the end, however it came."""
        try:
            return self._socket.recv(1 << 16)
        except ConnectionError:
            return b""
        except OSError as error:
            if self._closed_by_notice(error):
                return b""
            raise self._told(error) from None

    def recv_available(self) -> bytes | None:
        """What has arrived; None when nothing has, b"" at the end."""
        try:
            if not self._tls:
                return self._socket.recv(1 << 16, socket.MSG_DONTWAIT)
            return self._recv_tls()
        except (BlockingIOError, InterruptedError):
            return None
        except ConnectionError:
            return b""

    def _recv_tls(self) -> bytes | None:
        import ssl

        # a record may hold more than was asked for, and a poll does not see what the library keeps: read it all
        parts: list[bytes] = []
        self._socket.setblocking(False)
        try:
            while True:
                part = self._socket.recv(1 << 16)
                if not part:
                    return b"".join(parts)
                parts.append(part)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return b"".join(parts) or None
        except ssl.SSLZeroReturnError:
            return b"".join(parts)
        finally:
            self._socket.setblocking(True)

    def _closed_by_notice(self, error: OSError) -> bool:
        """Whether it is the end: TLS says so in a way of its own to who has ended its writing."""
        if not self._tls:
            return False
        import ssl

        return isinstance(error, ssl.SSLZeroReturnError)

    def _told(self, error: OSError) -> Exception:
        """What TLS refuses after the handshake: with TLS 1.3 a missing certificate is noticed only then."""
        import ssl

        if not isinstance(error, ssl.SSLError):
            return error
        reason = str(error.reason or error).lower().replace("_", " ")
        return EngineError(f"the engine ended the TLS connection: {reason}", hint=CERTIFICATES)

    def end_writing(self) -> None:
        """The other side reads end of file; reading goes on."""
        if not self._tls:
            self._socket.shutdown(socket.SHUT_WR)
            return
        import ssl

        self._socket.setblocking(False)
        try:
            self._socket.unwrap()  # type: ignore[attr-defined]  # sends "close notify", and would wait for theirs
        except (ssl.SSLError, OSError):
            pass
        finally:
            self._socket.setblocking(True)

    def close(self) -> None:
        self._socket.close()


def parse_target(text: str, tls: Tls | None = None) -> Target:
    """Read an address. Raises `InvalidRequest`."""
    scheme, separator, rest = text.partition("://")
    if not separator:
        scheme, rest = ("unix", text) if text.startswith("/") else ("tcp", text)
    if scheme == "unix":
        if not rest.startswith("/"):
            raise _invalid(text, "the path of a unix socket is absolute: unix:///run/docker.sock")
        return Target(text=f"unix://{rest}", path=rest)
    if scheme == "ssh":
        raise _invalid(
            text,
            "ssh is not spoken here; forward the socket (ssh -NL /tmp/engine.sock:/run/docker.sock HOST), "
            "then use unix:///tmp/engine.sock",
        )
    if scheme not in ("tcp", "http", "https"):
        raise _invalid(text, "write unix:///PATH or tcp://HOST:PORT")
    if scheme == "https" and tls is None:
        tls = Tls()
    rest = rest.rstrip("/")
    host, port = _host_and_port(rest)
    if not host or (port and not port.isdigit()):
        raise _invalid(text, "write tcp://HOST:PORT")
    number = int(port) if port else (TLS_PORT if tls else PLAIN_PORT)
    return Target(text=f"{scheme}://{rest}", host=host, port=number, tls=tls)


def _host_and_port(text: str) -> tuple[str, str]:
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        return host, rest.removeprefix(":")
    host, _, port = text.partition(":")
    return host, port


def _invalid(text: str, cure: str) -> InvalidRequest:
    return InvalidRequest(f"invalid address of an engine: {text!r}", hint=cure[:1].upper() + cure[1:] + ".")


def _context(tls: Tls) -> ssl.SSLContext:
    import ssl

    try:
        if tls.verify:
            context = ssl.create_default_context(cafile=tls.ca or None)
        else:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if tls.certificate:
            context.load_cert_chain(tls.certificate, tls.key or None)
    except (OSError, ssl.SSLError) as error:
        name = next((path for path in (tls.ca, tls.certificate, tls.key) if path and not os.access(path, os.R_OK)), "")
        raise EngineError(f"cannot use the TLS files{f' ({name})' if name else ''}: {error}") from None
    return context
