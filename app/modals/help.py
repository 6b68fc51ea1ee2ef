"""The help screen, made from the keymap and the widgets' own bindings; it also names the ids for keymap.toml."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.cells import cell_len
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from ..keymap import CONTEXT_TITLES, shown_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from textual.app import ComposeResult

    from ..keymap import Keymap

Line = tuple[str, str, str]
"""Keys as people read them, what they do, the id."""


def widget_lines(declared: Iterable[BindingType]) -> list[Line]:
    """Help lines of a widget's own BINDINGS."""
    lines: list[Line] = []
    for binding in Binding.make_bindings(declared):
        keys = shown_key(binding.key)
        text = binding.tooltip or binding.description
        if lines and lines[-1][1] == text:
            lines[-1] = (f"{lines[-1][0]}  {keys}", text, lines[-1][2])
        elif text:
            lines.append((keys, text, binding.id or ""))
    return lines


class HelpScreen(ModalScreen[None]):
    """All keys by context, those of the focused pane first. Typing filters."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,f1", "dismiss(None)", "close", show=False),
        Binding("down", "scroll(1)", "down", show=False),
        Binding("up", "scroll(-1)", "up", show=False),
        Binding("pagedown", "scroll(12)", "page down", show=False),
        Binding("pageup", "scroll(-12)", "page up", show=False),
    ]
    AUTO_FOCUS = "Input"

    def __init__(self, keymap: Keymap, first: Sequence[str], widgets: Mapping[str, Sequence[Line]]) -> None:
        super().__init__()
        contexts = [*first, *(context for context in CONTEXT_TITLES if context not in first)]
        self._sections: list[tuple[str, list[Line]]] = [
            (
                CONTEXT_TITLES[context],
                [(keys, key.help, key.id) for key, keys in keymap.table(context)],
            )
            for context in contexts
        ]
        self._sections += [(title, list(lines)) for title, lines in widgets.items()]
        self._preset = keymap.preset

    def compose(self) -> ComposeResult:
        box = VerticalScroll(classes="help-box", can_focus=False)
        box.border_title = Content(f" Keys · preset {self._preset} ")
        box.border_subtitle = Content(" type to filter · esc closes · ids are for keymap.toml ")
        with box:
            yield Input(placeholder="filter keys", compact=True, classes="field")
            yield Static(self._content(""), id="keys")

    def on_input_changed(self, event: Input.Changed) -> None:
        self.query_one("#keys", Static).update(self._content(event.value.strip().lower()))

    def action_scroll(self, lines: int) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)

    def _content(self, wanted: str) -> Content:
        shown = []
        for title, lines in self._sections:
            chosen = [line for line in lines if not wanted or wanted in " ".join(line).lower()]
            if chosen:
                shown.append((title, chosen))
        if not shown:
            return Content.assemble(("\nno key matches", "$foreground 60%"))
        wide = max(cell_len(keys) for _, lines in shown for keys, _, _ in lines)
        wide_text = max(cell_len(text) for _, lines in shown for _, text, _ in lines)
        parts: list[tuple[str, str]] = []
        for title, lines in shown:
            parts.append((f"\n{title}\n", "bold $text-primary"))
            for keys, text, id in lines:
                parts.append((f"  {keys.ljust(wide)}  ", "$text-accent"))
                parts.append((text.ljust(wide_text), ""))
                parts.append((f"  {id}\n", "$foreground 38%"))
        return Content.assemble(*parts)
