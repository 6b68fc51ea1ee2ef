"""Docker's default filter on a real process: what a container's program is then told by the kernel."""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import signal
import socket
import struct
from typing import Any

import pytest

from engine.bundle.seccomp import default_profile
from runtime.errors import SetupFailed
from runtime.security import seccomp

from .child import in_child

pytestmark = [pytest.mark.root, pytest.mark.skipif(os.geteuid() != 0, reason="needs root")]

x86_only = pytest.mark.skipif(platform.machine() != "x86_64", reason="needs x86-64")
CLONE_NEWUSER, CLONE_NEWNS = 0x10000000, 0x00020000


def call(number: int, *args: Any) -> str:
    """ "" or the errno's name of a raw system call."""
    libc = ctypes.CDLL(None, use_errno=True)
    result = libc.syscall(ctypes.c_long(number), *(ctypes.c_long(arg) if isinstance(arg, int) else arg for arg in args))
    return "" if result >= 0 else errno.errorcode[ctypes.get_errno()]


def filtered(work: Any, capabilities: frozenset[str] = frozenset(), profile: dict[str, Any] | None = None) -> Any:
    program = seccomp.compile(profile or default_profile(capabilities, platform.machine()))

    def child() -> Any:
        seccomp.install(program)
        return work()

    return in_child(child)


@x86_only
def test_what_a_container_may_not_call() -> None:
    def work() -> dict[str, str]:
        return {
            "mount": call(165, b"none", b"/tmp", b"tmpfs", 0, None),
            "unshare user": call(272, CLONE_NEWUSER),
            "clone user": call(56, CLONE_NEWUSER | signal.SIGCHLD, 0, 0, 0, 0),
            "clone3": call(435, 0, 0),
            "bpf": call(321, 0, 0, 0),
            "keyctl": call(250, 0, 0, 0, 0, 0),
            "kexec_load": call(246, 0, 0, 0, 0),
            "userfaultfd": call(323, 0),
            "io_uring_setup": call(425, 1, 0),
            "open_by_handle_at": call(304, 0, 0, 0),
            "reboot": call(169, 0, 0, 0, 0),
            "personality 0x40000": call(135, 0x40000),
            "a call of next year": call(500),
        }

    answers = filtered(work)
    assert answers.pop("clone3") == answers.pop("a call of next year") == "ENOSYS"
    assert set(answers.values()) == {"EPERM"}, answers


@x86_only
def test_what_a_container_may_call() -> None:
    def work() -> dict[str, Any]:
        pid = os.fork()
        if pid == 0:
            os._exit(3)
        return {
            "personality 8": call(135, 8),
            "personality query": call(135, 0xFFFFFFFF),
            "fork": os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]),
            "files": len(os.listdir("/")) > 3,
            "sockets": [
                bool(socket.socket(family, socket.SOCK_DGRAM))
                for family in (socket.AF_UNIX, socket.AF_INET, socket.AF_NETLINK)
            ],
        }

    answers = filtered(work)
    assert answers == {
        "personality 8": "",
        "personality query": "",
        "fork": 3,
        "files": True,
        "sockets": [True, True, True],
    }


def test_kernel_crypto_and_hypervisor_sockets_are_refused() -> None:
    def work() -> list[int]:
        refused = []
        for family in (38, 40):
            try:
                socket.socket(family, socket.SOCK_SEQPACKET)
            except OSError as error:
                refused.append(error.errno or 0)
        return refused

    assert filtered(work) == [errno.EPERM, errno.EPERM]


@x86_only
def test_capabilities_open_their_calls() -> None:
    answers = filtered(
        lambda: [call(272, CLONE_NEWNS), call(435, 0, 0), call(161, b"/nosuchdirectory")], frozenset({"CAP_SYS_ADMIN"})
    )
    assert answers == ["", "EINVAL", "EPERM"]
    assert filtered(lambda: call(161, b"/nosuchdirectory"), frozenset({"CAP_SYS_CHROOT"})) == "ENOENT"


@x86_only
def test_a_32_bit_program_is_filtered_too() -> None:
    """int 0x80 from 64-bit code enters by the i386 numbers: 21 is mount, 20 is getpid, 435 clone3."""

    def by_int80(number: int) -> int:
        code = b"\x53\xb8" + struct.pack("<I", number) + b"\x31\xdb\x31\xc9\x31\xd2\x31\xf6\x31\xff\xcd\x80\x5b\xc3"
        import mmap

        page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        page.write(code)
        address = ctypes.addressof(ctypes.c_char.from_buffer(page))
        return int(ctypes.CFUNCTYPE(ctypes.c_int)(address)())

    if in_child(lambda: by_int80(20) > 0) is not True:
        pytest.skip("needs a kernel with 32-bit emulation")
    assert filtered(lambda: [by_int80(20) > 0, by_int80(21), by_int80(435)]) == [True, -errno.EPERM, -errno.ENOSYS]


def test_kill_ends_the_process_with_sigsys() -> None:
    profile = {
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{"names": ["uname"], "action": "SCMP_ACT_KILL_PROCESS"}],
    }
    program = seccomp.compile(profile)
    pid = os.fork()
    if pid == 0:
        seccomp.install(program)
        os.uname()
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGSYS


def test_notify_gives_a_listener() -> None:
    profile = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["chroot"], "action": "SCMP_ACT_NOTIFY"}]}
    assert seccomp.notifies(profile)
    program = seccomp.compile(profile)

    def child() -> str:
        fd = seccomp.install(program, listener=True)
        return os.readlink(f"/proc/self/fd/{fd}")

    assert in_child(child) == "anon_inode:seccomp notify"


def test_a_refused_filter_says_what_it_needs() -> None:
    def child() -> list[Any]:
        os.setresuid(65534, 65534, 65534)
        try:
            seccomp.install(seccomp.compile(default_profile(frozenset(), platform.machine())))
        except SetupFailed as error:
            return [error.errno, error.hint, str(error)]
        return []

    number, hint, message = in_child(child)
    assert number == errno.EACCES
    assert "noNewPrivileges" in hint
    assert "refused the filter" in message
