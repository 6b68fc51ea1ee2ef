"""A container's places in its networks while it lives: taken at its start, more and fewer while it runs, and with them
its name service."""

from __future__ import annotations

from ..errors import Conflict, EngineError, NotFound
from ..networks import attach as network
from ..networks import rows
from ..networks.redirect import has_names
from ..networks.reserve import publishing, with_routes
from .dns import NameService
from .relay import Relay

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..models import Container, Endpoint
    from ..paths import Paths
    from ..store import Transaction
    from .ledger import Ledger
    from .loop import Loop
    from .plan import Plan


class Endpoints:
    """`current` is what the container has, and what a restart gives it again."""

    def __init__(self, loop: Loop, paths: Paths, plan: Plan, ledger: Ledger) -> None:
        self.current = plan.endpoints
        self._loop = loop
        self._id = plan.container_id
        self._name = plan.name
        self._ledger = ledger
        self._names = NameService(loop, paths, plan.container_id, plan.dns)
        self._relays: dict[str, list[Relay]] = {}
        self._pid = 0

    def attach(self, pid: int) -> None:
        """Wire the waiting init `pid`. Raises EngineError; what was made until then is undone by `release`."""
        self._pid = pid
        network.loopback(pid)
        for endpoint in self.current:
            self._attach(endpoint)
        self._serve_names()

    def connect(self, endpoint: Endpoint) -> None:
        """A further network; a container that is about to be restarted gets it then. Raises EngineError."""
        if any(held.network == endpoint.network for held in self.current):
            raise Conflict(f"container {self._name} is already connected to network {endpoint.network}")
        before = self.current
        plain = endpoint.replace(default_route=False, default_route6=False)
        after = with_routes((*before, plain))
        if self._pid:
            self._attach(plain)
        try:
            if self._pid:
                network.reroute(self._pid, (*before, plain), after)
            self.current = after
            if self._pid:
                self._serve_names()
        except EngineError:
            self.current = before
            self._detach(plain)
            raise
        self._record()

    def disconnect(self, name: str) -> None:
        """Leave a network, at once. Its default routes and published ports go to another that leads outside. Raises
        EngineError."""
        left = next((endpoint for endpoint in self.current if endpoint.network == name), None)
        if left is None:
            raise NotFound(f"container {self._name} is not connected to network {name}")
        self._detach(left)
        before = tuple(endpoint for endpoint in self.current if endpoint is not left)
        self.current = with_routes(before)
        heir = publishing(self.current) if left.ports else None
        if heir:
            taken = heir.replace(ports=left.ports)
            self.current = tuple(taken if endpoint is heir else endpoint for endpoint in self.current)
        if self._pid and self.current:
            try:
                network.reroute(self._pid, before, self.current)
                if heir:
                    network.publish(self._id, taken)
                    self._relay(taken)
            except EngineError as error:
                self._ledger.complain(error.message)
        self._record(name)

    def leave(self) -> None:
        """Let go of the container's namespace, for the kernel to take it down."""
        self._names.close()
        self._pid = 0

    def release(self, *, interfaces: bool = True) -> None:
        """Close ports, delete interfaces. The kernel deletes those of a container that has ended, but late:
        nobody should wait for that, so a first call leaves them to a second."""
        self.leave()
        for endpoint in self.current:
            try:
                self._detach(endpoint, interface=interfaces)
            except (EngineError, OSError) as error:
                self._ledger.complain(f"network: {error}")

    def _attach(self, endpoint: Endpoint) -> None:
        changed = network.attach(self._pid, self._id, endpoint)
        if changed:
            self._tell_settings(endpoint, changed)
        self._relay(endpoint)

    def _detach(self, endpoint: Endpoint, *, interface: bool = True) -> None:
        for relay in self._relays.pop(endpoint.network, ()):
            relay.close()
        network.detach(self._id, endpoint, interface=interface, pid=self._pid)

    def _relay(self, endpoint: Endpoint) -> None:
        """Serve those of its published ports that the kernel does not; of a restart by policy they are served on."""
        if endpoint.network not in self._relays:
            held = network.held_ports(self._id, endpoint)
            self._relays[endpoint.network] = [Relay(self._loop, one) for one in held if one.target]

    def _tell_settings(self, endpoint: Endpoint, changed: list[str]) -> None:
        """What a start had to change on the host is an event, and a line in the log."""
        for setting in changed:
            self._ledger.complain(f"network {endpoint.network}: set {setting}, which container networks need")
        told = {"name": endpoint.network, "type": endpoint.driver, "set": " ".join(changed)}
        self._ledger.append("network", "sysctl", endpoint.network_id, told)

    def _serve_names(self) -> None:
        if self._names.running or not any(has_names(endpoint) for endpoint in self.current):
            return
        try:
            self._names.start(self._pid)
        except OSError as error:
            raise EngineError(f"name service: {error.strerror or error}") from error

    def _record(self, left: str = "") -> None:
        """The row and the table of endpoints say what is, in one transaction."""

        def told(tx: Transaction) -> None:
            if left:
                rows.release(tx, self._id, left)
            for endpoint in self.current:
                rows.write_endpoint(tx, self._id, endpoint)

        def connected(row: Container) -> Container:
            return row.replace(endpoints=self.current) if self._pid else row

        self._ledger.change(connected, also=told)
