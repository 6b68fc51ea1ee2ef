"""All modules of the runtime in one file, for cold starts.

A start imports 60 small modules, and finding each takes longer than running it: 10 ms of 25. Here one file holds
their compiled code, and an import is a dictionary look-up, one stat and one read. A module whose source has another
size or time than the bundle noted is imported as usual, and the command that met one writes the bundle anew when it
is done. The file lies beside the compiled modules (`__pycache__`), is as trusted as they are, and may be removed at
any time.
"""

from __future__ import annotations

import marshal
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

    # is a package, mtime in ns, size, offset and length of the marshalled code
    Entry = tuple[bool, int, int, int, int]

_PACKAGE = "runtime"
_VERSION = 1
_LENGTH_BYTES = 8
_INDEX_LIMIT = 1 << 20
# without docstrings, which are a third of what would be read
_OPTIMIZE = 2


class Bundle:
    """A finder and loader of this package's modules (importlib's protocol). `home` is the folder above the package.

    The file: the index's length, the index, then the code of one module after the other.
    """

    def __init__(self, home: str) -> None:
        self._home = home
        tag = f"{sys.implementation.cache_tag}-{_VERSION}"
        self._path = f"{home}/{_PACKAGE}/__pycache__/bundle.{tag}"
        self._entries: dict[str, Entry] = {}
        self.is_stale = False
        try:
            self._fd = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
            length = int.from_bytes(os.read(self._fd, _LENGTH_BYTES), "little")
            self._entries = marshal.loads(os.read(self._fd, min(length, _INDEX_LIMIT)))
        except (OSError, ValueError, EOFError, TypeError):
            self.is_stale = True

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        """Where a module is, None when that is the next finder's business."""
        if not name.startswith(f"{_PACKAGE}.") or self.is_stale:
            return None
        entry = self._entries.get(name)
        if entry is None:
            self.is_stale = True
            return None
        is_package, mtime, size, _offset, _length = entry
        file = self._file(name, is_package)
        try:
            status = os.stat(file)
        except OSError:
            status = None
        if status is None or (status.st_mtime_ns, status.st_size) != (mtime, size):
            self.is_stale = True
            return None
        # the class of every spec there is, at hand without importing importlib
        spec: ModuleSpec = type(__spec__)(name, self, origin=file, is_package=is_package)  # type: ignore[arg-type]
        spec.has_location = True
        if is_package:
            spec.submodule_search_locations = [os.path.dirname(file)]
        return spec

    def create_module(self, spec: ModuleSpec) -> None:
        """The usual kind of module."""

    def exec_module(self, module: ModuleType) -> None:
        """Run its code."""
        _is_package, _mtime, _size, offset, length = self._entries[module.__name__]
        try:
            code = marshal.loads(os.pread(self._fd, length, offset))
        except (ValueError, EOFError, TypeError):
            # A power cut may leave a file whose name arrived and whose content did not.
            self.is_stale = True
            assert module.__file__ is not None
            with open(module.__file__, "rb") as file:
                code = compile(file.read(), module.__file__, "exec", dont_inherit=True)
        exec(code, module.__dict__)

    def write(self) -> None:
        """Make the file anew from the sources as they are now; silent where that may not be written."""
        entries: dict[str, Entry] = {}
        codes: list[bytes] = []
        temporary = f"{self._path}.{os.getpid()}"
        try:
            fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        except OSError:
            return
        try:
            with open(fd, "wb") as output:
                for folder, folders, files in os.walk(f"{self._home}/{_PACKAGE}"):
                    folders[:] = [name for name in folders if name != "__pycache__"]
                    for file in files:
                        if file.endswith(".py") and file != "sealed.py":
                            self._add(f"{folder}/{file}", entries, codes)
                output.write(_with_index(entries, codes))
            os.rename(temporary, self._path)
        except (OSError, SyntaxError, ValueError):
            os.unlink(temporary)

    def _add(self, path: str, entries: dict[str, Entry], codes: list[bytes]) -> None:
        # The time before the content: what changes in between is then stale, not wrong.
        status = os.stat(path)
        with open(path, "rb") as file:
            codes.append(marshal.dumps(compile(file.read(), path, "exec", dont_inherit=True, optimize=_OPTIMIZE)))
        name = path[len(self._home) + 1 : -len(".py")].replace("/", ".")
        is_package = name.endswith(".__init__")
        entries[name.removesuffix(".__init__")] = (is_package, status.st_mtime_ns, status.st_size, 0, len(codes[-1]))

    def _file(self, name: str, is_package: bool) -> str:
        return f"{self._home}/{name.replace('.', '/')}{'/__init__' if is_package else ''}.py"


def _with_index(entries: dict[str, Entry], codes: list[bytes]) -> bytes:
    """The file's content. Offsets are of fixed size in the index, so that they do not move what they point to."""
    base = 1 << 32
    length = len(marshal.dumps({name: (*entry[:3], base, entry[4]) for name, entry in entries.items()}))
    offset = _LENGTH_BYTES + length
    placed: dict[str, Entry] = {}
    for name, entry in entries.items():
        placed[name] = (*entry[:3], offset, entry[4])
        offset += entry[4]
    index = marshal.dumps(placed)
    return length.to_bytes(_LENGTH_BYTES, "little") + index.ljust(length, b"\0") + b"".join(codes)
