"""What a container's name service knows by itself: who is in its networks, read from the table of endpoints.

SQLite tells cheaply whether anybody has written since (`data_version`): that is asked before each batch of questions,
so that an answer is as true as the table. An idle shim holds nothing of the database.
"""

from __future__ import annotations

import json

from ..errors import EngineError
from ..networks.address import contains, pack, parse_subnet, subnet_of
from ..store import Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..networks.address import Subnet
    from ..paths import Paths
    from .loop import Loop, Timer

IDLE_S = 20.0
_NEIGHBOURS = """
SELECT e.container_id, c.name, e.network, json_extract(e.document, '$.address'), json_extract(e.document, '$.address6'),
       json_extract(e.document, '$.aliases'), json_extract(e.document, '$.internal'),
       json_extract(e.document, '$.prefix_length'), json_extract(e.document, '$.prefix_length6'),
       json_extract(e.document, '$.links')
FROM endpoints e JOIN containers c ON c.id = e.container_id
WHERE e.network IN (SELECT network FROM endpoints WHERE container_id = ?)
"""


class Names:
    """`may_leave`: whether one of the container's networks leads outside."""

    def __init__(self, loop: Loop, paths: Paths, container_id: str) -> None:
        self.may_leave = False
        self._loop = loop
        self._paths = paths
        self._id = container_id
        self._store: Store | None = None
        self._version = -1
        self._asked = False
        self._timer: Timer | None = None
        self._turn = 0
        self._addresses: dict[str, list[bytes]] = {}
        self._pointers: dict[str, str] = {}
        self._subnets: set[Subnet] = set()
        self.generation = 0
        """Another number whenever something may have changed."""

    def refresh(self) -> None:
        """Make sure that all that is known is true now. A database that cannot be read leaves what was known."""
        self._asked = True
        try:
            if self._store is None:
                self._store = Store(self._paths.database)
                self._version = -1
                self._timer = self._loop.later(IDLE_S, self._rest)
            version = self._store.query("PRAGMA data_version")[0][0]
            if version != self._version:
                self._read(self._store)
                self._version = version
                self.generation += 1
        except EngineError:
            pass

    def addresses(self, name: str) -> list[bytes] | None:
        """The packed addresses, of both families, of those who have the name, another first each time; None for
        nobody's name."""
        found = self._addresses.get(name)
        if found is None or len(found) == 1:
            return found
        self._turn += 1
        first = self._turn % len(found)
        return found[first:] + found[:first]

    def turns(self, name: str) -> bool:
        """Whether the next answer for the name is another."""
        return len(self._addresses.get(name, ())) > 1

    def name_of(self, address: str) -> str | None:
        """`name.network` of who has the address; "" for nobody in our subnets, None for one elsewhere."""
        if address in self._pointers:
            return self._pointers[address]
        return "" if any(contains(subnet, address) for subnet in self._subnets) else None

    def close(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None
        if self._store:
            self._store.close()
            self._store = None

    def _rest(self) -> None:
        if self._asked:
            self._asked = False
            self._timer = self._loop.later(IDLE_S, self._rest)
        else:
            self.close()

    def _read(self, store: Store) -> None:
        addresses: dict[str, list[bytes]] = {}
        pointers: dict[str, str] = {}
        subnets: set[Subnet] = set()
        links: list[tuple[str, str]] = []
        may_leave = False
        for row in store.query(_NEIGHBOURS, (self._id,)):
            container_id, name, network, address, address6, aliases, internal, length, length6, linked = row
            may_leave = may_leave or not internal
            if network == "bridge":  # has no names, as in Docker
                continue
            if container_id == self._id:
                links += [(network, link) for link in json.loads(linked or "[]")]
            packed = []
            for one, prefix_length in ((address, length), (address6, length6)):
                if one:
                    packed.append(pack(one))
                    pointers[one] = f"{name}.{network}"
                    subnets.add(parse_subnet(subnet_of(one, prefix_length)))
            for known in {name.lower(), container_id[:12], *(alias.lower() for alias in json.loads(aliases))}:
                for spelled in (known, f"{known}.{network.lower()}"):
                    addresses.setdefault(spelled, []).extend(packed)
        for network, link in links:
            target, _, alias = link.partition(":")
            meant = addresses.get(f"{target.lower()}.{network.lower()}")
            if meant and alias:
                addresses[alias.lower()] = addresses[f"{alias.lower()}.{network.lower()}"] = meant
        self._addresses, self._pointers, self._subnets, self.may_leave = addresses, pointers, subnets, may_leave
