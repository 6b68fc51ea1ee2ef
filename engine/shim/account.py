"""What becomes of a container's row at each turn of its shim: pure functions of the row as it was."""

from __future__ import annotations

from .health import STARTING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..errors import StartFailed
    from ..models import Container, Endpoint, Phase
    from .exits import StopRequest


def started(
    row: Container,
    *,
    pid: int,
    started_ns: int,
    restarts: int,
    checked: bool,
    endpoints: tuple[Endpoint, ...],
    phases: tuple[Phase, ...],
) -> Container:
    """The program runs. `checked`: it has a health check."""
    return row.replace(
        state="running",
        pid=pid,
        exit_code=0,
        signal=0,
        oom_killed=False,
        error="",
        started_ns=started_ns,
        finished_ns=0,
        restart_count=restarts,
        stop_requested=False,
        health=STARTING if checked else "",
        endpoints=endpoints,
        phases=phases,
    )


def not_started(row: Container, failure: StartFailed) -> Container:
    """As it was before, with the reason."""
    state = "exited" if row.started_ns else "created"
    return row.replace(
        state=state, pid=0, error=failure.message, exit_code=failure.exit_code, endpoints=(), oom_killed=False
    )


def not_restarted(row: Container, failure: StartFailed) -> Container:
    """Its policy wanted it again, and it could not be had."""
    return row.replace(state="exited", pid=0, error=failure.message, exit_code=failure.exit_code, endpoints=())


def stopped_between(row: Container, stop: StopRequest | None) -> Container:
    """A stop while it waited for a restart: exited, as it was."""
    return row.replace(state="exited", endpoints=(), stop_requested=bool(stop and stop.lasting))
