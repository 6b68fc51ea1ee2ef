"""System call filters: compile a profile, keep the result, install it.

`compile` is half a millisecond for Docker's default profile, so a cache is worth it only where it saves
importing the compiler and its tables too: `cached` does.
"""

from __future__ import annotations

import os

from .. import jsontext
from ..errors import InvalidConfig, SetupFailed
from ..kernel import seccomp as kernel

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_VERSION = 1
"""Part of the cache key: counts up when the compiler's output changes."""

_FLAGS = {
    "SECCOMP_FILTER_FLAG_TSYNC": kernel.FLAG_TSYNC,
    "SECCOMP_FILTER_FLAG_LOG": kernel.FLAG_LOG,
    "SECCOMP_FILTER_FLAG_SPEC_ALLOW": kernel.FLAG_SPEC_ALLOW,
    "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV": kernel.FLAG_WAIT_KILLABLE_RECV,
}


def compile(profile: dict[str, Any]) -> bytes:
    """linux.seccomp of config.json as classic BPF for this machine. Raises InvalidConfig."""
    from .seccomp_compiler import assemble

    return assemble(profile)


def cached(directory: str, profile: dict[str, Any]) -> bytes:
    """`compile`, kept in `directory` under the profile's SHA-256.

    Files appear by rename and are never changed. The directory is to be writable by root alone, since what
    is in it is believed; one that cannot be written is no error.
    """
    key = jsontext.dumps([_VERSION, os.uname().machine, profile])
    path = f"{directory}/{_sha256(key.encode())}.bpf"
    try:
        with open(path, "rb") as file:
            program = file.read()
        if program and len(program) % 8 == 0:
            return program
    except OSError:
        pass
    program = compile(profile)
    temporary = f"{path}.{os.getpid()}"
    try:
        os.makedirs(directory, mode=0o700, exist_ok=True)
        with open(temporary, "wb") as file:
            file.write(program)
        os.rename(temporary, path)
    except OSError:
        pass
    return program


def filter_flags(profile: dict[str, Any]) -> int:
    """`flags` of the profile for `install`. None given means SPEC_ALLOW, as in runc: without it every program
    in the container pays for mitigations that the host's own do without. Raises InvalidConfig."""
    names = profile.get("flags")
    if names is None:
        return kernel.FLAG_SPEC_ALLOW
    flags = 0
    for index, name in enumerate(names):
        if name not in _FLAGS:
            path = f"linux.seccomp.flags[{index}]"
            raise InvalidConfig(f"{path}: unknown flag {name!r}", path=path)
        flags |= _FLAGS[name]
    return flags


def notifies(profile: dict[str, Any]) -> bool:
    """Whether some call is to be answered by a supervisor: then `install` needs `listener`."""
    actions = [profile.get("defaultAction"), *(rule.get("action") for rule in profile.get("syscalls") or ())]
    return "SCMP_ACT_NOTIFY" in actions


def install(program: bytes, flags: int = 0, listener: bool = False) -> int:
    """Put the filter on this process, for good and for all its children.

    Needs no_new_privs, or CAP_SYS_ADMIN in the user namespace: so without no_new_privs it comes before
    capabilities are dropped. The result is the notification descriptor with `listener`, else -1. Raises
    SetupFailed.
    """
    if listener:
        flags |= kernel.FLAG_NEW_LISTENER
    try:
        result = kernel.set_mode_filter(program, flags)
    except OSError as error:
        number = error.errno or 0
        raise SetupFailed(
            f"linux.seccomp: the kernel refused the filter: {os.strerror(number)}",
            path="linux.seccomp",
            hint="a filter needs process.noNewPrivileges, or CAP_SYS_ADMIN" if number == 13 else "",
            errno=number,
        ) from error
    return result if listener else -1


def _sha256(data: bytes) -> str:
    """The interpreter's own SHA-256: hashlib would load OpenSSL for it, 4 ms."""
    try:
        from _sha2 import sha256  # type: ignore[import-not-found]  # Python >= 3.12
    except ImportError:
        from _sha256 import sha256  # type: ignore[import-not-found]
    digest: str = sha256(data).hexdigest()
    return digest
