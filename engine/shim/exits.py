"""How a container ended, and all that is kept of it."""

from __future__ import annotations

import os
import time

from ..record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..models import Container


class StopRequest(Record):
    """Who asked for the end, and when. `program`: the command line of the asking process, cut short. `is_stop`: by
    `stop`, which waits, and not by `kill`. `lasting`: not undone when the machine comes up."""

    signal: int
    time_ns: int
    pid: int
    uid: int
    program: str
    is_stop: bool = True
    lasting: bool = True


class Exit(Record):
    """`code`: the program's own, or 128 + `signal`. `stop`: None when nobody asked for the end. `memory_peak` in bytes,
    `pressure` as last measured: CPU, memory and I/O, in percent of 10 s, -1 for unknown."""

    code: int
    signal: int
    finished_ns: int
    oom_killed: bool = False
    started_ns: int = 0
    stop: StopRequest | None = None
    memory_peak: int = 0
    pressure: tuple[float, ...] = ()

    @classmethod
    def of(cls, result: os.waitid_result) -> Exit:
        """From what waitid(2) tells."""
        exited = result.si_code == os.CLD_EXITED
        number = 0 if exited else result.si_status
        return cls(
            code=result.si_status if exited else 128 + number,
            signal=number,
            finished_ns=time.time_ns(),
        )

    def applied(self, row: Container) -> Container:
        """The row of a container that ended so."""
        return row.replace(
            state="exited",
            pid=0,
            exit_code=self.code,
            signal=self.signal,
            oom_killed=self.oom_killed,
            finished_ns=self.finished_ns,
            stop_requested=bool(self.stop and self.stop.lasting),
            health="unhealthy" if row.health else "",
            endpoints=(),
        )
