"""Table contents as plain values: what a row shows, not how a widget paints it.

A role is a meaning (`success`, `muted`), never a colour; widgets look the colour up in the theme. Text in
cells is data from outside and is never read as markup.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

Role = Literal["", "muted", "primary", "secondary", "accent", "success", "warning", "error", "disabled"]


class Cell(NamedTuple):
    """Text with a role. Control characters are the maker's to strip (`text.plain`)."""

    text: str
    role: Role = ""
    bold: bool = False


class Spark(NamedTuple):
    """A one-row graph of the newest values, oldest first; `maximum` None scales to the largest value shown."""

    values: tuple[float, ...]
    maximum: float | None = None
    role: Role = "primary"


CellValue = str | Cell | Spark


class Column(NamedTuple):
    """One column. `width` is its least width in cells; `flex` shares what is left over between columns.

    `priority` 0 is always shown; of the others the highest number is dropped first when room is short.
    `elide` says where a text too long loses its letters.
    """

    key: str
    title: str
    width: int
    priority: int = 0
    flex: int = 0
    align: Literal["left", "right"] = "left"
    elide: Literal["middle", "end"] = "end"
    sortable: bool = True
    maximum: int = 0
    """Greatest width when flexible; 0: no bound."""
    fallback: str = ""
    """Key of a column whose cell stands in here for a missing one while that column is dropped."""


class Row(NamedTuple):
    """One row: `key` is stable across updates, `cells` by column key; a missing cell is empty.

    `search` is the text that a filter looks at; `role` colours the whole row (a dead container is muted).
    """

    key: str
    cells: dict[str, CellValue]
    role: Role = ""
    search: str = ""
