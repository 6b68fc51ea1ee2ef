"""The box that all dialogs share: a title in the border, contents, a line for errors, a row of buttons.

`escape` answers None. Texts given to a dialog are data: they are never read as markup.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, TypeVar

from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button, Static

if TYPE_CHECKING:
    from textual.app import ComposeResult

T = TypeVar("T")


class Dialog(ModalScreen[T | None]):
    """Override `contents` and `accept`. Messages of the contents that mean "done" should call `accept`."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "cancel", show=False),
        Binding("ctrl+q", "cancel", "cancel", show=False, priority=True),
    ]
    AUTO_FOCUS = "Input, OptionList, Button"

    def __init__(self, title: str, *, accept: str = "ok", danger: bool = False, buttons: bool = True) -> None:
        super().__init__()
        self._title = title
        self._accept = accept
        self._danger = danger
        self._buttons = buttons

    def contents(self) -> ComposeResult:
        """The widgets between title and buttons."""
        raise NotImplementedError

    def accept(self) -> None:
        """The accept button or enter: dismiss with an answer, or `complain`."""
        raise NotImplementedError

    def compose(self) -> ComposeResult:
        box = Vertical(classes="dialog-box danger" if self._danger else "dialog-box")
        box.border_title = Content(f" {self._title} ")
        with box:
            yield from self.contents()
            yield Static("", id="complaint", markup=False)
            if self._buttons:
                with Horizontal(classes="dialog-buttons"):
                    yield Button(
                        Content(self._accept),
                        variant="error" if self._danger else "primary",
                        id="accept",
                        compact=True,
                    )
                    yield Button("cancel", id="cancel", compact=True)
                    yield Static("enter accepts   esc cancels", classes="dialog-keys")

    def complain(self, message: str, hint: str = "") -> None:
        """Show what is wrong; "" clears it."""
        text = Content.assemble((message, "$text-error"), (f"  {hint}" if hint else "", "$foreground 60%"))
        complaint = self.query_one("#complaint", Static)
        complaint.update(text)
        complaint.set_class(bool(message), "shown")

    def action_cancel(self) -> None:
        self.dismiss(None)

    def on_button_pressed(self, event: Button.Pressed) -> None:
        event.stop()
        if event.button.id == "accept":
            self.accept()
        elif event.button.id == "cancel":
            self.dismiss(None)
