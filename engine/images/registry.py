"""Talks to one registry: manifests and blobs over HTTP, through what registries do on bad days.

Every request is repeated with growing pauses on 429, 5xx and broken connections (Retry-After is honoured), a 401 is
answered once with fresh credentials, a silent connection counts as broken after 30 seconds. Redirects are followed
here and not by the library, so that an Authorization header never leaves the host it was made for, and nothing that
began as https goes on as http. Source: OCI distribution-spec; RFC 9110 (Range, Retry-After).
"""

from __future__ import annotations

import contextlib
import email.utils
import random
import socket
import threading
import time
from urllib.parse import urljoin, urlsplit

import httpx

from ..errors import Cancelled, ImageNotFound, RegistryError, Unauthorized
from .auth import Authenticator
from .endpoint import base_url, is_plain_http, ssl_context

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from .auth import Credentials
    from .reference import Reference

    Content = Callable[[], bytes | Iterator[bytes]]

STALL_S = 30.0
CONNECT_S = 10.0
ATTEMPTS = 6
FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 20.0
REDIRECTS = 5
ERROR_BODY = 64 << 10
USER_AGENT = "pydock/0.1"
_AGAIN = (408, 429, 500, 502, 503, 504)
_REDIRECT = (301, 302, 303, 307, 308)


