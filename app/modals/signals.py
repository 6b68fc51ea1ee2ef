"""Choose a signal to send."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from textual.content import Content
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from .dialog import Dialog

if TYPE_CHECKING:
    from textual import events
    from textual.app import ComposeResult

_FIRST = ("TERM", "KILL", "INT", "HUP", "QUIT", "USR1", "USR2", "STOP", "CONT", "WINCH")
_MEANING = {
    "TERM": "end politely",
    "KILL": "end at once",
    "INT": "as ctrl+c does",
    "HUP": "hang up, often: read the configuration again",
    "QUIT": "end with a core dump",
    "USR1": "the program's own",
    "USR2": "the program's own",
    "STOP": "stand still",
    "CONT": "go on",
    "WINCH": "the terminal changed its size",
}


def signals() -> list[tuple[int, str, str]]:
    """(number, short name, meaning), the usual ones first."""
    names = [item.name.removeprefix("SIG") for item in signal.Signals]
    rest = sorted((name for name in names if name not in _FIRST), key=lambda name: signal.Signals[f"SIG{name}"])
    return [(int(signal.Signals[f"SIG{name}"]), name, _MEANING.get(name, "")) for name in (*_FIRST, *rest)]


class SignalPicker(Dialog[int]):
    """Answers a signal number. Digits jump to a signal by number."""

    def __init__(self, subject: str) -> None:
        super().__init__(f"Signal for {subject}", buttons=False)
        self._signals = signals()
        self._typed = ""

    def contents(self) -> ComposeResult:
        yield OptionList(*(Option(_line(*item)) for item in self._signals), compact=True, classes="tall")

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.dismiss(self._signals[event.option_index][0])

    def on_key(self, event: events.Key) -> None:
        options = self.query_one(OptionList)
        if event.key in ("j", "k"):
            if event.key == "j":
                options.action_cursor_down()
            else:
                options.action_cursor_up()
        elif event.character and event.character.isdigit():
            self._typed = (self._typed + event.character)[-2:]
            numbers = [number for number, _, _ in self._signals]
            for text in (self._typed, event.character):
                if int(text) in numbers:
                    self._typed = text
                    options.highlighted = numbers.index(int(text))
                    break


def _line(number: int, name: str, meaning: str) -> Content:
    return Content.assemble((f"{number:>2}  ", "$foreground 60%"), f"{name:<8}", (meaning, "$foreground 60%"))
