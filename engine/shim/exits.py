"""How a container ended, and whether it is started again."""

from __future__ import annotations

import os
import time

from ..record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..models import Container, RestartPolicy

FIRST_DELAY_S = 0.1
LONGEST_DELAY_S = 60.0
SETTLED_S = 10.0
"""A container that ran this long starts its back-off anew (Docker's rule)."""


class Exit(Record):
    """`code`: the program's own, or 128 + `signal`."""

    code: int
    signal: int
    oom_killed: bool
    finished_ns: int

    @classmethod
    def of(cls, result: os.waitid_result, oom_killed: bool) -> Exit:
        """From what waitid(2) tells."""
        exited = result.si_code == os.CLD_EXITED
        number = 0 if exited else result.si_status
        return cls(
            code=result.si_status if exited else 128 + number,
            signal=number,
            oom_killed=oom_killed,
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
            endpoints=(),
        )


def should_restart(policy: RestartPolicy, end: Exit, restarts: int, *, stop_requested: bool) -> bool:
    """Docker's rules; a stop that was asked for is never undone."""
    if stop_requested:
        return False
    if policy.name == "on-failure":
        return end.code != 0 and (policy.maximum_retries <= 0 or restarts < policy.maximum_retries)
    return policy.name in ("always", "unless-stopped")


def backoff_s(restarts: int, *, ran_s: float) -> float:
    """100 ms, doubled with each restart up to a minute, and 100 ms again after ten good seconds."""
    if ran_s >= SETTLED_S:
        return FIRST_DELAY_S
    return min(FIRST_DELAY_S * 2.0 ** min(restarts, 16), LONGEST_DELAY_S)
