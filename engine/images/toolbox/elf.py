"""Which files a program needs to run: its interpreter and shared libraries, read from the ELF headers.

Looks where ld.so looks (RPATH and RUNPATH with $ORIGIN, ld.so.cache, the default folders; ld.so(8), elf(5)),
and executes nothing, unlike ldd.
"""

from __future__ import annotations

import os
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_PT_LOAD, _PT_DYNAMIC, _PT_INTERP = 1, 2, 3
_DT_NEEDED, _DT_STRTAB, _DT_RPATH, _DT_RUNPATH = 1, 5, 15, 29
_CACHE_MAGIC = b"glibc-ld.so.cache1.1"
_DEFAULT_FOLDERS = ("/lib64", "/usr/lib64", "/lib", "/usr/lib", "/usr/local/lib")


class Elf:
    """The parts of one ELF file that dynamic linking looks at. Raises ValueError for other files."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.interpreter = ""
        self.needed: list[str] = []
        self.folders: list[str] = []
        with open(path, "rb") as file:
            self._data = file.read()
        data = self._data
        if data[:4] != b"\x7fELF" or data[4] not in (1, 2) or data[5] not in (1, 2):
            raise ValueError(f"{path} is not an ELF file")
        self._order = "<" if data[5] == 1 else ">"
        self._wide = data[4] == 2
        self.machine = (data[4], data[5], self._unpack("H", 18)[0])
        try:
            self._read()
        except (struct.error, IndexError) as error:
            raise ValueError(f"{path} is not a whole ELF file") from error

    def _read(self) -> None:
        if self._wide:
            table, size, count = self._unpack("Q", 32)[0], *self._unpack("HH", 54)
        else:
            table, size, count = self._unpack("I", 28)[0], *self._unpack("HH", 42)
        loads: list[tuple[int, int, int]] = []
        dynamic = (0, 0)
        for index in range(count):
            at = table + index * size
            if self._wide:
                kind, _, offset, address, _, length = self._unpack("IIQQQQ", at)
            else:
                kind, offset, address, _, length = self._unpack("IIIII", at)
            if kind == _PT_LOAD:
                loads.append((address, offset, length))
            elif kind == _PT_DYNAMIC:
                dynamic = (offset, length)
            elif kind == _PT_INTERP:
                self.interpreter = self._data[offset : offset + length].rstrip(b"\0").decode()
        self._read_dynamic(*dynamic, loads)

    def _read_dynamic(self, offset: int, length: int, loads: list[tuple[int, int, int]]) -> None:
        pair, size = ("QQ", 16) if self._wide else ("II", 8)
        entries = [self._unpack(pair, at) for at in range(offset, offset + length - size + 1, size)]
        strings = next((value for tag, value in entries if tag == _DT_STRTAB), 0)
        for address, start, extent in loads:
            if address <= strings < address + extent:
                strings += start - address
                break
        for tag, value in entries:
            if tag == 0:
                break
            if tag == _DT_NEEDED:
                self.needed.append(self._string(strings + value))
            elif tag in (_DT_RPATH, _DT_RUNPATH):
                origin = os.path.dirname(os.path.realpath(self.path))
                text = self._string(strings + value)
                text = text.replace("${ORIGIN}", origin).replace("$ORIGIN", origin)
                self.folders += [folder for folder in text.split(":") if folder.startswith("/")]

    def _unpack(self, layout: str, offset: int) -> tuple[int, ...]:
        return struct.unpack_from(self._order + layout, self._data, offset)

    def _string(self, offset: int) -> str:
        return self._data[offset : self._data.index(b"\0", offset)].decode()


class Libraries:
    """Finds what programs need, remembering what it has seen."""

    def __init__(self) -> None:
        self._cache = dict(_cached_libraries())
        self._seen: dict[str, Elf] = {}

    def needed_by(self, program: str) -> tuple[set[str], set[str]]:
        """All files that this program loads, by the paths ld.so would open; and the names it would not find."""
        found: set[str] = set()
        missing: set[str] = set()
        waiting = [(program, self._elf(program).folders)]
        while waiting:
            path, inherited = waiting.pop()
            elf = self._elf(path)
            if elf.interpreter and os.path.exists(elf.interpreter):
                found.add(elf.interpreter)
            for name in elf.needed:
                library = self._find(name, [*elf.folders, *inherited], elf.machine)
                if not library:
                    missing.add(name)
                elif library not in found:
                    found.add(library)
                    waiting.append((library, [*elf.folders, *inherited]))
        return found, missing

    def _find(self, name: str, folders: list[str], machine: tuple[int, int, int]) -> str:
        if "/" in name:
            return name if os.path.exists(name) else ""
        candidates = [f"{folder}/{name}" for folder in folders]
        candidates += self._cache.get(name, [])
        candidates += [f"{folder}/{name}" for folder in _DEFAULT_FOLDERS]
        for candidate in candidates:
            try:
                if self._elf(candidate).machine == machine:
                    return candidate
            except (OSError, ValueError):
                continue
        return ""

    def _elf(self, path: str) -> Elf:
        if path not in self._seen:
            self._seen[path] = Elf(path)
        return self._seen[path]


def _cached_libraries() -> Iterator[tuple[str, list[str]]]:
    """Names and paths from /etc/ld.so.cache; nothing where there is none, as with musl."""
    try:
        with open("/etc/ld.so.cache", "rb") as file:
            data = file.read()
    except OSError:
        return
    start = data.find(_CACHE_MAGIC)
    if start < 0:
        return
    data = data[start:]
    libraries: dict[str, list[str]] = {}
    (count,) = struct.unpack_from("=I", data, 20)
    for index in range(count):
        _, key, value = struct.unpack_from("=iII", data, 48 + index * 24)
        name = data[key : data.index(b"\0", key)].decode()
        libraries.setdefault(name, []).append(data[value : data.index(b"\0", value)].decode())
    yield from libraries.items()
