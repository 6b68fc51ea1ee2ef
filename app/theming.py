"""Themes from TOML files: a palette, then roles, turned into Textual themes.

A file is checked whole when it is read: every error names the file and the key. Roles are Textual's
semantic colours; `[terminal]` holds the sixteen colours of programs in terminal panes and becomes the
variables `ansi-black` … `ansi-bright-white`.
"""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any

from textual.color import Color, ColorParseError
from textual.theme import Theme

from .errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

ROLES = (
    "background",
    "surface",
    "panel",
    "foreground",
    "primary",
    "secondary",
    "accent",
    "success",
    "warning",
    "error",
)
_HUES = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")
TERMINAL_COLOURS = _HUES + tuple(f"bright_{hue}" for hue in _HUES)


def read_theme(path: Path) -> Theme:
    """The theme in this file, named after the file. Raises ConfigurationError."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"cannot read theme {path}: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"theme {path} is not valid TOML: {error}") from error
    palette = _table(path, data, "palette")
    for name, value in palette.items():
        _check_colour(path, f"palette.{name}", value)
    roles = {role: _colour(path, "roles", role, data, palette) for role in ROLES}
    terminal = {name: _colour(path, "terminal", name, data, palette) for name in TERMINAL_COLOURS}
    return _build(path.stem, bool(data.get("dark", True)), roles, terminal)


def read_themes(folders: Iterable[Path]) -> dict[str, Theme]:
    """Every theme of these folders by name; the first folder that has a name wins."""
    themes: dict[str, Theme] = {}
    for folder in folders:
        if not folder.is_dir():
            continue
        for path in sorted(folder.glob("*.toml")):
            if path.stem not in themes:
                themes[path.stem] = read_theme(path)
    return themes


def _build(name: str, dark: bool, roles: dict[str, str], terminal: dict[str, str]) -> Theme:
    variables = {f"ansi-{key.replace('_', '-')}": value for key, value in terminal.items()}
    variables |= {
        "border": roles["panel"],
        "border-blurred": roles["panel"],
        "footer-background": roles["background"],
        "block-cursor-text-style": "none",
        "input-selection-background": f"{roles['accent']} 30%",
        "scrollbar": roles["panel"],
        "scrollbar-hover": roles["primary"],
        "scrollbar-active": roles["accent"],
        "scrollbar-background": roles["background"],
        "scrollbar-background-hover": roles["background"],
        "scrollbar-background-active": roles["background"],
        "scrollbar-corner-color": roles["background"],
    }
    return Theme(
        name=name,
        dark=dark,
        primary=roles["primary"],
        secondary=roles["secondary"],
        accent=roles["accent"],
        foreground=roles["foreground"],
        background=roles["background"],
        surface=roles["surface"],
        panel=roles["panel"],
        success=roles["success"],
        warning=roles["warning"],
        error=roles["error"],
        variables=variables,
    )


def _table(path: Path, data: dict[str, Any], key: str) -> dict[str, Any]:
    table = data.get(key)
    if not isinstance(table, dict):
        raise ConfigurationError(f"theme {path} has no table [{key}]")
    return table


def _colour(path: Path, table: str, key: str, data: dict[str, Any], palette: dict[str, Any]) -> str:
    values = _table(path, data, table)
    if key not in values:
        raise ConfigurationError(f"theme {path} lacks {table}.{key}")
    value = values[key]
    if isinstance(value, str) and value in palette:
        return str(palette[value])
    _check_colour(path, f"{table}.{key}", value)
    return str(value)


def _check_colour(path: Path, key: str, value: object) -> None:
    try:
        if not isinstance(value, str):
            raise ColorParseError("a colour is a string")
        Color.parse(value)
    except ColorParseError:
        raise ConfigurationError(
            f"theme {path}: {key} = {value!r} is no colour and no name of the palette",
            hint='write a colour like "#35d0ba", or a name that [palette] defines',
        ) from None
