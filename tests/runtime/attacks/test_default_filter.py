"""The default system call filter and the capabilities that go with it, tried from inside: what reaches the kernel's
less guarded parts is answered by the filter (EPERM or ENOSYS) and not by the kernel."""

from __future__ import annotations

import os
import platform
import sys
from typing import TYPE_CHECKING

import pytest

from engine.bundle.seccomp import default_profile

if TYPE_CHECKING:
    from ..bundle import Bundle

pytestmark = [pytest.mark.root, pytest.mark.usefixtures("own_runtime")]

# Most need no capability to reach their argument checks: without a filter the answer is EFAULT, EINVAL, EBADF or 0.
DENIED = {
    "add_key": 248,
    "request_key": 249,
    "keyctl": 250,
    "userfaultfd": 323,
    "io_uring_setup": 425,
    "unshare a user namespace": 272,
    "move_pages": 279,
    "kcmp": 312,
    "bpf": 321,
    "perf_event_open": 298,
    "fsopen": 430,
    "open_tree": 428,
    "mount_setattr": 442,
}
SCRIPT = """
import ctypes, sys
libc = ctypes.CDLL(None, use_errno=True)
for word in sys.argv[1:]:
    name, _, number = word.partition("=")
    first = 0x10000000 if number == "272" else 0
    libc.syscall(int(number), first, 0, 0, 0, 0, 0)
    print(name, ctypes.get_errno(), sep="=")
"""


@pytest.fixture
def inside(bundle: Bundle) -> Bundle:
    """A container that has this interpreter, read-only, with Docker's capabilities and filter."""
    if platform.machine() != "x86_64":
        pytest.skip("the numbers are those of x86-64")
    names = frozenset(bundle.process["capabilities"]["bounding"])
    bundle.linux["seccomp"] = default_profile(names, "x86_64")
    bundle.process["noNewPrivileges"] = True
    bundle.process["env"] += [f"PYTHONHOME={sys.base_prefix}"]
    for name in (sys.base_prefix, "/lib", "/lib64", "/usr/lib"):
        if os.path.exists(name):
            bundle.mount(name, "bind", name, "rbind", "ro")
    return bundle


def errors(bundle: Bundle) -> dict[str, int]:
    """What each call was answered."""
    words = [f"{name}={number}" for name, number in DENIED.items()]
    result = bundle.run(os.path.realpath(sys.executable), "-IS", "-c", SCRIPT, *words)
    if result.code == 127 or "executable file not found" in result.err:
        pytest.skip("this interpreter does not run from its prefix alone")
    assert result.code == 0, result
    return {name: int(number) for name, _, number in (line.partition("=") for line in result.out.splitlines())}


def test_the_filter_answers_what_the_kernel_should_not(inside: Bundle) -> None:
    answered = errors(inside)
    assert set(answered) == set(DENIED)
    assert {name: number for name, number in answered.items() if number not in (1, 38)} == {}


def test_without_it_the_kernel_answers(inside: Bundle) -> None:
    """The test above sees the filter, not the kernel."""
    del inside.linux["seccomp"]
    answered = errors(inside)
    assert len([name for name, number in answered.items() if number not in (1, 38)]) >= 4, answered
