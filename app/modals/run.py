"""The run dialog: a form, and below it the command line that would do the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.suggester import SuggestFromList
from textual.widgets import Checkbox, Input, Label, Static

from engine.errors import InvalidRequest
from engine.models import CreateRequest

from ..run_form import RESTART_NAMES, RunForm
from .choice import Choice
from .dialog import Dialog

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.app import ComposeResult
    from textual.widget import Widget


class RunDialog(Dialog[CreateRequest]):
    """Answers a valid request; a wrong field is said in the dialog and nothing is lost."""

    def __init__(self, form: RunForm, *, images: Sequence[str], networks: Sequence[str]) -> None:
        super().__init__("Run a container", accept="run")
        self._form = form
        self._images = tuple(images)
        self._networks = tuple(dict.fromkeys(("bridge", "host", "none", *networks)))

    def contents(self) -> ComposeResult:
        form = self._form
        with VerticalScroll(classes="form", can_focus=False):
            yield _row(
                *_field("image", "image", form.image, "toolbox, alpine:latest", self._images),
                *_field("name", "name", form.name, "made up when empty"),
            )
            yield _row(*_field("command", "command", form.command, "the image's own, or: sh -c 'date; sleep 9'"))
            yield _row(
                Label("", classes="label"),
                Checkbox("terminal", form.tty, id="tty", compact=True),
                Checkbox("remove when it ends", form.auto_remove, id="auto-remove", compact=True),
            )
            yield _row(
                *_field("ports", "ports", form.ports, "8080:80 53/udp"),
                *_field("volumes", "volumes", form.volumes, "data:/data /src:/src:ro"),
            )
            yield _row(*_field("env", "env", form.env, "KEY=value OTHER='two words'"))
            yield _row(
                *_field("memory", "memory", form.memory, "256m"),
                *_field("cpus", "cpus", form.cpus, "1.5"),
                *_field("pids", "pids", form.pids, "100"),
            )
            yield _row(
                Label("network", classes="label"),
                Choice(self._networks, form.network, id="network"),
                Label("restart", classes="label"),
                Choice(RESTART_NAMES, form.restart, id="restart"),
            )
        yield Static("", id="preview", markup=False)

    def on_mount(self) -> None:
        self._preview()
        if self._form.image:
            self.query_one("#name", Input).focus()

    def on_input_changed(self) -> None:
        self._preview()

    def on_checkbox_changed(self) -> None:
        self._preview()

    def on_choice_changed(self) -> None:
        self._preview()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.accept()

    def accept(self) -> None:
        try:
            request = self.form().request()
        except InvalidRequest as error:
            self.complain(error.message, error.hint)
            field = error.message.partition(":")[0]
            for widget in self.query(f"#{field}").results():
                widget.focus()
        else:
            self.dismiss(request)

    def form(self) -> RunForm:
        """The fields as they are now."""

        def text(name: str) -> str:
            return self.query_one(f"#{name}", Input).value

        return RunForm(
            image=text("image"),
            name=text("name"),
            command=text("command"),
            tty=self.query_one("#tty", Checkbox).value,
            auto_remove=self.query_one("#auto-remove", Checkbox).value,
            ports=text("ports"),
            volumes=text("volumes"),
            env=text("env"),
            memory=text("memory"),
            cpus=text("cpus"),
            pids=text("pids"),
            network=self.query_one("#network", Choice).value,
            restart=self.query_one("#restart", Choice).value,
        )

    def _preview(self) -> None:
        self.complain("")
        line = self.form().command_line()
        self.query_one("#preview", Static).update(Content.assemble(("$ ", "$foreground 60%"), (line, "$text-accent")))


def _row(*widgets: Widget) -> Horizontal:
    return Horizontal(*widgets, classes="form-row")


def _field(name: str, label: str, value: str, placeholder: str, suggestions: Sequence[str] = ()) -> tuple[Label, Input]:
    suggester = SuggestFromList(suggestions) if suggestions else None
    return (
        Label(label, classes="label"),
        Input(value, placeholder=placeholder, id=name, suggester=suggester, compact=True, classes="field"),
    )
