"""How the state of a container looks: a glyph, a word and a role, always together.

Colour is never the only sign. ● ◐ ○ take two cells in some CJK terminals, hence the ASCII set.
"""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from engine.models import Container

    from .cells import Role


class Look(NamedTuple):
    """Glyph (one cell), word and role."""

    glyph: str
    word: str
    role: Role


_GLYPHS = {
    "running": "●",
    "paused": "◐",
    "created": "○",
    "stopped": "◼",
    "failed": "✖",
    "restarting": "↻",
    "busy": "◌",
}
_ASCII = {
    "running": "*",
    "paused": "=",
    "created": "o",
    "stopped": "-",
    "failed": "x",
    "restarting": "@",
    "busy": "~",
}


def container_look(container: Container, *, busy: str = "", ascii_only: bool = False) -> Look:
    """The look of a container. `busy` is the verb of an action under way ("stopping"), which goes first."""
    glyphs = _ASCII if ascii_only else _GLYPHS
    if busy:
        return Look(glyphs["busy"], busy, "secondary")
    state = container.state
    if state == "running":
        return Look(glyphs["running"], "running", "success")
    if state == "paused":
        return Look(glyphs["paused"], "paused", "warning")
    if state == "created":
        return Look(glyphs["created"], "created", "secondary")
    if state == "restarting":
        return Look(glyphs["restarting"], "restarting", "warning")
    if state == "removing":
        return Look(glyphs["busy"], "removing", "secondary")
    if container.oom_killed:
        return Look(glyphs["failed"], "oom", "error")
    if state == "dead":
        return Look(glyphs["failed"], "dead", "error")
    if container.exit_code == 0 or container.stop_requested:
        return Look(glyphs["stopped"], "exited", "muted")
    return Look(glyphs["failed"], "exited", "error")


def exit_text(container: Container) -> str:
    """Why it ended: "exit 0", "exit 137 (SIGKILL)", "oom 137"; empty while it has not."""
    if container.state not in ("exited", "dead"):
        return ""
    if container.oom_killed:
        return f"oom {container.exit_code}"
    name = signal_name(container.signal or (container.exit_code - 128 if container.exit_code > 128 else 0))
    return f"exit {container.exit_code}" + (f" ({name})" if name else "")


def signal_name(number: int) -> str:
    """ "SIGKILL" for 9; "" for what is no signal here."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return ""


def state_rank(container: Container) -> int:
    """Sort key of the state column: what is alive first, what failed next."""
    order = {"running": 0, "paused": 1, "restarting": 2, "created": 3, "removing": 4, "dead": 5, "exited": 6}
    rank = order[container.state]
    return 5 if rank == 6 and (container.oom_killed or container.exit_code) else rank
