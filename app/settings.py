"""What a person can set (settings.toml), and what the program remembers between runs.

Precedence: command line, then the file, then the defaults below. The docstring under each field is its manual.
"""

from __future__ import annotations

import json
import os
import tomllib
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Literal, get_args

from .errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

ConfirmLevel = Literal["never", "running", "always"]
DEFAULT_CONFIRM: dict[str, ConfirmLevel] = {
    "start": "never",
    "stop": "never",
    "restart": "never",
    "pause": "never",
    "kill": "never",
    "remove": "always",
}


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings in force."""

    theme: str = "pydock-dark"
    """A theme's name: of themes/, of your own themes folder, or one of Textual's."""
    keymap: str = "pydock"
    """Key preset: pydock, lazydocker, k9s, vim. Single keys are changed in keymap.toml."""
    ascii: bool = False
    """Draw states and bars with ASCII, for terminals and fonts without the glyphs."""
    detach_keys: str = "ctrl-p,ctrl-q"
    """Keys that leave an attached terminal, as in Docker; "" turns them off (ctrl+] always leaves)."""
    suggested_image: str = "alpine:latest"
    """What the pull dialog suggests."""
    log_tail: int = 1000
    """Lines of a container's log that are read when it is shown first."""
    confirm: dict[str, ConfirmLevel] = field(default_factory=lambda: dict(DEFAULT_CONFIRM))
    """Per action (start stop restart pause kill remove): never, running (ask when it runs), always."""


def read_settings(
    path: Path, *, theme: str | None = None, ascii: bool | None = None, keymap: str | None = None
) -> Settings:
    """The file over the defaults, and what is not None over both; no file is fine. Raises ConfigurationError."""
    settings = _read_file(path)
    return replace(
        settings,
        theme=settings.theme if theme is None else theme,
        ascii=settings.ascii if ascii is None else ascii,
        keymap=settings.keymap if keymap is None else keymap,
    )


def _read_file(path: Path) -> Settings:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return Settings()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"cannot read {path}: {error}") from error
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path} is not valid TOML: {error}") from error
    settings = Settings()
    known = {item.name: getattr(settings, item.name) for item in fields(settings)}
    for key, value in data.items():
        if key not in known:
            raise ConfigurationError(f"{path}: unknown setting {key}", hint=f"settings are {', '.join(known)}")
        if type(value) is not type(known[key]):
            wanted = type(known[key]).__name__
            raise ConfigurationError(f"{path}: {key} = {value!r} is not a {wanted}")
    if "confirm" in data:
        data["confirm"] = DEFAULT_CONFIRM | _confirm_levels(path, data["confirm"])
    return replace(settings, **data)


def _confirm_levels(path: Path, table: dict[str, Any]) -> dict[str, ConfirmLevel]:
    for action, level in table.items():
        if action not in DEFAULT_CONFIRM:
            raise ConfigurationError(
                f"{path}: confirm.{action} is no action", hint=f"actions are {', '.join(DEFAULT_CONFIRM)}"
            )
        if level not in get_args(ConfirmLevel):
            raise ConfigurationError(f"{path}: confirm.{action} = {level!r}", hint="write never, running or always")
    return table


@dataclass(slots=True)
class Remembered:
    """The view at the last quit, per data root; losing it costs nothing."""

    container: str = ""
    tab: str = "logs"
    panel: str = "containers"
    sort: str = "created"
    reverse: bool = False
    show_all: bool = True


def read_remembered(path: Path) -> Remembered:
    """What was remembered, or the defaults when the file is missing or not understood."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        known = {item.name: type(item.default) for item in fields(Remembered)}
        return Remembered(**{key: data[key] for key in known if isinstance(data.get(key), known[key])})
    except (OSError, ValueError, AttributeError):
        return Remembered()


def write_remembered(path: Path, remembered: Remembered) -> None:
    """Replace the file; a failure (read-only home) is nobody's concern."""
    text = json.dumps({item.name: getattr(remembered, item.name) for item in fields(remembered)})
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".new")
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, path)
    except OSError:
        pass
