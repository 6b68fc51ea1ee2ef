"""`--userns auto`: 65536 ids of the host for each container, which are nobody there and everybody inside.

Ranges are taken from the `pydock` line of /etc/subuid where there is one, else from a part of the numbers that no other
tool hands out (0x70000000 to 0x7FFDFFFF, "unused" in systemd's table of uids). What lies on disk keeps the image's own
ids: mounts are id-mapped where the file system can, and copied with shifted owners where it cannot.
"""

from __future__ import annotations

from ..errors import HostUnfit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container as Holder
    from typing import Any

SIZE = 1 << 16
_FIRST, _END = 0x7000_0000, 0x7FFE_0000
_SUBUID = "/etc/subuid"
_USER = "pydock"


def free(taken: Holder[int]) -> int:
    """The lowest range that is not among these, by its first id. Raises HostUnfit."""
    first, end = _pool()
    for base in range(first, end - SIZE + 1, SIZE):
        if base not in taken:
            return base
    raise HostUnfit(
        f"all id ranges from {first} to {end - 1} are taken", hint="Remove containers made with --userns auto."
    )


def mappings(base: int) -> list[dict[str, int]]:
    """For `linux.uidMappings` and for mounts."""
    return [{"containerID": 0, "hostID": base, "size": SIZE}]


def with_mappings(mount: dict[str, Any], base: int) -> dict[str, Any]:
    """A bind mount whose files belong inside to whom they belong on disk."""
    return {**mount, "uidMappings": mappings(base), "gidMappings": mappings(base)}


def _pool() -> tuple[int, int]:
    try:
        with open(_SUBUID, encoding="utf-8", errors="replace") as file:
            for line in file:
                name, _, numbers = line.strip().partition(":")
                first, _, count = numbers.partition(":")
                if name == _USER and first.isdigit() and count.isdigit() and int(count) >= SIZE:
                    return int(first), int(first) + int(count)
    except OSError:
        pass
    return _FIRST, _END
