"""Long work with progress: pulls and the making of the toolbox image.

Progress arrives in engine threads, thousands of times a second; it is merged by layer there and drawn ten times a
second on the event loop.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from typing import TYPE_CHECKING

from textual.message import Message

from engine.errors import Cancelled, EngineError

from .widgets.progress import LayerBars

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.message_pump import MessagePump

    from engine.models import Image, PullProgress

    from .bridge import Bridge
    from .model import Model

_numbers = itertools.count(1)
_DRAW_S = 0.1


class Job:
    """One piece of work and its bars. `image` is set when it is done, `error` when it failed."""

    def __init__(self, title: str) -> None:
        self.id = f"job-{next(_numbers)}"
        self.title = title
        self.bars = LayerBars(title)
        self.started_ns = time.time_ns()
        self.finished_ns = 0
        self.image: Image | None = None
        self.error = ""
        self.hint = ""
        self.stopped = False
        self.latest: dict[str, PullProgress] = {}
        self.ended = asyncio.Event()

    @property
    def running(self) -> bool:
        return not self.finished_ns

    def report(self, progress: PullProgress) -> None:
        """Called in the engine's threads."""
        self.latest[progress.layer] = progress

    def draw(self) -> None:
        """Hand what changed to the bars."""
        latest, self.latest = self.latest, {}
        for progress in latest.values():
            self.bars.advance(progress)


class JobChanged(Message):
    """A job began or ended."""

    def __init__(self, job: Job) -> None:
        super().__init__()
        self.job = job


class Jobs:
    """Starts jobs and keeps them until they are cleared."""

    def __init__(self, bridge: Bridge, model: Model, target: MessagePump) -> None:
        self._bridge = bridge
        self._model = model
        self._target = target

    def pull(self, reference: str) -> Job:
        """Pull an image; an already running pull of the same reference is returned instead."""
        engine = self._bridge.engine

        def work(job: Job) -> Image:
            return engine.images.pull(reference, on_progress=job.report, cancelled=lambda: job.stopped)

        return self._start(f"pull {reference}", work)

    def toolbox(self, reference: str = "toolbox:latest") -> Job:
        """Make the toolbox image."""
        engine = self._bridge.engine

        def work(job: Job) -> Image:
            return engine.images.toolbox(reference, on_progress=job.report)

        return self._start(f"make {reference}", work)

    def stop(self, job: Job) -> None:
        """Ask a job to stop; it ends soon."""
        job.stopped = True

    async def finished(self, job: Job) -> None:
        """Wait for its end."""
        await job.ended.wait()

    def clear(self) -> None:
        """Forget the finished ones."""
        self._model.jobs = [job for job in self._model.jobs if job.running]

    def _start(self, title: str, work: Callable[[Job], Image]) -> Job:
        for job in self._model.jobs:
            if job.running and job.title == title:
                return job
        job = Job(title)
        self._model.jobs.insert(0, job)
        self._bridge.spawn(self._run(job, work))
        self._target.post_message(JobChanged(job))
        return job

    async def _run(self, job: Job, work: Callable[[Job], Image]) -> None:
        drawing = self._bridge.spawn(_draw(job))
        try:
            job.image = await self._bridge.call(work, job)
        except Cancelled:
            job.error = "stopped"
        except EngineError as error:
            job.error, job.hint = error.message, error.hint
        finally:
            drawing.cancel()
            job.draw()
            job.finished_ns = time.time_ns()
        job.ended.set()
        job.bars.finish(job.error or "done", failed=bool(job.error))
        self._target.post_message(JobChanged(job))


async def _draw(job: Job) -> None:
    while True:
        await asyncio.sleep(_DRAW_S)
        job.draw()
