"""Which devices a container may open or make: linux.resources.devices.

The rules are read in their order, and for each access bit (read, write, mknod) the last rule that matches
decides; nothing matching is denied. v2 asks a BPF program built from the rules (`device_filter`). v1 has a
kernel list of one default with exceptions, which cannot express all of it: what it cannot, is refused.
"""

from __future__ import annotations

import os

from ..kernel import bpf
from . import device_filter
from .fault import CgroupFault, refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_AT = "linux.resources.devices"


class Rule:
    """One rule; `major` and `minor` None mean any, `type` a means block and character."""

    __slots__ = ("access", "allow", "at", "major", "minor", "type")

    def __init__(
        self, allow: bool, type: str, major: int | None, minor: int | None, access: str, at: str = _AT
    ) -> None:
        self.allow = allow
        self.type = type
        self.major = major
        self.minor = minor
        self.access = access
        self.at = at

    @property
    def everything(self) -> bool:
        """Whether it is the rule for all devices, which starts afresh."""
        return self.type == "a"


def parse(rules: list[dict[str, Any]]) -> list[Rule]:
    """The rules of config.json, checked. Raises CgroupFault naming the one that is wrong."""
    parsed = []
    for index, rule in enumerate(rules):
        at = f"{_AT}[{index}]"
        type_ = rule.get("type") or "a"
        access = rule.get("access") or "rwm"
        if type_ not in ("a", "b", "c"):
            raise CgroupFault(f"{at}.type: {type_!r} is not a, b or c", path=f"{at}.type")
        if not set(access) <= set("rwm"):
            raise CgroupFault(f"{at}.access: {access!r} has letters other than r, w and m", path=f"{at}.access")
        numbers = []
        for key in ("major", "minor"):
            number = rule.get(key)
            if number is not None and not -1 <= number < 1 << 31:
                raise CgroupFault(f"{at}.{key}: {number} is not a device number", path=f"{at}.{key}")
            numbers.append(None if number in (None, -1) else number)
        parsed.append(Rule(bool(rule.get("allow")), type_, numbers[0], numbers[1], access, at))
    return parsed


def check_v1(rules: list[Rule]) -> None:
    """Raise CgroupFault for rules that v1 cannot express.

    Its list takes an exception away only by the same device numbers. A hole in a wildcard it does, silently,
    not make: a device would be open that the configuration closes.
    """
    default_allow = True
    exceptions: list[Rule] = []
    for rule in rules:
        if rule.everything:
            default_allow, exceptions = rule.allow, []
        elif rule.allow != default_allow:
            exceptions.append(rule)
        else:
            for exception in exceptions:
                if exception.type == rule.type and _overlap(exception, rule) and not _covers(rule, exception):
                    raise CgroupFault(
                        f"{rule.at}: cgroup v1 cannot make an exception from {exception.at}",
                        path=rule.at,
                        hint="list the devices one by one instead of with a wildcard",
                    )
            exceptions = [e for e in exceptions if not (e.type == rule.type and _same_number(rule, e))]


def apply_v1(directory: str, rules: list[Rule]) -> None:
    """Write the rules, which passed `check_v1`, to devices.allow and devices.deny of a v1 cgroup."""
    fds: dict[str, int] = {}
    try:
        for rule in rules:
            file = f"{directory}/devices.{'allow' if rule.allow else 'deny'}"
            value = "a" if rule.everything else f"{rule.type} {_number(rule.major)}:{_number(rule.minor)} {rule.access}"
            try:
                if file not in fds:
                    fds[file] = os.open(file, os.O_WRONLY | os.O_CLOEXEC)
                os.write(fds[file], value.encode())
            except OSError as error:
                raise refused(file, value, error, rule.at) from error
    finally:
        for fd in fds.values():
            os.close(fd)


def apply_v2(directory: str, rules: list[Rule]) -> None:
    """Attach the rules' program to a v2 cgroup; a program of ours that is there is replaced atomically, so
    that at no moment more, or less, is allowed than by the old rules or by the new."""
    try:
        program = bpf.load_device_program(device_filter.assemble(rules))
    except OSError as error:
        raise CgroupFault(
            f"{_AT}: the kernel refused the device program: {os.strerror(error.errno or 0)}",
            path=_AT,
            hint="device rules on cgroup v2 need CAP_SYS_ADMIN or CAP_BPF, and a kernel with CONFIG_CGROUP_BPF",
            errno=error.errno or 0,
        ) from error
    group = -1
    present: list[int] = []
    try:
        group = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        present = [bpf.program_by_id(number) for number in bpf.attached_device_programs(group)]
        bpf.attach_device_program(group, program, replace=present[0] if len(present) == 1 else -1)
        if len(present) > 1:
            # Several programs are asked one after the other and all must agree: none of the old may stay.
            for old in present:
                bpf.detach_device_program(group, old)
    except OSError as error:
        raise CgroupFault(
            f"{_AT}: cannot attach the device program to {directory}: {os.strerror(error.errno or 0)}",
            path=_AT,
            errno=error.errno or 0,
        ) from error
    finally:
        for fd in (program, group, *present):
            if fd >= 0:
                os.close(fd)


def _overlap(first: Rule, second: Rule) -> bool:
    return (
        (first.major is None or second.major is None or first.major == second.major)
        and (first.minor is None or second.minor is None or first.minor == second.minor)
        and bool(set(first.access) & set(second.access))
    )


def _covers(rule: Rule, exception: Rule) -> bool:
    """Whether the kernel takes the exception away by this rule: it wants the same numbers."""
    return _same_number(rule, exception)


def _same_number(first: Rule, second: Rule) -> bool:
    return first.major == second.major and first.minor == second.minor


def _number(number: int | None) -> str:
    return "*" if number is None else str(number)
