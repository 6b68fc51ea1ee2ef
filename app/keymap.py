"""Every key of the dashboard, with an id: bindings, footer, help screen and the user's file all read this table.

Keys are Textual's names (`left_square_bracket`, `ctrl+p`), several joined by commas; the first one is shown.
A context is a set of keys that are active together: `app` and `dashboard` always, `containers` where the
selected container is acted upon, the others in their own panel. No key is twice among keys that are active
at once: `clashes` checks that for presets and for the user's file.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.binding import Binding

from .errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Container
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Key:
    """One action: its id, default keys, Textual action, short label (footer) and sentence (help)."""

    id: str
    keys: str
    action: str
    label: str
    help: str
    context: str
    priority: bool = False


def _group(context: str, *rows: tuple[str, str, str, str, str]) -> tuple[Key, ...]:
    return tuple(Key(id, keys, action, label, text, context) for id, keys, action, label, text in rows)


KEYS: tuple[Key, ...] = (
    Key("app.quit", "ctrl+q", "quit", "quit", "Quit (containers run on)", "app", priority=True),
    # Not a priority binding, unlike Textual's own: ctrl+p belongs to a live terminal.
    Key("palette", "colon,ctrl+p", "command_palette", "palette", "Command palette", "app"),
    *_group(
        "dashboard",
        ("pane.next", "tab", "next_pane", "next pane", "Next pane"),
        ("pane.previous", "shift+tab", "previous_pane", "previous pane", "Previous pane"),
        ("panel.containers", "1", "panel('containers')", "containers", "Containers"),
        ("panel.images", "2", "panel('images')", "images", "Images"),
        ("panel.volumes", "3", "panel('volumes')", "volumes", "Volumes"),
        ("panel.networks", "4", "panel('networks')", "networks", "Networks"),
        ("panel.projects", "5", "panel('projects')", "projects", "Compose projects"),
        ("panel.jobs", "6", "panel('jobs')", "jobs", "Pulls and other jobs"),
        ("panel.events", "7", "panel('events')", "events", "Events"),
        ("tab.previous", "left_square_bracket,shift+left", "tab(-1)", "tab", "Previous tab"),
        ("tab.next", "right_square_bracket,shift+right", "tab(1)", "tab", "Next tab"),
        ("filter", "slash", "filter", "filter", "Filter the list, or search in the pane"),
        ("help", "question_mark,f1,h", "help", "help", "This help"),
        ("jump", "ctrl+o", "jump", "jump", "Jump to a pane by letter"),
        ("zoom", "z", "zoom", "zoom", "Zoom the focused pane"),
        ("layout.larger", "plus", "resize(1)", "larger", "Give the focused side more room"),
        ("layout.smaller", "underscore", "resize(-1)", "smaller", "Give the focused side less room"),
        ("detail.down", "J", "scroll_detail(3)", "scroll", "Scroll the detail pane down"),
        ("detail.up", "K", "scroll_detail(-3)", "scroll", "Scroll the detail pane up"),
        ("window.shorter", "less_than_sign", "window(-1)", "shorter", "Graphs: a shorter time"),
        ("window.longer", "greater_than_sign", "window(1)", "longer", "Graphs: a longer time"),
        ("mouse", "M", "mouse", "mouse", "Hand the mouse to the terminal, or take it back"),
        ("screenshot", "f8", "picture", "picture", "Save the screen as an SVG file"),
        ("redraw", "ctrl+l", "redraw", "redraw", "Draw the whole screen again"),
        ("back", "escape", "back", "back", "Back"),
        ("quit", "q", "leave", "quit", "Back; at the top level quit"),
    ),
    *_group(
        "containers",
        ("container.toggle", "s", "container('toggle')", "stop", "Stop, or start when it is stopped"),
        ("container.pause", "p", "container('pause')", "pause", "Pause or resume"),
        ("container.restart", "r", "container('restart')", "restart", "Restart"),
        ("container.remove", "d,delete", "container('remove')", "remove", "Remove"),
        ("container.signal", "X", "container('signal')", "signal", "Send a signal"),
        ("container.attach", "a", "attach", "attach", "Attach to its terminal"),
        ("container.shell", "e", "shell", "shell", "Open a shell in it"),
        ("container.exec", "E", "exec", "exec", "Run a command in it, with options"),
        ("container.logs", "l,m", "show('logs')", "logs", "Logs"),
        ("container.overview", "o", "show('overview')", "overview", "Graphs and facts"),
        ("container.terminals", "t", "show('terminals')", "terminals", "Its terminals"),
        ("container.inspect", "i", "show('inspect')", "inspect", "Everything about it, as JSON"),
        ("container.timeline", "T", "show('timeline')", "timeline", "Timeline of its life"),
        ("container.run", "n", "run", "new", "Run a new container"),
        ("container.rename", "N", "rename", "rename", "Rename"),
        ("container.copy", "y", "copy", "copy", "Copy its name, id, address …"),
        ("container.browse", "w", "browse", "open", "Open its published port in a browser"),
        ("container.menu", "x", "menu", "more", "All actions on it"),
        ("view.all", "A", "toggle_all", "all", "Show all, or the running ones only"),
        ("view.sort", "S", "sort", "sort", "Sort by the next column"),
        ("mark.bulk", "b", "menu", "bulk", "Actions on all the marked"),
    ),
    *_group(
        "images",
        ("image.run", "r,n", "screen.image('run')", "run", "Run a container from it"),
        ("image.pull", "p", "screen.image('pull')", "pull", "Pull an image"),
        (
            "image.toolbox",
            "t",
            "screen.image('toolbox')",
            "toolbox",
            "Make toolbox from this machine's own tools",
        ),
        ("image.tag", "T", "screen.image('tag')", "tag", "Give it one more name"),
        ("image.remove", "d,delete", "screen.image('remove')", "remove", "Remove"),
        ("image.inspect", "i", "screen.show('inspect')", "inspect", "Everything about it, as JSON"),
        ("image.layers", "l", "screen.show('layers')", "layers", "Its layers"),
        ("image.copy", "y", "screen.copy", "copy", "Copy its name, id, digest"),
    ),
    *_group(
        "volumes",
        ("volume.create", "n", "screen.volume('create')", "new", "Create a volume"),
        ("volume.remove", "d,delete", "screen.volume('remove')", "remove", "Remove"),
        ("volume.copy", "y", "screen.copy", "copy", "Copy its name or path"),
    ),
    *_group(
        "networks",
        ("network.copy", "y", "screen.copy", "copy", "Copy its name, subnet, gateway"),
    ),
    *_group(
        "jobs",
        ("job.pull", "p", "screen.image('pull')", "pull", "Pull an image"),
        ("job.cancel", "d,delete", "screen.job('cancel')", "cancel", "Stop the job"),
        ("job.clear", "C", "screen.job('clear')", "clear", "Forget the finished ones"),
    ),
    *_group(
        "terminals",
        ("terminal.close", "d,delete", "screen.close_terminal", "close", "Close this terminal pane"),
        ("terminal.larger", "ctrl+right,ctrl+down", "screen.tile(1)", "larger", "More room for this terminal"),
        ("terminal.smaller", "ctrl+left,ctrl+up", "screen.tile(-1)", "smaller", "Less room for this terminal"),
    ),
)

_BY_ID = {key.id: key for key in KEYS}

CONTEXT_TITLES = {
    "app": "Everywhere",
    "dashboard": "Everywhere outside a live terminal",
    "containers": "Containers: the selected or the marked ones",
    "images": "Images",
    "volumes": "Volumes",
    "networks": "Networks",
    "jobs": "Jobs",
    "terminals": "Terminals, while not live",
}

PRESETS: dict[str, dict[str, str]] = {
    "pydock": {},
    "lazydocker": {
        "pane.next": "tab,l",
        "pane.previous": "shift+tab,h",
        "help": "question_mark,f1",
        "container.logs": "m",
        "container.shell": "E",
        "container.exec": "ctrl+e",
        "view.all": "e",
        "image.layers": "m",
    },
    "k9s": {
        "container.shell": "s",
        "container.toggle": "u",
        "container.remove": "ctrl+d,delete",
        "container.inspect": "d,i",
        "container.copy": "c",
        "image.remove": "ctrl+d,delete",
        "image.copy": "c",
        "volume.remove": "ctrl+d,delete",
        "volume.copy": "c",
        "network.copy": "c",
        "zoom": "f",
    },
    "vim": {
        "pane.next": "tab,l",
        "pane.previous": "shift+tab,h",
        "help": "question_mark,f1",
        "container.logs": "m",
        "image.layers": "m",
        "detail.down": "ctrl+e",
        "detail.up": "ctrl+y",
    },
}

_SHOWN = {
    "question_mark": "?",
    "slash": "/",
    "colon": ":",
    "plus": "+",
    "underscore": "_",
    "asterisk": "*",
    "space": "space",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "less_than_sign": "<",
    "greater_than_sign": ">",
    "escape": "esc",
    "shift+left": "shift+←",
    "shift+right": "shift+→",
    "ctrl+left": "ctrl+←",
    "ctrl+right": "ctrl+→",
    "ctrl+up": "ctrl+↑",
    "ctrl+down": "ctrl+↓",
}


def shown_key(key: str) -> str:
    """A Textual key name as people read it."""
    return _SHOWN.get(key, key)


def bindings(context: str) -> list[Binding]:
    """The default bindings of one context, for a class's BINDINGS; `Keymap.overrides` re-keys them by id."""
    return [
        Binding(
            key.keys,
            key.action,
            key.label,
            show=False,
            id=key.id,
            tooltip=key.help,
            priority=key.priority,
            key_display=shown_key(key.keys.split(",")[0]),
        )
        for key in KEYS
        if key.context == context
    ]


