"""The dashboard's own errors: wrong files of the person. Engine errors are shown, not re-raised."""

from __future__ import annotations


class ConfigurationError(Exception):
    """A settings, keymap or theme file is wrong; `message` names the file and the key, `hint` the cure."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
