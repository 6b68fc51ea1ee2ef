"""The table of networks, and what the table of endpoints says of them. Who changes either holds a transaction."""

from __future__ import annotations

import json
import os
import time

from ..errors import InvalidRequest, NetworkNotFound
from ..models import Endpoint, Network

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..store import Store, Transaction

PREDEFINED = ("bridge", "host", "none")
_HINT = "pydock network ls lists them."


def ensure_predefined(store: Store) -> None:
    """Make the three networks that are always there."""
    if store.query("SELECT count(*) FROM networks WHERE name IN ('bridge', 'host', 'none')")[0][0] == len(PREDEFINED):
        return
    with store.transaction() as tx:
        for name in PREDEFINED:
            network = Network(id=os.urandom(32).hex(), name=name, driver=name, created_ns=time.time_ns())
            tx.execute(
                "INSERT OR IGNORE INTO networks (id, name, document) VALUES (?, ?, ?)",
                (network.id, name, json.dumps(network.to_json())),
            )


def every(store: Store) -> list[Network]:
    """All networks, by name."""
    ensure_predefined(store)
    return [_network(row[0]) for row in store.query("SELECT document FROM networks ORDER BY name")]


def find(store: Store, reference: str) -> Network:
    """By name, id, or unambiguous beginning of an id. Raises NetworkNotFound, InvalidRequest."""
    found = every(store)
    for network in found:
        if reference in (network.name, network.id):
            return network
    matching = [network for network in found if reference and network.id.startswith(reference)]
    if len(matching) > 1:
        raise InvalidRequest(f"{reference} is the beginning of more than one network id", hint="Give more digits.")
    if not matching:
        raise NetworkNotFound(f"network {reference} not found", hint=_HINT)
    return matching[0]


def save(tx: Transaction, network: Network, *, last: str = "", last6: str = "") -> None:
    """Write a network; the addresses given last are kept in the row beside its own fields."""
    document = json.dumps({**network.to_json(), "last": last, "last6": last6})
    tx.execute("UPDATE networks SET document = ? WHERE id = ?", (document, network.id))


def last_addresses(tx: Transaction, network: Network) -> tuple[str, str]:
    """Of IPv4 and of IPv6. Raises NetworkNotFound."""
    row = tx.execute("SELECT document FROM networks WHERE id = ?", (network.id,)).fetchone()
    if row is None:
        raise NetworkNotFound(f"network {network.name} not found", hint=_HINT)
    document = json.loads(row[0])
    return str(document.get("last", "")), str(document.get("last6", ""))


def endpoints(store: Store, network: str) -> list[tuple[str, str, Endpoint]]:
    """Id and name of each container that has a place in the network, with that place."""
    found = store.query(
        "SELECT e.container_id, c.name, e.document FROM endpoints e LEFT JOIN containers c"
        " ON c.id = e.container_id WHERE e.network = ? ORDER BY e.rowid",
        (network,),
    )
    return [(row[0], row[1] or row[0][:12], endpoint(row[2])) for row in found]


def every_endpoint(store: Store) -> list[tuple[str, Endpoint]]:
    """Id and place of each container that has one, in all networks."""
    found = store.query("SELECT container_id, document FROM endpoints ORDER BY rowid")
    return [(row[0], endpoint(row[1])) for row in found]


def endpoint_count(store: Store) -> int:
    return int(store.query("SELECT count(*) FROM endpoints")[0][0])


def of_container(store: Store, container_id: str) -> tuple[Endpoint, ...]:
    """A container's places, in the order in which it took them."""
    found = store.query("SELECT document FROM endpoints WHERE container_id = ? ORDER BY rowid", (container_id,))
    return tuple(endpoint(row[0]) for row in found)


def endpoint(document: str) -> Endpoint:
    """An endpoint from its row."""
    return Endpoint.from_json(json.loads(document))


def release(tx: Transaction, container_id: str, network: str = "") -> None:
    """Give a container's addresses and ports back, in one network or all; quiet when there are none."""
    where, arguments = "container_id = ?", [container_id]
    if network:
        where, arguments = f"{where} AND network = ?", [container_id, network]
    found = tx.execute(f"SELECT document FROM endpoints WHERE {where}", tuple(arguments)).fetchall()
    tx.execute(f"DELETE FROM endpoints WHERE {where}", tuple(arguments))
    for (document,) in found:
        left = endpoint(document)
        told = {"container": container_id, "name": left.network, "type": left.driver}
        tx.event("network", "disconnect", left.network_id, told)


def write_endpoint(tx: Transaction, container_id: str, place: Endpoint) -> None:
    """Add a container's place in a network, or change it."""
    tx.execute(
        "INSERT INTO endpoints (container_id, network, address, document) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (container_id, network) DO UPDATE SET address = excluded.address, document = excluded.document",
        (container_id, place.network, place.address or place.address6, json.dumps(place.to_json())),
    )


def _network(document: str) -> Network:
    return Network.from_json(json.loads(document))
