"""The log of a container: follow, search, keep-matching filter, wrap, timestamps, markers, selection.

A window of lines is in memory; older ones are asked for when a reader reaches the top, and dropped again when the
view follows. Rows are drawn from a list of (line, part) so that wrapped lines scroll by screen rows.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from typing import TYPE_CHECKING, ClassVar

from rich.segment import Segment
from rich.text import Text
from textual.binding import Binding, BindingType
from textual.cache import LRUCache
from textual.content import Content
from textual.geometry import Size
from textual.message import Message
from textual.reactive import reactive
from textual.strip import Strip

from ..presentation.units import clock
from .find import Prompt, compile_pattern, restyle
from .lineview import LineView
from .logline import Entry
from .roles import role_css

if TYPE_CHECKING:
    import re
    from collections.abc import Awaitable, Callable, Sequence

    from textual import events
    from textual.selection import Selection

    from engine.models import LogLine

_OLDER_BATCH = 1000
_CLOCK_WIDTH = 9


class LogView(LineView):
    """Keys: f follow, / search, n N, & keep matching (!inverse), t timestamps, w wrap, m marker, C clear."""

    DEFAULT_CSS = (
        role_css("LogView")
        + """
    LogView { background: $background; }
    """
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f", "toggle_follow", "follow", id="logs.follow"),
        Binding("slash", "search", "search", show=False, id="logs.search"),
        Binding("ampersand", "keep", "keep matching", show=False, id="logs.filter"),
        Binding("n", "match(1)", "next match", show=False, id="logs.next"),
        Binding("N", "match(-1)", "previous match", show=False, id="logs.previous"),
        Binding("t", "toggle_timestamps", "timestamps", show=False, id="logs.timestamps"),
        Binding("w", "toggle_wrap", "wrap", show=False, id="logs.wrap"),
        Binding("m", "marker", "marker", show=False, id="logs.marker"),
        Binding("C", "clear", "clear view", show=False, id="logs.clear"),
        Binding("down,j", "move(1)", "down", show=False, id="logs.down"),
        Binding("up,k", "move(-1)", "up", show=False, id="logs.up"),
        Binding("pagedown,ctrl+d", "page(1)", "page down", show=False, id="logs.page-down"),
        Binding("pageup,ctrl+u", "page(-1)", "page up", show=False, id="logs.page-up"),
        Binding("g,home", "top", "oldest line", show=False, id="logs.top"),
        Binding("G,end", "bottom", "newest line", show=False, id="logs.bottom"),
        Binding("L,right", "sideways(8)", "right", show=False, id="logs.right"),
        Binding("H,left", "sideways(-8)", "left", show=False, id="logs.left"),
        Binding("escape", "reset", "end search", show=False, id="logs.reset"),
    ]

    follow: reactive[bool] = reactive(True, repaint=False)
    """Stay at the newest line. Scrolling up ends it, reaching the bottom takes it up again."""
    wrap: reactive[bool] = reactive(False, repaint=False)
    timestamps: reactive[bool] = reactive(False, repaint=False)

    class StateChanged(Message):
        """Follow, search, filter, wrap or timestamps changed; `summary` is for a border."""

        def __init__(self, view: LogView, summary: str) -> None:
            super().__init__()
            self.view = view
            self.summary = summary

        @property
        def control(self) -> LogView:
            return self.view

    def __init__(
        self,
        *,
        capacity: int = 10_000,
        load_older: Callable[[int, int], Awaitable[Sequence[LogLine]]] | None = None,
        empty: str = "no output yet",
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        """`load_older(before_ns, count)` is awaited when the top is reached; it returns older lines, oldest first."""
        super().__init__(id=id, classes=classes)
        self._capacity = capacity
        self._load_older = load_older
        self._exhausted = load_older is None
        self._loading = False
        self._empty = empty
        self._entries: list[Entry] = []
        self._shown: list[Entry] = []
        self._parts: list[tuple[Entry, int, int]] = []
        self._pattern: re.Pattern[str] | None = None
        self._keep: re.Pattern[str] | None = None
        self._keep_text = ""
        self._search_text = ""
        self._matches: list[int] = []
        self._match = -1
        self._prompt: Prompt | None = None
        self._own_scroll = False
        self._wrapped_at = 0
        self._strips: LRUCache[tuple[int, int], Strip] = LRUCache(2048)

    @property
    def line_count(self) -> int:
        """Lines in memory, markers included."""
        return len(self._entries)

    @property
    def text(self) -> str:
        """What is shown (after the filter), one line each, for saving."""
        return "\n".join(entry.plain for entry in self._shown)

    @property
    def summary(self) -> str:
        """State in a few words: "follow · /err 3/17 · &GET 120/4000 · wrap"."""
        parts = ["follow" if self.follow else "paused"]
        if self._search_text:
            place = self._match + 1 if self._matches else 0
            parts.append(f"/{self._search_text} {place}/{len(self._matches)}")
        if self._keep_text:
            parts.append(f"&{self._keep_text} {len(self._shown)}/{len(self._entries)}")
        if self.wrap:
            parts.append("wrap")
        return " · ".join(parts)

    def append(self, lines: Sequence[LogLine]) -> None:
        """Add newer lines. A line that continues an unfinished one of the same stream is joined to it."""
        number = self._entries[-1].number + 1 if self._entries else 0
        fresh: list[Entry] = []
        grown = False
        for line in lines:
            last = fresh[-1] if fresh else self._entries[-1] if self._entries else None
            if last is not None and last.open and last.stream == line.stream:
                last.extend(line.text)
                grown = grown or not fresh
            else:
                fresh.append(Entry(number, line.time_ns, line.stream, line.text))
                number += 1
        self._add(fresh, grown)

    def prepend(self, lines: Sequence[LogLine]) -> None:
        """Add older lines above; what is in sight stays where it is."""
        if not lines:
            self._exhausted = True
            self._changed()
            return
        first = self._entries[0].number if self._entries else 0
        fresh = [
            Entry(first - len(lines) + offset, line.time_ns, line.stream, line.text)
            for offset, line in enumerate(lines)
        ]
        # Taken before the rows move, so that what is in sight stays.
        top = self._part_at(self.scroll_offset.y)
        self._entries[:0] = fresh
        self._rebuild(top)
        self._find_matches()

    def marker(self, text: str = "") -> None:
        """A divider line, with the time when no text is given."""
        number = self._entries[-1].number + 1 if self._entries else 0
        self._add([Entry(number, time.time_ns(), "marker", text or clock(time.time_ns()))])

    def clear(self) -> None:
        """Forget every line; older ones are not asked for again."""
        self._entries.clear()
        self._exhausted = True
        self._matches, self._match = [], -1
        self.follow = True
        self._rebuild()

    def search(self, pattern: str) -> int:
        """Highlight a pattern (a regular expression, or literal text when it is none); how many lines have it.

        The view goes to the first match in sight or below, else to the last one above. "" ends the search."""
        self._search_text = pattern
        self._pattern = compile_pattern(pattern) if pattern else None
        self._find_matches()
        self._strips.clear()
        if self._matches:
            top = self._part_at(self.scroll_offset.y)
            later = bisect_left(self._matches, top.number) if top is not None else 0
            self._go_to_match(later if later < len(self._matches) else len(self._matches) - 1)
        self._changed()
        return len(self._matches)

    def keep_matching(self, pattern: str) -> None:
        """Show only lines that match, or with a leading "!" those that do not; "" shows all again."""
        self._keep_text = pattern
        self._keep = compile_pattern(pattern.removeprefix("!")) if pattern.removeprefix("!") else None
        self._rebuild()
        self._find_matches()
        self._changed()

    def watch_follow(self, follow: bool) -> None:
        if follow:
            self._trim()
            self._to_end()
        self._changed()

    def watch_wrap(self) -> None:
        self._rebuild()
        self._changed()

    def watch_timestamps(self) -> None:
        self._rebuild()
        self._changed()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        if self._own_scroll or round(old_value) == round(new_value):
            return
        self.follow = new_value >= self.max_scroll_y
        if new_value <= 0 and not self._exhausted and not self._loading and self._entries:
            self._loading = True
            self.run_worker(self._page_older(), group="older", exclusive=True, exit_on_error=False)

    async def _page_older(self) -> None:
        assert self._load_older is not None
        try:
            self.prepend(await self._load_older(self._entries[0].time_ns, _OLDER_BATCH))
        finally:
            self._loading = False

    def action_toggle_follow(self) -> None:
        self.follow = not self.follow

    def action_toggle_wrap(self) -> None:
        self.wrap = not self.wrap

    def action_toggle_timestamps(self) -> None:
        self.timestamps = not self.timestamps

    def action_marker(self) -> None:
        self.marker()

    def action_clear(self) -> None:
        self.clear()

    def action_move(self, step: int) -> None:
        self.scroll_to(y=self.scroll_offset.y + step, animate=False)

    def action_page(self, step: int) -> None:
        self.action_move(step * max(1, self.size.height - 1))

    def action_top(self) -> None:
        self.scroll_to(y=0, animate=False)

    def action_bottom(self) -> None:
        self.follow = True
        self._to_end()

    def action_sideways(self, step: int) -> None:
        if not self.wrap:
            widest = max(0, self.virtual_size.width - self.line_width)
            self.scroll_to(x=min(widest, max(0, self.scroll_offset.x + step)), animate=False, force=True)

    def action_search(self) -> None:
        self._prompt = Prompt("/")
        self.refresh()

    def action_keep(self) -> None:
        self._prompt = Prompt("&", self._keep_text)
        self.refresh()

    def action_match(self, step: int) -> None:
        if self._matches:
            self._go_to_match((self._match + step) % len(self._matches))
            self._changed()

    def action_reset(self) -> None:
        if self._search_text:
            self.search("")
        elif self._keep_text:
            self.keep_matching("")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        # Without a search these keys mean something else to the app.
        if action == "match":
            return bool(self._search_text)
        if action == "reset":
            return bool(self._search_text or self._keep_text)
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
            apply = self.search if prompt.label == "/" else self.keep_matching
            if outcome == "submit" or prompt.label == "&":
                apply(prompt.text)
        self.refresh()

    def lines_reflow(self) -> None:
        if self._wrapped_at != (self._room if self.wrap else 0) or not self._parts:
            self._rebuild()
        elif self.follow:
            self._to_end()

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._strips.clear()

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        lines = "\n".join(entry.plain[start:end] for entry, start, end in self._parts)
        return selection.extract(lines), "\n"

    def selection_updated(self, selection: Selection | None) -> None:
        self.refresh()

    def render_line(self, y: int) -> Strip:
        width, base = self.line_width, self.palette.base
        if self._prompt is not None and y == self.size.height - 1:
            return self._prompt.render(width, self.palette)
        scroll_x, scroll_y = self.scroll_offset
        row = scroll_y + y
        if row >= len(self._parts):
            return self._empty_line(y, width) if not self._parts else Strip.blank(width, base)
        entry, start, end = self._parts[row]
        if entry.stream == "marker":
            return self._marker_line(entry, width)
        key = (entry.number, start)
        strip = self._strips.get(key)
        if strip is None:
            strip = self._paint(entry, start, end)
            self._strips[key] = strip
        strip = strip.crop_extend(scroll_x, scroll_x + width, base)
        selection = self.text_selection
        gutter = self._gutter
        if selection is not None and (span := selection.get_span(row)) is not None:
            first, last = span
            style = self.screen.get_component_rich_style("screen--selection")
            strip = restyle(strip, first + gutter - scroll_x, width if last == -1 else last + gutter - scroll_x, style)
        if gutter and scroll_x < gutter:
            # The timestamp is no part of the text: a selection counts from the line's own start.
            head, tail = strip.crop(0, gutter - scroll_x), strip.crop(gutter - scroll_x, width)
            return Strip.join([head, tail.apply_offsets(0, row)])
        return strip.apply_offsets(max(0, scroll_x - gutter), row)

    def _paint(self, entry: Entry, start: int, end: int) -> Strip:
        base = self.palette.base
        ground = base + self.palette.text("warning") if entry.stream == "stderr" else base
        segments: list[Segment] = []
        if self.timestamps:
            text = clock(entry.time_ns) + " " if start == 0 else " " * _CLOCK_WIDTH
            segments.append(Segment(text, base + self.palette.text("muted")))
        if not entry.spans and self._pattern is None:
            segments.append(Segment(entry.plain[start:end], ground))
            return Strip(segments)
        line = Text(entry.plain, spans=list(entry.spans), end="")
        if self._pattern is not None:
            current = 0 <= self._match < len(self._matches) and self._matches[self._match] == entry.number
            style = self.palette.line("match-current" if current else "match")
            for found in self._pattern.finditer(entry.plain):
                line.stylize(style, found.start(), found.end())
        segments.extend(line[start:end].render(self.app.console))
        return Strip([Segment(text, ground + style if style else ground) for text, style, _ in segments if text])

    def _marker_line(self, entry: Entry, width: int) -> Strip:
        base = self.palette.base
        label = f" {entry.plain} "[: max(0, width - 6)]
        return Strip(
            [
                Segment("───", base + self.palette.line("rule")),
                Segment(label, base + self.palette.text("accent")),
                Segment("─" * max(0, width - 3 - len(label)), base + self.palette.line("rule")),
            ]
        ).adjust_cell_length(width, base)

    def _empty_line(self, y: int, width: int) -> Strip:
        base = self.palette.base
        if y != max(0, (self.size.height - 1) // 2):
            return Strip.blank(width, base)
        text = f"no line matches &{self._keep_text}, esc shows all" if self._keep_text else self._empty
        pad = max(0, width - len(text)) // 2
        style = base + self.palette.text("muted")
        return Strip([Segment(" " * pad, base), Segment(text, style)]).adjust_cell_length(width, base)

    @property
    def _gutter(self) -> int:
        return _CLOCK_WIDTH if self.timestamps else 0

    @property
    def _room(self) -> int:
        return max(8, self.line_width - self._gutter)

    def _add(self, fresh: list[Entry], grown: bool = False) -> None:
        self._entries.extend(fresh)
        if grown:
            # The last line got longer: its rows, its matches and whether it is shown may all be others now.
            self._trim()
            self._rebuild()
            self._find_matches()
            return
        shown = [entry for entry in fresh if self._kept(entry)]
        self._shown.extend(shown)
        self._parts.extend(self._split(shown))
        if self._pattern is not None:
            self._matches.extend(entry.number for entry in shown if self._pattern.search(entry.plain))
        self._trim()
        self._resize_content()
        if self.follow:
            self._to_end()
        self.refresh()
        if self._search_text or self._keep_text:
            self._changed()

    def _trim(self) -> None:
        """Drop the oldest lines. A reader who scrolled back keeps three times as many, and keeps the place."""
        bound = self._capacity if self.follow else self._capacity * 3
        excess = len(self._entries) - bound
        if excess <= 0:
            return
        del self._entries[:excess]
        first = self._entries[0].number
        self._shown = self._shown[bisect_left(self._shown, first, key=lambda entry: entry.number) :]
        gone = bisect_left(self._parts, first, key=lambda part: part[0].number)
        del self._parts[:gone]
        passed = bisect_left(self._matches, first)
        del self._matches[:passed]
        self._match = max(-1, self._match - passed)
        self._exhausted = self._load_older is None
        self._resize_content()
        if not self.follow:
            self._scroll_rows(self.scroll_offset.y - gone)

    def _kept(self, entry: Entry) -> bool:
        if self._keep is None or entry.stream == "marker":
            return True
        return (self._keep.search(entry.plain) is None) == self._keep_text.startswith("!")

    def _split(self, entries: Sequence[Entry]) -> list[tuple[Entry, int, int]]:
        if not self.wrap:
            return [(entry, 0, len(entry.plain)) for entry in entries]
        room = self._room
        return [(entry, start, end) for entry in entries for start, end in entry.pieces(room)]

    def _rebuild(self, top: Entry | None = None) -> None:
        top = top or self._part_at(self.scroll_offset.y)
        self._wrapped_at = self._room if self.wrap else 0
        self._shown = [entry for entry in self._entries if self._kept(entry)]
        self._parts = self._split(self._shown)
        self._strips.clear()
        self._resize_content()
        if self.follow:
            self._to_end()
        elif top is not None:
            self._scroll_rows(bisect_left(self._parts, top.number, key=lambda part: part[0].number))
        self.refresh()

    def _resize_content(self) -> None:
        width = self.line_width
        if not self.wrap:
            width = max(width, self._gutter + max((entry.width for entry in self._shown[-500:]), default=0))
        self.virtual_size = Size(width, len(self._parts))

    def _part_at(self, row: int) -> Entry | None:
        return self._parts[row][0] if 0 <= row < len(self._parts) else None

    def _to_end(self) -> None:
        self._scroll_rows(len(self._parts) - self.size.height)

    def _scroll_rows(self, row: int) -> None:
        self._own_scroll = True
        try:
            self.scroll_rows(row)
        finally:
            self._own_scroll = False

    def _find_matches(self) -> None:
        pattern = self._pattern
        current = self._matches[self._match] if 0 <= self._match < len(self._matches) else None
        self._matches = (
            [entry.number for entry in self._shown if pattern.search(entry.plain)] if pattern is not None else []
        )
        # Matches move when lines come or go; the current one is known by its line.
        self._match = self._matches.index(current) if current in self._matches else -1

    def _go_to_match(self, number: int) -> None:
        self._match = number
        self._strips.clear()
        row = bisect_left(self._parts, self._matches[number], key=lambda part: part[0].number)
        if not self.scroll_offset.y <= row < self.scroll_offset.y + self.size.height:
            self.follow = False
            self._scroll_rows(row - self.size.height // 2)
        self.refresh()

    def _changed(self) -> None:
        summary = self.summary
        self.border_subtitle = Content(summary)
        if self.is_attached:
            self.post_message(self.StateChanged(self, summary))
