"""Pay for the first move into a cgroup before it is needed.

The first write to any cgroup.procs waits for an RCU grace period (cgroup_threadgroup_rwsem, 5 to 15 ms on an idle
host); the kernel then keeps the lock cheap for about as long again. Measured here: a move costs 6 to 15 ms by
itself, and 0.4 ms from 10 to 25 ms after another one. So whoever knows that a container is about to start, and has
10 ms of other work first (parsing, the bundle, the database), lets a child do a move that means nothing.
"""

from __future__ import annotations

import os

from . import hosts
from .fault import CgroupFault


def warm_up() -> int:
    """Fork a child that moves itself to the root of a hierarchy and ends; its pid, for the caller to reap.

    Returns at once, 0 when there is nothing to move in. Only for processes with one thread. Errors are of no
    interest: without it a start is slower, and no different.
    """
    try:
        file = f"{next(iter(hosts.current().hierarchies.values())).mount_point}/cgroup.procs"
    except CgroupFault:
        return 0
    pid = os.fork()
    if pid:
        return pid
    try:
        fd = os.open(file, os.O_WRONLY | os.O_CLOEXEC)
        os.write(fd, b"0")
    finally:
        os._exit(0)
