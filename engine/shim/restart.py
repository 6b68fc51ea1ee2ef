"""Whether a container that ended is started again, and after how long: Docker's rules."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..models import Container, RestartPolicy

FIRST_DELAY_S = 0.1
LONGEST_DELAY_S = 60.0
SETTLED_S = 10.0
"""A container that ran this long begins its back-off anew."""


class Restarts:
    """Counts one container's restarts since somebody started it. `count` is never set back, the delay is."""

    def __init__(self) -> None:
        self.count = 0
        self._delay_s = 0.0

    def next_delay_s(self, policy: RestartPolicy, code: int, *, ran_s: float, stop_requested: bool) -> float | None:
        """How long to wait before the next start, which is counted; None when there shall be none."""
        if stop_requested or not wanted(policy, code, self.count):
            return None
        again = self._delay_s and ran_s < SETTLED_S
        self._delay_s = min(self._delay_s * 2, LONGEST_DELAY_S) if again else FIRST_DELAY_S
        self.count += 1
        return self._delay_s


def wanted(policy: RestartPolicy, code: int, restarts: int) -> bool:
    """Whether the policy wants another start after this exit code, if nobody asked for the end."""
    if policy.name == "on-failure":
        return code != 0 and (policy.maximum_retries <= 0 or restarts < policy.maximum_retries)
    return policy.name in ("always", "unless-stopped")


def wanted_at_boot(container: Container) -> bool:
    """Whether a container that is not running is started when the machine comes up. `always` undoes a stop that was
    asked for before, no other policy does; what was never started is left alone."""
    if not container.started_ns or container.state not in ("exited", "dead"):
        return False
    if container.stop_requested and container.restart.name != "always":
        return False
    return wanted(container.restart, container.exit_code, container.restart_count)
