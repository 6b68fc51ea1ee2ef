"""The life of a container as bars: phases with their durations, then events."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.scroll_view import ScrollView

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.models import Event, Phase


class Timeline(ScrollView, can_focus=True):
    """Phases as a Gantt chart on top, events below."""

    def set_life(
        self,
        phases: Sequence[Phase],
        events: Sequence[Event] = (),
        *,
        state: str = "",
        created_ns: int = 0,
        started_ns: int = 0,
        finished_ns: int = 0,
        now_ns: int = 0,
    ) -> None:
        """What to draw; cheap when equal to what is shown."""
