"""Long work on images, told in Docker's lines of progress: one JSON object each, flushed as they come.

What fails before the second line is a status of its own, as an image that is not there should be a 404: the first line
only says what is tried. Once lines are out, an error is the last line.
"""

from __future__ import annotations

import json
import queue
import threading
from typing import TYPE_CHECKING, Any

from ..cli.progress import WORDS
from ..errors import EngineError
from .call import JSON
from .errors import answer_to

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..models import PullProgress
    from .call import Call

    Line = dict[str, Any]
    Work = Callable[[Callable[[Line], None], Callable[[], bool]], None]

HELD_LINES = 1
_BARS = ("downloading", "unpacking", "pushing")
_WORDS = {**WORDS, "preparing": "Preparing", "pushing": "Pushing", "pushed": "Pushed", "mounted": "Mounted from"}


async def send_progress(call: Call, work: Work, *, held: int = HELD_LINES) -> None:
    """Run `work(tell, cancelled)` in a thread; every line that it tells goes to the client."""
    waiting: list[Line] = []
    runner = _Runner(work)
    try:
        async for batch in call.threads.stream(runner.run):
            waiting += batch
            if len(waiting) <= held and not call.streaming:
                continue
            await _send(call, waiting)
        if waiting or not call.streaming:
            await _send(call, waiting)
    except EngineError as error:
        if not call.streaming:
            raise
        message = answer_to(error)[1]
        await _send(call, [*waiting, {"errorDetail": {"message": message}, "error": message}])
    finally:
        runner.leave()


def progress_line(progress: PullProgress) -> Line:
    """A step of a pull or a push in Docker's words."""
    if not progress.layer:
        head, colon, rest = progress.message.partition(": ")
        return {"status": rest, "id": head} if colon and rest.startswith("Pulling") else {"status": progress.message}
    detail = {"current": progress.current, "total": progress.total} if progress.status in _BARS else {}
    words = _WORDS[progress.status]
    if progress.status == "mounted":
        words = f"{words} {progress.message}"
    return {"status": words, "progressDetail": detail, "id": progress.layer}


async def _send(call: Call, lines: list[Line]) -> None:
    if not call.streaming:
        await call.begin(JSON)
    await call.write(b"".join(json.dumps(line).encode() + b"\r\n" for line in lines))
    lines.clear()


class _Runner:
    """Runs the work in a thread of its own, which tells its progress from several: they meet in a queue."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._left = False

    def leave(self) -> None:
        """Nobody listens any more: stop the transfers."""
        self._left = True

    def run(self, cancelled: Callable[[], bool]) -> Iterator[Line]:
        lines: queue.SimpleQueue[Line | None] = queue.SimpleQueue()
        failure: list[Exception] = []

        def work() -> None:
            try:
                self._work(lines.put, lambda: self._left or cancelled())
            except Exception as error:
                failure.append(error)
            finally:
                lines.put(None)

        threading.Thread(target=work, name="api-transfer", daemon=True).start()
        while (line := lines.get()) is not None:
            yield line
        if failure:
            raise failure[0]
