"""`pydock version`; needs neither root nor an engine, unless another engine is asked for its own."""

from __future__ import annotations

import json
import os
import sys

from .options import Command, flag, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .context import Context
    from .options import Parsed

_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}


def version(context: Context, options: Parsed) -> int:
    from .main import VERSION

    if options.flag("short"):
        print(f"pydock version {VERSION}")
        return 0
    system = os.uname()
    client = {
        "Version": VERSION,
        "ApiVersion": "1.47",
        "OciRuntimeSpec": "1.3.0",
        "Python": sys.version.split()[0],
        "Os": "linux",
        "Arch": _MACHINES.get(system.machine, system.machine),
        "KernelVersion": system.release,
    }
    server = _server(context, client)
    format = options.text("format")
    # scripts written for docker ask its client or its server
    facts = {**client, "Client": client, "Server": server}
    if format == "json":
        print(json.dumps({"Client": client, "Server": server}))
    elif format:
        from .template import Template

        print(Template(format).render(facts))
    else:
        _print("Client: pydock", client)
        print()
        _print(f"Server: {_name_of(server)}", server)
    return 0


def _server(context: Context, client: dict[str, Any]) -> dict[str, Any]:
    """The other engine's own words, where one is asked for; else this program is both."""
    from .hosts import find_target

    if find_target(context.asked, context.paths.run_root) is None or context.remote is None:
        return {**client, "MinAPIVersion": "1.24", "Platform": {"Name": "pydock, in this program"}}
    return context.remote.version()


def _name_of(server: dict[str, Any]) -> str:
    name = str((server.get("Platform") or {}).get("Name") or "")
    if name:
        return name
    components = server.get("Components") or [{}]
    return str(components[0].get("Name") or "engine")


_ROWS = (
    ("Version", "Version"),
    ("API version", "ApiVersion"),
    ("Runtime spec", "OciRuntimeSpec"),
    ("Python", "Python"),
    ("Go version", "GoVersion"),
    ("OS/Arch", "Os"),
    ("Kernel", "KernelVersion"),
)


def _print(title: str, facts: dict[str, Any]) -> None:
    print(title)
    for label, key in _ROWS:
        value = facts.get(key)
        if not value or (key == "GoVersion" and str(value).startswith("python")):
            continue
        if key == "ApiVersion" and facts.get("MinAPIVersion"):
            value = f"{value} (minimum version {facts['MinAPIVersion']})"
        elif key == "Os":
            value = f"{value}/{facts.get('Arch', '?')}"
        print(f" {label + ':':<14} {value}")


COMMANDS = {
    "version": Command(
        "version",
        "",
        "Show the version information",
        version,
        (
            text("-f, --format", "FORMAT", "json or a Go template"),
            flag("--short", "Only the version, in one line"),
        ),
        maximum=0,
    )
}
