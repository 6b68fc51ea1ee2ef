"""The mounts of a create body: Binds, Mounts, Tmpfs and anonymous Volumes."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from ..cli.errors import UsageError
from ..cli.mounts import RECURSIVE, parse_volume
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
    source = entry.text("Source")
    if kind in ("bind", "image") and not source:
        _refuse(kind, "field Source must not be empty")
    if kind == "bind":
        made = Mount(type="bind", target=target, source=source, options=_bind_words(entry.fields("BindOptions")))
    elif kind == "volume":
        made = _volume(entry.fields("VolumeOptions"), source, target)
    elif kind == "tmpfs":
        if source:
            _refuse(kind, "field Source must not be specified")
        made = Mount(type="tmpfs", target=target, options=_tmpfs_words(entry.fields("TmpfsOptions")))
    elif kind == "image":
        made = Mount(type="image", target=target, source=source, subpath=entry.fields("ImageOptions").text("Subpath"))
    else:
        raise ApiError(400, f"mount type unknown: {kind!r}")
    return made.replace(read_only=entry.flag("ReadOnly"))


def _bind_words(options: Fields) -> tuple[str, ...]:
    words = [options.text("Propagation")] if options.text("Propagation") else []
    if options.flag("NonRecursive"):
        words.append("bind")
    if options.flag("ReadOnlyNonRecursive"):
        words += RECURSIVE["writable"]
    if options.flag("ReadOnlyForceRecursive"):
        words += RECURSIVE["readonly"]
    if not options.flag("CreateMountpoint"):
        words.append("must-exist")
    return tuple(words)


def _volume(options: Fields, source: str, target: str) -> Mount:
    driver = options.fields("DriverConfig")
    if driver.text("Name") not in ("", "local"):
        _refuse("volume", f"there is no volume driver {driver.text('Name')!r}, only local")
    return Mount(
        type="volume",
        target=target,
        source=source,
        options=("nocopy",) if options.flag("NoCopy") else (),
        subpath=options.text("Subpath"),
        driver_options=driver.pairs("Options"),
        labels=options.pairs("Labels"),
    )


def _tmpfs_words(options: Fields) -> tuple[str, ...]:
    words = [f"size={options.number('SizeBytes')}"] if options.number("SizeBytes") else []
    if options.number("Mode"):
        words.append(f"mode={options.number('Mode'):o}")
    pairs = options.value("Options")
    for pair in pairs if isinstance(pairs, list) else ():
        if not isinstance(pair, list) or not all(isinstance(part, str) for part in pair):
            _refuse("tmpfs", "field Options has to be a list of lists of strings")
        words.append("=".join(pair))
    return tuple(words)


def _refuse(kind: str, why: str) -> NoReturn:
    raise ApiError(400, f'invalid mount config for type "{kind}": {why}')
