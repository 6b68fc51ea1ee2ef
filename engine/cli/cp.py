"""`pydock cp`: files between a container and this machine, or a pipe, by docker's rules of what the destination means.

destination is a directory   the source goes into it under its own name; of `SOURCE/.` only what is in it
destination is not there     the source gets that name; with a slash at the end it must be a directory
destination is a file        it is replaced by a file; a directory cannot take its place
"""

from __future__ import annotations

import os
import posixpath
import stat
import sys

from ..errors import EngineError, NotFound
from .errors import UsageError
from .files import opened
from .options import Command, flag
from .units import decimal_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .context import Context
    from .options import Parsed

    Rename = Callable[[bytes], bytes]


class Place:
    """A source or destination. `name`: what the archive calls it; `asserted`: the path itself says a directory."""

    def __init__(self, path: str, *, exists: bool, is_folder: bool) -> None:
        self.path = path
        self.exists = exists
        self.is_folder = is_folder

    @property
    def asserted(self) -> bool:
        return self.path.endswith(("/", "/."))

    @property
    def parts(self) -> tuple[str, str]:
        """The directory that it is in, and its name there; "." for the contents of a directory."""
        if self.path in (".", "/", "./") or self.path.endswith("/."):
            return self.path.removesuffix(".") or ".", "."
        cleaned = self.path.rstrip("/")
        folder, name = posixpath.split(cleaned)
        return folder or ("/" if cleaned.startswith("/") else "."), name


def copy(context: Context, options: Parsed) -> int:
    source, target = (_split(text) for text in options.arguments)
    if source[0] and target[0]:
        raise UsageError("copying between containers is not supported", exit_code=1)
    if not source[0] and not target[0]:
        raise UsageError("must specify at least one container source", exit_code=1)
    if source[0]:
        return _from_container(context, options, *source, target[1])
    return _to_container(context, options, source[1], *target)


def _to_container(context: Context, options: Parsed, source: str, container: str, path: str) -> int:
    containers = context.engine.containers
    target = _container_place(context, container, path, follow=True)
    own = options.flag("archive")
    if source == "-":
        if not target.is_folder:
            raise EngineError(f'destination "{container}:{path}" must be a directory')
        with opened("-") as file:
            containers.write_archive(container, target.path, file.read, own=own, strict=True)
        return 0
    from ..tars.tree import gathered

    place = _local_place(source, follow=options.flag("follow-link"))
    folder, name = _destination(place, target, _name(source))
    parent, base = place.parts
    counted = _Counted(gathered(_archive(parent, base, name)))
    containers.write_archive(container, folder, counted.read, own=own, strict=True)
    _say(options, f"Successfully copied {decimal_size(counted.size)} to {container}:{path}")
    return 0


def _from_container(context: Context, options: Parsed, container: str, path: str, destination: str) -> int:
    containers = context.engine.containers
    place = _container_place(context, container, path, follow=options.flag("follow-link"))
    if not place.exists:
        raise NotFound(f"could not find the file {path} in container {container}")
    if destination == "-":
        if sys.stdout.isatty():
            raise UsageError("cowardly refusing to write an archive to a terminal: redirect it", exit_code=1)
        _found, stream = containers.read_archive(container, place.path)
        with stream:
            for piece in stream:
                sys.stdout.buffer.write(piece)
        return 0
    from ..tars.extract import Extraction
    from ..tars.read import open_archive

    target = _local_place(destination, follow=True, missing=True)
    folder, name = _destination(place, target, _name(path))
    archived = place.parts[1].encode(errors="surrogateescape")
    try:
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        raise EngineError(f'invalid output path: directory "{folder}" does not exist') from None
    owner = None if options.flag("archive") else (os.geteuid(), os.getegid())
    try:
        _found, stream = containers.read_archive(container, place.path)
        with stream:
            counted = _Counted(stream)
            unpacking = Extraction(fd, inside=False, owner=owner, strict=True)
            unpacking.run(open_archive(counted.read), _renaming(archived, name.encode(errors="surrogateescape")))
    finally:
        os.close(fd)
    _say(options, f"Successfully copied {decimal_size(counted.size)} to {destination}")
    return 0


