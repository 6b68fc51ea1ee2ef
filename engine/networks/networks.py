"""Networks: which there are, and a container's place in them, taken before each start and given back after it.

Rows are the truth for addresses and host ports; interfaces and rules follow from them (`attach.py`), and can be made
again from them. Three networks are always there: bridge, host and none.
"""

from __future__ import annotations

from ..errors import EngineError
from ..models import Network, NetworkAttachment
from . import rows
from .rows import release as release

TYPE_CHECKING = False
if TYPE_CHECKING:
    import builtins
    from collections.abc import Callable
    from typing import Any

    from ..models import CreateRequest, Endpoint
    from ..paths import Paths
    from ..store import Store


class Networks:
    """The networks of one engine; safe from several threads and processes."""

    def __init__(self, store: Store, paths: Paths) -> None:
        self._store = store
        self._root = paths.root

    def list(self) -> list[Network]:
        """All, by name."""
        return rows.every(self._store)

    def get(self, reference: str) -> Network:
        """By name, id, or unambiguous beginning of an id. Raises NetworkNotFound."""
        return rows.find(self._store, reference)

    def create(
        self,
        name: str,
        *,
        driver: str = "bridge",
        subnet: str = "",
        gateway: str = "",
        ip_range: str = "",
        internal: bool = False,
        labels: dict[str, str] | None = None,
        options: dict[str, str] | None = None,
        ipv4: bool = True,
        ipv6: bool = False,
        subnet6: str = "",
        gateway6: str = "",
        ip_range6: str = "",
        reserved: dict[str, str] | None = None,
        attachable: bool = False,
    ) -> Network:
        """Make a network with its bridge; what is left empty is chosen. Raises NameInUse, Conflict for a subnet that
        overlaps another, InvalidRequest, HostUnfit for a driver that this kernel has not."""
        from . import create

        asked = Network(
            id="",
            name=name,
            driver=driver,
            subnet=subnet,
            gateway=gateway,
            ip_range=ip_range,
            internal=internal,
            labels=labels or {},
            options=options or {},
            ipv4=ipv4,
            ipv6=ipv6,
            subnet6=subnet6,
            gateway6=gateway6,
            ip_range6=ip_range6,
            reserved=reserved or {},
            attachable=attachable,
        )
        return create.create(self._store, self._root, asked)

    def remove(self, reference: str) -> None:
        """Remove a network. Raises Conflict for a predefined one, InUse naming the containers that are on it."""
        from . import remove

        remove.remove(self._store, self._root, self.get(reference))

    def prune(self, chosen: Callable[[Network], bool] = lambda _network: True) -> builtins.list[str]:
        """Remove the chosen ones of those that no container names; what they were called."""
        from . import remove

        return remove.prune(self._store, self._root, chosen)

    def inspect(self, reference: str) -> dict[str, Any]:
        """In the shape of `docker network inspect`."""
        from . import inspect

        network = self.get(reference)
        return inspect.document(network, rows.endpoints(self._store, network.name))

    def reload(self, references: builtins.list[str] | None = None) -> builtins.list[str]:
        """Make bridges and rules again from the rows, for the networks named or all; the names of those whose
        containers run. Running containers are joined to what was made anew."""
        from . import reload

        chosen = [self.get(reference) for reference in references] if references else self.list()
        return reload.reload(self._store, self._root, chosen)

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
        from . import ports, reserve

        wanted = (NetworkAttachment(network=request.network),) if request.networks is None else request.networks
        asked = ports.wanted(request.ports, exposed_ports, publish_all=request.publish_all)
        return reserve.reserve(self._store, self._root, container_id, wanted, asked)

    def used(self) -> set[str]:
        """The names of networks that containers are on."""
        return {row[0] for row in self._store.query("SELECT DISTINCT network FROM endpoints")}

    def release(self, container_id: str) -> None:
        """Give addresses and host ports back; quiet when there are none."""
        with self._store.transaction() as tx:
            release(tx, container_id)

    def teardown(self) -> None:
        """Take away the bridges and rules of networks that no container is on; they are made again when
        needed. For clearing up: the end of an engine's data root, `prune`, tests."""
        from .claim import HostLock, give_up
        from .clear import clear_locked
        from .netlink import Netlink

        try:
            with HostLock(), Netlink() as host:
                used = self.used()
                for network in rows.every(self._store):
                    if network.bridge and network.name not in used:
                        give_up(host, network, self._root)
                clear_locked(self._store, self._root)
        except OSError as error:
            raise EngineError(f"network teardown: {error.strerror or error}") from error


def endpoint_id(container_id: str, network_id: str) -> str:
    """A stable id for a container's place in a network: 64 hex digits, as Docker's clients expect."""
    mixed = int(container_id, 16) ^ int(network_id, 16)
    return f"{mixed:064x}"
