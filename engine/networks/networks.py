"""Networks: which there are, and a container's place in them, taken before each start and given back after it.

Rows are the truth for addresses and host ports; interfaces and rules follow from them (`attach.py`), and can be made
again from them. Three networks are always there: bridge, host and none.
"""

from __future__ import annotations

import json
import os
import time

from ..errors import EngineError, InvalidRequest, NetworkNotFound
from ..models import Endpoint, Network

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from ..models import CreateRequest, PortMapping
    from ..paths import Paths
    from ..store import Store, Transaction
    from .ports import Taken

PREDEFINED = ("bridge", "host", "none")


class Networks:
    """The networks of one engine; safe from several threads and processes."""

    def __init__(self, store: Store, paths: Paths) -> None:
        self._store = store
        self._root = paths.root

    def list(self) -> list[Network]:
        """All, by name."""
        self._ensure_predefined()
        rows = self._store.query("SELECT document FROM networks ORDER BY name")
        return [_network(row[0]) for row in rows]

    def get(self, reference: str) -> Network:
        """By name, id, or unambiguous beginning of an id. Raises NetworkNotFound."""
        found = self.list()
        for network in found:
            if reference in (network.name, network.id):
                return network
        matching = [network for network in found if reference and network.id.startswith(reference)]
        if len(matching) == 1:
            return matching[0]
        raise NetworkNotFound(f"network {reference} not found", hint="pydock network ls lists them.")

    def inspect(self, reference: str) -> dict[str, Any]:
        """In the shape of `docker network inspect`."""
        network = self.get(reference)
        rows = self._store.query(
            "SELECT e.container_id, c.name, e.document FROM endpoints e LEFT JOIN containers c"
            " ON c.id = e.container_id WHERE e.network = ?",
            (network.name,),
        )
        containers = {}
        for container_id, name, document in rows:
            endpoint = Endpoint.from_json(json.loads(document))
            containers[container_id] = {
                "Name": name or container_id[:12],
                "EndpointID": endpoint_id(container_id, network.id),
                "MacAddress": endpoint.mac,
                "IPv4Address": f"{endpoint.address}/{endpoint.prefix_length}",
                "IPv6Address": "",
            }
        config = [{"Subnet": network.subnet, "Gateway": network.gateway}] if network.subnet else []
        options = {"com.docker.network.bridge.name": network.bridge} if network.bridge else {}
        seconds, nanoseconds = divmod(network.created_ns, 1_000_000_000)
        created = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
        return {
            "Name": network.name,
            "Id": network.id,
            "Created": f"{created}.{nanoseconds:09d}Z",
            "Scope": "local",
            # Docker's word for the driver of its network "none".
            "Driver": "null" if network.driver == "none" else network.driver,
            "EnableIPv4": True,
            "EnableIPv6": False,
            "IPAM": {"Driver": "default", "Options": None, "Config": config},
            "Internal": network.internal,
            "Attachable": False,
            "Ingress": False,
            "ConfigFrom": {"Network": ""},
            "ConfigOnly": False,
            "Containers": containers,
            "Options": options,
            "Labels": network.labels,
        }

    def reserve(
        self,
        container_id: str,
        container_name: str,
        request: CreateRequest,
        exposed_ports: tuple[str, ...] = (),
    ) -> tuple[Endpoint, ...]:
        """Make sure of the bridge, and take addresses and host ports for a start in one transaction.

        () for the modes without an interface of our making: host, none, container:ID. What the container still had
        from a start that went wrong is given back first. Raises Conflict ("port is already allocated"),
        NetworkNotFound, EngineError.
        """
        if request.network in ("host", "none") or request.network.startswith("container:"):
            return ()
        # What only a start needs is imported by it: `pydock ps` opens the engine too.
        from . import ports
        from .claim import HostLock, claim
        from .netlink import Netlink

        asked = ports.wanted(request.ports, exposed_ports, publish_all=request.publish_all)
        self._ensure_predefined()
        try:
            with HostLock(), Netlink() as host:
                network = _load(self._store, request.network)
                used = self._store.query(
                    "SELECT count(*) FROM endpoints WHERE network = ? AND container_id != ?",
                    (network.name, container_id),
                )
                claimed = claim(host, network, self._root, in_use=used[0][0] > 0, automatic=network.name == "bridge")
                if claimed != network:
                    # Before all that may be refused: the host's bridge must stand in a row from now on.
                    with self._store.transaction() as tx:
                        _save(tx, claimed)
                return (self._reserve(claimed, container_id, asked),)
        except OSError as error:
            raise EngineError(f"network {request.network}: {error.strerror or error}") from error

    def _reserve(self, network: Network, container_id: str, asked: Sequence[PortMapping]) -> Endpoint:
        from . import ipam, ports
        from .address import mac_of, parse_subnet

        with self._store.transaction() as tx:
            tx.execute("DELETE FROM endpoints WHERE container_id = ?", (container_id,))
            decided = ports.decide(asked, _taken_ports(tx)) if asked else ()
            address = ipam.next_address(
                network.subnet, network.gateway, _addresses(tx, network.name), _last(tx, network)
            )
            endpoint = Endpoint(
                network=network.name,
                network_id=network.id,
                bridge=network.bridge,
                internal=network.internal,
                address=address,
                prefix_length=parse_subnet(network.subnet)[1],
                gateway=network.gateway,
                mac=mac_of(address),
                ports=decided,
            )
            tx.execute(
                "INSERT INTO endpoints (container_id, network, address, document) VALUES (?, ?, ?, ?)",
                (container_id, network.name, address, json.dumps(endpoint.to_json())),
            )
            _save(tx, network, last=address)
            tx.event(
                "network",
                "connect",
                network.id,
                {"container": container_id, "name": network.name, "type": network.driver},
            )
        return endpoint

    def release(self, container_id: str) -> None:
        """Give addresses and host ports back; quiet when there are none."""
        with self._store.transaction() as tx:
            release(tx, container_id)

    def teardown(self) -> None:
        """Take away the bridges and rules of networks that no container is on; they are made again when
        needed. For clearing up: the end of an engine's data root, `prune`, tests."""
        from .claim import HostLock, give_up
        from .netlink import Netlink

        try:
            with HostLock(), Netlink() as host:
                used = {row[0] for row in self._store.query("SELECT DISTINCT network FROM endpoints")}
                rows = self._store.query("SELECT document FROM networks")
                for network in (_network(row[0]) for row in rows):
                    if network.bridge and network.name not in used:
                        give_up(host, network, self._root)
        except OSError as error:
            raise EngineError(f"network teardown: {error.strerror or error}") from error

    def _ensure_predefined(self) -> None:
        if self._store.query("SELECT count(*) FROM networks WHERE name IN ('bridge', 'host', 'none')")[0][0] == 3:
            return
        with self._store.transaction() as tx:
            for name in PREDEFINED:
                network = Network(id=os.urandom(32).hex(), name=name, driver=name, created_ns=time.time_ns())
                tx.execute(
                    "INSERT OR IGNORE INTO networks (id, name, document) VALUES (?, ?, ?)",
                    (network.id, name, json.dumps(network.to_json())),
                )


