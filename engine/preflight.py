"""Looks whether this host can run containers. Each check tries the real thing in a child process, not a version number.

Nothing is changed on the host: trial mounts and namespaces live and die in a forked child.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import shutil
import signal
import sys
import tempfile

from .models import HostCheck

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

MINIMUM_PYTHON = (3, 11)
MINIMUM_TERMINAL = (20, 5)
CONTROLLERS = ("cpu", "memory", "pids", "cpuset")

_NAMESPACES = {
    "mount namespaces": 0x00020000,
    "pid namespaces": 0x20000000,
    "network namespaces": 0x40000000,
    "ipc namespaces": 0x08000000,
    "uts namespaces": 0x04000000,
    "cgroup namespaces": 0x02000000,
    "user namespaces": 0x10000000,
}
_OPTIONAL = ("user namespaces", "cgroup namespaces", "libseccomp", "terminal", "freezer")
_SYS_OPENAT2 = 437
_MS_REC, _MS_PRIVATE = 0x4000, 1 << 18


def checks(root: str = "/var/lib/pydock") -> list[HostCheck]:
    """All checks in the order in which a person should mend what fails. `root`: where layers will lie."""
    found = [_python(), _root()]
    found += [_namespace(name, kind) for name, kind in _NAMESPACES.items()]
    found += [_overlay(root), _cgroups(), _nftables(), _libseccomp(), _pidfd(), _openat2(), _terminal()]
    return found


def is_vital(check: HostCheck) -> bool:
    """Whether nothing works without it; the others cost a feature."""
    return check.name not in _OPTIONAL


def _python() -> HostCheck:
    version = platform.python_version()
    if sys.version_info < MINIMUM_PYTHON:
        return HostCheck(name="python", ok=False, detail=version, cure="apt install python3.11")
    return HostCheck(name="python", ok=True, detail=version)


def _root() -> HostCheck:
    if os.geteuid() == 0:
        return HostCheck(name="root", ok=True, detail="running as root")
    return HostCheck(name="root", ok=False, detail=f"running as user {os.geteuid()}", cure="run it with sudo")


def _namespace(name: str, kind: int) -> HostCheck:
    problem = _in_child(lambda: _unshare(kind))
    if not problem:
        return HostCheck(name=name, ok=True, detail="available")
    cure = "a kernel with CONFIG_NAMESPACES and its parts; in a container, start that one privileged"
    if name == "user namespaces":
        cure = "sysctl user.max_user_namespaces=15000 kernel.unprivileged_userns_clone=1"
    return HostCheck(name=name, ok=False, detail=problem, cure=cure)


def _overlay(root: str) -> HostCheck:
    """Mounts an overlay on the file system that the layers will be on."""
    base = root
    while not os.path.isdir(base):
        base = os.path.dirname(base) or "/"
    if os.geteuid() != 0:
        with open("/proc/filesystems") as file:
            known = "overlay" in file.read()
        detail = "known to the kernel" if known else "not loaded"
        return HostCheck(name="overlay", ok=known, detail=detail, cure="modprobe overlay")
    try:
        folder = tempfile.mkdtemp(prefix=".pydock-check-", dir=base)
    except OSError as error:
        return HostCheck(name="overlay", ok=False, detail=f"{base}: {_text(error)}", cure="choose a writable --root")
    try:
        problem = _in_child(lambda: _mount_overlay(folder))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if problem:
        cure = "modprobe overlay; or put --root on ext4 or xfs (overlay on overlay does not work)"
        return HostCheck(name="overlay", ok=False, detail=f"on {base}: {problem}", cure=cure)
    return HostCheck(name="overlay", ok=True, detail=f"works on {base}")


def _cgroups() -> HostCheck:
    version, have = _controllers()
    missing = [name for name in CONTROLLERS if name not in have]
    if not version:
        cure = "mount -t cgroup2 none /sys/fs/cgroup"
        return HostCheck(name="cgroups", ok=False, detail="not mounted", cure=cure)
    detail = f"{version}: {' '.join(name for name in CONTROLLERS if name in have)}"
    if missing:
        cure = (
            "boot with cgroup_enable=memory, or enable them in /sys/fs/cgroup/cgroup.subtree_control; "
            "limits of that kind do not work until then"
        )
        detail = f"{detail} (missing: {' '.join(missing)})"
        return HostCheck(name="cgroups", ok=False, detail=detail, cure=cure)
    return HostCheck(name="cgroups", ok=True, detail=detail)


def _controllers() -> tuple[str, set[str]]:
    """("v2" | "v1" | "v1 with a v2 tree" | "", controllers) from what is mounted."""
    v1: set[str] = set()
    v2_mounts = []
    with open("/proc/self/mountinfo") as file:
        for line in file:
            before, _, after = line.partition(" - ")
            kind, _, options = after.split(" ", 2)
            if kind == "cgroup":
                v1 |= set(options.strip().split(","))
            elif kind == "cgroup2":
                v2_mounts.append(before.split()[4])
    v2: set[str] = set()
    for mount in v2_mounts:
        try:
            with open(f"{mount}/cgroup.controllers") as file:
                v2 |= set(file.read().split())
        except OSError:
            continue
    if v1:
        return ("v1 with a v2 tree" if v2_mounts else "v1"), v1 | v2
    return ("v2" if v2_mounts else ""), v2


def _nftables() -> HostCheck:
    cure = "apt install nftables (or libnftables1)"
    library = _loads("libnftables.so.1")
    program = shutil.which("nft", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if not library and not program:
        return HostCheck(name="nftables", ok=False, detail="neither libnftables nor nft is here", cure=cure)
    detail = "libnftables" if library else f"{program}"
    if os.geteuid() == 0:
        problem = _in_child(_nftables_socket)
        if problem:
            return HostCheck(
                name="nftables", ok=False, detail=f"{detail}, but the kernel says {problem}", cure="modprobe nf_tables"
            )
    return HostCheck(name="nftables", ok=True, detail=detail)


def _libseccomp() -> HostCheck:
    with open("/proc/self/status") as file:
        kernel = any(line.startswith("Seccomp:") for line in file)
    if not kernel:
        return HostCheck(
            name="seccomp", ok=False, detail="the kernel has none", cure="a kernel with CONFIG_SECCOMP_FILTER"
        )
    if _loads("libseccomp.so.2"):
        return HostCheck(name="libseccomp", ok=True, detail="libseccomp.so.2")
    return HostCheck(
        name="libseccomp",
        ok=False,
        detail="not here; pydock's own compiler does the common profiles",
        cure="apt install libseccomp2",
    )


def _pidfd() -> HostCheck:
    cure = "Linux 5.3 or newer"
    try:
        descriptor = os.pidfd_open(os.getpid())
    except (OSError, AttributeError) as error:
        return HostCheck(name="pidfd", ok=False, detail=_text(error), cure=cure)
    try:
        signal.pidfd_send_signal(descriptor, 0)
    except OSError as error:
        return HostCheck(name="pidfd", ok=False, detail=_text(error), cure=cure)
    finally:
        os.close(descriptor)
    return HostCheck(name="pidfd", ok=True, detail="available")


def _openat2() -> HostCheck:
    class OpenHow(ctypes.Structure):
        _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))

    libc = ctypes.CDLL(None, use_errno=True)
    how = OpenHow(os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY, 0, 0)
    libc.syscall.restype = ctypes.c_long
    descriptor = libc.syscall(
        ctypes.c_long(_SYS_OPENAT2),
        ctypes.c_long(-100),
        ctypes.c_char_p(b"/"),
        ctypes.byref(how),
        ctypes.c_size_t(ctypes.sizeof(how)),
    )
    if descriptor < 0:
        detail = os.strerror(ctypes.get_errno()).lower()
        return HostCheck(name="openat2", ok=False, detail=detail, cure="Linux 5.6 or newer")
    os.close(descriptor)
    return HostCheck(name="openat2", ok=True, detail="available")


def _terminal() -> HostCheck:
    name = os.environ.get("TERM", "")
    if not os.isatty(1):
        return HostCheck(name="terminal", ok=True, detail="output is not a terminal")
    columns, rows = os.get_terminal_size(1)
    detail = f"{name or 'TERM is not set'}, {columns}x{rows}"
    if not name or name == "dumb":
        cure = "export TERM=xterm-256color"
        return HostCheck(name="terminal", ok=False, detail=detail, cure=cure)
    encoding = (sys.stdout.encoding or "").lower()
    if "utf" not in encoding:
        return HostCheck(
            name="terminal", ok=False, detail=f"{detail}, {encoding or 'no encoding'}", cure="export LANG=C.UTF-8"
        )
    if columns < MINIMUM_TERMINAL[0] or rows < MINIMUM_TERMINAL[1]:
        return HostCheck(name="terminal", ok=False, detail=detail, cure="make the window larger")
    return HostCheck(name="terminal", ok=True, detail=detail)


def _in_child(trial: Callable[[], None]) -> str:
    """Run a trial in a forked child; what went wrong, "" when nothing did."""
    read_fd, write_fd = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 0
        try:
            trial()
        except BaseException as error:
            os.write(write_fd, _text(error).encode()[:500])
            code = 1
        os._exit(code)
    os.close(write_fd)
    with open(read_fd, "rb") as reader:
        problem = reader.read().decode()
    _, status = os.waitpid(pid, 0)
    return problem or ("" if status == 0 else f"the trial ended with status {status}")


def _unshare(flags: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.unshare.argtypes = (ctypes.c_int,)
    if libc.unshare(flags) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _mount_overlay(folder: str) -> None:
    _unshare(_NAMESPACES["mount namespaces"])
    _mount("none", "/", None, _MS_REC | _MS_PRIVATE, None)
    for name in ("lower", "upper", "work", "merged"):
        os.mkdir(f"{folder}/{name}")
    options = f"lowerdir={folder}/lower,upperdir={folder}/upper,workdir={folder}/work"
    _mount("overlay", f"{folder}/merged", "overlay", 0, options)
    with open(f"{folder}/merged/file", "w") as file:
        file.write("x")


def _mount(source: str, target: str, kind: str | None, flags: int, options: str | None) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mount.argtypes = (
        ctypes.c_char_p,
        ctypes.c_char_p,
        ctypes.c_char_p,
        ctypes.c_ulong,
        ctypes.c_char_p,
    )
    encoded = [None if text is None else text.encode() for text in (source, target, kind, options)]
    if libc.mount(encoded[0], encoded[1], encoded[2], flags, encoded[3]) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _nftables_socket() -> None:
    """Ask the kernel for its ruleset generation (NFNL_SUBSYS_NFTABLES, NFT_MSG_GETGEN) in a fresh network namespace."""
    import socket
    import struct

    _unshare(_NAMESPACES["network namespaces"])
    netlink_netfilter, getgen = 12, (10 << 8) | 16
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, netlink_netfilter) as link:
        link.settimeout(5)
        link.send(struct.pack("=IHHIIBBH", 20, getgen, 1, 1, 0, 0, 0, 0))
        reply = link.recv(4096)
    kind = struct.unpack_from("=H", reply, 4)[0]
    if kind == 2:  # NLMSG_ERROR
        code = -struct.unpack_from("=i", reply, 16)[0]
        if code:
            raise OSError(code, os.strerror(code))


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def _text(error: BaseException) -> str:
    if isinstance(error, OSError) and error.errno:
        return f"{os.strerror(error.errno).lower()} ({errno.errorcode.get(error.errno, error.errno)})"
    return " ".join(str(error).split()) or type(error).__name__
