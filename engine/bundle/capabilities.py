"""Which capabilities a container gets: Docker's default fourteen, changed by what was asked."""

from __future__ import annotations

from runtime.security.capability_names import NAMES

from ..errors import InvalidRequest
from . import host

DEFAULT = (
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FSETID",
    "CAP_FOWNER",
    "CAP_MKNOD",
    "CAP_NET_RAW",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETFCAP",
    "CAP_SETPCAP",
    "CAP_NET_BIND_SERVICE",
    "CAP_SYS_CHROOT",
    "CAP_KILL",
    "CAP_AUDIT_WRITE",
)


def resolve(cap_add: tuple[str, ...], cap_drop: tuple[str, ...], privileged: bool = False) -> tuple[str, ...]:
    """The capabilities as CAP_ names, in the order of their numbers.

    Names come in any case, with or without CAP_, or as ALL. As in Docker: `privileged` is all, whatever else is
    asked; dropping ALL leaves what is added by name; adding ALL leaves all that is not dropped by name; what
    is both added and dropped is added. Raises InvalidRequest for a name that no kernel knows.
    """
    added, dropped = _normalize(cap_add, "--cap-add"), _normalize(cap_drop, "--cap-drop")
    if privileged:
        return NAMES
    if "ALL" in added:
        wanted = set(NAMES) - dropped
    elif "ALL" in dropped:
        wanted = added
    else:
        wanted = set(DEFAULT) - dropped | added
    return tuple(name for name in NAMES if name in wanted)


def possible(cap_add: tuple[str, ...], cap_drop: tuple[str, ...], privileged: bool = False) -> tuple[str, ...]:
    """Those of `resolve` that this host has."""
    wanted = resolve(cap_add, cap_drop, privileged)
    here = host.capabilities()
    return tuple(name for name in wanted if name in here)


def missing(cap_add: tuple[str, ...], cap_drop: tuple[str, ...], privileged: bool = False) -> tuple[str, ...]:
    """Those that were asked for, by name or as all of them, and that this host does not have."""
    if not privileged and not cap_add:
        return ()
    here = host.capabilities()
    return tuple(name for name in resolve(cap_add, cap_drop, privileged) if name not in here)


def _normalize(asked: tuple[str, ...], flag: str) -> set[str]:
    found = set()
    for word in asked:
        name = word.strip().upper()
        if name == "ALL":
            found.add(name)
            continue
        if not name.startswith("CAP_"):
            name = f"CAP_{name}"
        if name not in NAMES:
            raise InvalidRequest(
                f'unknown capability "{word}" for {flag}', hint="`man 7 capabilities` lists them; ALL means every one"
            )
        found.add(name)
    return found
