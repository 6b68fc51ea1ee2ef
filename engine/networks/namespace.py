"""Doing something in the network namespace of another process: sockets stay where they were made."""

from __future__ import annotations

import os

from runtime.kernel import calls, constants

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self


class InNetwork:
    """`with InNetwork(pid):` moves the calling thread, and of it only its network; 0 leaves it where it is. Raises
    OSError."""

    def __init__(self, pid: int) -> None:
        self._path = f"/proc/{pid or 'thread-self'}/ns/net"

    def __enter__(self) -> Self:
        self._own = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            target = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                calls.setns(target, constants.CLONE_NEWNET, self._path)
            finally:
                os.close(target)
        except BaseException:
            os.close(self._own)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            calls.setns(self._own, constants.CLONE_NEWNET, "/proc/thread-self/ns/net")
        finally:
            os.close(self._own)
