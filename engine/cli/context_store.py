"""Named engines: our own list of them, and the contexts that docker's client has on this machine.

Ours lie in one JSON file (`contexts.json` under XDG_CONFIG_HOME/pydock), replaced by rename. Docker's are read where
docker keeps them (`contexts/meta/*/meta.json` beside its config.json) and never written. Which one is current is
ours alone: docker's choice does not move this engine's commands elsewhere.
"""

from __future__ import annotations

import json
import os

from ..errors import EngineError
from ..record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

DEFAULT = "default"


class EngineContext(Record):
    """A named engine. `host` "" is the engine of this machine, without a connection. `source`: pydock, or docker."""

    name: str
    host: str = ""
    description: str = ""
    ca: str = ""
    certificate: str = ""
    key: str = ""
    verify: bool = True
    tls: bool = False
    source: str = "pydock"


def current() -> str:
    """The name that `context use` left; "default" without one. One failing open is all it costs."""
    return str(_load().get("current") or DEFAULT)


def every() -> list[EngineContext]:
    """The default first, then ours and docker's by name; ours hide docker's of the same name."""
    found = {context.name: context for context in _dockers()}
    for data in (_load().get("contexts") or {}).values():
        context = EngineContext.from_json(data)
        found[context.name] = context
    default = EngineContext(name=DEFAULT, description="The engine of this machine")
    return [default, *(found[name] for name in sorted(found) if name != DEFAULT)]


def find(name: str) -> EngineContext:
    """Raises `EngineError`."""
    known = every()
    for context in known:
        if context.name == name:
            return context
    from .suggest import closest

    meant = closest(name, [context.name for context in known])
    raise EngineError(
        f"no such context: {name}",
        hint=f"Did you mean {meant}?" if meant else "pydock context ls lists them.",
    )


def save(context: EngineContext) -> None:
    data = _load()
    data.setdefault("contexts", {})[context.name] = context.to_json()
    _store(data)


def use(name: str) -> None:
    data = _load()
    data["current"] = "" if name == DEFAULT else name
    _store(data)


def remove(name: str) -> None:
    data = _load()
    data.get("contexts", {}).pop(name, None)
    if data.get("current") == name:
        data["current"] = ""
    _store(data)


def keep_files(name: str, files: dict[str, bytes]) -> dict[str, str]:
    """Keep a context's certificates, for their owner alone; file name -> where it lies."""
    folder = f"{os.path.dirname(path())}/tls/{name}"
    kept = {}
    for file_name, content in files.items():
        os.makedirs(folder, mode=0o700, exist_ok=True)
        kept[file_name] = f"{folder}/{file_name}"
        with open(os.open(kept[file_name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(content)
    return kept


def path() -> str:
    folder = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    return f"{folder}/pydock/contexts.json"


def _load() -> dict[str, Any]:
    try:
        with open(path(), encoding="utf-8") as file:
            data = json.load(file)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise EngineError(f"cannot read {path()}: {error}", hint="Mend or remove that file.") from None
    return data if isinstance(data, dict) else {}


def _store(data: dict[str, Any]) -> None:
    whole = path()
    os.makedirs(os.path.dirname(whole), mode=0o700, exist_ok=True)
    new = f"{whole}.{os.getpid()}"
    try:
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            json.dump(data, file, indent=2)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        os.rename(new, whole)
    except OSError as error:
        raise EngineError(f"cannot write {whole}: {(error.strerror or str(error)).lower()}") from None


def _dockers() -> list[EngineContext]:
    folder = os.environ.get("DOCKER_CONFIG") or os.path.expanduser("~/.docker")
    found = []
    try:
        digests = sorted(os.listdir(f"{folder}/contexts/meta"))
    except OSError:
        return []
    for digest in digests:
        try:
            with open(f"{folder}/contexts/meta/{digest}/meta.json", encoding="utf-8") as file:
                data = json.load(file)
            endpoint = data["Endpoints"]["docker"]
            files = f"{folder}/contexts/tls/{digest}/docker"
            names = {name: f"{files}/{name}.pem" for name in ("ca", "cert", "key")}
            there = {name: place if os.path.exists(place) else "" for name, place in names.items()}
            found.append(
                EngineContext(
                    name=str(data["Name"]),
                    host=str(endpoint.get("Host") or ""),
                    description=str((data.get("Metadata") or {}).get("Description") or ""),
                    ca=there["ca"],
                    certificate=there["cert"],
                    key=there["key"],
                    tls=any(there.values()),
                    verify=not endpoint.get("SkipTLSVerify"),
                    source="docker",
                )
            )
        except (OSError, ValueError, KeyError, TypeError):
            continue  # what docker's own client could not read either
    return found
