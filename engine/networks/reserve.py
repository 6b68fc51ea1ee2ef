"""Takes a container's places in its networks: for each the bridge made sure of, an address, and the host's ports.

All in one transaction, so that no address is given twice and a refusal leaves nothing taken.
"""

from __future__ import annotations

from ..errors import Conflict, EngineError, InvalidRequest
from ..models import Endpoint
from . import driver_options, ipam, ports, rows
from .address import is_ipv6, mac_of, parse_subnet
from .claim import HostLock, claim, claim_parent, subnets
from .netlink import Netlink
from .rules import table_name

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

    The first network of the highest priority that leads outside gets the default route and the published ports. Raises
    NetworkNotFound, InvalidRequest, Conflict ("port is already allocated"), EngineError.
    """
    rows.ensure_predefined(store)
    table = table_name(root)
    try:
        with HostLock(), Netlink() as host:
            networks = [_ready(store, root, host, container_id, attachment) for attachment in wanted]
            with store.transaction() as tx:
                if not beside:
                    tx.execute("DELETE FROM endpoints WHERE container_id = ?", (container_id,))
                placed: list[Endpoint] = []
                for network, attachment in zip(networks, wanted, strict=True):
                    placed.append(_place(tx, container_id, network, attachment, table, (*beside, *placed)))
                made = with_routes((*beside, *placed))[len(beside) :]
                made = _publish(tx, made, networks, published)
                for endpoint, network in zip(made, networks, strict=True):
                    rows.write_endpoint(tx, container_id, endpoint)
                    told = {"container": container_id, "name": network.name, "type": network.driver}
                    tx.event("network", "connect", network.id, told)
                if also:
                    also(tx)
            return made
    except OSError as error:
        names = ", ".join(attachment.network for attachment in wanted)
        raise EngineError(f"network {names}: {error.strerror or error}") from error


def check(network: Network, attachment: NetworkAttachment) -> None:
    """Raise InvalidRequest for what the network cannot give, whoever has its addresses."""
    if network.driver in ("host", "none"):
        raise InvalidRequest(f"network {network.name} of driver {network.driver} gives no addresses")
    if network.driver == "ipvlan" and attachment.mac:
        raise InvalidRequest(f"network {network.name} of driver ipvlan gives no mac address of one's own")
    if network.name == "bridge":
        if attachment.address or attachment.address6:
            raise InvalidRequest(
                "user specified IP address is supported on user defined networks only",
                hint="Make one: pydock network create --subnet …",
            )
        if attachment.aliases:
            raise InvalidRequest("network-scoped aliases are only supported for user-defined networks")
    for address, subnet, gateway, family in (
        (attachment.address, network.subnet, network.gateway, "IPv4"),
        (attachment.address6, network.subnet6, network.gateway6, "IPv6"),
    ):
        if not address:
            continue
        if subnet:
            ipam.check_fixed(address, subnet, gateway, set())
        elif network.name != "bridge":
            raise InvalidRequest(f"invalid address {address}: network {network.name} has no {family}")


def with_routes(endpoints: Sequence[Endpoint]) -> tuple[Endpoint, ...]:
    """The same, each knowing whether a default route of the container leads through it: the first of the highest
    priority that leads outside, for each family."""
    ways = {
        "default_route": _way_out([endpoint for endpoint in endpoints if endpoint.address]),
        "default_route6": _way_out([endpoint for endpoint in endpoints if endpoint.address6]),
    }
    return tuple(endpoint.replace(**{name: endpoint is way for name, way in ways.items()}) for endpoint in endpoints)


def publishing(endpoints: Sequence[Endpoint]) -> Endpoint | None:
    """The endpoint at which the container's ports are published: its way out if that is a bridge."""
    able = [endpoint for endpoint in endpoints if endpoint.driver == "bridge" and not endpoint.internal]
    ways = [endpoint for endpoint in able if endpoint.default_route] or [one for one in able if one.default_route6]
    return next(iter(ways or able), None)


def _way_out(endpoints: Sequence[Endpoint]) -> Endpoint | None:
    able = [endpoint for endpoint in endpoints if not endpoint.internal]
    return max(able, key=lambda endpoint: endpoint.priority, default=None)


