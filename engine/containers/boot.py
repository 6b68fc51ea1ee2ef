"""What a machine's coming up and going down mean for containers.

`boot` starts what should run: the policies say so, not what was running last. `halt` ends everything in good order
and leaves the wish to run as it was, so that a later `boot` finds it.
"""

from __future__ import annotations

import threading

from ..errors import EngineError, WrongState
from ..shim.restart import wanted_at_boot
from . import rows

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..models import Container
    from ..store import Store

    Done = Callable[[Container, EngineError | None], None]

AT_ONCE = 32


def boot(store: Store, start: Callable[[str], object], done: Done) -> None:
    """Start them, oldest first; one that joins another's namespaces after that other. `done` is told of each, with
    what kept it from starting."""
    waiting = [row for row in reversed(rows.every(store)) if wanted_at_boot(row)]
    while waiting:
        later = []
        for row in waiting:
            try:
                start(row.id)
            except WrongState:  # what it joins may be among those still to come
                later.append(row)
            except EngineError as error:
                done(row, error)
            else:
                done(row, None)
        if len(later) == len(waiting):
            for row in later:
                try:
                    start(row.id)
                except EngineError as error:
                    done(row, error)
                else:
                    done(row, None)
            return
        waiting = later


def halt(store: Store, stop: Callable[[str], object], done: Done) -> None:
    """Stop all that live, each within its own time, many at once."""
    waiting = rows.every(store, states=rows.LIVE_STATES)
    lock = threading.Lock()

    def work() -> None:
        while True:
            with lock:
                if not waiting:
                    return
                row = waiting.pop()
            error: EngineError | None = None
            try:
                stop(row.id)
            except EngineError as failure:
                error = failure
            with lock:
                done(row, error)

    threads = [threading.Thread(target=work) for _ in range(min(AT_ONCE, len(waiting)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