class Registry:
    """One repository of one registry. Thread-safe; `close` ends every connection.

    `cancelled` is asked between attempts; `abort` ends the ones that are going on.
    """

    def __init__(
        self,
        reference: Reference,
        *,
        credentials: Credentials | None = None,
        cancelled: Callable[[], bool] | None = None,
        stall_s: float = STALL_S,
        scope: str = "",
    ) -> None:
        self.reference = reference
        self._scope = scope or f"repository:{reference.path}:pull"
        self.domain = reference.domain
        self._base = base_url(reference.domain)
        self._cancelled = cancelled
        self._wake = threading.Event()
        self._reached = False
        self._stall_s = stall_s
        self._client = httpx.Client(
            verify=ssl_context(self.domain) if self._base.startswith("https:") else True,
            timeout=httpx.Timeout(stall_s, connect=CONNECT_S),
            limits=httpx.Limits(max_connections=16),
            headers={"User-Agent": USER_AGENT},
        )
        self._auth_lock = threading.RLock()  # guards _auth
        self._auth = Authenticator(self.domain, self._ask, credentials)
        self._socket_lock = threading.Lock()  # guards _sockets
        self._sockets: list[socket.socket] = []

    def close(self) -> None:
        self.abort()
        self._client.close()

    def abort(self) -> None:
        """Break every connection and wake every thread that pauses; what they do then raises Cancelled."""
        self._wake.set()
        with self._socket_lock:
            for connection in self._sockets:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def document(self, path: str, accept: tuple[str, ...], limit: int) -> tuple[bytes, str]:
        """A manifest (`manifests/<tag or digest>`) and its media type; at most `limit` bytes.

        Raises ImageNotFound, Unauthorized and RegistryError, in the words that docker uses.
        """
        for attempt in self.attempts():
            response = self._open(path, {"Accept": ", ".join(accept)}, attempt)
            if response is None:
                continue
            with contextlib.closing(response):
                if response.status_code != 200:
                    raise self._refusal(response, path)
                try:
                    data = b"".join(self._bounded(response, limit))
                except httpx.HTTPError as error:
                    self._note(error, attempt)
                    continue
                return data, response.headers.get("Content-Type", "").partition(";")[0].strip()
        raise AssertionError("attempts end with an exception")

    @contextlib.contextmanager
    def blob(self, digest: str, offset: int, attempt: Attempt) -> Iterator[tuple[int, Iterator[bytes]] | None]:
        """Open a blob from `offset` on: yields where it really begins and its bytes, or None to try once more.

        A connection that breaks while the caller reads is noted in `attempt` and ends the context quietly.
        """
        headers = {"Accept-Encoding": "identity"}
        if offset:
            headers["Range"] = f"bytes={offset}-"
        response = self._open(f"blobs/{digest}", headers, attempt)
        if response is None:
            yield None
            return
        with contextlib.closing(response):
            if response.status_code not in (200, 206, 416):
                raise self._refusal(response, f"blobs/{digest}")
            try:
                if response.status_code == 416:
                    yield 0, iter(())
                else:
                    start = _range_start(response, offset) if response.status_code == 206 else 0
                    yield start, response.iter_raw()
            except httpx.HTTPError as error:
                self._note(error, attempt)

    def request(
        self,
        method: str,
        where: str,
        headers: dict[str, str],
        attempt: Attempt,
        content: Content | None = None,
    ) -> httpx.Response | None:
        """Any request: `where` is a path of the repository or a whole address that the registry gave. None to try once
        more; the caller closes the answer, of whatever status. `content` gives the body anew each time."""
        url = where if "://" in where else f"{self._base}/v2/{self.reference.path}/{where}"
        target = urlsplit(url)
        if target.scheme != "https" and not (target.scheme == "http" and is_plain_http(target.netloc)):
            raise RegistryError(f"{self.domain} sends us to {target.scheme}://{target.netloc}, which is not https")
        return self._request(method, url, headers, attempt, content)

    def refusal(self, response: httpx.Response, path: str) -> RegistryError | ImageNotFound:
        """The error that a refused answer stands for."""
        return self._refusal(response, path)

    def ping(self) -> None:
        """Ask whether the credentials are good. Raises Unauthorized, RegistryError."""
        for attempt in self.attempts():
            response = self._request("GET", f"{self._base}/v2/", {}, attempt)
            if response is None:
                continue
            with contextlib.closing(response):
                if response.status_code == 200:
                    return
                if response.status_code in (401, 403):
                    raise Unauthorized(f"login to {self.domain} was refused: wrong user name or password")
                raise RegistryError(f"{self.domain} answered {response.status_code} for /v2/")

    def absolute(self, location: str) -> str:
        """The address that a `Location` of the registry means."""
        return urljoin(f"{self._base}/v2/", location)

    def attempts(self, on_retry: Callable[[str], None] | None = None) -> Iterator[Attempt]:
        """Tries, with pauses between them, until the caller leaves; raises the last error when there were enough.

        An attempt that ends without an error is followed by the next at once.
        """
        attempt = Attempt()
        while True:
            self._check_cancelled()
            attempt.error = None
            yield attempt
            if attempt.error is None:
                continue
            attempt.number += 1
            if attempt.number >= (ATTEMPTS if self._reached else 2) or not attempt.worth_it:
                raise attempt.error
            if on_retry is not None:
                on_retry(attempt.error.message)
            pause = FIRST_PAUSE_S * 2 ** (attempt.number - 1) * random.uniform(0.8, 1.2)
            self._pause(max(min(pause, LONGEST_PAUSE_S), attempt.retry_after_s))

    def _pause(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._check_cancelled()
            self._wake.wait(min(left, 0.1))

    def _check_cancelled(self) -> None:
        if self._wake.is_set() or (self._cancelled is not None and self._cancelled()):
            raise Cancelled(f"cancelled while fetching from {self.domain}")

    def _open(self, path: str, headers: dict[str, str], attempt: Attempt) -> httpx.Response | None:
        """One request with its redirects and at most one answer to a challenge; None when it may be repeated."""
        return self._request("GET", f"{self._base}/v2/{self.reference.path}/{path}", headers, attempt)

    def _request(
        self, method: str, url: str, headers: dict[str, str], attempt: Attempt, content: Content | None = None
    ) -> httpx.Response | None:
        try:
            response = self._send(method, url, headers, content)
            if response.status_code == 401:
                response.close()
                response = self._answer(response, method, url, headers, content)
        except httpx.InvalidURL as error:
            raise RegistryError(f"{self.domain} sent a bad address: {error}") from error
        except httpx.HTTPError as error:
            self._note(error, attempt)
            return None
        self._reached = True
        if response.status_code not in _AGAIN:
            return response
        response.close()
        attempt.fail(
            RegistryError(
                f"{self.domain} answered {response.status_code} {response.reason_phrase}".rstrip(),
                hint="The registry is busy or broken; try again later.",
            ),
            _retry_after_s(response),
        )
        return None

    def _note(self, error: httpx.HTTPError, attempt: Attempt) -> None:
        self._check_cancelled()
        attempt.fail(self._unreachable(error))
        attempt.worth_it = self._reached or not _is_hopeless(error)

    def _trace(self, event: str, info: dict[str, Any]) -> None:
        """Remember the sockets, told by httpcore, so that `abort` can wake who reads from them."""
        if event not in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            return
        connection = info["return_value"].get_extra_info("socket")
        if connection is not None:
            with self._socket_lock:
                self._sockets = [known for known in self._sockets if known.fileno() >= 0]
                self._sockets.append(connection)

    def _answer(
        self, refused: httpx.Response, method: str, url: str, headers: dict[str, str], content: Content | None
    ) -> httpx.Response:
        challenge = refused.headers.get("WWW-Authenticate", "")
        if not challenge or refused.url.netloc != httpx.URL(self._base).netloc:
            raise Unauthorized(f"{self.domain} refuses access without saying how to log in")
        with self._auth_lock:
            # Unless another thread has answered meanwhile, and its answer need only be used.
            used = refused.request.headers.get("Authorization", "")
            if self._auth.header() in ("", used):
                self._auth.forget()
                self._auth.answer(challenge, self._scope)
        return self._send(method, url, headers, content)

    def _send(self, method: str, url: str, headers: dict[str, str], content: Content | None = None) -> httpx.Response:
        origin = urlsplit(self._base)
        with self._auth_lock:
            authorization = self._auth.header()
        for _ in range(REDIRECTS + 1):
            here = urlsplit(url)
            same_origin = (here.scheme, here.netloc) == (origin.scheme, origin.netloc)
            body = content() if content is not None else None
            request = self._client.build_request(
                method, url, headers=headers, content=body, extensions={"trace": self._trace}
            )
            if authorization and same_origin:
                request.headers["Authorization"] = authorization
            response = self._client.send(request, stream=True, follow_redirects=False, auth=None)
            if response.status_code not in _REDIRECT:
                return response
            response.close()
            url = urljoin(url, response.headers.get("Location", ""))
            target = urlsplit(url)
            if target.scheme != "https" and not (target.scheme == "http" and is_plain_http(target.netloc)):
                raise RegistryError(f"{self.domain} redirects to {target.scheme}://{target.netloc}, which is not https")
        raise RegistryError(f"{self.domain} redirects more than {REDIRECTS} times")

    def _ask(self, method: str, url: str, headers: dict[str, str], form: dict[str, str] | None) -> httpx.Response:
        """A request to a token service; the body is read, within bounds, and connection troubles are repeated."""
        for attempt in self.attempts():
            try:
                request = self._client.build_request(
                    method, url, headers=headers, data=form, extensions={"trace": self._trace}
                )
                response = self._client.send(request, stream=True, follow_redirects=False, auth=None)
                with contextlib.closing(response):
                    if response.status_code not in _AGAIN:
                        content = b"".join(self._bounded(response, ERROR_BODY))
                        return httpx.Response(response.status_code, content=content, request=request)
            except httpx.HTTPError as error:
                self._note(error, attempt)
            else:
                service = urlsplit(url).netloc
                attempt.fail(
                    RegistryError(f"token service {service} answered {response.status_code}"),
                    _retry_after_s(response),
                )
        raise AssertionError("attempts end with an exception")

    def _bounded(self, response: httpx.Response, limit: int) -> Iterator[bytes]:
        for piece in response.iter_bytes():
            limit -= len(piece)
            if limit < 0:
                raise RegistryError(f"{self.domain} sent a document that is larger than it may be")
            yield piece

    def _refusal(self, response: httpx.Response, path: str) -> RegistryError | ImageNotFound:
        status = response.status_code
        try:
            code, text = _error_of(b"".join(self._bounded(response, ERROR_BODY)))
        except (httpx.HTTPError, RegistryError):
            code, text = "", ""
        name = self.reference.familiar_name
        if status in (401, 403) or (status == 404 and code == "NAME_UNKNOWN"):
            message = f"pull access denied for {name}, repository does not exist or may require 'docker login'"
            if status != 404 and self._auth.has_credentials:
                return Unauthorized(f"{message}: {text or 'denied'}", hint=self._auth.login_hint())
            return ImageNotFound(message, hint=self._auth.login_hint())
        if status == 404 and path.startswith("manifests/"):
            return ImageNotFound(f"manifest for {self.reference.familiar} not found: manifest unknown")
        detail = f": {text}" if text else ""
        return RegistryError(f"{self.domain} answered {status} for {path[:80]}{detail}")

    def _unreachable(self, error: httpx.HTTPError) -> RegistryError:
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, OSError):
            cause = cause.__cause__ or cause.__context__
        if isinstance(error, httpx.ReadTimeout):
            return RegistryError(f"{self.domain} sent nothing for {self._stall_s:.0f} seconds")
        if isinstance(cause, socket.gaierror):
            reason = "its name is unknown here"
        elif isinstance(error, httpx.ConnectTimeout):
            reason = "it does not answer"
        elif cause is not None and (isinstance(cause, OSError) and cause.strerror):
            reason = cause.strerror.lower()
        else:
            reason = str(error) or type(error).__name__
        if not self._reached:
            return RegistryError(f"cannot reach {self.domain}: {reason}", hint=_REACH_HINT)
        return RegistryError(f"the connection to {self.domain} broke: {reason}")


