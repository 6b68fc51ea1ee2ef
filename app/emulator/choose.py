"""Which terminal core to use: the native one, or the one in Python."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .emulator import Emulator


class NoEmulator(Exception):
    """No terminal core is installed; the text names the cure."""


def new_emulator(rows: int, columns: int, *, scrollback_bytes: int = 10 << 20) -> Emulator:
    """A terminal of this size. The first call imports the core (some 30 ms). Raises NoEmulator."""
    from . import ghostty_abi

    try:
        from .ghostty import GhosttyEmulator

        return GhosttyEmulator(rows, columns, scrollback_bytes=scrollback_bytes)
    except ghostty_abi.Unavailable as unavailable:
        try:
            from .bitt import BittEmulator

            return BittEmulator(rows, columns, scrollback_bytes=scrollback_bytes)
        except ImportError:
            raise NoEmulator(f"no terminal core: {unavailable}; install the extra 'musl' (bittty)") from unavailable


def preload() -> None:
    """Load the native core ahead of its first use; call it from a thread after the first frame."""
    from . import ghostty_abi

    try:
        ghostty_abi.load()
    except ghostty_abi.Unavailable:
        return
