"""The file tree of an image in the making, and the archive that it becomes.

The same tree gives the same bytes: entries are sorted, owned by root, and bear one time.
"""

from __future__ import annotations

import io
import os
import stat
import tarfile

from ...record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import IO

# Places that the merged-/usr convention turned into links.
_MERGED = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")


class Node(Record):
    """One entry: a directory, a symbolic link with its target, or a file with its content or its host path."""

    mode: int
    link: str = ""
    data: bytes = b""
    host_path: str = ""
    is_folder: bool = False


class Tree:
    """Paths without a leading slash, in the merged-/usr form."""

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}
        self.newest_ns = 0

    def folder(self, path: str, mode: int = 0o755) -> None:
        """A directory; its parents are made as needed."""
        path = merged(path)
        if path and path not in self.nodes:
            self._parents(path)
            self.nodes[path] = Node(mode=mode, is_folder=True)

    def text(self, path: str, content: str, mode: int = 0o644) -> None:
        path = merged(path)
        self._parents(path)
        self.nodes[path] = Node(mode=mode, data=content.encode())

    def link(self, path: str, target: str) -> None:
        """A symbolic link; what is there already stays."""
        path = merged(path)
        if path not in self.nodes:
            self._parents(path)
            self.nodes[path] = Node(mode=0o777, link=target)

    def host_file(self, path: str) -> str:
        """A file of this host under its own path, with the links that lead to it; returns its path in the tree.

        Privileges of the file (setuid, capabilities) are not taken along.
        """
        while True:
            here = os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))
            status = os.lstat(here)
            if not stat.S_ISLNK(status.st_mode):
                break
            target = os.path.join(os.path.dirname(here), os.readlink(here))
            relative = os.path.relpath(merged(os.path.realpath(target)), os.path.dirname(merged(here)))
            self.link(here, relative)
            path = os.path.realpath(target)
        place = merged(here)
        if place not in self.nodes:
            self._parents(place)
            mode = 0o755 if status.st_mode & 0o111 else 0o644
            self.nodes[place] = Node(mode=mode, host_path=here)
            self.newest_ns = max(self.newest_ns, status.st_mtime_ns)
        return place

    def has(self, path: str) -> bool:
        return merged(path) in self.nodes

    def write(self, output: IO[bytes], time_s: int) -> None:
        """The tree as a tar archive."""
        with tarfile.open(fileobj=output, mode="w", format=tarfile.GNU_FORMAT) as archive:
            for path in sorted(self.nodes):
                node = self.nodes[path]
                entry = tarfile.TarInfo(path)
                entry.mode, entry.mtime = node.mode, time_s
                content: IO[bytes] = io.BytesIO(node.data)
                if node.is_folder:
                    entry.type = tarfile.DIRTYPE
                elif node.link:
                    entry.type, entry.linkname = tarfile.SYMTYPE, node.link
                elif node.host_path:
                    content = open(node.host_path, "rb")  # noqa: SIM115
                    entry.size = os.fstat(content.fileno()).st_size
                else:
                    entry.size = len(node.data)
                with content:
                    archive.addfile(entry, content)

    def _parents(self, path: str) -> None:
        parent = os.path.dirname(path)
        if parent and parent not in self.nodes:
            self.folder(parent)


def merged(path: str) -> str:
    """The path without its leading slash, /bin, /lib and the like moved below /usr."""
    path = os.path.normpath(path).lstrip("/")
    if path == ".":
        return ""
    first, slash, _ = path.partition("/")
    return f"usr/{path}" if slash and first in _MERGED else path
