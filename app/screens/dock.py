"""The dock: the terminals of each container as tiles, those of the selected one in sight.

Panes of other containers stay mounted and keep being read: looking away ends nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.containers import Container
from textual.message import Message

from ..keymap import bindings
from ..widgets.terminal import TerminalPane
from ..widgets.tiles import TileArea

if TYPE_CHECKING:
    from textual.binding import BindingType

    from ..sessions import TerminalLink


class TerminalDock(Container):
    """Owns the links while their panes are open."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("terminals")]

    class LinksChanged(Message):
        """A terminal was opened or closed."""

    def __init__(self) -> None:
        super().__init__(id="dock")
        self._areas: dict[str, TileArea] = {}
        self._links: dict[TerminalPane, TerminalLink] = {}
        self.container_id = ""

    def show(self, container_id: str) -> None:
        """Bring the terminals of this container into sight."""
        self.container_id = container_id
        for owner, area in self._areas.items():
            area.display = owner == container_id

    def links(self, container_id: str | None = None) -> list[TerminalLink]:
        """Open terminals, of one container or all."""
        return [link for link in self._links.values() if container_id in (None, link.container_id)]

    def link_of(self, pane: TerminalPane) -> TerminalLink | None:
        """The link behind a pane."""
        return self._links.get(pane)

    async def open(self, link: TerminalLink) -> bool:
        """Add a pane for this link; False (and the link closed) when the container has as many as fit."""
        area = self._areas.get(link.container_id)
        if area is None:
            area = self._areas[link.container_id] = TileArea()
            area.display = link.container_id == self.container_id
            await self.mount(area)
        if not await area.add(link.pane, focus=False):
            link.close()
            return False
        self._links[link.pane] = link
        link.start()
        self.post_message(self.LinksChanged())
        return True

    async def close(self, pane: TerminalPane) -> None:
        """Take a pane away and detach."""
        link = self._links.pop(pane, None)
        if link is None:
            return
        link.close()
        area = self._areas[link.container_id]
        await area.remove_tile(pane)
        if not area.tiles:
            del self._areas[link.container_id]
            await area.remove()
        self.post_message(self.LinksChanged())

    def area(self) -> TileArea | None:
        """The tiles in sight."""
        return self._areas.get(self.container_id)

    def panes(self) -> list[TerminalPane]:
        """The panes in sight, in reading order."""
        area = self.area()
        return [tile for tile in area.tiles if isinstance(tile, TerminalPane)] if area else []

    def detach_all(self) -> None:
        """The program leaves: close every session, end nothing."""
        for link in self._links.values():
            link.close()
        self._links.clear()
