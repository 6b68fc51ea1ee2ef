"""process.rlimits: names, checks, and prlimit(2)."""

from __future__ import annotations

import errno
import os

from ..errors import InvalidConfig, SetupFailed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# asm-generic/resource.h
NUMBERS = {
    "RLIMIT_CPU": 0,
    "RLIMIT_FSIZE": 1,
    "RLIMIT_DATA": 2,
    "RLIMIT_STACK": 3,
    "RLIMIT_CORE": 4,
    "RLIMIT_RSS": 5,
    "RLIMIT_NPROC": 6,
    "RLIMIT_NOFILE": 7,
    "RLIMIT_MEMLOCK": 8,
    "RLIMIT_AS": 9,
    "RLIMIT_LOCKS": 10,
    "RLIMIT_SIGPENDING": 11,
    "RLIMIT_MSGQUEUE": 12,
    "RLIMIT_NICE": 13,
    "RLIMIT_RTPRIO": 14,
    "RLIMIT_RTTIME": 15,
}
_INFINITY = (1 << 64) - 1


class Limit:
    """One checked limit; -1 is unlimited. `at` is its JSON path."""

    __slots__ = ("at", "hard", "name", "soft")

    def __init__(self, name: str, soft: int, hard: int, at: str) -> None:
        self.name = name
        self.soft = soft
        self.hard = hard
        self.at = at


def parse(rlimits: list[dict[str, Any]] | None) -> list[Limit]:
    """process.rlimits, checked. Raises InvalidConfig: unknown or repeated type, soft above hard."""
    limits: dict[str, Limit] = {}
    if rlimits:
        # now, for `apply` runs where nothing can be loaded any more
        import resource  # noqa: F401
    for index, item in enumerate(rlimits or ()):
        at = f"process.rlimits[{index}]"
        name = item.get("type")
        if name not in NUMBERS:
            raise InvalidConfig(f"{at}.type: unknown limit {name!r}", path=f"{at}.type")
        if name in limits:
            raise InvalidConfig(f"{at}.type: {name} is there twice", path=f"{at}.type")
        values = []
        for key in ("soft", "hard"):
            value = item.get(key)
            if not isinstance(value, int) or not -1 <= value <= _INFINITY:
                raise InvalidConfig(f"{at}.{key}: {value!r} is not a limit", path=f"{at}.{key}")
            values.append(-1 if value >= 1 << 63 else value)
        soft, hard = values
        if hard != -1 and (soft == -1 or soft > hard):
            raise InvalidConfig(f"{at}: soft limit {soft} is above hard limit {hard}", path=at)
        limits[name] = Limit(name, soft, hard, at)
    return list(limits.values())


def raise_hard(limits: list[Limit]) -> None:
    """Raise this process's hard limits as far as `apply` will want them, while it has the capability to.

    Nothing is lowered, and no soft limit changes. Raises as `apply`.
    """
    if not limits:
        return
    import resource

    for limit in limits:
        soft, hard = resource.prlimit(0, NUMBERS[limit.name])
        if hard != -1 and (limit.hard == -1 or limit.hard > hard):
            apply([Limit(limit.name, soft, limit.hard, limit.at)])


def apply(limits: list[Limit], pid: int = 0) -> None:
    """Set the limits of a process, 0 this one.

    To be the last thing before exec: RLIMIT_AS or RLIMIT_DATA meant for the container must not hit the
    runtime's own set-up. Raises SetupFailed; EPERM is a hard limit above ours without CAP_SYS_RESOURCE.
    """
    if not limits:
        return
    import resource

    for limit in limits:
        number = NUMBERS[limit.name]
        try:
            resource.prlimit(pid, number, (limit.soft, limit.hard))
        except (OSError, ValueError) as error:
            # The resource module says ValueError for EPERM and EINVAL alike; the values were checked.
            code = (error.errno or 0) if isinstance(error, OSError) else errno.EPERM
            _soft, ours = resource.prlimit(pid, number)
            hint = ""
            if code == errno.EPERM:
                hint = f"this host's hard limit is {_shown(ours)}, and CAP_SYS_RESOURCE is missing to raise it"
            wanted = f"{limit.name} to {_shown(limit.soft)}:{_shown(limit.hard)}"
            raise SetupFailed(
                f"{limit.at}: cannot set {wanted}: {os.strerror(code)}",
                path=limit.at,
                hint=hint,
                errno=code,
            ) from error


def clamp(limits: list[Limit]) -> tuple[list[Limit], list[str]]:
    """The limits as far as this process may set them, and a warning for each that had to be lowered.

    For callers who prefer a container with less to none: `apply` alone refuses, as other runtimes do.
    """
    from .capabilities import available_here, known
    from .capability_names import NUMBERS as CAPABILITIES

    if available_here(known()) >> CAPABILITIES["CAP_SYS_RESOURCE"] & 1:
        return limits, []
    import resource

    possible, warnings = [], []
    for limit in limits:
        _soft, ours = resource.prlimit(0, NUMBERS[limit.name])
        hard, soft = limit.hard, limit.soft
        if ours != -1 and (hard == -1 or hard > ours):
            hard = ours
            soft = hard if soft == -1 else min(soft, hard)
            warnings.append(f"{limit.name} lowered from {_shown(limit.hard)} to {hard}: this host allows no more")
        possible.append(Limit(limit.name, soft, hard, limit.at))
    return possible, warnings


def _shown(value: int) -> str:
    return "unlimited" if value == -1 else str(value)
