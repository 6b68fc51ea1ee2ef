"""Where the dashboard's own files lie (XDG base directories); the only module of `app` that spells such paths.

The engine's data is not here: `engine.paths` has it.
"""

from __future__ import annotations

import os
from pathlib import Path


def _base(variable: str, fallback: str) -> Path:
    value = os.environ.get(variable, "")
    # The XDG specification: a relative path in these variables is to be ignored.
    return Path(value) if value.startswith("/") else Path(os.path.expanduser("~")) / fallback


def config_path() -> Path:
    """settings.toml, keymap.toml and themes/*.toml of this person."""
    return _base("XDG_CONFIG_HOME", ".config") / "pydock"


def state_path() -> Path:
    """What the program remembers by itself: the log file and the last view."""
    return _base("XDG_STATE_HOME", ".local/state") / "pydock"


def theme_paths() -> list[Path]:
    """Folders with themes, the first found name wins: own ones, those of the wheel, those of a checkout."""
    package = Path(__file__).resolve().parent
    return [config_path() / "themes", package / "themes", package.parent / "themes"]
