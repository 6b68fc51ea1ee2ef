"""Where `login` keeps accounts: Docker's config.json, or the credential helpers that it names; `auth` reads them.

An account that is kept in the file itself is readable by its owner only. Passwords go to helpers on their standard
input.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess

from ..errors import EngineError
from .auth import DOCKER_HUB_KEY, HELPER_TIMEOUT_S, Credentials, config_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_HUB = ("docker.io", "index.docker.io", "registry-1.docker.io")


def server_domain(server: str) -> str:
    """The registry that a person means by `https://index.docker.io/v1/`, `docker.io`, `HOST[:PORT]` or a URL of one."""
    host = server.removeprefix("https://").removeprefix("http://").partition("/")[0]
    return "docker.io" if not host or host in _HUB else host


def keep(server: str, credentials: Credentials) -> str:
    """Remember the account; where. Raises EngineError."""
    key = _key(server)
    path, config = _read()
    helper = _helper(config, key)
    if helper:
        secret = credentials.identity_token or credentials.password
        user = "<token>" if credentials.identity_token else credentials.username
        _run_helper(helper, "store", json.dumps({"ServerURL": key, "Username": user, "Secret": secret}))
        config.setdefault("auths", {}).setdefault(key, {})
        config["auths"][key] = {}
        _write(path, config)
        return f"docker-credential-{helper}"
    pair = f"{credentials.username}:{credentials.password}".encode()
    entry: dict[str, str] = {"auth": base64.b64encode(pair).decode()}
    if credentials.identity_token:
        entry["identitytoken"] = credentials.identity_token
    config.setdefault("auths", {})[key] = entry
    _write(path, config)
    return path


def forget(server: str) -> bool:
    """Forget the account of a registry; False when there was none."""
    key = _key(server)
    path, config = _read()
    helper = _helper(config, key)
    if helper:
        _run_helper(helper, "erase", key)
    auths = config.get("auths") or {}
    names = {key, server_domain(server), f"https://{key}", f"http://{key}", f"https://{key}/v1/", f"https://{key}/v2/"}
    found = [name for name in auths if name in names]
    for name in found:
        del auths[name]
    if found:
        _write(path, config)
    return bool(found or helper)


def _key(server: str) -> str:
    domain = server_domain(server)
    return DOCKER_HUB_KEY if domain == "docker.io" else domain


def _helper(config: dict[str, Any], key: str) -> str:
    found = (config.get("credHelpers") or {}).get(key) or config.get("credsStore") or ""
    return found if isinstance(found, str) and "/" not in found else ""


def _run_helper(helper: str, verb: str, text: str) -> None:
    try:
        done = subprocess.run(
            [f"docker-credential-{helper}", verb],
            input=text.encode(),
            capture_output=True,
            timeout=HELPER_TIMEOUT_S,
            check=False,
        )
    except FileNotFoundError:
        raise EngineError(
            f"{config_path()} names the credential helper {helper}, which is not installed",
            hint=f"Install docker-credential-{helper}, or take credsStore out of that file.",
        ) from None
    except (OSError, subprocess.SubprocessError) as error:
        raise EngineError(f"docker-credential-{helper} {verb} failed: {error}") from error
    if done.returncode and verb == "store":
        told = (done.stdout or done.stderr).decode(errors="replace").strip()[:200]
        raise EngineError(f"docker-credential-{helper} {verb} failed: {told}")


def _read() -> tuple[str, dict[str, Any]]:
    path = config_path()
    try:
        with open(path, "rb") as file:
            config = json.loads(file.read())
    except FileNotFoundError:
        return path, {}
    except (OSError, ValueError) as error:
        raise EngineError(f"cannot read {path}: {error}", hint="Mend it, or move it away.") from error
    if not isinstance(config, dict):
        raise EngineError(f"cannot read {path}: it is no JSON object", hint="Mend it, or move it away.")
    return path, config


def _write(path: str, config: dict[str, Any]) -> None:
    """Replaced as a whole, by a file that only its owner may read from the first moment on."""
    path = os.path.realpath(path)
    temporary = f"{path}.{os.getpid()}"
    try:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with open(fd, "w", encoding="utf-8") as file:
            file.write(json.dumps(config, indent="\t") + "\n")
            file.flush()
            os.fsync(fd)
        os.replace(temporary, path)
    except OSError as error:
        raise EngineError(f"cannot write {path}: {os.strerror(error.errno or 0).lower()}") from error
