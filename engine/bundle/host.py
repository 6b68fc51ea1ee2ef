"""What this host can give: capabilities and limits that it lacks itself are left out of a container, with a warning.

Hosts that are containers themselves often lack CAP_SYS_RESOURCE. A runtime that insists fails the start there, and
ours leaves out what is missing without saying so to the person; both are avoided by asking for no more than there is.
"""

from __future__ import annotations

from runtime.security.capability_names import NAMES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..models import Ulimit

_RLIMITS = {
    "cpu": 0,
    "fsize": 1,
    "data": 2,
    "stack": 3,
    "core": 4,
    "rss": 5,
    "nproc": 6,
    "nofile": 7,
    "memlock": 8,
    "as": 9,
    "locks": 10,
    "sigpending": 11,
    "msgqueue": 12,
    "nice": 13,
    "rtprio": 14,
    "rttime": 15,
}
"""asm-generic/resource.h; x86 and ARM have these numbers."""
ULIMITS = frozenset(_RLIMITS)
_SYS_RESOURCE = "CAP_SYS_RESOURCE"


def capabilities() -> frozenset[str]:
    """The capabilities that root can have here: those of the bounding set."""
    with open("/proc/self/status", encoding="ascii", errors="replace") as file:
        status = file.read()
    bounding = int(status.partition("CapBnd:")[2].split(maxsplit=1)[0], 16)
    return frozenset(name for number, name in enumerate(NAMES) if bounding >> number & 1)


def possible_limit(limit: Ulimit) -> Ulimit:
    """The limit as far as this host may set it: nobody raises a hard limit without CAP_SYS_RESOURCE."""
    import resource

    _soft, ours = resource.getrlimit(_RLIMITS[limit.name])
    if ours == resource.RLIM_INFINITY or 0 <= limit.hard <= ours or _SYS_RESOURCE in capabilities():
        return limit
    return limit.replace(hard=ours, soft=ours if limit.soft < 0 else min(limit.soft, ours))


def possible_oom_score(score: int) -> int:
    """The score as far as this host may set it: nobody goes below his own without CAP_SYS_RESOURCE."""
    least = own_oom_score()
    return score if score >= least or _SYS_RESOURCE in capabilities() else least


def own_oom_score() -> int:
    """What a child of this process has, unless it is told otherwise."""
    try:
        with open("/proc/self/oom_score_adj", encoding="ascii") as file:
            return int(file.read())
    except (OSError, ValueError):
        return 0
