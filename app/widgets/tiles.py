"""One to four panes side by side, or two by two; one of them alone when zoomed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.containers import Container
from textual.message import Message

if TYPE_CHECKING:
    from textual.widget import Widget

_WIDE = 100
_STEP, _LEAST, _MOST = 1, 2, 18


class TileArea(Container):
    """Tiles keep their order. Two stand side by side where there is room for two of 50 columns, else one above
    the other; three and four make two rows. Columns and rows have weights, which `resize_tile` moves."""

    DEFAULT_CSS = """
    TileArea { layout: grid; grid-size: 1 1; width: 1fr; height: 1fr; }
    TileArea > .-tile-hidden { display: none; }
    """
    LIMIT = 4

    class Changed(Message):
        """Tiles were added, removed, zoomed or arranged anew."""

        def __init__(self, area: TileArea) -> None:
            super().__init__()
            self.area = area

        @property
        def control(self) -> TileArea:
            return self.area

    def __init__(self, *tiles: Widget, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(*tiles[: self.LIMIT], id=id, classes=classes)
        self._zoomed: Widget | None = None
        # Weights of the left (upper) part out of 20: one value moves one border.
        self._column_weight = self._row_weight = 10

    @property
    def tiles(self) -> list[Widget]:
        """The tiles in reading order, hidden ones included."""
        return [tile for tile in self.children if not tile.has_class("-leaving")]

    @property
    def zoomed(self) -> Widget | None:
        """The tile that is shown alone."""
        return self._zoomed

    @property
    def focused_tile(self) -> Widget | None:
        """The tile that has the focus, itself or in a child."""
        return next((tile for tile in self.tiles if tile.has_focus_within), None)

    async def add(self, tile: Widget, *, focus: bool = True) -> bool:
        """Add a tile behind the others; False when there are four already. A zoom ends."""
        if len(self.tiles) >= self.LIMIT:
            return False
        self._zoomed = None
        await self.mount(tile)
        self._arrange()
        if focus:
            tile.focus()
        return True

    async def remove_tile(self, tile: Widget) -> None:
        """Take a tile out; its neighbour gets the focus if it had it."""
        tiles = self.tiles
        if tile not in tiles:
            return
        place, had_focus = tiles.index(tile), tile.has_focus_within
        if self._zoomed is tile:
            self._zoomed = None
        tile.add_class("-leaving")
        rest = self.tiles
        if had_focus and rest:
            rest[min(place, len(rest) - 1)].focus()
        await tile.remove()
        self._arrange()

    def zoom(self, tile: Widget | None) -> None:
        """Show one tile alone; None shows all again."""
        self._zoomed = tile if tile in self.tiles else None
        self._arrange()
        if self._zoomed is not None:
            self._zoomed.focus()

    def toggle_zoom(self) -> None:
        """Zoom the focused tile (or the first), or end the zoom."""
        self.zoom(None if self._zoomed is not None else self.focused_tile or next(iter(self.tiles), None))

    def focus_next_tile(self, step: int = 1) -> None:
        """Move the focus round the tiles; a zoom goes along."""
        tiles = self.tiles
        if not tiles:
            return
        current = self.focused_tile
        target = tiles[(tiles.index(current) + step) % len(tiles)] if current is not None else tiles[0]
        if self._zoomed is not None:
            self.zoom(target)
        else:
            target.focus()

    def resize_tile(self, columns: int, rows: int) -> None:
        """Grow (positive) or shrink the focused tile by twentieths of the area's width and height."""
        tiles, tile = self.tiles, self.focused_tile
        if tile is None or self._zoomed is not None or len(tiles) < 2:
            return
        width, height = self._grid(len(tiles))
        place = tiles.index(tile)
        if width > 1 and columns:
            self._column_weight = _moved(self._column_weight, columns if place % width == 0 else -columns)
        if height > 1 and rows:
            self._row_weight = _moved(self._row_weight, rows if place // width == 0 else -rows)
        self._arrange()

    def on_mount(self) -> None:
        self._arrange()

    def on_resize(self) -> None:
        self._arrange(quiet=True)

    def _grid(self, count: int) -> tuple[int, int]:
        if count <= 1:
            return 1, 1
        if count == 2:
            return (2, 1) if self.size.width >= _WIDE else (1, 2)
        return 2, 2

    def _arrange(self, *, quiet: bool = False) -> None:
        tiles = self.tiles
        shown = [self._zoomed] if self._zoomed in tiles else tiles
        for tile in tiles:
            tile.set_class(tile not in shown, "-tile-hidden")
            tile.styles.column_span = 1
        width, height = self._grid(len(shown))
        if len(shown) == 3 and shown[2] is not None:
            # The third takes the whole lower row rather than leave a hole.
            shown[2].styles.column_span = 2
        self.styles.grid_size_columns, self.styles.grid_size_rows = width, height
        self.styles.grid_columns = _weights(self._column_weight, width)
        self.styles.grid_rows = _weights(self._row_weight, height)
        if not quiet and self.is_attached:
            self.post_message(self.Changed(self))


def _moved(weight: int, steps: int) -> int:
    return min(_MOST, max(_LEAST, weight + steps * _STEP))


def _weights(first: int, parts: int) -> str:
    return f"{first}fr {20 - first}fr" if parts == 2 else "1fr"
