"""The runtime's exceptions: few, by what a caller can do about them.

Texts are lower case and name the value or path that failed; `hint` is a separate sentence about the cure.
"""

from __future__ import annotations


class RuntimeFault(Exception):
    """Anything the runtime refuses or fails at. `path` is the file, or the place in config.json, concerned."""

    def __init__(self, message: str, *, path: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.path = path
        self.hint = hint

    def __str__(self) -> str:
        """The whole line: path and message, without saying a path twice."""
        if not self.path or self.path in self.message:
            return self.message
        return f"{self.path}: {self.message}"


class InvalidConfig(RuntimeFault):
    """config.json, process.json or resources are wrong; `path` is the JSON path (`linux.namespaces[2].type`).

    The message may quote what stands there: it is one line nevertheless.
    """

    def __init__(self, message: str, *, path: str = "", hint: str = "") -> None:
        super().__init__(_on_one_line(message), path=_on_one_line(path), hint=hint)


class ContainerExists(RuntimeFault):
    """Another container has this id."""


class ContainerNotFound(RuntimeFault):
    """No container has this id."""


class WrongStatus(RuntimeFault):
    """The container's status does not allow the operation."""


class SetupFailed(RuntimeFault):
    """The kernel refused a step of the container's set-up; `errno` is its reason, 0 when there is none."""

    def __init__(self, message: str, *, path: str = "", hint: str = "", errno: int = 0) -> None:
        super().__init__(message, path=path, hint=hint)
        self.errno = errno


class HookFailed(SetupFailed):
    """A hook ended with an error or ran out of its time. `warnings`: what poststop hooks then failed at."""

    def __init__(self, message: str, *, path: str = "", hint: str = "", errno: int = 0) -> None:
        super().__init__(message, path=path, hint=hint, errno=errno)
        self.warnings: list[str] = []


class ExecFailed(SetupFailed):
    """The program could not be executed: `errno` is execve(2)'s, ENOENT when it was not found in PATH."""


def _on_one_line(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii") for letter in text
    )