class Keymap:
    """The keys in force: defaults, a preset over them, the user's own over that."""

    def __init__(self, preset: str = "pydock", own: dict[str, str] | None = None) -> None:
        if preset not in PRESETS:
            raise ConfigurationError(
                f"no key preset {preset!r}", hint=f"presets are {', '.join(PRESETS)} (--keymap, settings.toml)"
            )
        self.preset = preset
        self.overrides: dict[str, str] = PRESETS[preset] | (own or {})

    def keys(self, id: str) -> list[str]:
        """Key names of an action, the shown one first."""
        return self.overrides.get(id, _BY_ID[id].keys).split(",")

    def shown(self, id: str) -> str:
        """The first key of an action as people read it."""
        return shown_key(self.keys(id)[0])

    def table(self, context: str) -> list[tuple[Key, str]]:
        """The actions of a context with all their keys as people read them, for the help screen."""
        return [
            (key, "  ".join(shown_key(name) for name in self.keys(key.id))) for key in KEYS if key.context == context
        ]


def active_together(context: str) -> tuple[str, ...]:
    """The contexts whose keys work at the same time as this one's."""
    if context in ("app", "dashboard"):
        return ("app", "dashboard")
    return ("app", "dashboard", context)


def clashes(keymap: Keymap) -> list[tuple[str, str, str]]:
    """Pairs of ids that share a key while both are active: (key, first id, second id)."""
    found = []
    for context in CONTEXT_TITLES:
        owners: dict[str, str] = {}
        for key in KEYS:
            if key.context not in active_together(context):
                continue
            for name in keymap.keys(key.id):
                other = owners.setdefault(name, key.id)
                if other != key.id and (name, other, key.id) not in found:
                    found.append((name, other, key.id))
    return found


def read_keymap(path: Path, preset: str, widget_ids: Container[str] = ()) -> Keymap:
    """The preset with the user's file over it; the file may name a preset of its own and a table [keys].

    `widget_ids`: ids of the widgets' own bindings, which the file can change too.

    Raises ConfigurationError naming the file and the id: unknown ids, no string, a key that another action has.
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Keymap(preset)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"cannot read {path}: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path} is not valid TOML: {error}") from error
    own = data.get("keys", {})
    if not isinstance(own, dict):
        raise ConfigurationError(f"{path}: keys is not a table", hint='write [keys], then "container.pause" = "P"')
    for id, keys in own.items():
        if id not in _BY_ID and id not in widget_ids:
            raise ConfigurationError(f"{path}: no action {id!r}", hint="? in the program lists the ids")
        if not isinstance(keys, str) or not keys.strip():
            raise ConfigurationError(f"{path}: {id} = {keys!r} is no key", hint='write "ctrl+t" or "t,f5"')
    keymap = Keymap(str(data.get("preset", preset)), own)
    for key, first, second in clashes(keymap):
        raise ConfigurationError(
            f"{path}: {shown_key(key)} would be both {first} and {second}",
            hint="give one of them another key in the same file",
        )
    return keymap
