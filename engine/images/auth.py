"""How to prove who we are to a registry: Docker's credential files and helpers, and the token dance.

A registry answers 401 with a challenge; the answer is made here and belongs to that registry alone. Credentials
go to the token service that the registry names, over https, or over http only when the registry itself is one that
is spoken to over http. Nothing secret enters a message, an event, a log line or an argument vector.
Source: distribution-spec, "Token Authentication"; docker-credential-helpers protocol.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
import subprocess
import time

from ..errors import RegistryError, Unauthorized
from .endpoint import is_plain_http

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    import httpx

    Ask = Callable[[str, str, dict[str, str], dict[str, str] | None], httpx.Response]

DOCKER_HUB_KEY = "https://index.docker.io/v1/"
HELPER_TIMEOUT_S = 30
SHORTEST_TOKEN_S = 60
_PARAMETER = re.compile(r'([a-zA-Z_]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')


class Credentials:
    """A user with a password, or an identity token. Shows nothing of itself."""

    def __init__(self, username: str = "", password: str = "", identity_token: str = "") -> None:
        self.username = username
        self.password = password
        self.identity_token = identity_token

    def __repr__(self) -> str:
        return "Credentials(…)"

    def __bool__(self) -> bool:
        return bool(self.username or self.identity_token)

    def basic(self) -> str:
        """The value of an Authorization header."""
        pair = f"{self.username}:{self.password}".encode()
        return f"Basic {base64.b64encode(pair).decode()}"


class Challenge:
    """One WWW-Authenticate header."""

    def __init__(self, header: str) -> None:
        scheme, _, rest = header.strip().partition(" ")
        self.scheme = scheme.lower()
        self.parameters = {
            match[1].lower(): re.sub(r"\\(.)", r"\1", match[2]) if match[2] is not None else match[3]
            for match in _PARAMETER.finditer(rest)
        }


class Authenticator:
    """Answers challenges of one registry, remembering tokens until shortly before they end.

    `ask(method, url, headers, form)` sends a request to a token service. `credentials`: the caller's own, in place of
    Docker's files. Not thread-safe.
    """

    def __init__(self, domain: str, ask: Ask, credentials: Credentials | None = None) -> None:
        self.domain = domain
        self._ask = ask
        self._credentials = credentials
        self._tokens: dict[tuple[str, str, str], tuple[str, float]] = {}
        self._header = ""
        self._valid_until = 0.0

    @property
    def has_credentials(self) -> bool:
        return bool(self._known())

    def header(self) -> str:
        """The Authorization that worked last; "" before the first challenge and when it has run out."""
        return self._header if time.monotonic() < self._valid_until else ""

    def answer(self, header: str, scope: str) -> None:
        """Prepare the next `header()` for this challenge. Raises Unauthorized when there is none to give."""
        challenge = Challenge(header)
        if challenge.scheme == "basic":
            credentials = self._known()
            if not credentials:
                raise Unauthorized(f"no basic auth credentials for {self.domain}", hint=self.login_hint())
            self._header, self._valid_until = credentials.basic(), time.monotonic() + 3600
        elif challenge.scheme == "bearer":
            self._header, self._valid_until = self._token(challenge, scope)
        else:
            raise RegistryError(f"{self.domain} asks for an unknown kind of login, {challenge.scheme[:40]!r}")

    def forget(self) -> None:
        """Drop tokens, since the registry no longer takes them."""
        self._tokens.clear()
        self._header = ""

    def login_hint(self) -> str:
        server = "" if self.domain == "docker.io" else f" {self.domain}"
        return f"Log in with `pydock login{server}`, or write the account into {config_path()}."

    def _known(self) -> Credentials:
        if self._credentials is None:
            self._credentials = find_credentials(self.domain)
        return self._credentials

    def _token(self, challenge: Challenge, scope: str) -> tuple[str, float]:
        realm = challenge.parameters.get("realm", "")
        service = challenge.parameters.get("service", "")
        scope = challenge.parameters.get("scope", "") or scope
        scheme, _, rest = realm.partition("://")
        if scheme != "https" and not (scheme == "http" and is_plain_http(rest.partition("/")[0])):
            raise RegistryError(f"{self.domain} sends its users to {realm[:200]!r} for a token, which is not https")
        key = (realm, service, scope)
        if key not in self._tokens or self._tokens[key][1] <= time.monotonic():
            self._tokens[key] = self._fetch_token(realm, service, scope)
        return self._tokens[key]

    def _fetch_token(self, realm: str, service: str, scope: str) -> tuple[str, float]:
        credentials = self._known()
        headers: dict[str, str] = {}
        if credentials.identity_token:
            form = {
                "grant_type": "refresh_token",
                "refresh_token": credentials.identity_token,
                "service": service,
                "scope": scope,
                "client_id": "pydock",
            }
            response = self._ask("POST", realm, headers, form)
        else:
            if credentials:
                headers["Authorization"] = credentials.basic()
            query = {"service": service, "scope": scope} if service else {"scope": scope}
            response = self._ask("GET", _with_query(realm, query), headers, None)
        if response.status_code in (400, 401, 403) and credentials:
            raise Unauthorized(
                f"login to {self.domain} was refused: wrong user name or password", hint=self.login_hint()
            )
        if response.status_code != 200:
            raise Unauthorized(
                f"the token service of {self.domain} answered {response.status_code}", hint=self.login_hint()
            )
        return _read_token(response.content, self.domain)


def find_credentials(domain: str) -> Credentials:
    """What Docker's configuration knows for this registry; empty when nothing. A broken helper counts as nothing."""
    config = _load(config_path())
    key = DOCKER_HUB_KEY if domain == "docker.io" else domain
    helpers = config.get("credHelpers") or {}
    helper = helpers.get(key) or helpers.get(domain) or config.get("credsStore")
    if isinstance(helper, str) and helper:
        credentials = _from_helper(helper, key)
        if credentials:
            return credentials
    entries = config.get("auths") or {}
    for name in (
        key,
        domain,
        f"https://{domain}",
        f"https://{domain}/v1/",
        f"https://{domain}/v2/",
        f"http://{domain}",
    ):
        if isinstance(entries.get(name), dict):
            credentials = _from_entry(entries[name])
            if credentials:
                return credentials
    return Credentials()


