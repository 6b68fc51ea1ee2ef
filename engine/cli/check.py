"""`pydock check`: whether this machine can run containers; a line for each thing, with its cure."""

from __future__ import annotations

import json
import sys

from .options import Command, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .context import Context
    from .options import Parsed

GOOD, MISSING, WANTED = "✓", "✗", "!"


def check(context: Context, options: Parsed) -> int:
    from ..preflight import checks, is_vital

    found = checks(context.paths.root)
    if options.text("format") == "json":
        print(json.dumps([entry.to_json() for entry in found]))
    else:
        colours = sys.stdout.isatty()
        width = max(len(entry.name) for entry in found)
        for entry in found:
            mark, colour = (GOOD, 32) if entry.ok else (MISSING, 31) if is_vital(entry) else (WANTED, 33)
            mark = f"\x1b[{colour}m{mark}\x1b[0m" if colours else mark
            print(f"{mark} {entry.name:<{width}}  {entry.detail}".rstrip())
            if not entry.ok and entry.cure:
                print(f"  {'':<{width}}  {entry.cure}")
    return 1 if any(not entry.ok and is_vital(entry) for entry in found) else 0


COMMANDS = {
    "check": Command(
        "check",
        "",
        "Say whether this machine can run containers, and what to do if not",
        check,
        (text("--format", "FORMAT", "json"),),
        maximum=0,
        aliases=("system check",),
        description="The exit code is 1 when something is missing that nothing works without.",
    )
}
