"""The status line: flash messages, running work, and the filter input in the same row."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.containers import Horizontal
from textual.message import Message

if TYPE_CHECKING:
    from ..presentation.cells import Role


class StatusLine(Horizontal):
    """One row."""

    class FilterChanged(Message):
        def __init__(self, line: StatusLine, value: str) -> None:
            super().__init__()
            self.line = line
            self.value = value

    class FilterSubmitted(Message):
        def __init__(self, line: StatusLine, value: str) -> None:
            super().__init__()
            self.line = line
            self.value = value

    class FilterCancelled(Message):
        def __init__(self, line: StatusLine) -> None:
            super().__init__()
            self.line = line

    def flash(self, text: str, role: Role = "success", *, seconds: float = 5.0) -> None:
        """Show a message for a while."""

    def busy(self, key: str, text: str) -> None:
        """Show work in progress (with a spinner) until `done(key)`."""

    def done(self, key: str) -> None:
        """End of that work."""

    def ask(self, prompt: str = "/", value: str = "") -> None:
        """Turn the row into an input; Filter* messages tell what is typed."""

    def close_input(self) -> None:
        """Back to messages."""
