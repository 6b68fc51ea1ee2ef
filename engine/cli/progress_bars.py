"""A bar for each layer, drawn with rich; imported only when there is a terminal to draw on."""

from __future__ import annotations

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TransferSpeedColumn,
)

from .progress import WORDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TextIO

    from ..models import PullProgress

COLOURS = {
    "waiting": "dim",
    "exists": "dim",
    "downloading": "cyan",
    "retrying": "yellow",
    "verifying": "cyan",
    "downloaded": "blue",
    "unpacking": "magenta",
    "done": "green",
    "preparing": "dim",
    "pushing": "cyan",
    "pushed": "green",
    "mounted": "green",
}
FINISHED = ("done", "exists", "pushed", "mounted")


class Bars:
    """Draws until the block ends; the finished bars stay on the screen."""

    def __init__(self, out: TextIO, words: dict[str, str] = WORDS) -> None:
        self._words = words
        self._progress = Progress(
            TextColumn("{task.fields[layer]}"),
            TextColumn("[{task.fields[colour]}]{task.description:<18}"),
            BarColumn(bar_width=None, complete_style="cyan", finished_style="green"),
            DownloadColumn(binary_units=False),
            TransferSpeedColumn(),
            console=Console(file=out, highlight=False),
            expand=True,
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Callable[[PullProgress], None]:
        self._progress.start()
        return self.show

    def __exit__(self, *error: object) -> None:
        self._progress.stop()

    def show(self, progress: PullProgress) -> None:
        """Take one report; may be called from any thread (rich locks)."""
        if not progress.layer:
            if progress.message:
                self._progress.console.print(progress.message, markup=False)  # above the bars
            return
        task = self._tasks.get(progress.layer)
        if task is None:
            task = self._progress.add_task("", total=None, layer=progress.layer, colour="dim")
            self._tasks[progress.layer] = task
        total = progress.total or None
        current = total or progress.current if progress.status in FINISHED else progress.current
        self._progress.update(
            task,
            description=self._words[progress.status],
            colour=COLOURS[progress.status],
            total=total or (1 if progress.status in FINISHED else None),
            completed=current or (1 if progress.status in FINISHED else 0),
        )
