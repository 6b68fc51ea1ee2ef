"""A JSON document, coloured, foldable and searchable."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.geometry import Size
from textual.strip import Strip

from ..presentation.jsonrows import JsonRow, Path, all_folds, at_path, default_folds, json_rows, path_text
from .find import Prompt, compile_pattern, restyle
from .lineview import LineView
from .roles import role_css

if TYPE_CHECKING:
    from textual import events

    from ..presentation.cells import Role

_INDENT = 2
_ROLES: dict[str, Role] = {
    "string": "success",
    "number": "accent",
    "word": "warning",
    "folded": "muted",
    "open": "muted",
    "close": "muted",
    "empty": "muted",
}


class JsonView(LineView):
    """Keys: j k move, enter or space fold, - + fold or unfold all, / search, n N, y copies the value."""

    DEFAULT_CSS = role_css("JsonView") + "\nJsonView { background: $background; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "move(1)", "down", show=False, id="json.down"),
        Binding("up,k", "move(-1)", "up", show=False, id="json.up"),
        Binding("pagedown,ctrl+d", "page(1)", "page down", show=False, id="json.page-down"),
        Binding("pageup,ctrl+u", "page(-1)", "page up", show=False, id="json.page-up"),
        Binding("home,g", "edge(False)", "top", show=False, id="json.top"),
        Binding("end,G", "edge(True)", "bottom", show=False, id="json.bottom"),
        Binding("enter,space", "fold", "fold", show=False, id="json.fold"),
        Binding("minus", "fold_all", "fold all", show=False, id="json.fold-all"),
        Binding("plus", "unfold_all", "unfold all", show=False, id="json.unfold-all"),
        Binding("slash", "search", "search", show=False, id="json.search"),
        Binding("n", "match(1)", "next match", show=False, id="json.next"),
        Binding("N", "match(-1)", "previous match", show=False, id="json.previous"),
        Binding("y", "copy", "copy value", show=False, id="json.copy"),
        Binding("L,right", "sideways(8)", "right", show=False, id="json.right"),
        Binding("H,left", "sideways(-8)", "left", show=False, id="json.left"),
        Binding("escape", "reset", "end search", show=False, id="json.reset"),
    ]

    def __init__(self, *, empty: str = "nothing to inspect", id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._empty = empty
        self._document: Any = None
        self._folds: set[Path] = set()
        self._rows: list[JsonRow] = []
        self._cursor = 0
        self._search_text = ""
        self._matches: list[Path] = []
        self._match = -1
        self._prompt: Prompt | None = None

    @property
    def document(self) -> Any:
        """What is shown."""
        return self._document

    def set_document(self, document: Any) -> None:
        """Show plain JSON data. Folds, cursor and search stay where their paths still exist; None empties."""
        if document == self._document:
            return
        first = self._document is None
        self._document = document
        if first:
            self._folds = default_folds(document)
            self._cursor = 0
        self._rebuild()
        if self._search_text:
            self._find()

    def search(self, text: str) -> int:
        """Find keys and values; unfolds what hides the first match. Returns how many rows match."""
        self._search_text = text
        self._match = -1
        self._find()
        if self._matches:
            self._go_to_match(0)
        self._label()
        self.refresh()
        return len(self._matches)

    def action_move(self, step: int) -> None:
        self._place(self._cursor + step)

    def action_page(self, step: int) -> None:
        self._place(self._cursor + step * max(1, self.size.height - 1))

    def action_edge(self, bottom: bool) -> None:
        self._place(len(self._rows) - 1 if bottom else 0)

    def action_fold(self) -> None:
        if not self._rows:
            return
        row = self._rows[self._cursor]
        if row.kind == "folded":
            self._folds.discard(row.path)
        elif row.kind in ("open", "close"):
            self._folds.add(row.path)
        elif row.path:
            self._folds.add(row.path[:-1])
        self._rebuild(keep=row.path)

    def action_fold_all(self) -> None:
        path = self._rows[self._cursor].path[:1] if self._rows else ()
        self._folds = all_folds(self._document)
        self._rebuild(keep=path)

    def action_unfold_all(self) -> None:
        path = self._rows[self._cursor].path if self._rows else ()
        self._folds.clear()
        self._rebuild(keep=path)

    def action_search(self) -> None:
        self._prompt = Prompt("/")
        self.refresh()

    def action_match(self, step: int) -> None:
        if self._matches:
            self._go_to_match((self._match + step) % len(self._matches))

    def action_reset(self) -> None:
        self.search("")

    def action_copy(self) -> None:
        """Copy the value under the cursor: a string as it is, anything else as JSON."""
        if not self._rows:
            return
        value = at_path(self._document, self._rows[self._cursor].path)
        text = value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False, default=str)
        self.app.copy_to_clipboard(text)
        self._label(f"copied {len(text)} characters")

    def action_sideways(self, step: int) -> None:
        widest = max(0, self.virtual_size.width - self.line_width)
        self.scroll_to(x=min(widest, max(0, self.scroll_offset.x + step)), animate=False, force=True)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ("match", "reset"):
            return bool(self._search_text)
        return True

    async def _on_key(self, event: events.Key) -> None:
        if self._prompt is None:
            await super()._on_key(event)
            return
        event.stop()
        event.prevent_default()
        outcome = self._prompt.key(event.key, event.character)
        if outcome != "open":
            prompt, self._prompt = self._prompt, None
            if outcome == "submit":
                self.search(prompt.text)
        self.refresh()

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        if offset is None:
            return
        row = self.scroll_offset.y + offset.y
        if row < len(self._rows):
            self._place(row)
            if event.chain == 2:
                self.action_fold()

    def on_focus(self) -> None:
        self.refresh()

    def on_blur(self) -> None:
        self.refresh()

    def render_line(self, y: int) -> Strip:
        width, base = self.line_width, self.palette.base
        if self._prompt is not None and y == self.size.height - 1:
            return self._prompt.render(width, self.palette)
        scroll_x, scroll_y = self.scroll_offset
        number = y + scroll_y
        if number >= len(self._rows):
            return self._empty_line(y, width)
        row = self._rows[number]
        strip = self._paint(row)
        if number == self._cursor:
            ground = self.palette.line("cursor" if self.has_focus else "cursor-blurred")
            strip = strip.adjust_cell_length(max(strip.cell_length, scroll_x + width), base)
            strip = restyle(strip, 0, strip.cell_length, ground)
        return self._with_matches(row, strip).crop_extend(scroll_x, scroll_x + width, base)

    def _paint(self, row: JsonRow) -> Strip:
        base, muted = self.palette.base, self.palette.base + self.palette.text("muted")
        mark = {"open": "▾ ", "folded": "▸ "}.get(row.kind, "  ")
        segments: list[Segment] = []
        if row.depth:
            segments = [Segment(" " * (row.depth - 1) * _INDENT, base), Segment(mark, muted)]
        if row.key:
            segments += [Segment(row.key, base + self.palette.text("primary")), Segment(": ", muted)]
        segments.append(Segment(row.text, base + self.palette.text(_ROLES[row.kind])))
        if row.comma:
            segments.append(Segment(",", muted))
        return Strip(segments)

    def _with_matches(self, row: JsonRow, strip: Strip) -> Strip:
        if not self._search_text or row.kind == "close":
            return strip
        current = 0 <= self._match < len(self._matches) and self._matches[self._match] == row.path
        style = self.palette.line("match-current" if current else "match")
        text = strip.text
        for found in compile_pattern(self._search_text).finditer(text):
            start = cell_len(text[: found.start()])
            strip = restyle(strip, start, start + cell_len(found.group()), style)
        return strip

    def _empty_line(self, y: int, width: int) -> Strip:
        base = self.palette.base
        if self._rows or y != max(0, (self.size.height - 1) // 2):
            return Strip.blank(width, base)
        pad = " " * (max(0, width - len(self._empty)) // 2)
        return Strip([Segment(pad + self._empty, base + self.palette.text("muted"))]).adjust_cell_length(width, base)

    def _rebuild(self, keep: Path | None = None) -> None:
        """Rows anew; the cursor stays on its path, or on the nearest ancestor that is to be seen."""
        if keep is None and self._rows:
            keep = self._rows[min(self._cursor, len(self._rows) - 1)].path
        self._rows = json_rows(self._document, self._folds) if self._document is not None else []
        widest = max((row.depth * _INDENT + len(row.key) + len(row.text) + 6 for row in self._rows), default=0)
        self.virtual_size = Size(max(widest, self.line_width), len(self._rows))
        where = {row.path: number for number, row in reversed(list(enumerate(self._rows)))}
        path = keep or ()
        while path and path not in where:
            path = path[:-1]
        self._place(where.get(path, 0))
        self.refresh()

    def _place(self, number: int) -> None:
        self._cursor = min(max(number, 0), max(0, len(self._rows) - 1))
        self.reveal(self._cursor)
        self._label()
        self.refresh()

    def _find(self) -> None:
        self._matches = []
        if self._search_text and self._document is not None:
            pattern = compile_pattern(self._search_text)
            # Scalars and keys of the whole document: a fold must not hide a match.
            self._matches = [
                row.path
                for row in json_rows(self._document, frozenset())
                if row.kind != "close" and pattern.search(f"{row.key}: {row.text}")
            ]
        self._match = min(self._match, len(self._matches) - 1)

    def _go_to_match(self, number: int) -> None:
        self._match = number
        path = self._matches[number]
        for length in range(len(path)):
            self._folds.discard(path[:length])
        self._rebuild(keep=path)

    def _label(self, note: str = "") -> None:
        parts = [path_text(self._rows[self._cursor].path)] if self._rows else []
        if self._search_text:
            parts.append(f"/{self._search_text} {self._match + 1}/{len(self._matches)}")
        if note:
            parts.append(note)
        self.border_subtitle = Content(" · ".join(filter(None, parts)))
