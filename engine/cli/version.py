"""`pydock version`; needs neither root nor an engine."""

from __future__ import annotations

import json
import os
import sys

from .options import Command, flag, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .context import Context
    from .options import Parsed


def version(context: Context, options: Parsed) -> int:
    from .main import VERSION

    if options.flag("short"):
        print(f"pydock version {VERSION}")
        return 0
    system = os.uname()
    facts = {
        "Version": VERSION,
        "OciRuntimeSpec": "1.2.0",
        "Python": sys.version.split()[0],
        "Os": "linux",
        "Arch": system.machine,
        "KernelVersion": system.release,
    }
    format = options.text("format")
    if format == "json":
        print(json.dumps(facts))
    elif format:
        from .template import Template

        # scripts written for docker ask its client or its server; here both are this program
        print(Template(format).render({**facts, "Client": facts, "Server": facts}))
    else:
        print("pydock")
        for key, value in facts.items():
            print(f" {key + ':':<16} {value}")
    return 0


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
