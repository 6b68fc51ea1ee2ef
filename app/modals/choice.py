"""A field with few values, in one row: ‹ bridge ›."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget

if TYPE_CHECKING:
    from collections.abc import Sequence


class Choice(Widget, can_focus=True):
    """Left, right, space or a click take the next value."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,h", "step(-1)", "previous", show=False),
        Binding("right,l,space", "step(1)", "next", show=False),
    ]
    value: reactive[str] = reactive("")

    class Changed(Message):
        """Another value was chosen."""

        def __init__(self, choice: Choice) -> None:
            super().__init__()
            self.choice = choice

    def __init__(self, values: Sequence[str], value: str, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._values = tuple(values)
        self.set_reactive(Choice.value, value)

    def render(self) -> Content:
        return Content.assemble(("‹ ", "$foreground 60%"), self.value, (" ›", "$foreground 60%"))

    def action_step(self, step: int) -> None:
        index = self._values.index(self.value) if self.value in self._values else 0
        self.value = self._values[(index + step) % len(self._values)]

    def on_click(self) -> None:
        self.action_step(1)

    def watch_value(self) -> None:
        if self.is_mounted:
            self.post_message(self.Changed(self))
