"""Shows a pull: a bar for each layer on a terminal, docker's plain lines anywhere else."""

from __future__ import annotations

import os
import signal
import sys

from ..errors import Cancelled

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol, Self, TextIO

    from ..engine import Engine
    from ..models import Image, PullProgress

    class Display(Protocol):
        """Shows progress from `__enter__` to `__exit__`."""

        def __enter__(self) -> Callable[[PullProgress], None]: ...
        def __exit__(self, *error: object) -> None: ...


WORDS = {
    "waiting": "Pulling fs layer",
    "exists": "Already exists",
    "downloading": "Downloading",
    "retrying": "Retrying",
    "verifying": "Verifying Checksum",
    "downloaded": "Download complete",
    "unpacking": "Extracting",
    "done": "Pull complete",
    "preparing": "Preparing",
    "pushing": "Pushing",
    "pushed": "Pushed",
    "mounted": "Mounted",
}
PUSH_WORDS = {**WORDS, "exists": "Layer already exists"}
# without bars a line a step is enough; "Downloading" a hundred times is not news
PLAIN_STEPS = ("waiting", "exists", "retrying", "downloaded", "done", "preparing", "pushed", "mounted")


def pull_image(
    engine: Engine, reference: str, *, platform: str = "", quiet: bool = False, to_stderr: bool = False
) -> Image:
    """Pull with progress; ctrl-C ends the transfers first and then the command."""
    out = sys.stderr if to_stderr else sys.stdout
    with Interrupts() as interrupts:
        try:
            if quiet:
                return engine.images.pull(reference, platform=platform, cancelled=interrupts.happened)
            if "@" not in reference and ":" not in reference.rpartition("/")[2]:
                out.write("Using default tag: latest\n")
            with display(out) as show:
                return engine.images.pull(reference, platform=platform, on_progress=show, cancelled=interrupts.happened)
        except Cancelled:
            # the transfers have ended and what they brought so far is kept for the next try
            raise KeyboardInterrupt from None


class Interrupts:
    """Turns the first ctrl-C into a wish to stop, which the transfers follow; the second one ends at once."""

    def __init__(self) -> None:
        self._asked = False
        self._before: object = None

    def __enter__(self) -> Self:
        self._before = signal.signal(signal.SIGINT, self._ask)
        return self

    def __exit__(self, *_error: object) -> None:
        signal.signal(signal.SIGINT, self._before)  # type: ignore[arg-type]

    def happened(self) -> bool:
        return self._asked

    def _ask(self, _number: int, _frame: object) -> None:
        if self._asked:
            raise KeyboardInterrupt
        self._asked = True


def display(out: TextIO, *, pushing: bool = False) -> Display:
    """Bars when the stream is a terminal that can move its cursor, lines otherwise."""
    if out.isatty() and os.environ.get("TERM", "dumb") != "dumb":
        from .progress_bars import Bars

        return Bars(out, PUSH_WORDS if pushing else WORDS)
    return Lines(out, PUSH_WORDS if pushing else WORDS)


class Lines:
    """One line a step of a layer."""

    def __init__(self, out: TextIO, words: dict[str, str] = WORDS) -> None:
        self._out = out
        self._words = words
        self._last: dict[str, str] = {}

    def __enter__(self) -> Callable[[PullProgress], None]:
        return self.show

    def __exit__(self, *error: object) -> None:
        self._out.flush()

    def show(self, progress: PullProgress) -> None:
        if not progress.layer:
            if progress.message:
                self._out.write(f"{progress.message}\n")
        elif progress.status in PLAIN_STEPS and self._last.get(progress.layer) != progress.status:
            self._last[progress.layer] = progress.status
            word = self._words[progress.status]
            if progress.status == "mounted":
                detail = f" from {progress.message}"
            else:
                detail = f": {progress.message}" if progress.message else ""
            self._out.write(f"{progress.layer}: {word}{detail}\n")
        self._out.flush()