def _ready(store: Store, root: str, host: Netlink, container_id: str, attachment: NetworkAttachment) -> Network:
    """The network, its bridge there."""
    network = rows.find(store, attachment.network)
    check(network, attachment)
    if network.driver != "bridge":
        return claim_parent(host, network, root)
    used = store.query(
        "SELECT count(*) FROM endpoints WHERE network = ? AND container_id != ?", (network.name, container_id)
    )
    others = [
        parse_subnet(subnet) for other in rows.every(store) if other.id != network.id for subnet in subnets(other)
    ]

    def note(chosen: Network) -> None:
        with store.transaction() as tx:
            rows.save(tx, chosen)

    return claim(
        host,
        network,
        root,
        in_use=used[0][0] > 0,
        automatic=network.name == "bridge",
        reserved=others,
        note=note,
    )


def _place(
    tx: Transaction,
    container_id: str,
    network: Network,
    attachment: NetworkAttachment,
    table: str,
    others: tuple[Endpoint, ...],
) -> Endpoint:
    if any(other.network == network.name for other in others):
        raise Conflict(f"container {container_id[:12]} is already connected to network {network.name}")
    found = tx.execute("SELECT document FROM endpoints WHERE network = ?", (network.name,)).fetchall()
    there = [rows.endpoint(row[0]) for row in found]
    last, last6 = rows.last_addresses(tx, network)
    kept = set(network.reserved.values())
    address, last = _address(
        network.subnet,
        network.gateway,
        network.ip_range,
        attachment.address,
        {one.address for one in there},
        kept,
        last,
    )
    address6, last6 = _address(
        network.subnet6,
        network.gateway6,
        network.ip_range6,
        attachment.address6,
        {one.address6 for one in there},
        kept,
        last6,
    )
    rows.save(tx, network, last=last, last6=last6)
    names = {other.interface for other in others}
    prefix = driver_options.interface_prefix(network)
    return Endpoint(
        network=network.name,
        network_id=network.id,
        bridge=network.bridge,
        interface=next(name for number in range(len(names) + 1) if (name := f"{prefix}{number}") not in names),
        internal=network.internal,
        address=address,
        prefix_length=parse_subnet(network.subnet)[2] if address else 0,
        gateway="" if driver_options.without_address(network) else network.gateway,
        # With ipvlan all interfaces have their parent's.
        mac=attachment.mac.lower().replace("-", ":")
        or ("" if network.driver == "ipvlan" else mac_of(address or address6)),
        aliases=attachment.aliases,
        isolated=driver_options.isolated(network),
        masquerade=driver_options.masquerade(network),
        mtu=driver_options.mtu(network),
        address6=address6,
        prefix_length6=parse_subnet(network.subnet6)[2] if address6 else 0,
        gateway6="" if driver_options.without_address(network, ipv6=True) else network.gateway6,
        links=attachment.links,
        priority=attachment.priority,
        driver=network.driver,
        table=table,
        parent="" if network.driver == "bridge" else network.bridge,
        mode="" if network.driver == "bridge" else driver_options.mode(network),
        source=driver_options.source(network),
        source6=driver_options.source(network, ipv6=True),
        way_in=driver_options.way_in(network),
        way_in6=driver_options.way_in(network, ipv6=True),
        trusted=driver_options.trusted(network),
    )


def _address(
    subnet: str, gateway: str, ip_range: str, asked: str, taken: set[str], kept: set[str], last: str
) -> tuple[str, str]:
    """An address of one family, and which was given last then; one that was asked for changes nothing in the order."""
    if not subnet:
        return "", last
    taken = {one for one in taken if one} | {one for one in kept if is_ipv6(one) == is_ipv6(subnet)}
    if asked:
        return ipam.check_fixed(asked, subnet, gateway, taken), last
    given = ipam.next_address(subnet, gateway, taken, last, ip_range)
    return given, given


def _publish(
    tx: Transaction, made: tuple[Endpoint, ...], networks: list[Network], published: Sequence[PortMapping]
) -> tuple[Endpoint, ...]:
    """The endpoints, one of them with the ports; none where no bridge is among them, as with Docker."""
    place = publishing(made)
    if not published or place is None:
        return made
    binding = driver_options.host_binding(networks[made.index(place)])
    asked = [port.replace(host_ip=port.host_ip or binding) for port in published]
    decided = ports.decide(asked, _taken_ports(tx))
    return tuple(endpoint.replace(ports=decided) if endpoint is place else endpoint for endpoint in made)


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
