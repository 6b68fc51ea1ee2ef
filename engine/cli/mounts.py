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
_VOLUME_OPTIONS = (
    *("z", "Z", "nocopy", "copy", "private", "rprivate", "shared", "rshared", "slave", "rslave"),
    *("nosuid", "nodev", "noexec", "suid", "dev", "exec", "cached", "delegated", "consistent"),
    *("rro", "ro-non-recursive", "ro-force-recursive", "idmap"),
)
# key -> the types that it is for
_MOUNT_KEYS = {
    **dict.fromkeys(("type", "destination", "dst", "target", "readonly", "ro", "consistency"), ""),
    **dict.fromkeys(("source", "src"), "bind volume image"),
    **dict.fromkeys(("bind-propagation", "bind-nonrecursive", "bind-recursive", "bind-create-src", "relabel"), "bind"),
    **dict.fromkeys(("volume-nocopy", "volume-subpath", "volume-label", "volume-driver", "volume-opt"), "volume"),
    "image-subpath": "image",
    **dict.fromkeys(("tmpfs-size", "tmpfs-mode", "tmpfs-options"), "tmpfs"),
    "idmap": "bind volume",
}
_PROPAGATION = ("private", "rprivate", "shared", "rshared", "slave", "rslave")
RECURSIVE = {"enabled": (), "disabled": ("bind",), "writable": ("ro-non-recursive",), "readonly": ("rro",)}


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
    """docker's `--mount`: comma-separated key=value pairs, quoted as in CSV where a value has commas."""
    values, listed = _read_pairs(text)
    kind = values.get("type", "volume").lower()
    if kind not in ("bind", "volume", "tmpfs", "image"):
        _refuse(text, "--mount", f"type {kind!r} is none of bind, volume, tmpfs, image")
    for key in (*values, *listed):
        if _MOUNT_KEYS[key] and kind not in _MOUNT_KEYS[key].split():
            _refuse(text, "--mount", f"{key!r} is not for type {kind!r}")
    target = values.get("target", values.get("destination", values.get("dst", "")))
    if not target:
        _refuse(text, "--mount", "target is missing")
    _check_target(text, "--mount", target)
    source = values.get("source", values.get("src", ""))
    made = Mount(type=kind, source=source, target=target, read_only=_truth(text, values, "readonly", "ro"))  # type: ignore[arg-type]
    idmap = (f"idmap={values['idmap']}",) if "idmap" in values else ()
    if kind == "bind":
        return made.replace(options=_bind_options(text, values, source) + idmap)
    if kind == "tmpfs":
        return made.replace(options=_tmpfs_options(text, values))
    if kind == "image":
        if not source:
            _refuse(text, "--mount", "source, an image, is missing")
        return made.replace(subpath=values.get("image-subpath", ""))
    if values.get("volume-driver", "local") != "local":
        _refuse(text, "--mount", f"there is no volume driver {values['volume-driver']!r}, only local")
    return made.replace(
        options=(("nocopy",) if _truth(text, values, "volume-nocopy") else ()) + idmap,
        subpath=values.get("volume-subpath", ""),
        driver_options=_listed(text, listed.get("volume-opt", [])),
        labels=_listed(text, listed.get("volume-label", []), bare=True),
    )


def _read_pairs(text: str) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Single values by key, and those of keys that may be given several times."""
    fields = text.split(",")
    if '"' in text:
        import csv

        fields = next(csv.reader([text]), [])
    values: dict[str, str] = {}
    listed: dict[str, list[str]] = {}
    for pair in fields:
        key, equals, value = pair.partition("=")
        key = key.strip().lower()
        if key not in _MOUNT_KEYS:
            from .suggest import closest

            meant = closest(key, list(_MOUNT_KEYS))
            _refuse(text, "--mount", f"unknown key {key!r}" + (f" (did you mean {meant}?)" if meant else ""))
        if key in ("volume-opt", "volume-label"):
            listed.setdefault(key, []).append(value)
        else:
            values[key] = value if equals else "true"
    return values, listed


def _bind_options(text: str, values: dict[str, str], source: str) -> tuple[str, ...]:
    if not source.startswith("/"):
        _refuse(text, "--mount", "source has to be an absolute path")
    options: list[str] = []
    propagation = values.get("bind-propagation", "")
    if propagation:
        if propagation not in _PROPAGATION:
            _refuse(text, "--mount", f"bind-propagation is none of {', '.join(_PROPAGATION)}")
        options.append(propagation)
    if _truth(text, values, "bind-nonrecursive"):
        options.append("bind")
    recursive = values.get("bind-recursive", "enabled")
    if recursive not in RECURSIVE:
        _refuse(text, "--mount", f"bind-recursive is none of {', '.join(RECURSIVE)}")
    if recursive in ("writable", "readonly") and not _truth(text, values, "readonly", "ro"):
        _refuse(text, "--mount", f"bind-recursive={recursive} makes sense with readonly only")
    options += RECURSIVE[recursive]
    if values.get("relabel"):
        options.append("Z" if values["relabel"] == "private" else "z")
    # unlike -v, --mount never makes the source: a typing mistake would give an empty folder
    return (*options, *(() if _truth(text, values, "bind-create-src") else ("must-exist",)))


def _tmpfs_options(text: str, values: dict[str, str]) -> tuple[str, ...]:
    options: tuple[str, ...] = ()
    if "tmpfs-size" in values:
        options += (f"size={parse_size(values['tmpfs-size'], '--mount')}",)
    if "tmpfs-mode" in values:
        mode = values["tmpfs-mode"].removeprefix("0o")
        if not mode.isdigit() or set(mode) - set("01234567"):
            _refuse(text, "--mount", f"tmpfs-mode {mode!r} is not an octal number such as 1777")
        options += (f"mode={mode}",)
    return options + tuple(word for word in values.get("tmpfs-options", "").split(":") if word)


def _truth(text: str, values: dict[str, str], *keys: str) -> bool:
    value = next((values[key] for key in keys if key in values), "false").lower()
    if value not in ("true", "1", "t", "false", "0", "f"):
        _refuse(text, "--mount", f"{keys[0]} is neither true nor false")
    return value in ("true", "1", "t")


def _listed(text: str, pairs: list[str], *, bare: bool = False) -> dict[str, str]:
    found = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not key or not (equals or bare):
            _refuse(text, "--mount", f"{pair!r} is not KEY=VALUE")
        found[key] = value
    return found


def _read_volume_options(text: str, options: str) -> tuple[bool, tuple[str, ...]]:
    read_only, kept = False, []
    for option in options.split(",") if options else ():
        if option in ("ro", "rw"):
            read_only = option == "ro"
        elif option in _VOLUME_OPTIONS or option.startswith("idmap="):
            read_only = read_only or option in ("rro", "ro-non-recursive", "ro-force-recursive")
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
