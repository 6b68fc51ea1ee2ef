"""`pydock inspect`: everything known of an object, as JSON or through a template.

The name of the module is that of the command; imports here are relative, so the standard library's
`inspect` stays what it is.
"""

from __future__ import annotations

import json
import sys

from ..errors import EngineError, NotFound
from .border import refusal
from .errors import UsageError
from .options import Command, flag, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..engine import Engine
    from .context import Context
    from .options import Parsed

KINDS = ("container", "image", "network", "volume")


def inspect(context: Context, options: Parsed, kinds: tuple[str, ...] = KINDS) -> int:
    if kinds == KINDS and options.text("type"):
        if options.text("type") not in KINDS:
            raise UsageError(
                f'invalid argument "{options.text("type")}" for "--type" flag: none of {", ".join(KINDS)}',
                "inspect",
            )
        kinds = (options.text("type"),)
    template = None
    format = options.text("format")
    if format and format != "json":
        from .template import Template

        template = Template(format.replace("\\t", "\t"))
    found, failed = [], False
    for name in options.arguments:
        try:
            document = _look_up(context.engine, name, kinds, options.given("size") and options.flag("size"))
        except NotFound as error:
            failed = True
            sys.stderr.write(refusal(_missing(error, name, kinds)) + "\n")
            continue
        if template is not None:
            print(template.render(document), flush=True)
        found.append(document)
    if template is None:
        indent = None if format == "json" else 4
        print(json.dumps(found, indent=indent, separators=(",", ":") if format else None, ensure_ascii=False))
    return 1 if failed else 0


def _look_up(engine: Engine, name: str, kinds: tuple[str, ...], with_size: bool) -> dict[str, Any]:
    readers: dict[str, Callable[[str], dict[str, Any]]] = {
        "container": engine.containers.inspect,
        "image": engine.images.inspect,
        "network": engine.networks.inspect,
        "volume": engine.volumes.inspect,
    }
    last: EngineError = NotFound(f"no such object: {name}")
    for kind in kinds:
        try:
            document = readers[kind](name)
        except NotFound as error:
            last = error
            continue
        except EngineError as error:
            # a name that is no image reference may still be a volume
            if len(kinds) == 1:
                raise
            last = NotFound(error.message, hint=error.hint)
            continue
        if kind == "container" and with_size:
            document["SizeRw"], document["SizeRootFs"] = engine.containers.sizes(document["Id"])
        return document
    raise last


def _missing(error: NotFound, name: str, kinds: tuple[str, ...]) -> NotFound:
    """docker's words, whatever was looked for last."""
    if len(kinds) > 1:
        return NotFound(f"no such object: {name}", hint=error.hint if error.hint.startswith("Did") else "")
    return error


def _of(kind: str) -> Callable[[Context, Parsed], int]:
    return lambda context, options: inspect(context, options, (kind,))


_FORMAT = text("-f, --format", "FORMAT", "json or a Go template, such as '{{.State.Pid}}'")
_SIZE = flag("-s, --size", "Display total file sizes if the type is container")

_MORE = {
    "container": (_SIZE,),
    "image": (text("--platform", "OS/ARCH", "Accepted for docker's sake; an image is here for one platform"),),
    "network": (flag("-v, --verbose", "Accepted for docker's sake; there are no services here"),),
    "volume": (),
}
COMMANDS = {
    "inspect": Command(
        "inspect",
        "NAME|ID [NAME|ID...]",
        "Return low-level information on objects",
        inspect,
        (_FORMAT, _SIZE, text("--type", "TYPE", f"Only JSON of this type: {', '.join(KINDS)}")),
        minimum=1,
    ),
    **{
        f"{kind} inspect": Command(
            f"{kind} inspect",
            f"{kind.upper()} [{kind.upper()}...]",
            f"Display detailed information on one or more {kind}s",
            _of(kind),
            (_FORMAT, *_MORE[kind]),
            minimum=1,
        )
        for kind in KINDS
    },
}
