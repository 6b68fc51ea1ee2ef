"""Keeps volumes with options mounted while somebody works with them."""

from __future__ import annotations

import os


class Hold:
    """Volumes kept mounted until `close`."""

    def __init__(self) -> None:
        self._fds: list[int] = []

    def __enter__(self) -> Hold:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def add(self, fd: int) -> None:
        self._fds.append(fd)

    def close(self) -> None:
        while self._fds:
            os.close(self._fds.pop())
