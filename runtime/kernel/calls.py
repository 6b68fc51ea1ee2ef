"""System calls about processes and files: thin functions that raise OSError and hand out plain values.

Nothing here decides anything. Each function is named as its call and raises the OSError that
`prototypes.failure` makes. Descriptors returned are close-on-exec and belong to the caller.
"""

from __future__ import annotations

import ctypes
import errno
import os

from . import constants, prototypes
from .structs import clone_args, open_how, sched_attr

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_SIG_SETMASK = 2
_SIG_DFL = None
_SIGCHLD = 17
_SIGKILL, _SIGSTOP, _SIGNAL_LIMIT = 9, 19, 65
_SIGNAL_SET_BYTES = 128
_KERNEL_SIGNAL_SET_BYTES = 8
_SIGACTION_BYTES = 32
_PAGE = os.sysconf("SC_PAGE_SIZE")
_LIBC_SIGNALS = (32, 33)
"""Those that the C library keeps for itself and lets nobody touch; a caller may have ignored them all the same."""


def clone(flags: int, cgroup_fd: int = -1) -> int:
    """fork(2) with namespace flags or CLONE_PARENT; 0 in the child. The exit signal is SIGCHLD.

    With `cgroup_fd`, a directory of the unified hierarchy, the child is born in that cgroup (clone3, Linux 5.7). The
    interpreter's own fork hooks run, so the child can go on as after `os.fork`. The caller must have one thread:
    see `assert_single_thread`.
    """
    arguments = clone_args(flags=flags | constants.CLONE_INTO_CGROUP, exit_signal=_SIGCHLD, cgroup=max(cgroup_fd, 0))
    prototypes.before_fork()
    if cgroup_fd < 0:
        pid = prototypes.clone(flags | _SIGCHLD, None, None, None, None)
    else:
        pid = prototypes.clone3(ctypes.byref(arguments), ctypes.sizeof(arguments))
    number = ctypes.get_errno()
    if pid == 0:
        prototypes.after_fork_child()
        return 0
    prototypes.after_fork_parent()
    if pid < 0:
        raise OSError(number, f"clone: {os.strerror(number)}")
    return pid


def assert_single_thread() -> None:
    """Raise RuntimeError when this process has threads: they make fork and namespace calls unsafe."""
    count = os.stat("/proc/self/task").st_nlink - 2
    if count != 1:
        raise RuntimeError(f"namespace work needs a process with one thread, this one has {count}")


def own_memory(ranges: list[tuple[int, int]]) -> None:
    """Take copies of pages that are shared with the parent since the fork, now and not one by one when they are
    written: a thousand page faults take 3 ms and more on a virtual machine. `ranges`: pairs of addresses, as
    `written_memory` gives them.

    By madvise(2) with MADV_POPULATE_WRITE, Linux 5.14; an older kernel refuses, and the faults come later.
    """
    for first, last in ranges:
        prototypes.madvise(first, last - first, constants.MADV_POPULATE_WRITE)


