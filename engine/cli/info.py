"""`pydock info`: the engine and the machine it runs on."""

from __future__ import annotations

import json

from .options import Command, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .context import Context
    from .options import Parsed


def info(context: Context, options: Parsed) -> int:
    facts = context.engine.info()
    format = options.text("format")
    if format == "json":
        print(json.dumps(facts))
    elif format:
        from .template import Template

        print(Template(format).render(facts))
    else:
        _print(facts, "")
    return 0


def _print(value: object, indent: str) -> None:
    """Facts as " Key: value" lines; nested ones further in."""
    if not isinstance(value, dict):
        return
    for key, item in value.items():
        if isinstance(item, dict) and item:
            print(f"{indent}{key}:")
            _print(item, indent + "  ")
        elif isinstance(item, (list, tuple)):
            print(f"{indent}{key}: {' '.join(str(entry) for entry in item)}")
        else:
            print(f"{indent}{key}: {item}")


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
