"""What a terminal core must do for a pane. Two implementations: `ghostty` and, where it has no build, `bitt`.

A core is fed the program's output and keeps screen, scrollback and modes. Rows come out as Strips whose default
colours are left open, so that the theme shows through, and whose 16 ANSI colours stay ANSI colours. Lines are
counted from the oldest line of the scrollback; the screen is the last `rows` of them. Not thread-safe.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.strip import Strip

DEFAULT_SCROLLBACK_BYTES = 10 << 20


class Cursor(NamedTuple):
    """The cursor in the visible rows; `row` -1 when it is scrolled out of sight."""

    row: int
    column: int
    visible: bool
    shape: Literal["block", "bar", "underline", "hollow"] = "block"


class Modes(NamedTuple):
    """What the program switched on. `mouse` is the DEC private mode in force (9, 1000, 1002, 1003) or 0;
    `kitty_flags` are the progressive enhancement flags of the kitty keyboard protocol."""

    alternate_screen: bool = False
    application_cursor: bool = False
    application_keypad: bool = False
    bracketed_paste: bool = False
    focus_events: bool = False
    alternate_scroll: bool = False
    mouse: int = 0
    mouse_sgr: bool = False
    kitty_flags: int = 0


class Emulator(Protocol):
    """A terminal core of a given size."""

    @property
    def rows(self) -> int: ...

    @property
    def columns(self) -> int: ...

    def feed(self, data: bytes) -> None:
        """Output of the program, cut anywhere."""

    def take_replies(self) -> bytes:
        """Answers to the program's questions (DSR, DA, …) since the last call; write them to its terminal."""

    def resize(self, rows: int, columns: int) -> None:
        """A new size; the primary screen reflows where the core can."""

    def refresh(self) -> Sequence[int]:
        """Take a snapshot for `line` and `cursor`; which visible rows differ from the last one."""

    def line(self, row: int) -> Strip:
        """A visible row as of the last `refresh`, `columns` cells wide."""

    def scroll_to(self, first: int | None) -> None:
        """Show the rows from this line on, also while output goes on; None follows the screen."""

    @property
    def first(self) -> int:
        """The line that is shown on top."""

    @property
    def scrollback(self) -> int:
        """How many lines lie above the screen."""

    @property
    def cursor(self) -> Cursor: ...

    @property
    def title(self) -> str:
        """As the program set it; untrusted text."""

    @property
    def modes(self) -> Modes: ...

    def text(self, first: int, last: int) -> list[str]:
        """Plain text of these lines (inclusive), trailing blanks removed."""

    def close(self) -> None:
        """Free native memory; no call may follow."""
