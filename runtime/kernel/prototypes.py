"""Every foreign function of the runtime with its full prototype, and the one place that reads errno.

Without argtypes ctypes passes Python integers as 32-bit C ints and cuts pointers and sizes, so each system
call gets a function object of its own here, once, and nothing changes a prototype later. `fork_like` keeps
the interpreter lock across the call: it is for calls that return twice.
"""

from __future__ import annotations

import ctypes
import os

from .constants import SYSCALLS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_libc = ctypes.CDLL(None, use_errno=True)
_libc_locked = ctypes.PyDLL(None, use_errno=True)

_int = ctypes.c_int
_long = ctypes.c_long
_ulong = ctypes.c_ulong
_str = ctypes.c_char_p
_ptr = ctypes.c_void_p
_size = ctypes.c_size_t


def failure(call: str, path: str | bytes | None = None) -> OSError:
    """The OSError of a call that has just failed: errno is read here, once, and the call is named."""
    number = ctypes.get_errno()
    return OSError(number, f"{call}: {os.strerror(number)}", path)


def function(name: str, *argument_types: Any) -> Callable[..., int]:
    """A libc function returning int."""
    prototype: Any = _libc[name]
    prototype.argtypes = argument_types
    prototype.restype = _int
    return prototype  # type: ignore[no-any-return]


def syscall(name_or_number: str | int, *argument_types: Any) -> Callable[..., int]:
    """A system call without a libc wrapper, by the name in `constants.SYSCALLS` or by number."""
    return _bound(_libc, name_or_number, argument_types)


def fork_like(name: str | int, *argument_types: Any) -> Callable[..., int]:
    """As `syscall`, never releasing the interpreter lock."""
    return _bound(_libc_locked, name, argument_types)


def _bound(library: Any, name_or_number: str | int, argument_types: tuple[Any, ...]) -> Callable[..., int]:
    number = SYSCALLS[name_or_number] if isinstance(name_or_number, str) else name_or_number
    prototype = library["syscall"]
    prototype.argtypes = (_long, *argument_types)
    prototype.restype = _long

    def call(*arguments: Any) -> int:
        return prototype(number, *arguments)  # type: ignore[no-any-return]

    return call


def _hook(name: str) -> Callable[[], None]:
    prototype: Any = ctypes.pythonapi[name]
    prototype.argtypes = ()
    prototype.restype = None
    return prototype  # type: ignore[no-any-return]


execve = function("execve", _str, _ptr, _ptr)
madvise = function("madvise", _ptr, _size, _int)
mount = function("mount", _str, _str, _str, _ulong, _str)
personality = function("personality", _ulong)
prctl = function("prctl", _int, _ulong, _ulong, _ulong, _ulong)
setdomainname = function("setdomainname", _str, _size)
sethostname = function("sethostname", _str, _size)
setns = function("setns", _int, _int)
sigprocmask = function("sigprocmask", _int, _ptr, _ptr)
umount2 = function("umount2", _str, _int)
unshare = function("unshare", _int)
fstatfs = function("fstatfs", _int, _ptr)

signal: Any = _libc["signal"]
signal.argtypes = (_int, _ptr)
signal.restype = _ptr

clone = fork_like("clone", _ulong, _ptr, _ptr, _ptr, _ptr)
clone3 = fork_like(435, _ptr, _size)
close_range = syscall("close_range", ctypes.c_uint, ctypes.c_uint, ctypes.c_uint)
execveat = syscall("execveat", _int, _str, _ptr, _ptr, _int)
fsconfig = syscall("fsconfig", _int, ctypes.c_uint, _str, _str, _int)
fsmount = syscall("fsmount", _int, ctypes.c_uint, ctypes.c_uint)
fsopen = syscall("fsopen", _str, ctypes.c_uint)
fspick = syscall("fspick", _int, _str, ctypes.c_uint)
getcwd = syscall("getcwd", _ptr, _size)
ioprio_set = syscall("ioprio_set", _int, _int, _int)
rt_sigaction = syscall("rt_sigaction", _int, _ptr, _ptr, _size)
keyctl = syscall("keyctl", _int, _ulong, _ulong, _ulong, _ulong)
keyctl_name = syscall("keyctl", _int, _str, _ulong, _ulong, _ulong)
mount_setattr = syscall("mount_setattr", _int, _str, ctypes.c_uint, _ptr, _size)
move_mount = syscall("move_mount", _int, _str, _int, _str, ctypes.c_uint)
open_tree = syscall("open_tree", _int, _str, ctypes.c_uint)
openat2 = syscall("openat2", _int, _str, _ptr, _size)
pivot_root = syscall("pivot_root", _str, _str)
sched_setattr = syscall("sched_setattr", _int, _ptr, ctypes.c_uint)
set_mempolicy = syscall("set_mempolicy", _int, _ptr, _ulong)
get_mempolicy = syscall("get_mempolicy", _ptr, _ptr, _ulong, _ptr, _ulong)

before_fork = _hook("PyOS_BeforeFork")
after_fork_parent = _hook("PyOS_AfterFork_Parent")
after_fork_child = _hook("PyOS_AfterFork_Child")
