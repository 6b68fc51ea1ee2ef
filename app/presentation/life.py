"""The states a container went through, from its events: created, running, paused, stopped, with their times."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.models import Event

    from .cells import Role


class Stretch(NamedTuple):
    """A time in one state."""

    word: str
    start_ns: int
    end_ns: int
    glyph: str
    role: Role


_LOOKS: dict[str, tuple[str, Role]] = {
    "created": ("─", "secondary"),
    "running": ("█", "success"),
    "paused": ("▒", "warning"),
    "stopped": ("░", "muted"),
}
_AFTER = {"create": "created", "start": "running", "unpause": "running", "pause": "paused", "die": "stopped"}


def stretches(
    events: Sequence[Event],
    *,
    state: str,
    created_ns: int,
    started_ns: int,
    finished_ns: int,
    now_ns: int,
) -> list[Stretch]:
    """States in order, up to now. Where old events are missing, the record's own times stand in."""
    turns = [(event.time_ns, _AFTER[event.action]) for event in events if event.action in _AFTER]
    if not turns:
        turns = [
            (time_ns, word)
            for time_ns, word in ((created_ns, "created"), (started_ns, "running"), (finished_ns, "stopped"))
            if time_ns
        ]
        turns.sort()
        if state == "paused" and turns:
            turns[-1] = (turns[-1][0], "paused")
    elif created_ns and created_ns < turns[0][0]:
        turns.insert(0, (created_ns, "created"))
    result: list[Stretch] = []
    for number, (time_ns, word) in enumerate(turns):
        end = turns[number + 1][0] if number + 1 < len(turns) else max(now_ns, time_ns)
        if end > time_ns and not (result and result[-1].word == word):
            glyph, role = _LOOKS[word]
            result.append(Stretch(word, time_ns, end, glyph, role))
        elif result and result[-1].word == word:
            result[-1] = result[-1]._replace(end_ns=max(end, result[-1].end_ns))
    return result
