"""A live terminal in a pane."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget

if TYPE_CHECKING:
    from collections.abc import Callable


class TerminalPane(Widget, can_focus=True):
    """LIVE: every key goes to the program, ctrl+] leaves. VIEW: app keys, scrollback, search, copy; enter goes live."""

    live: reactive[bool] = reactive(False)

    class WentLive(Message):
        def __init__(self, pane: TerminalPane) -> None:
            super().__init__()
            self.pane = pane

    class WentView(Message):
        def __init__(self, pane: TerminalPane) -> None:
            super().__init__()
            self.pane = pane

    class DetachRequested(Message):
        """The detach keys were typed, or enter/q in an ended pane."""

        def __init__(self, pane: TerminalPane) -> None:
            super().__init__()
            self.pane = pane

    class TitleChanged(Message):
        def __init__(self, pane: TerminalPane, title: str) -> None:
            super().__init__()
            self.pane = pane
            self.title = title

    class Resized(Message):
        def __init__(self, pane: TerminalPane, rows: int, columns: int) -> None:
            super().__init__()
            self.pane = pane
            self.rows = rows
            self.columns = columns

    def __init__(
        self,
        title: str,
        send: Callable[[bytes], None],
        resize: Callable[[int, int], None],
        *,
        detach_keys: str = "",
        scrollback_bytes: int = 10 << 20,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        """`resize(rows, columns)`; `detach_keys` "ctrl-p,ctrl-q" or "" for none."""
        super().__init__(id=id, classes=classes)

    def feed(self, data: bytes) -> None:
        """Output of the program; parsed within each frame's time budget."""

    @property
    def backlog_bytes(self) -> int:
        """Output not yet parsed: stop reading the session while this is above 1 MiB."""
        return 0

    def ended(self, exit_code: int | None) -> None:
        """The program is gone (None: connection lost, code unknown)."""

    def go_live(self) -> None:
        """All keys to the program."""

    def go_view(self) -> None:
        """Keys to the app again."""
