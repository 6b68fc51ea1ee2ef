"""Reading and writing cgroup interface files.

The kernel takes a value in one write(2), and answers a bad one with an errno: so no buffered files, and each
write knows which place in config.json asked for it.
"""

from __future__ import annotations

import errno
import os

from .fault import CgroupFault, refused


class Write:
    """One value for one interface file, and the JSON path that it comes from."""

    __slots__ = ("file", "json_path", "value")

    def __init__(self, file: str, value: object, json_path: str = "") -> None:
        self.file = file
        self.value = str(value)
        self.json_path = json_path

    def __repr__(self) -> str:
        return f"Write({self.file!r}, {self.value!r}, {self.json_path!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Write) and (self.file, self.value) == (other.file, other.value)

    __hash__ = None  # type: ignore[assignment]


def write_text(path: str, value: str) -> None:
    """One write(2); raises OSError. A file that is not there is never made."""
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, value.encode())
    finally:
        os.close(fd)


def read_text(path: str) -> str:
    """The file's whole text; raises OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        parts = []
        while part := os.read(fd, 1 << 16):
            parts.append(part)
    finally:
        os.close(fd)
    return b"".join(parts).decode()


def read_text_or(path: str, default: str = "") -> str:
    """`read_text`, or `default` when the file is not there."""
    try:
        return read_text(path)
    except OSError:
        return default


def read_int(path: str, default: int = 0) -> int:
    """The number in the file; `default` when there is no such file, or it says `max`."""
    try:
        text = read_text(path).strip()
    except OSError:
        return default
    return int(text) if text.lstrip("-").isdigit() else default


def read_flat(path: str) -> dict[str, int]:
    """A "key number" file such as memory.events or memory.oom_control; empty when it is not there."""
    try:
        text = read_text(path)
    except OSError:
        return {}
    pairs = (line.split() for line in text.splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdigit()}


def apply(directory: str, writes: list[Write]) -> None:
    """Write them in their order; CgroupFault on the first that is refused, naming its JSON path."""
    for item in writes:
        path = f"{directory}/{item.file}"
        try:
            write_text(path, item.value)
        except FileNotFoundError as error:
            raise missing(path, item.json_path) from error
        except OSError as error:
            raise refused(path, item.value, error, item.json_path) from error


def missing(path: str, json_path: str) -> CgroupFault:
    """The fault for a limit that this kernel has no file for."""
    name = os.path.basename(path)
    return CgroupFault(
        f"{json_path or path}: this host has no {name}",
        path=json_path or path,
        hint="leave the limit out, or boot a kernel with that controller enabled",
        errno=errno.ENOENT,
    )


def absent(controller: str, json_path: str) -> CgroupFault:
    """The fault for a limit whose controller is not mounted or enabled."""
    return CgroupFault(
        f"{json_path}: the {controller} cgroup controller is not available on this host",
        path=json_path,
        hint="leave the limit out, or mount the controller (cgroup_enable= and cgroup_no_v1= on the kernel's "
        "command line decide what there is)",
        errno=errno.ENOENT,
    )
