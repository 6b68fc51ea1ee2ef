"""A pull as bars: one per layer with its state, bytes and speed, and a total above them."""

from __future__ import annotations

from collections import deque
from time import monotonic
from typing import TYPE_CHECKING

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Size
from textual.strip import Strip

from ..presentation.text import elide_end, plain
from ..presentation.units import precise_duration, rate, size
from .lineview import LineView
from .roles import role_css

if TYPE_CHECKING:
    from textual.timer import Timer

    from engine.models import PullProgress

    from ..presentation.cells import Role

_REPAINT_S = 0.1
_SPEED_WINDOW_S = 3.0
_OVER = frozenset({"exists", "done", "downloaded"})
_ROLES: dict[str, Role] = {
    "waiting": "muted",
    "exists": "success",
    "downloading": "primary",
    "retrying": "warning",
    "verifying": "secondary",
    "downloaded": "secondary",
    "unpacking": "accent",
    "done": "success",
}


class _Layer:
    """State of one layer and the points its speed is taken from."""

    __slots__ = ("current", "points", "status", "total")

    def __init__(self) -> None:
        self.status = "waiting"
        self.current = self.total = 0
        self.points: deque[tuple[float, int]] = deque()


class LayerBars(LineView):
    """Feed it every PullProgress; it repaints at most ten times a second."""

    DEFAULT_CSS = role_css("LayerBars") + "\nLayerBars { height: auto; max-height: 100%; }"

    def __init__(self, title: str = "", *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._heading = plain(title)
        self._layers: dict[str, _Layer] = {}
        self._message = ""
        self._outcome: tuple[str, Role] = ("", "")
        self._started = monotonic()
        self._took = 0.0
        self._points: deque[tuple[float, int]] = deque()
        self._timer: Timer | None = None
        self.virtual_size = Size(1, 2)

    @property
    def layer_count(self) -> int:
        return len(self._layers)

    def advance(self, progress: PullProgress) -> None:
        """Take one report: of a layer, or of the whole (a message) when its layer is empty."""
        if not progress.layer:
            self._message = plain(progress.message)
        else:
            layer = self._layers.get(progress.layer)
            if layer is None:
                layer = self._layers[progress.layer] = _Layer()
                self.virtual_size = Size(1, len(self._layers) + 2)
                self.refresh(layout=True)
            if progress.status != layer.status:
                layer.points.clear()
            layer.status = progress.status
            layer.current, layer.total = progress.current, max(layer.total, progress.total)
            now = monotonic()
            if progress.status in ("downloading", "unpacking"):
                _note(layer.points, now, progress.current)
        if self._timer is None and self.is_attached:
            self._timer = self.set_timer(_REPAINT_S, self._turn)

    def finish(self, message: str = "", *, failed: bool = False) -> None:
        """The pull ended, well or not."""
        self._took = monotonic() - self._started
        self._outcome = (plain(message) or ("failed" if failed else "done"), "error" if failed else "success")
        self.refresh()

    def render_line(self, y: int) -> Strip:
        row = y + self.scroll_offset.y
        width, base = self.line_width, self.palette.base
        if row == 0:
            return self._heading_line(width)
        if row == 1:
            return self._total_line(width)
        names = list(self._layers)
        if row - 2 >= len(names):
            return Strip.blank(width, base)
        name = names[row - 2]
        return self._layer_line(name, self._layers[name], width)

    def _turn(self) -> None:
        self._timer = None
        now = monotonic()
        _note(self._points, now, sum(layer.current for layer in self._layers.values() if layer.status == "downloading"))
        self.refresh()

    def _heading_line(self, width: int) -> Strip:
        base = self.palette.base
        text, role = self._outcome
        note = text or self._message
        segments = [Segment(self._heading, base + Style(bold=True))]
        if note:
            room = max(0, width - len(self._heading) - 2)
            segments += [Segment("  ", base), Segment(elide_end(note, room), base + self.palette.text(role or "muted"))]
        return Strip(segments).adjust_cell_length(width, base)

    def _total_line(self, width: int) -> Strip:
        base, muted = self.palette.base, self.palette.base + self.palette.text("muted")
        layers = self._layers.values()
        total = sum(layer.total for layer in layers)
        fetched = sum(_fetched(layer) for layer in layers)
        finished = sum(layer.status in ("done", "exists") for layer in layers)
        speed = _speed(self._points)
        text = f"{finished}/{len(layers)} layers"
        if total:
            text += f" · {size(fetched)}/{size(total)}"
        if self._outcome[0]:
            text += f" · {precise_duration(int(self._took * 1e9))}"
        elif speed > 0 and total > fetched:
            text += f" · {rate(speed)} · {precise_duration(int((total - fetched) / speed * 1e9))} left"
        share = fetched / total if total else float(bool(self._outcome[0]))
        room = max(0, min(40, width - len(text) - 2))
        bar = _bar(share, room, base + self.palette.paint("accent"), base + self.palette.line("rule"))
        return Strip([*bar, Segment(f"  {text}" if room else text, muted)]).adjust_cell_length(width, base)

    def _layer_line(self, name: str, layer: _Layer, width: int) -> Strip:
        base, muted = self.palette.base, self.palette.base + self.palette.text("muted")
        role = _ROLES.get(layer.status, "")
        share = layer.current / layer.total if layer.total else 0.0
        if layer.status in _OVER:
            share = 1.0
        amount = f"{size(layer.current)}/{size(layer.total)}" if layer.total else ""
        if layer.status in _OVER:
            amount = size(layer.total) if layer.total else ""
        speed = _speed(layer.points)
        words = f"  {layer.status:<11} {amount:>11} {rate(speed) if speed > 0 else '':>9}"
        head = f"{name[:12]:<12}  "
        room = width - len(head) - len(words)
        if room < 6:
            words = f"  {layer.status:<11}"
            room = max(4, width - len(head) - len(words))
        return Strip(
            [
                Segment(head, muted),
                *_bar(share, room, base + self.palette.paint(role), base + self.palette.line("rule")),
                Segment(words, base + self.palette.text(role)),
            ]
        ).adjust_cell_length(width, base)


def _fetched(layer: _Layer) -> int:
    """Bytes of the download: what is unpacked has been fetched whole."""
    return layer.current if layer.status in ("waiting", "downloading", "retrying") else layer.total


def _note(points: deque[tuple[float, int]], now: float, amount: int) -> None:
    if points and amount < points[-1][1]:
        points.clear()
    points.append((now, amount))
    while now - points[0][0] > _SPEED_WINDOW_S:
        points.popleft()


def _speed(points: deque[tuple[float, int]]) -> float:
    if len(points) < 2 or monotonic() - points[-1][0] > _SPEED_WINDOW_S:
        return 0.0
    elapsed = points[-1][0] - points[0][0]
    return (points[-1][1] - points[0][1]) / elapsed if elapsed > 0 else 0.0


def _bar(share: float, width: int, filled: Style, trough: Style) -> list[Segment]:
    """A thin bar in halves of a cell."""
    full, half = divmod(round(min(1.0, max(0.0, share)) * width * 2), 2)
    bar = "━" * full + ("╸" if half else "")
    return [Segment(bar, filled), Segment("━" * (width - len(bar)), trough)]
