"""What cgroup operations fail with."""

from __future__ import annotations

import errno
import os

from ..errors import RuntimeFault


class CgroupFault(RuntimeFault):
    """A limit, file or hierarchy that the host refused or lacks.

    `path` is the place in config.json that asked for it (`linux.resources.memory.limit`) when one did, else the
    file. `errno` is the kernel's answer, 0 when the kernel was not asked.
    """

    def __init__(self, message: str, *, path: str = "", hint: str = "", errno: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.path = path
        self.hint = hint
        self.errno = errno


def refused(file: str, value: str, error: OSError, json_path: str) -> CgroupFault:
    """The fault for a write that the kernel refused, with what is known about that refusal."""
    number = error.errno or 0
    hint = ""
    if number == errno.EBUSY and file.endswith(("memory.limit_in_bytes", "memory.max")):
        hint = "more memory is in use than that, and it could not be reclaimed"
    elif number in (errno.EINVAL, errno.ERANGE) or os.path.basename(file).startswith("cpuset."):
        hint = _HINTS_EINVAL.get(os.path.basename(file), "")
    elif number in (errno.EROFS, errno.EACCES, errno.EPERM):
        hint = "run as root, with the cgroup file system writable"
    asked = f"{json_path}: " if json_path else ""
    return CgroupFault(
        f"{asked}cannot write {value.strip()!r} to {file}: {os.strerror(number)}",
        path=json_path or file,
        hint=hint,
        errno=number,
    )


_HINTS_EINVAL = {
    "cpu.cfs_burst_us": "the burst cannot exceed the quota",
    "cpu.cfs_period_us": "a period is 1000 to 1000000 microseconds",
    "cpu.cfs_quota_us": "a quota is at least 1000 microseconds",
    "cpu.max": "a period is 1000 to 1000000 microseconds, a quota at least 1000",
    "cpuset.cpus": "the list names CPUs that the parent cgroup does not have",
    "cpuset.mems": "the list names memory nodes that the parent cgroup does not have",
    "memory.limit_in_bytes": "the limit cannot exceed that of memory plus swap",
    "memory.memsw.limit_in_bytes": "memory plus swap cannot be less than memory",
}
