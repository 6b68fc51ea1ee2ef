"""A list to choose from; entries can have a key of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rich.cells import cell_len
from textual.content import Content
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from .dialog import Dialog

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual import events
    from textual.app import ComposeResult


class Entry(NamedTuple):
    """One line: what choosing it answers, its label, its key (as Textual names it) and a remark."""

    answer: str
    label: str
    key: str = ""
    shown_key: str = ""
    remark: str = ""


class Menu(Dialog[str]):
    """Arrows and enter, or the entry's own key."""

    def __init__(self, title: str, entries: Sequence[Entry], *, text: str = "") -> None:
        super().__init__(title, buttons=False)
        self._entries = tuple(entries)
        self._text = text

    def contents(self) -> ComposeResult:
        if self._text:
            yield Static(self._text, markup=False, classes="dialog-text")
        wide_key = max((cell_len(entry.shown_key) for entry in self._entries), default=0)
        wide = max((cell_len(entry.label) for entry in self._entries), default=0)
        yield OptionList(
            *(Option(_line(entry, wide_key, wide), id=str(n)) for n, entry in enumerate(self._entries)),
            compact=True,
        )

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.dismiss(self._entries[event.option_index].answer)

    def on_key(self, event: events.Key) -> None:
        for entry in self._entries:
            if entry.key == event.key:
                event.stop()
                event.prevent_default()
                self.dismiss(entry.answer)
                return
        if event.key in ("j", "k"):
            options = self.query_one(OptionList)
            if event.key == "j":
                options.action_cursor_down()
            else:
                options.action_cursor_up()


def _line(entry: Entry, wide_key: int, wide: int) -> Content:
    parts: list[tuple[str, str]] = []
    if wide_key:
        parts.append((entry.shown_key.ljust(wide_key) + "  ", "$text-accent"))
    parts.append((entry.label.ljust(wide) if entry.remark else entry.label, ""))
    if entry.remark:
        parts.append((f"  {entry.remark}", "$foreground 60%"))
    return Content.assemble(*parts)
