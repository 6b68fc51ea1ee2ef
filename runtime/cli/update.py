"""`update [limits] ID`, or `update --resources FILE|- ID`: change the limits of a container while it runs."""

from __future__ import annotations

import sys

from ..container import Container
from ..spec import parse_json, read_json
from ..validate import validate_resources
from .options import NUMBER, VALUE, Options, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .main import Context

# option → (section, key) of linux.resources
_NUMBERS = {
    "blkio-weight": ("blockIO", "weight"),
    "cpu-burst": ("cpu", "burst"),
    "cpu-idle": ("cpu", "idle"),
    "cpu-period": ("cpu", "period"),
    "cpu-quota": ("cpu", "quota"),
    "cpu-rt-period": ("cpu", "realtimePeriod"),
    "cpu-rt-runtime": ("cpu", "realtimeRuntime"),
    "cpu-share": ("cpu", "shares"),
    "pids-limit": ("pids", "limit"),
}
_SIZES = {
    "kernel-memory": ("memory", "kernel"),
    "kernel-memory-tcp": ("memory", "kernelTCP"),
    "memory": ("memory", "limit"),
    "memory-reservation": ("memory", "reservation"),
    "memory-swap": ("memory", "swap"),
}
_TEXTS = {"cpuset-cpus": ("cpu", "cpus"), "cpuset-mems": ("cpu", "mems")}
OPTIONS = {
    **dict.fromkeys(_NUMBERS, NUMBER),
    **dict.fromkeys(_SIZES, VALUE),
    **dict.fromkeys(_TEXTS, VALUE),
    "l3-cache-schema": VALUE,
    "mem-bw-schema": VALUE,
    "resources": VALUE,
}
ALIASES = {"r": "resources"}
USAGE = "ID"
_UNITS = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}


def run(options: Options, context: Context) -> int:
    container = Container.load(context.root, options.one_argument())
    resources = _resources(options)
    validate_resources(resources, "resources")
    if options.given("l3-cache-schema") or options.given("mem-bw-schema"):
        raise UsageError("this host has no resctrl file system")
    container.update(resources)
    return 0


def _resources(options: Options) -> dict[str, Any]:
    source = options.text("resources")
    if source == "-":
        return parse_json(sys.stdin.buffer.read(), "standard input")
    if source:
        return read_json(source)
    resources: dict[str, dict[str, Any]] = {}
    for name in options.values:
        if name in _NUMBERS:
            section, key = _NUMBERS[name]
            resources.setdefault(section, {})[key] = options.number(name)
        elif name in _SIZES:
            section, key = _SIZES[name]
            resources.setdefault(section, {})[key] = parse_size(options.text(name), f"--{name}")
        elif name in _TEXTS:
            section, key = _TEXTS[name]
            resources.setdefault(section, {})[key] = options.text(name)
    return resources


def parse_size(text: str, what: str) -> int:
    """Bytes from what a person writes: 64m, 1g, 4096, 10MiB; -1 is unlimited."""
    if text == "-1":
        return -1
    lower = text.lower().removesuffix("ib")
    if len(lower) > 1 and lower.endswith("b") and lower[-2] in _UNITS:
        lower = lower[:-1]
    unit = lower[-1:] if lower[-1:] in _UNITS else ""
    digits = lower[: len(lower) - len(unit)]
    if not (digits.isascii() and digits.isdecimal()):
        raise UsageError(f'{what}: "{text}" is not a size')
    return int(digits) * _UNITS[unit]
