"""One line of text: a name, an image reference."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.suggester import SuggestFromList
from textual.widgets import Input, Static

from .dialog import Dialog

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from textual.app import ComposeResult


class TextPrompt(Dialog[str]):
    """Answers the text, stripped. `check` gives the reason why a text cannot be taken, or ""."""

    def __init__(
        self,
        title: str,
        *,
        text: str = "",
        value: str = "",
        placeholder: str = "",
        accept: str = "ok",
        suggestions: Sequence[str] = (),
        check: Callable[[str], str] | None = None,
    ) -> None:
        super().__init__(title, accept=accept)
        self._text = text
        self._value = value
        self._placeholder = placeholder
        self._suggestions = suggestions
        self._check = check

    def contents(self) -> ComposeResult:
        if self._text:
            yield Static(self._text, markup=False, classes="dialog-text")
        yield Input(
            self._value,
            placeholder=self._placeholder,
            suggester=SuggestFromList(self._suggestions) if self._suggestions else None,
            compact=True,
            classes="field",
        )

    def on_input_changed(self) -> None:
        self.complain("")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.accept()

    def accept(self) -> None:
        value = self.query_one(Input).value.strip()
        if not value:
            self.complain("nothing is typed yet")
        elif self._check is not None and (reason := self._check(value)):
            self.complain(reason)
        else:
            self.dismiss(value)
