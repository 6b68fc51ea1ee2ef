"""The mounts of a create body: Binds, Mounts, Tmpfs and anonymous Volumes."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from ..cli.errors import UsageError
from ..cli.mounts import parse_volume
from ..models import Mount
from .errors import ApiError

if TYPE_CHECKING:
    from .fields import Fields


def read_mounts(config: Fields, host: Fields) -> tuple[Mount, ...]:
    """In Docker's order of weight: what is named explicitly wins over what is anonymous."""
    explicit = [
        *(_bind(text) for text in host.texts("Binds")),
        *(_mount(entry) for entry in host.objects("Mounts")),
        *(_tmpfs(target, options) for target, options in host.pairs("Tmpfs").items()),
    ]
    taken = {mount.target.rstrip("/") for mount in explicit}
    for mount in (Mount(type="volume", target=target) for target in config.fields("Volumes").names()):
        if mount.target.rstrip("/") not in taken:
            taken.add(mount.target.rstrip("/"))
            explicit.append(mount)
    return tuple(explicit)


def _bind(text: str) -> Mount:
    try:
        return parse_volume(text)
    except UsageError:
        raise ApiError(400, f"invalid volume specification: '{text}'") from None


def _tmpfs(target: str, options: str) -> Mount:
    words = tuple(word for word in options.split(",") if word)
    return Mount(type="tmpfs", target=target, read_only="ro" in words, options=words)


def _mount(entry: Fields) -> Mount:
    kind, target = entry.text("Type"), entry.text("Target")
    if not target:
        raise ApiError(400, "invalid mount config: field Target must not be empty")
    source, read_only = entry.text("Source"), entry.flag("ReadOnly")
    if kind == "bind":
        if not source:
            _refuse(kind, "field Source must not be empty")
        options = entry.fields("BindOptions")
        words = [options.text("Propagation")] if options.text("Propagation") else []
        if options.flag("NonRecursive"):
            words.append("bind")
        if not options.flag("CreateMountpoint"):
            words.append("must-exist")
        return Mount(type="bind", source=source, target=target, read_only=read_only, options=tuple(words))
    if kind == "volume":
        options = entry.fields("VolumeOptions")
        driver = options.fields("DriverConfig")
        if options.text("Subpath") or driver.has("Options") or driver.text("Name") not in ("", "local"):
            _refuse(kind, "subpaths, drivers and their options are not supported")
        words = ["nocopy"] if options.flag("NoCopy") else []
        return Mount(type="volume", source=source, target=target, read_only=read_only, options=tuple(words))
    if kind == "tmpfs":
        if source:
            _refuse(kind, "field Source must not be specified")
        options = entry.fields("TmpfsOptions")
        words = [f"size={options.number('SizeBytes')}"] if options.number("SizeBytes") else []
        if options.number("Mode"):
            words.append(f"mode={options.number('Mode'):o}")
        return Mount(type="tmpfs", target=target, read_only=read_only, options=tuple(words))
    raise ApiError(400, f"mount type unknown: {kind!r}")


def _refuse(kind: str, why: str) -> NoReturn:
    raise ApiError(400, f'invalid mount config for type "{kind}": {why}')
