"""A braille graph of one or two series over time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.widget import Widget

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..presentation.cells import Role


class BrailleChart(Widget):
    """Area graph with fixed maximum when there is a limit. NaN values are gaps."""

    def __init__(
        self,
        title: str = "",
        *,
        roles: Sequence[Role] = ("primary",),
        labels: Sequence[str] = (),
        unit: Callable[[float], str] | None = None,
        window_s: float = 900,
        floor: float = 0.0,
        empty: str = "no samples yet",
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(id=id, classes=classes)

    def set_series(
        self,
        series: Sequence[Sequence[float]],
        *,
        limit: float | None = None,
        window_s: float | None = None,
        current: str | None = None,
    ) -> None:
        """New values, oldest first, evenly spaced over `window_s` seconds ending now."""
