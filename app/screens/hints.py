"""Which keys the footer names, by what is focused and the state of what is selected."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..actions import pause_verb, toggle_verb
from .footer import Hint

if TYPE_CHECKING:
    from engine.models import Container

    from ..keymap import Keymap

_LABELS = {
    "container.attach": ("attach", "attach"),
    "container.shell": ("shell", "shell"),
    "container.logs": ("logs", "show('logs')"),
    "container.run": ("new", "run"),
    "container.menu": ("more", "menu"),
    "container.remove": ("remove", "container('remove')"),
    "container.restart": ("restart", "container('restart')"),
    "image.run": ("run", "image('run')"),
    "image.pull": ("pull", "image('pull')"),
    "image.toolbox": ("make toolbox", "image('toolbox')"),
    "image.remove": ("remove", "image('remove')"),
    "image.layers": ("layers", "show('layers')"),
    "volume.create": ("new", "volume('create')"),
    "volume.remove": ("remove", "volume('remove')"),
    "job.cancel": ("stop job", "job('cancel')"),
    "job.clear": ("clear", "job('clear')"),
    "filter": ("filter", "filter"),
    "zoom": ("zoom", "zoom"),
    "terminal.close": ("close", "close_terminal"),
    "help": ("help", "help"),
    "tab.next": ("tab", "tab(1)"),
    "container.copy": ("copy", "copy"),
}


def hints(keymap: Keymap, context: str, container: Container | None, *, first_run: bool) -> list[Hint]:
    """At most eight, the most wanted first, help last."""

    def named(*ids: str) -> list[Hint]:
        return [Hint(keymap.shown(id), *_LABELS[id]) for id in ids]

    if context == "live":
        return [Hint("ctrl+]", "leaves the terminal, it runs on", "leave_live")]
    if first_run:
        return named("image.pull", "image.toolbox", "help")
    if context == "images":
        return named("image.run", "image.pull", "image.toolbox", "image.layers", "image.remove", "filter", "help")
    if context == "volumes":
        return named("volume.create", "volume.remove", "filter", "help")
    if context == "jobs":
        return named("image.pull", "job.cancel", "job.clear", "help")
    if context == "terminal":
        return [
            Hint("enter", "go live", "go_live"),
            *named("container.shell", "zoom", "terminal.close", "filter", "tab.next", "help"),
        ]
    if context == "logs":
        return [
            *_life(keymap, container)[:1],
            Hint("f", "follow", "log('toggle_follow')"),
            Hint("/", "search", "log('search')"),
            Hint("&", "keep matching", "log('keep')"),
            Hint("w", "wrap", "log('toggle_wrap')"),
            Hint("t", "times", "log('toggle_timestamps')"),
            *named("container.shell", "help"),
        ]
    if context in ("networks", "projects", "events"):
        return named("filter", "container.copy", "help") if context == "networks" else named("filter", "help")
    if container is None:
        return named("container.run", "filter", "help")
    return [*_life(keymap, container), *_inside(keymap, container), *named("container.menu", "help")]


def _life(keymap: Keymap, container: Container | None) -> list[Hint]:
    if container is None:
        return []
    toggle = Hint(keymap.shown("container.toggle"), toggle_verb(container).name, "container('toggle')")
    if container.state in ("running", "paused"):
        word = "resume" if pause_verb(container).doing == "resuming" else "pause"
        return [toggle, Hint(keymap.shown("container.pause"), word, "container('pause')")]
    return [toggle]


def _inside(keymap: Keymap, container: Container) -> list[Hint]:
    ids = ["container.restart", "container.shell"]
    if container.state not in ("running", "paused"):
        ids = ["container.remove", "container.logs", "container.run"]
    elif container.tty:
        ids.append("container.attach")
    else:
        ids.append("container.logs")
    return [Hint(keymap.shown(id), *_LABELS[id]) for id in ids]
