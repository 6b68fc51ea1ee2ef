"""Volumes with options of the driver `local` (`type`, `o`, `device`): mounted at their data folder while somebody
needs them.

The mount is one of the host's, so that containers share it, a tmpfs too. Who needs it holds a shared flock on a note in
the run root until a container's row says that it runs; whoever finds a note that neither a lock nor a live container
keeps takes the mount away. A reboot takes notes and mounts at once.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat

from runtime.kernel import calls, mounts
from runtime.kernel import constants as k

from ..errors import Conflict, EngineError, InvalidRequest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_TRIES = 50
OPTIONS = ("type", "o", "device")
_NEEDS = {"type": ("device",), "device": ("type",), "o": ("type", "device")}
_FLAGS = {
    "ro": k.MS_RDONLY,
    "nosuid": k.MS_NOSUID,
    "nodev": k.MS_NODEV,
    "noexec": k.MS_NOEXEC,
    "sync": k.MS_SYNCHRONOUS,
    "dirsync": k.MS_DIRSYNC,
    "bind": k.MS_BIND,
    "rbind": k.MS_BIND | k.MS_REC,
    "noatime": 1 << 10,
    "nodiratime": 1 << 11,
    "relatime": 1 << 21,
    "strictatime": 1 << 24,
}
_AFTER_BIND = k.MS_RDONLY | k.MS_NOSUID | k.MS_NODEV | k.MS_NOEXEC | 1 << 10 | 1 << 11 | 1 << 21 | 1 << 24
_WITHOUT_EFFECT = frozenset(("", "rw", "suid", "dev", "exec", "async", "defaults", "loop", "auto", "noauto", "_netdev"))


def check_options(options: Mapping[str, str]) -> None:
    """Raises InvalidRequest for options that the driver does not know, or that lack others."""
    for name in options:
        if name not in OPTIONS:
            raise InvalidRequest(f'invalid option: "{name}"', hint=f"The driver local knows {', '.join(OPTIONS)}.")
    for name, needed in _NEEDS.items():
        for other in needed:
            if options.get(name) and not options.get(other):
                raise InvalidRequest(f'missing required option: "{other}"')
    if _is_bind(options) and not options.get("device", "").startswith("/"):
        raise InvalidRequest(f'the device of a bind must be an absolute path, not "{options.get("device", "")}"')


def attach(notes: str, name: str, path: str, options: Mapping[str, str]) -> int:
    """Mount the volume where it is not; the descriptor whose lock keeps it so. Raises EngineError."""
    os.makedirs(notes, mode=0o700, exist_ok=True)
    for _ in range(_TRIES):
        fd = os.open(f"{notes}/{name}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_SH)
            if _is_note(f"{notes}/{name}", fd):
                if is_mounted(path):
                    return fd
                # Not while others wait for us to give up what we share: the kernel lets go of the one for the other.
                fcntl.flock(fd, fcntl.LOCK_EX)
                if _is_note(f"{notes}/{name}", fd) and not is_mounted(path):
                    _mount(name, path, options)
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)
    raise Conflict(f"volume {name} is being mounted and unmounted by others all the time", hint="Try again.")


def is_mounted(path: str) -> bool:
    """Whether something is mounted at a directory; st_dev would not tell of a bind from the same file system."""
    parent_fd = os.open(os.path.dirname(path), os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.close(calls.openat2(parent_fd, os.path.basename(path), os.O_PATH, resolve=k.RESOLVE_NO_XDEV))
    except FileNotFoundError:
        return False
    except OSError as error:
        if error.errno == errno.EXDEV:
            return True
        raise
    finally:
        os.close(parent_fd)
    return False


def release(notes: str, path_of: Callable[[str], str], used: Callable[[], set[str]]) -> None:
    """Unmount every volume that nobody needs. `used` names those of live containers; asked only when there is a
    note."""
    try:
        names = os.listdir(notes)
    except FileNotFoundError:
        return
    for name in names:
        try:
            fd = os.open(f"{notes}/{name}", os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_note(f"{notes}/{name}", fd) and name not in used() and _unmount(path_of(name)):
                os.unlink(f"{notes}/{name}")
        except BlockingIOError:
            pass
        finally:
            os.close(fd)


def _mount(name: str, path: str, options: Mapping[str, str]) -> None:
    kind, device = options.get("type", ""), options.get("device", "")
    flags, data = _parse(options.get("o", ""))
    if flags & k.MS_BIND:
        if not os.path.exists(device):
            raise InvalidRequest(f"failed to mount local volume {name}: {device}: no such file or directory")
        kind = ""
    try:
        if kind.startswith("nfs") or kind == "cifs":
            data = _with_address(data)
        elif not flags & k.MS_BIND and _is_image(device):
            from .loop import attach_loop

            with attach_loop(device, read_only=bool(flags & k.MS_RDONLY)) as loop:
                mounts.mount(loop, path, kind, flags, ",".join(data))
            return
        mounts.mount(device, path, kind, flags, ",".join(data))
        if flags & k.MS_BIND and flags & _AFTER_BIND:
            mounts.mount("", path, "", flags & ~k.MS_REC | k.MS_REMOUNT)
    except OSError as error:
        detail = f"type={options.get('type', '')} o={options.get('o', '')} device={device}"
        reason = os.strerror(error.errno or 0).lower()
        raise EngineError(
            f"failed to mount local volume {name} ({detail}): {reason}", hint=_hint(error, kind)
        ) from error


def _hint(error: OSError, kind: str) -> str:
    if error.errno == errno.ENODEV:
        return f"This kernel does not know the file system {kind}."
    if kind.startswith("nfs"):
        return "Is the server reachable? `o` wants addr=SERVER, `device` :/PATH."
    return ""


def _parse(text: str) -> tuple[int, list[str]]:
    flags, data = 0, []
    for word in text.split(","):
        if word in _FLAGS:
            flags |= _FLAGS[word]
        elif word not in _WITHOUT_EFFECT:
            data.append(word)
    return flags, data


def _with_address(data: list[str]) -> list[str]:
    """The kernel wants numbers where people write names."""
    import socket

    found = []
    for word in data:
        key, _, value = word.partition("=")
        if key in ("addr", "ip") and value:
            word = f"{key}={socket.getaddrinfo(value, None)[0][4][0]}"
        found.append(word)
    return found


def _is_bind(options: Mapping[str, str]) -> bool:
    return bool({"bind", "rbind"} & set(options.get("o", "").split(",")))


def _is_image(device: str) -> bool:
    try:
        return device.startswith("/") and stat.S_ISREG(os.stat(device).st_mode)
    except OSError:
        return False


def _unmount(path: str) -> bool:
    """False while something in it is still in use."""
    while is_mounted(path):
        try:
            mounts.umount(path, 0)
        except OSError as error:
            if error.errno in (errno.EINVAL, errno.ENOENT):
                break
            return False
    return True


def _is_note(path: str, fd: int) -> bool:
    try:
        there = os.stat(path)
    except FileNotFoundError:
        return False
    return there.st_ino == os.fstat(fd).st_ino