def _destination(source: Place, target: Place, name: str) -> tuple[str, str]:
    """Where to unpack, and what the source is to be called there."""
    if target.exists and target.is_folder:
        return target.path, name
    if target.exists:
        if source.is_folder:
            raise EngineError("cannot copy a directory onto a file")
        return target.parts
    if not source.is_folder and target.asserted:
        raise EngineError(f"no such directory: {target.path}", hint="Make it first, or leave the slash out.")
    return target.parts


def _container_place(context: Context, container: str, path: str, *, follow: bool) -> Place:
    containers = context.engine.containers
    containers.get(container)
    path = path if path.startswith("/") else f"/{path}"
    try:
        found = containers.path_stat(container, path)
        if found.is_link and follow:
            path = found.link_target
            found = containers.path_stat(container, path)
    except NotFound:
        return Place(path, exists=False, is_folder=False)
    return Place(path, exists=True, is_folder=found.is_folder)


def _local_place(path: str, *, follow: bool, missing: bool = False) -> Place:
    try:
        found = os.stat(path) if follow or path.endswith(("/", "/.")) else os.lstat(path)
    except FileNotFoundError:
        if missing and os.path.islink(path):  # of a link that dangles, what it names is made
            return _local_place(os.path.join(os.path.dirname(path), os.readlink(path)), follow=follow, missing=True)
        if missing:
            return Place(path, exists=False, is_folder=False)
        raise EngineError(f"lstat {path}: no such file or directory") from None
    except OSError as error:
        raise EngineError(f"{path}: {(error.strerror or str(error)).lower()}") from None
    if (follow or path.endswith("/")) and os.path.islink(path.rstrip("/")):
        path = os.path.realpath(path)
    return Place(path, exists=True, is_folder=stat.S_ISDIR(found.st_mode))


def _archive(parent: str, base: str, name: str) -> Iterator[bytes]:
    from ..tars import header
    from ..tars.tree import FOLDER, TreeWriter

    fd = os.open(parent, FOLDER & ~os.O_NOFOLLOW)
    try:
        yield from TreeWriter().tree(fd, os.fsencode(base), os.fsencode(name))
        yield header.END
    finally:
        os.close(fd)


class _Counted:
    """Pieces as a file to read from; knows how much was read."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self.size = 0
        self._pieces = pieces
        self._rest = b""

    def read(self, limit: int) -> bytes:
        if not self._rest:
            self._rest = next(self._pieces, b"")
        part, self._rest = self._rest[:limit], self._rest[limit:]
        self.size += len(part)
        return part


def _renaming(old: bytes, new: bytes) -> Rename | None:
    """Exchanges the first part of each name in an archive."""
    if old == new:
        return None

    def rename(name: bytes) -> bytes:
        first, slash, rest = name.partition(b"/")
        return new + slash + rest if first == old else name

    return rename


def _name(path: str) -> str:
    """What a source is called where it goes: a link that is followed keeps the name it was asked for by."""
    return Place(path, exists=True, is_folder=False).parts[1]


def _split(text: str) -> tuple[str, str]:
    """Container and path; no container for a path of this machine."""
    if text.startswith(("/", ".")) or ":" not in text:
        return "", text
    container, _, path = text.partition(":")
    return container, path


def _say(options: Parsed, text: str) -> None:
    quiet = options.flag("quiet") if options.given("quiet") else not sys.stdout.isatty()
    if not quiet:
        sys.stderr.write(f"{text}\n")


COMMANDS = {
    "cp": Command(
        "cp",
        "CONTAINER:SRC_PATH DEST_PATH|-  or  SRC_PATH|- CONTAINER:DEST_PATH",
        "Copy files/folders between a container and the local filesystem",
        copy,
        (
            flag("-a, --archive", "Archive mode: keep owners (out), or give all to the container's user (in)"),
            flag("-L, --follow-link", "Always follow a symbolic link in SRC_PATH"),
            flag("-q, --quiet", "Suppress the line that tells what was copied"),
        ),
        minimum=2,
        maximum=2,
        description="With '-' as source a tar archive is read from standard input and unpacked in the container's "
        "directory; with '-' as destination one is written to standard output. The container need not run.",
        aliases=("container cp",),
    )
}
