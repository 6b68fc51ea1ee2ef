"""Signals as plain numbers, on the C module alone: the `signal` package builds its enumerations at import, 5 ms."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    Handler = Callable[[int, FrameType | None], None]

NUMBERS: dict[str, int] = {
    name.removeprefix("SIG"): int(getattr(_signal, name))
    for name in dir(_signal)
    if name.startswith("SIG") and "_" not in name
}
"""By name without SIG: KILL, TERM, RTMIN."""
SIGCHLD: int = _signal.SIGCHLD
SIGKILL: int = _signal.SIGKILL
SIGPIPE: int = _signal.SIGPIPE
SIGSTOP: int = _signal.SIGSTOP
SIGURG: int = _signal.SIGURG
SIGWINCH: int = _signal.SIGWINCH


def valid() -> set[int]:
    """The numbers that the C library lets a program use."""
    return {int(number) for number in _signal.valid_signals()}


def handle(number: int, handler: Handler) -> None:
    """signal(2). Raises OSError, ValueError."""
    _signal.signal(number, handler)


def send(pidfd: int, number: int) -> None:
    """pidfd_send_signal(2)"""
    _signal.pidfd_send_signal(pidfd, number)
