"""Mistakes in the command line itself."""

from __future__ import annotations

from ..errors import EngineError


class UsageError(EngineError):
    """The command line cannot be understood; shown with the command's usage. `suggestion`: what was meant."""

    def __init__(
        self, message: str, command: str = "", *, suggestion: str = "", cure: str = "", exit_code: int = 125
    ) -> None:
        super().__init__(message, hint=f"did you mean {suggestion}?" if suggestion else cure)
        self.command = command
        self.exit_code = exit_code


class InputNotTerminal(EngineError):
    """`-t` was asked for with an input that is no terminal."""

    exit_code = 1
