"""`-v`, `--mount` and `--tmpfs`: what else is mounted in the container."""

from __future__ import annotations

import os
import re

from ..models import Mount
from .errors import UsageError
from .units import parse_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

_VOLUME_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")
_VOLUME_OPTIONS = [
    "z",
    "Z",
    "nocopy",
    "copy",
    "private",
    "rprivate",
    "shared",
    "rshared",
    "slave",
    "rslave",
    "nosuid",
    "nodev",
    "noexec",
    "suid",
    "dev",
    "exec",
    "cached",
    "delegated",
    "consistent",
]
_MOUNT_KEYS = [
    "type",
    "source",
    "src",
    "destination",
    "dst",
    "target",
    "readonly",
    "ro",
    "bind-propagation",
    "bind-nonrecursive",
    "volume-nocopy",
    "tmpfs-size",
    "tmpfs-mode",
    "consistency",
]


def parse_volume(text: str) -> Mount:
    """`[source:]target[:options]`; a source with a slash is a host path, any other a volume's name."""
    parts = text.split(":")
    if len(parts) > 3 or not all(parts):
        _refuse(text, "-v, --volume", "written as [SOURCE:]TARGET[:OPTIONS]")
    source, target, options = "", parts[0], ""
    if len(parts) > 1:
        source, target = parts[:2]
    if len(parts) == 3:
        options = parts[2]
    _check_target(text, "-v, --volume", target)
    read_only, kept = _read_volume_options(text, options)
    if "/" in source or source in (".", ".."):
        return Mount(
            type="bind",
            source=os.path.abspath(os.path.expanduser(source)),
            target=target,
            read_only=read_only,
            options=kept,
        )
    if source and not _VOLUME_NAME.fullmatch(source):
        _refuse(text, "-v, --volume", f"{source!r} is neither a path nor a volume name [a-zA-Z0-9][a-zA-Z0-9_.-]+")
    return Mount(type="volume", source=source, target=target, read_only=read_only, options=kept)


def parse_tmpfs(text: str) -> Mount:
    """`target[:options]` with tmpfs(5) options such as size=64m,mode=1777."""
    target, _, options = text.partition(":")
    _check_target(text, "--tmpfs", target)
    return Mount(
        type="tmpfs",
        target=target,
        read_only="ro" in options.split(","),
        options=tuple(option for option in options.split(",") if option),
    )


def parse_mount(text: str) -> Mount:
    """docker's `--mount`: comma-separated key=value pairs."""
    values: dict[str, str] = {}
    for pair in text.split(","):
        key, equals, value = pair.partition("=")
        key = key.strip().lower()
        if key not in _MOUNT_KEYS:
            from .suggest import closest

            meant = closest(key, _MOUNT_KEYS)
            _refuse(text, "--mount", f"unknown key {key!r}" + (f" (did you mean {meant}?)" if meant else ""))
        values[key] = value if equals else "true"
    kind = values.get("type", "volume")
    source = values.get("source", values.get("src", ""))
    target = values.get("target", values.get("destination", values.get("dst", "")))
    if not target:
        _refuse(text, "--mount", "target is missing")
    _check_target(text, "--mount", target)
    read_only = values.get("readonly", values.get("ro", "false")).lower() in ("true", "1", "t")
    if kind == "bind":
        if not source.startswith("/"):
            _refuse(text, "--mount", "source has to be an absolute path")
        propagation = values.get("bind-propagation", "")
        options: tuple[str, ...] = (propagation,) if propagation else ()
        # unlike -v, --mount never makes the source: a typing mistake would give an empty folder
        options += ("must-exist",)
        return Mount(type="bind", source=source, target=target, read_only=read_only, options=options)
    if kind == "tmpfs":
        options = ()
        if "tmpfs-size" in values:
            options += (f"size={parse_size(values['tmpfs-size'], '--mount')}",)
        if "tmpfs-mode" in values:
            options += (f"mode={values['tmpfs-mode']}",)
        return Mount(type="tmpfs", target=target, read_only=read_only, options=options)
    if kind != "volume":
        _refuse(text, "--mount", f"type {kind!r} is none of bind, volume, tmpfs")
    options = ("nocopy",) if values.get("volume-nocopy") == "true" else ()
    return Mount(type="volume", source=source, target=target, read_only=read_only, options=options)


def _read_volume_options(text: str, options: str) -> tuple[bool, tuple[str, ...]]:
    read_only, kept = False, []
    for option in options.split(",") if options else ():
        if option in ("ro", "rw"):
            read_only = option == "ro"
        elif option in _VOLUME_OPTIONS:
            kept.append(option)
        else:
            _refuse(text, "-v, --volume", f"unknown mode {option!r}")
    return read_only, tuple(kept)


def _check_target(text: str, option: str, target: str) -> None:
    if not target.startswith("/"):
        _refuse(text, option, f"the place in the container, {target!r}, has to be an absolute path")
    if os.path.normpath(target) in ("/", "//"):
        _refuse(text, option, "nothing can be mounted over the container's /")


def _refuse(text: str, option: str, why: str) -> NoReturn:
    raise UsageError(f'invalid argument "{text}" for "{option}" flag: {why}', "run")
