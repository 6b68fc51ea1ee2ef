"""`idmap` of a mount: its files show other owners inside, by a mapping of their own.

Written as `idmap=uids=0-1000-10#10-11-10;gids=0-100-10`: start on disk, start inside, count; `#` between several. gids
are as uids when they are missing.
"""

from __future__ import annotations

import re

from ..errors import InvalidRequest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..models import Mount

_TRIPLE = re.compile(r"@?(\d{1,10})-(\d{1,10})-(\d{1,10})")


def mappings(mount: Mount, options: list[str]) -> dict[str, Any]:
    """What a mount's entry in config.json needs for it; the option is added to `options`."""
    asked = next((option for option in mount.options if option.partition("=")[0] == "idmap"), "")
    if not asked:
        return {}
    text = asked.partition("=")[2]
    lists: dict[str, list[dict[str, int]]] = {}
    for part in text.split(";") if text else ():
        kind, _, triples = part.partition("=")
        if kind not in ("uids", "gids"):
            raise InvalidRequest(f"invalid idmap {text!r}: {kind!r} is neither uids nor gids")
        lists[kind] = [_mapping(triple, text) for triple in triples.split("#")]
    uids = lists.get("uids") or lists.get("gids")
    if not uids:
        raise InvalidRequest(
            f"the mount at {mount.target} is to be id-mapped, but not how",
            hint="Write idmap=uids=DISK-INSIDE-COUNT;gids=DISK-INSIDE-COUNT.",
        )
    options.append("idmap" if "bind" in options else "ridmap")
    return {"uidMappings": uids, "gidMappings": lists.get("gids") or uids}


def _mapping(text: str, whole: str) -> dict[str, int]:
    match = _TRIPLE.fullmatch(text)
    numbers = [int(number) for number in match.groups()] if match else []
    if not numbers or not numbers[2] or max(numbers[0], numbers[1]) + numbers[2] > 1 << 32:
        raise InvalidRequest(f"invalid idmap {whole!r}: {text!r} is not DISK-INSIDE-COUNT")
    return {"containerID": numbers[0], "hostID": numbers[1], "size": numbers[2]}
