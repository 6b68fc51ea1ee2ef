"""Yes or no, with what will happen in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, NamedTuple

from textual.binding import Binding, BindingType
from textual.widgets import Checkbox, Static

from .dialog import Dialog

if TYPE_CHECKING:
    from textual.app import ComposeResult


class Answer(NamedTuple):
    """A yes; `option` is the state of the check box."""

    option: bool = False


class ConfirmDialog(Dialog[Answer]):
    """`y` or enter on the button says yes; `n` and escape say no."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "yes", "yes", show=False),
        Binding("n", "cancel", "no", show=False),
        Binding("left,right", "switch", "other button", show=False),
    ]
    AUTO_FOCUS = "#accept"

    def __init__(self, title: str, text: str, *, confirm: str = "yes", danger: bool = False, option: str = "") -> None:
        super().__init__(title, accept=confirm, danger=danger)
        self._text = text
        self._option = option

    def contents(self) -> ComposeResult:
        yield Static(self._text, markup=False, classes="dialog-text")
        if self._option:
            yield Checkbox(self._option, id="option", compact=True)

    def accept(self) -> None:
        boxes = self.query("#option").results(Checkbox)
        self.dismiss(Answer(any(box.value for box in boxes)))

    def action_yes(self) -> None:
        self.accept()

    def action_switch(self) -> None:
        self.focus_next("Button")


class QuitDialog(Dialog[bool]):
    """Leave; containers run on, and that is the first button."""

    AUTO_FOCUS = "#accept"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y,q", "yes", "quit", show=False),
        Binding("n", "cancel", "stay", show=False),
        Binding("left,right", "switch", "other button", show=False),
    ]

    def __init__(self, running: int, jobs: int) -> None:
        super().__init__("Quit pydock?", accept="leave, they run on" if running else "quit")
        self._running_count = running
        self._jobs = jobs

    def contents(self) -> ComposeResult:
        lines = []
        if self._running_count:
            noun = "container runs" if self._running_count == 1 else "containers run"
            lines.append(f"{self._running_count} {noun} on without the dashboard; nothing stops.")
            lines.append("Their terminals and graphs are here again at the next start.")
        if self._jobs:
            lines.append(f"{self._jobs} unfinished {'job' if self._jobs == 1 else 'jobs'} will be stopped.")
        yield Static("\n".join(lines), markup=False, classes="dialog-text")

    def accept(self) -> None:
        self.dismiss(True)

    def action_yes(self) -> None:
        self.dismiss(True)

    def action_switch(self) -> None:
        self.focus_next("Button")
