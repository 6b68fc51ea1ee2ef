"""Unpacked layers by chain-id: `layers/<64 hex>/diff`, whole when the directory has this name.

A layer is made in `layers/.new-<64 hex>` under a flock, which makes others wait for it, and renamed. Its files
are not synced first: that would double the time of a pull, and the blobs that they can be made from again are
on disk. Until a sync has happened the layer holds a note of the boot it was made in, and a layer with the note
of another boot, which a power cut may have left hollow, counts as absent.
"""

from __future__ import annotations

import fcntl
import os
import time

from ..errors import Cancelled

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..paths import Paths
    from .unpack.run import Unpacked

LOCK_POLL_S = 0.05
NEW = ".new-"
OLD = ".old-"


class LayerStore:
    """Looks up, makes and removes unpacked layers."""

    def __init__(self, paths: Paths) -> None:
        self.paths = paths

    def path(self, chain_id: str) -> str:
        """The directory to give to overlayfs, whether it is there or not."""
        return f"{self.paths.layer(chain_id)}/diff"

    def has(self, chain_id: str) -> bool:
        return os.path.isdir(self.path(chain_id)) and self._settled(chain_id)

    def size(self, chain_id: str) -> int:
        """Bytes of its files as the archive told them, 0 when it is not here."""
        try:
            with open(f"{self.paths.layer(chain_id)}/size", "rb") as file:
                return int(file.read() or b"0")
        except (FileNotFoundError, ValueError):
            return 0

    def begin(
        self, chain_id: str, *, wait: bool = True, cancelled: Callable[[], bool] | None = None
    ) -> NewLayer | None:
        """The right to make this layer; None when it is here. Waits while another makes it, unless `wait` is
        False: then it raises BlockingIOError. Raises Cancelled. The caller closes what it gets."""
        os.makedirs(self.paths.layers, mode=0o700, exist_ok=True)
        folder = f"{self.paths.layers}/{NEW}{chain_id.removeprefix('sha256:')}"
        while True:
            if self.has(chain_id):
                return None
            try:
                os.mkdir(folder, 0o700)
            except FileExistsError:
                pass
            try:
                fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            except FileNotFoundError:
                continue
            try:
                _lock(fd, wait, cancelled)
                same = _is_at(folder, fd)
            except BaseException:
                os.close(fd)
                raise
            if same and not self.has(chain_id):
                return NewLayer(self, chain_id, folder, fd)
            if same:
                os.rmdir(folder)
            os.close(fd)

    def remove(self, chain_id: str) -> None:
        """Remove a layer; nobody may have it mounted. Renamed first, so that no half of it is ever seen."""
        from .unpack.remove import remove_path

        doomed = f"{self.paths.layers}/{OLD}{chain_id.removeprefix('sha256:')}"
        remove_path(doomed)
        try:
            os.rename(self.paths.layer(chain_id), doomed)
        except FileNotFoundError:
            return
        remove_path(doomed)

    def chain_ids(self) -> list[str]:
        """Every layer that is here."""
        try:
            names = os.listdir(self.paths.layers)
        except FileNotFoundError:
            return []
        return [f"sha256:{name}" for name in names if not name.startswith(".")]

    def sweep(self) -> None:
        """Remove what killed processes left half made or half removed."""
        from .unpack.remove import remove_path

        try:
            names = os.listdir(self.paths.layers)
        except FileNotFoundError:
            return
        for name in names:
            path = f"{self.paths.layers}/{name}"
            if name.startswith(OLD):
                remove_path(path)
            elif name.startswith(NEW):
                fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                try:
                    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    remove_path(path)
                except BlockingIOError:
                    pass
                finally:
                    os.close(fd)

    def unsettled(self) -> list[str]:
        """The notes of layers made in this boot whose files may not be on disk yet."""
        return [note for chain_id in self.chain_ids() if os.path.exists(note := f"{self.paths.layer(chain_id)}/boot")]

    def _settled(self, chain_id: str) -> bool:
        try:
            with open(f"{self.paths.layer(chain_id)}/boot", "rb") as file:
                return file.read() == boot_id()
        except FileNotFoundError:
            return True


class NewLayer:
    """A layer being made: unpack into `target`, then `finish`; `close` always."""

    def __init__(self, store: LayerStore, chain_id: str, folder: str, fd: int) -> None:
        self.chain_id = chain_id
        self.target = f"{folder}/diff"
        self._store = store
        self._folder = folder
        self._fd = fd
        self._finished = False
        self._empty()

    def finish(self, unpacked: Unpacked, lower: tuple[str, ...]) -> None:
        """Adopt what the layers below (directories, bottom first) decide, and give the layer its name."""
        from .unpack.adopt import adopt

        adopt(self.target, unpacked.implied, lower)
        _write(f"{self._folder}/size", str(unpacked.size).encode())
        _write(f"{self._folder}/boot", boot_id())
        final = self._store.paths.layer(self.chain_id)
        if os.path.isdir(final):  # hollow since a power cut, or `begin` would not have given us the right
            self._store.remove(self.chain_id)
        os.rename(self._folder, final)
        self._finished = True

    def close(self) -> None:
        """Give up the right; what was not finished is removed."""
        if self._fd < 0:
            return
        try:
            if not self._finished:
                from .unpack.remove import remove_path

                remove_path(self._folder)
        finally:
            os.close(self._fd)
            self._fd = -1

    def _empty(self) -> None:
        if os.listdir(self._folder):
            from .unpack.remove import remove_tree

            for name in os.listdir(self._folder):
                path = f"{self._folder}/{name}"
                if os.path.isdir(path) and not os.path.islink(path):
                    remove_tree(self._fd, os.fsencode(name))
                else:
                    os.unlink(path)
        os.mkdir(self.target, 0o755)
        os.chmod(self.target, 0o755)


def boot_id() -> bytes:
    """What tells this boot from every other."""
    with open("/proc/sys/kernel/random/boot_id", "rb") as file:
        return file.read().strip()


def _write(path: str, data: bytes) -> None:
    with open(path, "wb") as file:
        file.write(data)


def _lock(fd: int, wait: bool, cancelled: Callable[[], bool] | None) -> None:
    # Polled, because a blocked flock cannot be woken by a cancel that comes from another thread.
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if not wait:
                raise
        if cancelled is not None and cancelled():
            raise Cancelled("cancelled while another process was unpacking the same layer")
        time.sleep(LOCK_POLL_S)


def _is_at(path: str, fd: int) -> bool:
    try:
        there = os.stat(path)
    except FileNotFoundError:
        return False
    here = os.fstat(fd)
    return (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino)
