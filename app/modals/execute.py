"""Run a further command in a container, with options."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from textual.containers import Horizontal
from textual.widgets import Checkbox, Input, Label

from engine.models import ExecRequest

from .dialog import Dialog

if TYPE_CHECKING:
    from textual.app import ComposeResult


class ExecDialog(Dialog[ExecRequest]):
    """Answers the request for an exec with a terminal, or a detached one."""

    def __init__(self, name: str) -> None:
        super().__init__(f"Run a command in {name}", accept="run")

    def contents(self) -> ComposeResult:
        for field, placeholder in (
            ("command", "sh -c 'ls -l /'"),
            ("user", "as in the container, or: root, 1000:1000"),
            ("directory", "as in the container"),
            ("env", "KEY=value …"),
        ):
            with Horizontal(classes="form-row"):
                yield Label(field, classes="label")
                yield Input(placeholder=placeholder, id=field, compact=True, classes="field")
        with Horizontal(classes="form-row"):
            yield Label("", classes="label")
            yield Checkbox("detached", id="detach", compact=True)
            yield Checkbox("privileged", id="privileged", compact=True)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.accept()

    def accept(self) -> None:
        try:
            command = shlex.split(self._text("command"))
            env = shlex.split(self._text("env"))
        except ValueError as error:
            self.complain(str(error).lower(), "close the quote")
            return
        if not command:
            self.complain("no command is typed yet")
            return
        detach = self.query_one("#detach", Checkbox).value
        self.dismiss(
            ExecRequest(
                command=tuple(command),
                tty=not detach,
                open_stdin=not detach,
                env=tuple(env),
                user=self._text("user"),
                working_dir=self._text("directory"),
                privileged=self.query_one("#privileged", Checkbox).value,
                detach=detach,
            )
        )

    def _text(self, field: str) -> str:
        return self.query_one(f"#{field}", Input).value.strip()