def written_memory() -> list[tuple[int, int]]:
    """The private memory that this process has to itself, since it has written there after the fork: pairs of
    addresses, by /proc/pid/pagemap (proc_pid_pagemap(5)). Empty when the kernel does not tell."""
    ranges: list[tuple[int, int]] = []
    with open("/proc/self/maps", encoding="ascii", errors="replace") as maps:
        lines = maps.readlines()
    pagemap = os.open("/proc/self/pagemap", os.O_RDONLY | os.O_CLOEXEC)
    try:
        for line in lines:
            span, permissions, _offset, _device, inode, *_path = line.split(None, 5)
            if permissions != "rw-p" or inode != "0":
                continue
            first, last = (int(address, 16) for address in span.split("-"))
            entries = os.pread(pagemap, (last - first) // _PAGE * 8, first // _PAGE * 8)
            for index in range(len(entries) // 8):
                # bit 56 of an entry: mapped by nobody else
                if entries[index * 8 + 7] & 1:
                    address = first + index * _PAGE
                    if ranges and ranges[-1][1] == address:
                        ranges[-1] = (ranges[-1][0], address + _PAGE)
                    else:
                        ranges.append((address, address + _PAGE))
    except OSError:
        return []
    finally:
        os.close(pagemap)
    return ranges


def unshare(flags: int) -> None:
    """unshare(2)"""
    if prototypes.unshare(flags):
        raise prototypes.failure("unshare")


def setns(fd: int, flags: int, path: str = "") -> None:
    """setns(2); `fd` is a namespace file or a pidfd, `path` only names it in the error."""
    if prototypes.setns(fd, flags):
        raise prototypes.failure("setns", path or None)


def prctl(option: int, argument: int = 0) -> int:
    """prctl(2) with one argument."""
    result = prototypes.prctl(option, argument, 0, 0, 0)
    if result < 0:
        raise prototypes.failure(f"prctl {option}")
    return result


def sethostname(name: str) -> None:
    """sethostname(2)"""
    raw = os.fsencode(name)
    if prototypes.sethostname(raw, len(raw)):
        raise prototypes.failure("sethostname", name)


def setdomainname(name: str) -> None:
    """setdomainname(2)"""
    raw = os.fsencode(name)
    if prototypes.setdomainname(raw, len(raw)):
        raise prototypes.failure("setdomainname", name)


def openat2(directory_fd: int, path: str, flags: int, *, mode: int = 0, resolve: int = 0) -> int:
    """openat2(2), retried while a concurrent rename makes the kernel give up (EAGAIN)."""
    how = open_how(flags | os.O_CLOEXEC, mode, resolve)
    raw = os.fsencode(path)
    for _ in range(256):
        fd = prototypes.openat2(directory_fd, raw, ctypes.byref(how), ctypes.sizeof(how))
        if fd >= 0:
            return fd
        if ctypes.get_errno() not in (errno.EAGAIN, errno.EINTR):
            break
    raise prototypes.failure("openat2", path)


def filesystem_type(fd: int) -> int:
    """The magic number (statfs f_type) of the file system that `fd` lies on."""
    buffer = ctypes.create_string_buffer(256)
    if prototypes.fstatfs(fd, buffer):
        raise prototypes.failure("fstatfs")
    return ctypes.c_ulong.from_buffer(buffer).value & 0xFFFFFFFF


def getcwd() -> str:
    """The kernel's own answer, which starts with "(unreachable)" outside the root (CVE-2024-21626)."""
    buffer = ctypes.create_string_buffer(4096)
    if prototypes.getcwd(buffer, 4096) < 0:
        raise prototypes.failure("getcwd")
    return os.fsdecode(buffer.value)


def close_range_on_exec(first: int) -> None:
    """Mark every descriptor from `first` on close-on-exec (close_range(2), Linux 5.11)."""
    if prototypes.close_range(first, 0xFFFFFFFF, constants.CLOSE_RANGE_CLOEXEC) == 0:
        return
    for name in os.listdir("/proc/self/fd"):
        if int(name) >= first:
            try:
                os.set_inheritable(int(name), False)
            except OSError:
                continue


def reset_signals() -> None:
    """Default dispositions and an empty mask: Python ignores SIGPIPE and SIGXFSZ, and that survives exec."""
    for number in range(1, _SIGNAL_LIMIT):
        if number not in (_SIGKILL, _SIGSTOP):
            prototypes.signal(number, _SIG_DFL)
    default = ctypes.create_string_buffer(_SIGACTION_BYTES)
    for number in _LIBC_SIGNALS:
        prototypes.rt_sigaction(number, default, None, _KERNEL_SIGNAL_SET_BYTES)
    empty = ctypes.create_string_buffer(_SIGNAL_SET_BYTES)
    prototypes.sigprocmask(_SIG_SETMASK, empty, None)


def block_signals() -> ctypes.Array[ctypes.c_char]:
    """Block all signals; give the result to `restore_signals`."""
    everything = ctypes.create_string_buffer(b"\xff" * _SIGNAL_SET_BYTES, _SIGNAL_SET_BYTES)
    previous = ctypes.create_string_buffer(_SIGNAL_SET_BYTES)
    prototypes.sigprocmask(_SIG_SETMASK, everything, previous)
    return previous


def restore_signals(mask: ctypes.Array[ctypes.c_char]) -> None:
    """Undo `block_signals`."""
    prototypes.sigprocmask(_SIG_SETMASK, mask, None)


def execveat(fd: int, arguments: list[str], environment: list[str]) -> None:
    """Replace this process by the file behind `fd`; returns only by raising."""
    argv = _string_array(arguments)
    envp = _string_array(environment)
    prototypes.execveat(fd, b"", argv, envp, constants.AT_EMPTY_PATH)
    raise prototypes.failure("execveat")


def prepare_execve(path: str, arguments: list[str], environment: list[str]) -> Callable[[], None]:
    """An execve(2) that needs nothing more but the call itself, for use behind a system call filter.

    The environment is the list of strings it is, duplicates and all. Calling the result returns only by raising.
    """
    raw = os.fsencode(path)
    argv = _string_array(arguments)
    envp = _string_array(environment)
    enter = prototypes.execve

    def execve() -> None:
        enter(raw, argv, envp)
        raise prototypes.failure("execve", path)

    return execve


def join_session_keyring(name: str) -> None:
    """A new session keyring, so that the host's keys are not the container's (keyctl(2)); kernels without
    keyrings and filters that forbid them are tolerated, as in every runtime."""
    key = prototypes.keyctl_name(constants.KEYCTL_JOIN_SESSION_KEYRING, os.fsencode(name), 0, 0, 0)
    if key < 0:
        if ctypes.get_errno() in (errno.ENOSYS, errno.EPERM, errno.EDQUOT):
            return
        raise prototypes.failure("keyctl join", name)
    # possessor, user, group and others as they are, and search for the user's other processes (exec)
    prototypes.keyctl(constants.KEYCTL_SETPERM, key, 0x3F1B0000, 0, 0)


def personality(value: int) -> None:
    """personality(2)"""
    if prototypes.personality(value) < 0:
        raise prototypes.failure("personality")


def ioprio_set(io_class: int, priority: int) -> None:
    """ioprio_set(2) for this process."""
    value = io_class << constants.IOPRIO_CLASS_SHIFT | priority
    if prototypes.ioprio_set(constants.IOPRIO_WHO_PROCESS, 0, value) < 0:
        raise prototypes.failure("ioprio_set")


def sched_setattr(attributes: dict[str, int]) -> None:
    """sched_setattr(2) for this process; keys are the fields of `struct sched_attr` without `sched_`."""
    values = {f"sched_{name}": value for name, value in attributes.items()}
    attr = sched_attr(size=ctypes.sizeof(sched_attr), **values)
    if prototypes.sched_setattr(0, ctypes.byref(attr), 0) < 0:
        raise prototypes.failure("sched_setattr")


def set_mempolicy(mode: int, nodes: set[int]) -> None:
    """set_mempolicy(2) for this process."""
    words = max(nodes, default=0) // 64 + 1
    mask = (ctypes.c_uint64 * words)()
    for node in nodes:
        mask[node // 64] |= 1 << (node % 64)
    if prototypes.set_mempolicy(mode, mask if nodes else None, words * 64 + 1 if nodes else 0) < 0:
        raise prototypes.failure("set_mempolicy")


def get_mempolicy() -> int:
    """get_mempolicy(2): this process's mode; OSError with ENOSYS on a kernel without NUMA."""
    mode = ctypes.c_int(0)
    if prototypes.get_mempolicy(ctypes.byref(mode), None, 0, None, 0) < 0:
        raise prototypes.failure("get_mempolicy")
    return mode.value


def _string_array(strings: list[str]) -> ctypes.Array[ctypes.c_char_p]:
    return (ctypes.c_char_p * (len(strings) + 1))(*[os.fsencode(string) for string in strings], None)
