"""`pydock info`: the engine and the machine it runs on."""

from __future__ import annotations

import json

from .options import Command, text
from .units import binary_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .context import Context
    from .options import Parsed

# what a person is shown, in this order; a leading space is one step further in
ROWS = (
    ("Containers", "Containers"),
    (" Running", "ContainersRunning"),
    (" Paused", "ContainersPaused"),
    (" Stopped", "ContainersStopped"),
    ("Images", "Images"),
    ("Server Version", "ServerVersion"),
    ("Storage Driver", "Driver"),
    ("Logging Driver", "LoggingDriver"),
    ("Cgroup Driver", "CgroupDriver"),
    ("Cgroup Version", "CgroupVersion"),
    ("Runtimes", "Runtimes"),
    ("Default Runtime", "DefaultRuntime"),
    ("Security Options", "SecurityOptions"),
    ("Kernel Version", "KernelVersion"),
    ("Operating System", "OperatingSystem"),
    ("OSType", "OSType"),
    ("Architecture", "Architecture"),
    ("CPUs", "NCPU"),
    ("Total Memory", "MemTotal"),
    ("Name", "Name"),
    ("ID", "ID"),
    ("Data Root", "DockerRootDir"),
    ("Run Root", "RunRoot"),
    ("Labels", "Labels"),
    ("Live Restore Enabled", "LiveRestoreEnabled"),
)


def info(context: Context, options: Parsed) -> int:
    facts = context.engine.info()
    format = options.text("format")
    if format == "json":
        print(json.dumps(facts))
    elif format:
        from .template import Template

        print(Template(format).render(facts))
    else:
        where = context.remote.target.text if context.remote is not None else "this machine, without a daemon"
        print(f"Engine: {where}")
        for label, key in ROWS:
            if key in facts and facts[key] not in ("", None, [], {}):
                print(f" {label}: {_shown(key, facts[key])}")
        for warning in facts.get("Warnings") or ():
            print(warning)
    return 0


def _shown(key: str, value: Any) -> str:
    if key == "MemTotal":
        return binary_size(value)
    if key == "SecurityOptions":
        return ", ".join(str(option).removeprefix("name=").replace(",profile=", " ") for option in value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (dict, list, tuple)):
        return " ".join(sorted(str(entry) for entry in value))
    return str(value)


COMMANDS = {
    "info": Command(
        "info",
        "",
        "Display system-wide information",
        info,
        (text("-f, --format", "FORMAT", "json or a Go template"),),
        maximum=0,
        aliases=("system info",),
    )
}
