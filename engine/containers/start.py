"""`start`: hand the bundle to a shim, and wait until the container's program runs."""

from __future__ import annotations

import json
import os

from ..bundle import health, namespaces
from ..bundle import mounts as mount_options
from ..errors import Conflict, EngineError, WrongState
from ..models import Container, Phase
from ..phases import Phases
from ..shim import frames
from ..shim.plan import CopyUp, Plan
from ..volumes.sources import sources
from ..zygote import client as zygote
from . import create, leftovers, links, log_options, rebuild, rows, runtimes
from .locks import LifecycleLock, shim_alive, wait_for_shim
from .session import Session

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from ..images.images import Images
    from ..models import CreateRequest
    from ..networks.networks import Networks
    from ..paths import Paths
    from ..store import Store
    from ..volumes.volumes import Volumes


class Starter:
    """What a start needs; one for each engine."""

    def __init__(self, store: Store, paths: Paths, images: Images, networks: Networks, volumes: Volumes) -> None:
        self._store = store
        self._paths = paths
        self._images = images
        self._networks = networks
        self._volumes = volumes

    def start(
        self,
        reference: str,
        *,
        attach: bool = False,
        size: tuple[int, int] | None = None,
        on_phase: Callable[[Phase], None] | None = None,
    ) -> Session | None:
        """Start a container that is not running; nothing happens to one that is.

        With `attach` the session sees the output from the first byte. `size`: rows and columns of its terminal.
        Raises `StartFailed` when the program could not be executed, and leaves the container as it was.
        """
        found = rows.find(self._store, reference)
        with LifecycleLock(self._paths, found.id):
            return self.start_locked(found.id, attach=attach, size=size, on_phase=on_phase)

    def start_locked(
        self,
        container_id: str,
        *,
        attach: bool = False,
        size: tuple[int, int] | None = None,
        on_phase: Callable[[Phase], None] | None = None,
    ) -> Session | None:
        """The same for a caller who holds the container's lock."""
        container = rows.load(self._store, container_id)
        if container.state == "paused":
            raise WrongState(f"container {container.name} is paused", hint=f"pydock unpause {container.name}")
        if container.state in ("running", "restarting") and shim_alive(self._paths, container.id):
            return None
        if not wait_for_shim(self._paths, container.id):
            raise Conflict(f"container {container.name} is still ending", hint="Try again.")
        leftovers.clear_if_any(self._store, self._paths, container.id)
        volumes = [mount.source for mount in container.mounts if mount.type == "volume"]
        # Before there is a shim, whose mount namespace may not hear of later mounts.
        with self._volumes.hold(volumes):
            return self._hand_over(container, attach, size, Phases(on_phase))

    def _hand_over(
        self, container: Container, attach: bool, size: tuple[int, int] | None, phases: Phases
    ) -> Session | None:
        request = rows.request(self._store, container.id)
        shim = zygote.connect(self._paths)  # it is born while its plan is written
        try:
            with phases.step("plan"):
                plan = self._plan(container, request)
            plan = plan.replace(
                foreground=attach,
                rows=size[0] if size else 0,
                columns=size[1] if size else 0,
                phases=(*_creation(container), *phases.recorded),
            )
            session = self._ask(shim, plan, phases)
        except BaseException:
            shim.close()
            if not shim_alive(self._paths, container.id):
                leftovers.clear_if_any(self._store, self._paths, container.id)
                self._networks.release(container.id)
            raise
        if attach:
            return session
        session.close()
        return None

    def _plan(self, container: Container, request: CreateRequest) -> Plan:
        image = self._images.config(container.image_id)
        self._images.ensure_unpacked(image)
        if request.links:
            request = links.with_links(self._store, container, request)
        endpoints = self._networks.reserve(container.id, container.name, request, container.exposed_ports)
        container = container.replace(endpoints=endpoints)
        config = create.write_bundle(self._paths, self._images, image, request, container)
        rebuild.keep(self._paths, container, request)
        self._join_namespaces(container, request)
        os.makedirs(self._paths.container_run(container.id), mode=0o700, exist_ok=True)
        return Plan(
            container_id=container.id,
            name=container.name,
            root=self._paths.root,
            run_root=self._paths.run_root,
            lower_dirs=tuple(self._images.layer_path(chain_id) for chain_id in image.chain_ids),
            network=request.network,
            endpoints=endpoints,
            dns=request.dns,
            copy_ups=tuple(
                CopyUp(target=mount.target, volume_path=self._paths.volume(mount.source))
                for mount in container.mounts
                if mount.type == "volume" and "nocopy" not in mount.options and not mount.subpath
            ),
            runtime=runtimes.program(request.runtime),
            volumes=tuple(self._paths.volume(mount.source) for mount in container.mounts if mount.type == "volume"),
            propagates=mount_options.root_propagation(request, container) != "rprivate",
            sources=sources(container, self._paths, self._images),
            id_base=container.id_base,
            tty=container.tty,
            open_stdin=container.open_stdin,
            stdin_once=request.stdin_once,
            auto_remove=container.auto_remove,
            restart=container.restart,
            health=health.command(request, image),
            log=log_options.settings(request, container, tuple(config["process"]["env"])),
        )

    def _join_namespaces(self, container: Container, request: CreateRequest) -> None:
        """Namespaces of other containers are joined by the pid that they have now."""
        if not namespaces.joined(request):
            return
        path = f"{self._paths.container(container.id)}/config.json"
        with open(path, encoding="utf-8") as file:
            config = json.load(file)
        namespaces.join(config, self._pid_of)
        with open(path, "w", encoding="utf-8") as file:
            file.write(json.dumps(config))

    def _pid_of(self, reference: str) -> int:
        other = rows.find(self._store, reference)
        if other.state not in ("running", "paused"):
            raise WrongState(f"cannot join the namespaces of {other.name}: it is not running")
        return other.pid

    def _ask(self, shim: socket.socket, plan: Plan, phases: Phases) -> Session:
        body = frames.json_frame(frames.REQUEST, {"op": "start", "plan": plan.to_json()})
        try:
            return _answered(shim, body, plan.tty, phases)
        except ConnectionError as error:
            # A zygote that was just leaving may drop a request; a shim that died at work is not asked again.
            if rows.load(self._store, plan.container_id).state != "running":
                try:
                    return _answered(zygote.connect(self._paths), body, plan.tty, phases)
                except ConnectionError:
                    pass
            raise EngineError(
                f"the shim of {plan.name} ended before the container started",
                hint=f"See {self._paths.run_root}/zygote.log.",
            ) from error


def _answered(connection: socket.socket, body: bytes, tty: bool, phases: Phases) -> Session:
    session = Session(connection, tty=tty)
    try:
        connection.sendall(body)
        session.answer(lambda data: _add(phases, Phase.from_json(data)))
    except BaseException:
        session.close()
        raise
    return session


def _creation(container: Container) -> tuple[Phase, ...]:
    """The phases of `create`, before the first start; a later start begins its own record."""
    return container.phases if not container.started_ns else ()


def _add(phases: Phases, phase: Phase) -> None:
    phases.add(phase.name, phase.start_ns, phase.duration_ns)
