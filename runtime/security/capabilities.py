"""Capabilities of the container's process: names to sets, and putting them on (capabilities(7)).

What the configuration asks for and the host does not have is left out with a warning, as a capability that was
never there protects nobody by failing the start: hosts that are containers themselves often lack CAP_SYS_RESOURCE.

The order in the process that becomes the container's program, as root and before the last exec:

    wanted = Capabilities(process["capabilities"])   # in the parent: reads the host's sets
    wanted.drop_bounding()                           # needs CAP_SETPCAP, so first
    wanted.keep()                                    # or setuid would empty the permitted set
    setgroups, setresgid, setresuid
    wanted.apply()                                   # permitted, effective, inheritable, then ambient

Inheritable and ambient stay empty unless the configuration fills them (CVE-2022-24769, CVE-2022-29162).
"""

from __future__ import annotations

import os

from ..errors import SetupFailed
from ..kernel import caps
from .capability_names import NAMES, NUMBERS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

_known = 0
_SETS = ("bounding", "effective", "permitted", "inheritable", "ambient")


class Capabilities:
    """The five sets of process.capabilities as bit masks that this host can give; missing ones are empty.

    `warnings`: one line for each capability that was asked for and cannot be had. In a user namespace that is still
    to be entered the process will have every one, whatever it has here (user_namespaces(7)).
    """

    def __init__(self, wanted: dict[str, Any] | None, *, in_user_namespace: bool = False) -> None:
        self.warnings: list[str] = []
        self._known = known()
        available = self._known if in_user_namespace else available_here(self._known)
        masks = {}
        unavailable = unknown = 0
        names_unknown: dict[str, None] = {}
        for key in _SETS:
            mask, strange = parse((wanted or {}).get(key) or ())
            names_unknown.update(dict.fromkeys(strange))
            unknown |= mask & ~self._known
            unavailable |= mask & self._known & ~available
            masks[key] = mask & available
        self.bounding = masks["bounding"]
        self.permitted = masks["permitted"]
        self.effective = masks["effective"] & self.permitted
        self.inheritable = masks["inheritable"]
        self.ambient = masks["ambient"] & self.permitted & self.inheritable
        self.warnings += [f"unknown capability {name!r} left out" for name in names_unknown]
        self.warnings += [f"this kernel has no {name}, left out" for name in names(unknown)]
        self.warnings += [f"this host does not have {name}, left out" for name in names(unavailable)]
        impossible = masks["ambient"] & ~self.ambient
        self.warnings += [f"{name} cannot be ambient: not permitted and inheritable" for name in names(impossible)]

    def drop_bounding(self) -> None:
        """Take all that is not wanted out of the bounding set. Raises SetupFailed without CAP_SETPCAP."""
        try:
            for number in _bits(self._known & ~self.bounding):
                # Reading is a tenth of the cost, and allowed where dropping is not.
                if caps.bounding_read(number):
                    caps.bounding_drop(number)
        except OSError as error:
            raise _failed("bounding", error) from error

    def keep(self) -> None:
        """Let the permitted set outlive setuid; `apply` then sets it exactly."""
        caps.keep_on_setuid(True)

    def apply(self) -> None:
        """Set permitted, effective, inheritable and ambient of this process. Raises SetupFailed."""
        try:
            caps.keep_on_setuid(False)
            caps.ambient_clear()
            caps.capset(self.effective, self.permitted, self.inheritable)
        except OSError as error:
            raise _failed("permitted", error) from error
        try:
            for number in _bits(self.ambient):
                caps.ambient_raise(number)
        except OSError as error:
            raise _failed("ambient", error) from error


def parse(wanted: Iterable[str]) -> tuple[int, list[str]]:
    """The mask of these names (upper case, with CAP_), and the names that nobody knows."""
    mask = 0
    strange = []
    for name in wanted:
        if name in NUMBERS:
            mask |= 1 << NUMBERS[name]
        else:
            strange.append(name)
    return mask, strange


def names(mask: int) -> list[str]:
    """The names of a mask, by number."""
    return [NAMES[number] if number < len(NAMES) else f"capability {number}" for number in _bits(mask)]


def known() -> int:
    """Every capability that this kernel has; asked by prctl, which works without /proc."""
    global _known
    while not _known or caps.bounding_read(_known.bit_length()) is not None:
        _known = _known << 1 | 1
    return _known


def available_here(kernel_has: int) -> int:
    """What this process can give: permitted to it, and in its bounding set."""
    _effective, permitted, _inheritable = caps.capget()
    return permitted & sum(1 << number for number in _bits(kernel_has) if caps.bounding_read(number))


def _bits(mask: int) -> list[int]:
    return [number for number in range(mask.bit_length()) if mask >> number & 1]


def _failed(which: str, error: OSError) -> SetupFailed:
    number = error.errno or 0
    path = f"process.capabilities.{which}"
    return SetupFailed(
        f"{path}: cannot set the capabilities: {os.strerror(number)}",
        path=path,
        hint="run as root, with CAP_SETPCAP",
        errno=number,
    )
