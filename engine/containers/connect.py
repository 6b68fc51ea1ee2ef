"""A container's networks change: at once when it runs, and for all its later starts.

The host writes what the container is made from and takes the address; the shim does the wiring and writes the row. A
kill in between leaves an address without an interface, which the next host gives back (`reconcile.py`).
"""

from __future__ import annotations

from ..bundle import files
from ..bundle.validate_network import check_attachment
from ..errors import Conflict, InvalidRequest, WrongState
from ..models import NetworkAttachment
from ..networks import rows as network_rows
from ..networks.reserve import check, reserve
from . import rows
from .links import split_link
from .locks import LifecycleLock, shim_alive
from .session import ask

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..models import Container, CreateRequest, Network
    from ..paths import Paths
    from ..store import Store


def connect(store: Store, paths: Paths, container: Container, attachment: NetworkAttachment) -> None:
    """Raises NetworkNotFound, Conflict when it is connected already, InvalidRequest, EngineError."""
    network = network_rows.find(store, attachment.network)
    attachment = attachment.replace(network=network.name)
    check_attachment(attachment)
    with LifecycleLock(paths, container.id):
        container, request = rows.load(store, container.id), rows.request(store, container.id)
        _check_mode(request, network)
        check(network, attachment)
        for link in attachment.links:
            rows.find(store, split_link(link)[0])
        attached = _attached(request)
        if _named(attached, network):
            raise Conflict(f"endpoint with name {container.name} already exists in network {network.name}")
        changed = request.replace(networks=(*attached, attachment))
        if container.state not in rows.LIVE_STATES or not shim_alive(paths, container.id):
            with store.transaction() as tx:
                rows.set_request(tx, container.id, changed)
            return
        (endpoint,) = reserve(
            store,
            paths.root,
            container.id,
            (attachment,),
            beside=network_rows.of_container(store, container.id),
            also=lambda tx: rows.set_request(tx, container.id, changed),
        )
        try:
            _ask(paths, container, {"op": "connect", "endpoint": endpoint.to_json()})
        except BaseException:
            with store.transaction() as tx:
                network_rows.release(tx, container.id, network.name)
                rows.set_request(tx, container.id, request)
            raise
        files.write_changes(changed, rows.load(store, container.id), paths)


def disconnect(store: Store, paths: Paths, container: Container, reference: str) -> None:
    """Raises NetworkNotFound, Conflict when it is not connected."""
    with LifecycleLock(paths, container.id):
        container, request = rows.load(store, container.id), rows.request(store, container.id)
        network = network_rows.find(store, reference)
        _check_mode(request, network)
        attached = _attached(request)
        named = _named(attached, network)
        if not named:
            raise Conflict(f"container {container.name} is not connected to network {network.name}")
        changed = request.replace(networks=tuple(one for one in attached if one not in named))
        held = next(
            (one for one in network_rows.of_container(store, container.id) if one.network == network.name), None
        )
        if held and shim_alive(paths, container.id):
            _ask(paths, container, {"op": "disconnect", "network": network.name})
        with store.transaction() as tx:
            rows.set_request(tx, container.id, changed)
        if held:
            files.write_changes(changed, rows.load(store, container.id), paths, gone=(held.address, held.address6))


def _check_mode(request: CreateRequest, network: Network) -> None:
    if request.network.startswith("container:"):
        raise InvalidRequest(
            "container sharing network namespace with another container or host "
            "cannot be connected to any other network"
        )
    if "host" in (request.network, network.name):
        raise InvalidRequest("container cannot be disconnected from host network or connected to host network")
    if "none" in (request.network, network.name):
        raise InvalidRequest(
            "container cannot be connected to multiple networks with one of the networks in private (none) mode"
        )


def _attached(request: CreateRequest) -> tuple[NetworkAttachment, ...]:
    return (NetworkAttachment(network=request.network),) if request.networks is None else request.networks


def _named(attached: tuple[NetworkAttachment, ...], network: Network) -> list[NetworkAttachment]:
    return [one for one in attached if one.network in (network.name, network.id, network.id[:12])]


def _ask(paths: Paths, container: Container, question: dict[str, object]) -> None:
    try:
        ask(paths.shim_socket(container.id), question)
    except (FileNotFoundError, ConnectionError) as error:
        raise WrongState(f"container {container.name} is just ending", hint="Try again.") from error