def release(tx: Transaction, container_id: str) -> None:
    """As `Networks.release`, inside the caller's transaction."""
    rows = tx.execute("SELECT document FROM endpoints WHERE container_id = ?", (container_id,)).fetchall()
    if not rows:
        return
    tx.execute("DELETE FROM endpoints WHERE container_id = ?", (container_id,))
    for (document,) in rows:
        endpoint = Endpoint.from_json(json.loads(document))
        tx.event(
            "network",
            "disconnect",
            endpoint.network_id,
            {"container": container_id, "name": endpoint.network, "type": "bridge"},
        )


def endpoint_id(container_id: str, network_id: str) -> str:
    """A stable id for a container's place in a network: 64 hex digits, as Docker's clients expect."""
    mixed = int(container_id, 16) ^ int(network_id, 16)
    return f"{mixed:064x}"


def _load(store: Store, name: str) -> Network:
    rows = store.query("SELECT document FROM networks WHERE name = ? OR id = ?", (name, name))
    if not rows:
        raise NetworkNotFound(f"network {name} not found", hint="pydock network ls lists them.")
    network = _network(rows[0][0])
    if network.driver != "bridge":
        raise InvalidRequest(f"network {network.name} of driver {network.driver} gives no addresses")
    return network


def _last(tx: Transaction, network: Network) -> str:
    """The address given last, kept in the row beside the network's own fields."""
    row = tx.execute("SELECT document FROM networks WHERE id = ?", (network.id,)).fetchone()
    return str(json.loads(row[0]).get("last", "")) if row else ""


def _save(tx: Transaction, network: Network, *, last: str = "") -> None:
    document = json.dumps({**network.to_json(), "last": last})
    tx.execute("UPDATE networks SET document = ? WHERE id = ?", (document, network.id))


def _addresses(tx: Transaction, network: str) -> set[str]:
    rows = tx.execute("SELECT address FROM endpoints WHERE network = ?", (network,)).fetchall()
    return {row[0] for row in rows}


def _taken_ports(tx: Transaction) -> Taken:
    rows = tx.execute(
        "SELECT coalesce(c.name, substr(e.container_id, 1, 12)), e.document FROM endpoints e"
        " LEFT JOIN containers c ON c.id = e.container_id WHERE json_array_length(e.document, '$.ports') > 0"
    ).fetchall()
    taken: Taken = {}
    for name, document in rows:
        for port in Endpoint.from_json(json.loads(document)).ports:
            taken[port.protocol, port.host_ip, port.host_port] = name
    return taken


def _network(document: str) -> Network:
    return Network.from_json(json.loads(document))