def config_path() -> str:
    folder = os.environ.get("DOCKER_CONFIG") or os.path.expanduser("~/.docker")
    return os.path.join(folder, "config.json")


def _load(path: str) -> dict[str, Any]:
    try:
        with open(path, "rb") as file:
            document = json.loads(file.read())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise RegistryError(f"cannot read credentials from {path}: {error}") from error
    return document if isinstance(document, dict) else {}


def _from_entry(entry: dict[str, Any]) -> Credentials:
    if entry.get("identitytoken"):
        return Credentials(identity_token=str(entry["identitytoken"]))
    if entry.get("auth"):
        try:
            user, _, password = base64.b64decode(str(entry["auth"])).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return Credentials()
        return Credentials(user, password.rstrip("\0"))
    return Credentials(str(entry.get("username") or ""), str(entry.get("password") or ""))


def _from_helper(helper: str, key: str) -> Credentials:
    if "/" in helper:
        return Credentials()
    try:
        result = subprocess.run(
            [f"docker-credential-{helper}", "get"],
            input=key.encode(),
            capture_output=True,
            timeout=HELPER_TIMEOUT_S,
            check=True,
        )
        answer = json.loads(result.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return Credentials()
    user, secret = str(answer.get("Username") or ""), str(answer.get("Secret") or "")
    return Credentials(identity_token=secret) if user == "<token>" else Credentials(user, secret)


def _read_token(content: bytes, domain: str) -> tuple[str, float]:
    try:
        document = json.loads(content)
        token = document.get("token") or document.get("access_token")
        lifetime = max(SHORTEST_TOKEN_S, int(document.get("expires_in") or SHORTEST_TOKEN_S))
    except (ValueError, AttributeError, TypeError) as error:
        raise RegistryError(f"the token service of {domain} sent no token") from error
    if not isinstance(token, str) or not token or not token.isascii() or not token.isprintable():
        raise RegistryError(f"the token service of {domain} sent no token")
    return f"Bearer {token}", time.monotonic() + lifetime * 0.9


def _with_query(url: str, query: dict[str, str]) -> str:
    from urllib.parse import urlencode

    return f"{url}{'&' if '?' in url else '?'}{urlencode(query)}"
