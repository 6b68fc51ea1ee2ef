"""Calls of the Docker Engine API: the version both sides speak, JSON in and out, refusals as exceptions."""

from __future__ import annotations

import json

from ..errors import (
    Conflict,
    ContainerNotFound,
    EngineError,
    ImageNotFound,
    InvalidRequest,
    NameInUse,
    NetworkNotFound,
    NotFound,
    Unauthorized,
    VolumeNotFound,
    WrongState,
)
from .http import Client, Documents

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from .http import Response
    from .target import Target

    Query = Mapping[str, object]

NEWEST = (1, 47)
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_MISSING: tuple[tuple[str, type[NotFound]], ...] = (
    ("no such container", ContainerNotFound),
    ("no container with", ContainerNotFound),
    ("no such image", ImageNotFound),
    ("manifest unknown", ImageNotFound),
    ("not found: manifest", ImageNotFound),
    ("image not known", ImageNotFound),
    ("volume", VolumeNotFound),
    ("network", NetworkNotFound),
)
_UNKNOWN_CALL = ("not found", "page not found", "404 page not found")
_STATES = ("is not running", "is not paused", "is already paused", "is paused", "is restarting", "is running")


class Api:
    """One engine's API."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self._client = Client(target)
        self._prefix = ""
        self.version = (0, 0)
        self.server = ""  # what answers, as it tells itself

    def json(self, method: str, path: str, query: Query | None = None, body: object = None) -> Any:
        """A call whose answer is one JSON document (None when there is none)."""
        with self.open(method, path, query, body) as response:
            data = response.read()
        return json.loads(data) if data.strip() else None

    def open(
        self,
        method: str,
        path: str,
        query: Query | None = None,
        body: object = None,
        *,
        headers: Mapping[str, str] | None = None,
        stream: bytes | Iterator[bytes] | None = None,
        upgrade: bool = False,
    ) -> Response:
        """A call whose answer is read by the caller. `body` goes as JSON; `stream` as it is. Raises what a refusal
        means."""
        self._negotiate()
        fields = dict(headers or {})
        content: bytes | Iterator[bytes] = b""
        if stream is not None:
            content = stream
            fields.setdefault("Content-Type", "application/x-tar")
        elif body is not None:
            content = json.dumps(body).encode()
            fields["Content-Type"] = "application/json"
        if upgrade:
            fields |= {"Connection": "Upgrade", "Upgrade": "tcp"}
        where = f"{self._prefix}{path}{_encoded(query)}"
        response = self._client.request(method, where, headers=fields, body=content)
        if response.status < 400:
            return response
        with response:
            text = response.read().decode("utf-8", "replace")
        message = _message(text)
        if response.status == 404 and message.strip().lower() in _UNKNOWN_CALL:
            raise EngineError(
                f"the engine at {self.target.text} does not know this call: {method} {path}",
                hint="Run the command on its own machine, or use a newer version of it.",
            )
        raise refusal(response.status, message)

    def close(self) -> None:
        self._client.close()

    def _negotiate(self) -> None:
        if self._prefix:
            return
        with self._client.request("GET", "/_ping") as response:
            response.read()
        if response.status >= 400:
            raise refusal(response.status, f"the engine at {self.target.text} refuses to talk ({response.status})")
        self.server = response.headers.get("server", "")
        self.version = min(NEWEST, _version(response.headers.get("api-version", "")))
        self._prefix = "/v{}.{}".format(*self.version)


def refusal(status: int, message: str) -> EngineError:
    """The exception that an error answer stands for."""
    words = message.lower()
    if message[:1].isupper() and not message[:2].isupper():
        message = message[:1].lower() + message[1:]  # as messages are here; what is shown gets it back
    if status == 404:
        kind = next((kind for part, kind in _MISSING if part in words), NotFound)
        return kind(message)
    if status == 409:
        if "name" in words and "already in use" in words:
            return NameInUse(message)
        return WrongState(message) if any(part in words for part in _STATES) else Conflict(message)
    if status == 400:
        return InvalidRequest(message)
    if status in (401, 403) and ("auth" in words or "credential" in words or "denied" in words):
        return Unauthorized(message)
    if status == 403:
        return Conflict(message)
    return EngineError(message)


def only_here(name: str) -> EngineError | AttributeError:
    """For what the engine of this machine can do and the API has no call for."""
    if name.startswith("_"):
        return AttributeError(name)
    return EngineError(
        f"{name.replace('_', ' ')}: not possible over another engine's API",
        hint="Run the command on the machine of that engine.",
    )


def quoted(text: str) -> str:
    """Percent-encoded for a path or a query."""
    return "".join(chr(byte) if byte in _UNRESERVED else f"%{byte:02X}" for byte in text.encode("utf-8", "replace"))


def progress(response: Response) -> Iterator[dict[str, Any]]:
    """The lines of a pull, push, load or import; an error among them is raised."""
    with response:
        reader = Documents()
        for chunk in response.chunks():
            for line in reader.feed(chunk):
                if line.get("error"):
                    text = str((line.get("errorDetail") or {}).get("message") or line["error"])
                    raise refusal(_status_of(text), text)
                yield line


def _status_of(text: str) -> int:
    """An error in a stream has no status; its words tell."""
    words = text.lower()
    if "unauthorized" in words or "authentication required" in words or "denied" in words:
        return 401
    return 404 if "not found" in words or "manifest unknown" in words else 500


def _encoded(query: Query | None) -> str:
    pairs = []
    for name, value in (query or {}).items():
        if value is None or value is False or value == "":
            continue
        if value is True:
            value = "1"
        elif isinstance(value, dict):
            value = json.dumps(value)
        for item in value if isinstance(value, (list, tuple)) else (value,):
            pairs.append(f"{name}={quoted(str(item))}")
    return f"?{'&'.join(pairs)}" if pairs else ""


def _message(text: str) -> str:
    try:
        data = json.loads(text)
        return str(data.get("message") or data.get("cause") or text)
    except (ValueError, AttributeError):
        return text.strip() or "the engine gives no reason"


def _version(text: str) -> tuple[int, int]:
    major, _, minor = text.partition(".")
    return (int(major), int(minor)) if major.isdigit() and minor.isdigit() else (1, 24)