class Attempt:
    """One try of a request that may be repeated."""

    def __init__(self) -> None:
        self.number = 0
        self.error: RegistryError | None = None
        self.retry_after_s = 0.0
        self.worth_it = True

    def fail(self, error: RegistryError, retry_after_s: float = 0.0) -> None:
        self.error = error
        self.retry_after_s = retry_after_s

    def cut_short(self, message: str) -> None:
        """The answer ended before its end without an error of the connection."""
        self.fail(RegistryError(message))

    def progressed(self) -> None:
        """Something was gained, so the next failure is a first one again."""
        self.number = 0


_REACH_HINT = "Check the network and the name. `pydock image toolbox` makes an image without a network."


def _is_hopeless(error: httpx.HTTPError) -> bool:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, (socket.gaierror, ConnectionRefusedError)):
            return True
        cause = cause.__cause__ or cause.__context__
    return isinstance(error, (httpx.ConnectTimeout, httpx.UnsupportedProtocol))


def _range_start(response: httpx.Response, wanted: int) -> int:
    """The first byte of a 206; a server that does not say is taken at its word."""
    value = response.headers.get("Content-Range", "")
    start = value.removeprefix("bytes").strip().partition("-")[0]
    return int(start) if start.isdigit() and len(start) < 20 else wanted


def _retry_after_s(response: httpx.Response) -> float:
    value = response.headers.get("Retry-After", "").strip()
    if value.isdigit():
        return min(float(value), LONGEST_PAUSE_S * 3)
    try:
        at = email.utils.parsedate_to_datetime(value).timestamp()
    except (TypeError, ValueError):
        return 0.0
    return max(0.0, min(at - time.time(), LONGEST_PAUSE_S * 3))


def _error_of(body: bytes) -> tuple[str, str]:
    """Code and message of a registry's error document; its text comes from outside, so only what prints is kept."""
    import json

    try:
        first = json.loads(body)["errors"][0]
        code, text = str(first.get("code") or ""), str(first.get("message") or "")
    except (ValueError, LookupError, TypeError, AttributeError):
        return "", ""
    return code, "".join(char for char in text if char.isprintable())[:200]
