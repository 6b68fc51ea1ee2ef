"""Takes a container's places in its networks: for each the bridge made sure of, an address, and the host's ports.

All in one transaction, so that no address is given twice and a refusal leaves nothing taken.
"""

from __future__ import annotations

from ..errors import Conflict, EngineError, InvalidRequest
from ..models import Endpoint
from . import driver_options, ipam, ports, rows
from .address import mac_of, parse_subnet
from .claim import HostLock, claim
from .netlink import Netlink

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..models import Network, NetworkAttachment, PortMapping
    from ..store import Store, Transaction
    from .ports import Taken


def reserve(
    store: Store,
    root: str,
    container_id: str,
    wanted: Sequence[NetworkAttachment],
    published: Sequence[PortMapping] = (),
    *,
    beside: tuple[Endpoint, ...] = (),
    also: Callable[[Transaction], object] | None = None,
) -> tuple[Endpoint, ...]:
    """The new endpoints, in the order asked for. `beside`: those that the running container has and keeps; without
    them all that it still had is given back first. `also` joins the transaction.

    The first network with a way out gets the default route and the published ports. Raises NetworkNotFound,
    InvalidRequest, Conflict ("port is already allocated"), EngineError.
    """
    rows.ensure_predefined(store)
    try:
        with HostLock(), Netlink() as host:
            networks = [_ready(store, root, host, container_id, attachment) for attachment in wanted]
            with store.transaction() as tx:
                if not beside:
                    tx.execute("DELETE FROM endpoints WHERE container_id = ?", (container_id,))
                made: list[Endpoint] = []
                for network, attachment in zip(networks, wanted, strict=True):
                    made.append(_place(tx, container_id, network, attachment, (*beside, *made)))
                made = _publish(tx, made, networks, published)
                for endpoint, network in zip(made, networks, strict=True):
                    rows.write_endpoint(tx, container_id, endpoint)
                    told = {"container": container_id, "name": network.name, "type": network.driver}
                    tx.event("network", "connect", network.id, told)
                if also:
                    also(tx)
            return tuple(made)
    except OSError as error:
        names = ", ".join(attachment.network for attachment in wanted)
        raise EngineError(f"network {names}: {error.strerror or error}") from error


def check(network: Network, attachment: NetworkAttachment) -> None:
    """Raise InvalidRequest for what the network cannot give, whoever has its addresses."""
    if network.driver != "bridge":
        raise InvalidRequest(f"network {network.name} of driver {network.driver} gives no addresses")
    if network.name == "bridge":
        if attachment.address:
            raise InvalidRequest(
                "user specified IP address is supported on user defined networks only",
                hint="Make one: pydock network create --subnet …",
            )
        if attachment.aliases:
            raise InvalidRequest("network-scoped aliases are only supported for user-defined networks")
    if attachment.address and network.subnet:
        ipam.check_fixed(attachment.address, network.subnet, network.gateway, set())


def _ready(store: Store, root: str, host: Netlink, container_id: str, attachment: NetworkAttachment) -> Network:
    """The network, its bridge there."""
    network = rows.find(store, attachment.network)
    check(network, attachment)
    used = store.query(
        "SELECT count(*) FROM endpoints WHERE network = ? AND container_id != ?", (network.name, container_id)
    )
    others = [parse_subnet(other.subnet) for other in rows.every(store) if other.subnet and other.id != network.id]
    claimed = claim(host, network, root, in_use=used[0][0] > 0, automatic=network.name == "bridge", reserved=others)
    if claimed != network:
        # Before all that may be refused: the host's bridge must stand in a row from now on.
        with store.transaction() as tx:
            rows.save(tx, claimed)
    return claimed


def _place(
    tx: Transaction,
    container_id: str,
    network: Network,
    attachment: NetworkAttachment,
    others: tuple[Endpoint, ...],
) -> Endpoint:
    if any(other.network == network.name for other in others):
        raise Conflict(f"container {container_id[:12]} is already connected to network {network.name}")
    found = tx.execute("SELECT address FROM endpoints WHERE network = ?", (network.name,)).fetchall()
    taken = {row[0] for row in found}
    last = rows.last_address(tx, network)
    if attachment.address:
        address = ipam.check_fixed(attachment.address, network.subnet, network.gateway, taken)
    else:
        last = address = ipam.next_address(network.subnet, network.gateway, taken, last, network.ip_range)
    rows.save(tx, network, last=last)
    names = {other.interface for other in others}
    return Endpoint(
        network=network.name,
        network_id=network.id,
        bridge=network.bridge,
        interface=next(name for number in range(len(names) + 1) if (name := f"eth{number}") not in names),
        internal=network.internal,
        address=address,
        prefix_length=parse_subnet(network.subnet)[1],
        gateway=network.gateway,
        mac=attachment.mac.lower().replace("-", ":") or mac_of(address),
        aliases=attachment.aliases,
        default_route=not network.internal and not any(other.default_route for other in others),
        isolated=driver_options.isolated(network),
        masquerade=driver_options.masquerade(network),
        mtu=driver_options.mtu(network),
    )


def _publish(
    tx: Transaction, made: list[Endpoint], networks: list[Network], published: Sequence[PortMapping]
) -> list[Endpoint]:
    """The endpoints, one of them with the ports."""
    if not published or not made:
        return made
    at = next((index for index, endpoint in enumerate(made) if endpoint.default_route), 0)
    binding = driver_options.host_binding(networks[at])
    asked = [port.replace(host_ip=port.host_ip or binding) for port in published]
    made[at] = made[at].replace(ports=ports.decide(asked, _taken_ports(tx)))
    return made


def _taken_ports(tx: Transaction) -> Taken:
    found = tx.execute(
        "SELECT coalesce(c.name, substr(e.container_id, 1, 12)), e.document FROM endpoints e"
        " LEFT JOIN containers c ON c.id = e.container_id WHERE json_array_length(e.document, '$.ports') > 0"
    ).fetchall()
    taken: Taken = {}
    for name, document in found:
        for port in rows.endpoint(document).ports:
            taken[port.protocol, port.host_ip, port.host_port] = name
    return taken
