"""The facade over containers: what the command line, the dashboard and the REST API call."""

from __future__ import annotations

import signal

from ..errors import ImageNotFound, InvalidRequest, WrongState
from ..record import Record
from . import rows

# What a method needs beyond its rows it imports itself: `pydock ps` must not pay for bundles and namespaces.

TYPE_CHECKING = False
if TYPE_CHECKING:
    import builtins
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

    from ..images.images import Images
    from ..models import (
        Container,
        CreateRequest,
        ExecRequest,
        Image,
        LogLine,
        NetworkAttachment,
        Phase,
        Process,
        Resources,
        RestartPolicy,
    )
    from ..networks.networks import Networks
    from ..paths import Paths
    from ..stats.sample import Sample
    from ..store import Store
    from ..volumes.volumes import Volumes
    from .archive import PathStat, Stream
    from .boot import Done
    from .changes import Change
    from .session import Session
    from .view import View


class Terminal(Record):
    """A process with a terminal of its own that a shim holds, besides the container's first."""

    id: str
    command: tuple[str, ...]
    pid: int


class Containers:
    """Every method takes a name, an id or the beginning of one, and raises `ContainerNotFound` for another."""

    def __init__(self, store: Store, paths: Paths, images: Images, networks: Networks, volumes: Volumes) -> None:
        self._store = store
        self._paths = paths
        self._images = images
        self._volumes = volumes
        self._networks = networks

    def list(self, all: bool = False, *, brief: bool = False) -> builtins.list[Container]:
        """Newest first; only live ones unless `all`. `brief`: without their phases, for half the time."""
        return rows.every(self._store, states=() if all else rows.LIVE_STATES, brief=brief)

    def get(self, reference: str) -> Container:
        return rows.find(self._store, reference)

    def request(self, reference: str) -> CreateRequest:
        """What the container was made from."""
        return rows.request(self._store, self.get(reference).id)

    def inspect(self, reference: str) -> dict[str, Any]:
        """In the shape of `docker inspect`."""
        from . import inspect

        container = self.get(reference)
        try:
            image = self._images.config(container.image_id) if container.image_id else None
        except ImageNotFound:
            image = None
        return inspect.document(container, rows.request(self._store, container.id), image, self._paths)

    def sizes(self, reference: str) -> tuple[int, int]:
        """Bytes that it wrote, and with those of its image."""
        from ..disk import tree_size

        container = self.get(reference)
        written = tree_size(f"{self._paths.container(container.id)}/upper")
        try:
            return written, written + self._images.get(container.image_id).size
        except ImageNotFound:
            return written, written

    def create(self, request: CreateRequest, on_phase: Callable[[Phase], None] | None = None) -> Container:
        """Make a container; its image must be here (`ImageNotFound`)."""
        from . import create

        return create.create(self._store, self._paths, self._images, self._volumes, request, on_phase)

    def warnings(self, request: CreateRequest) -> tuple[str, ...]:
        """What this host cannot give of it, and what has no effect; a line each."""
        from ..bundle import validate

        return validate.warnings(request)

    def start(
        self,
        reference: str,
        *,
        attach: bool = False,
        size: tuple[int, int] | None = None,
        on_phase: Callable[[Phase], None] | None = None,
    ) -> Session | None:
        """Start it; with `attach` return a session that misses nothing. Raises `StartFailed`."""
        from .start import Starter

        starter = Starter(self._store, self._paths, self._images, self._networks, self._volumes)
        session = starter.start(reference, attach=attach, size=size, on_phase=on_phase)
        return self.attach(reference) if attach and session is None else session

    def stop(
        self, reference: str, timeout_s: int | None = None, *, signal: int | None = None, lasting: bool = True
    ) -> None:
        """The stop signal (`signal`: another), after `timeout_s` (default: the container's, else 10; -1 never)
        SIGKILL; waits. Not `lasting`: a boot starts it again."""
        self._stop(self.get(reference), timeout_s, signal, lasting=lasting)

    def restart(self, reference: str, timeout_s: int | None = None, *, signal: int | None = None) -> None:
        """Stop and start; the files written in between remain."""
        from .locks import LifecycleLock, wait_for_shim
        from .start import Starter

        container = self.get(reference)
        starter = Starter(self._store, self._paths, self._images, self._networks, self._volumes)
        with LifecycleLock(self._paths, container.id):
            container = rows.load(self._store, container.id)  # as those left it who had the lock before
            self._stop(container, timeout_s, signal, restarting=True)
            wait_for_shim(self._paths, container.id)
            try:
                starter.start_locked(container.id)
            except BaseException:
                rows.update(
                    self._store,
                    container.id,
                    lambda row: row.replace(state="exited") if row.state == "restarting" else row,
                )
                raise
        with self._store.transaction() as tx:
            tx.event("container", "restart", container.id, rows.attributes(container))

    def boot(self, done: Done) -> None:
        """Start all that should run after the machine came up; `done` is told of each."""
        from . import boot

        boot.boot(self._store, self.start, done)

    def halt(self, done: Done) -> None:
        """Stop all because the machine goes down; `boot` will start them again. `done` is told of each."""
        from . import boot

        boot.halt(self._store, lambda container_id: self.stop(container_id, lasting=False), done)

    def kill(self, reference: str, signal: int = signal.SIGKILL) -> None:
        """Send a signal to the first process."""
        from . import stop

        container = self.get(reference)
        wanted = self._stop_signal(container, rows.request(self._store, container.id))
        stop.kill(self._store, self._paths, container, signal, stop_signal=wanted)

    def pause(self, reference: str) -> None:
        from . import stop

        stop.pause(self._store, self._paths, self.get(reference))

    def unpause(self, reference: str) -> None:
        from . import stop

        stop.unpause(self._store, self._paths, self.get(reference))

    def wait(self, reference: str, condition: str = "not-running") -> int:
        """Block until it is not running (or `removed`); its exit code."""
        from . import stop

        container = self.get(reference)
        if condition not in ("not-running", "next-exit", "removed"):
            raise InvalidRequest(f"unknown wait condition {condition!r}")
        return stop.wait(self._store, self._paths, container, final=condition == "removed")

    def remove(self, reference: str, *, force: bool = False, volumes: bool = False) -> None:
        """Remove it; a live one only by force. `volumes`: its anonymous ones too."""
        from . import remove

        remove.remove(self._store, self._paths, self._volumes, self.get(reference), force=force, with_volumes=volumes)

    def update(self, reference: str, resources: Resources, restart: RestartPolicy | None = None) -> tuple[str, ...]:
        """Change limits (fields at their defaults stay) and restart policy, at once if it runs; returns warnings."""
        from . import update

        return update.update(self._store, self._paths, self.get(reference), resources, restart)

    def rename(self, reference: str, name: str) -> None:
        """Give it another name. Raises `NameInUse`."""
        from ..bundle import validate
        from . import rebuild
        from .locks import LifecycleLock

        container = self.get(reference)
        validate.name(name)
        with LifecycleLock(self._paths, container.id):
            renamed = rows.update(
                self._store,
                container.id,
                lambda row: row.replace(name=name),
                ("rename", {"oldName": f"/{container.name}"}),
            )
            rebuild.keep(self._paths, renamed, rows.request(self._store, container.id))

    def connect(self, reference: str, attachment: NetworkAttachment) -> None:
        """Give it a place in a further network, at once if it runs. Raises NetworkNotFound, Conflict."""
        from . import connect

        connect.connect(self._store, self._paths, self.get(reference), attachment)

    def disconnect(self, reference: str, network: str) -> None:
        """Take it off a network, at once. Raises NetworkNotFound, Conflict when it is not on it."""
        from . import connect

        connect.disconnect(self._store, self._paths, self.get(reference), network)

    def logs(
        self,
        reference: str,
        *,
        follow: bool = False,
        tail: int | None = None,
        since_ns: int = 0,
        until_ns: int = 0,
        cancelled: Callable[[], bool] | None = None,
    ) -> Iterator[LogLine]:
        """What it printed, from the beginning or the last `tail` lines, and on until its end with `follow`. Raises
        EngineError for one whose log is not kept."""
        from . import logs

        container = self.get(reference)
        return logs.read(
            self._store,
            self._paths,
            container,
            driver=rows.request(self._store, container.id).log_driver,
            follow=follow,
            tail=tail,
            since_ns=since_ns,
            until_ns=until_ns,
            cancelled=cancelled,
        )

    def attach(self, reference: str) -> Session:
        """Watch and type into its first process; a terminal shows its last screen first."""
        from . import reconcile
        from .session import request

        container = self._in_state_for("attach", reference)
        try:
            session, _reply = request(self._paths.shim_socket(container.id), {"op": "attach"})
        except (FileNotFoundError, ConnectionError) as error:
            reconcile.settle(self._store, self._paths, container.id)
            raise self._ended_meanwhile(container, "attach") from error
        return session

    def exec(
        self, reference: str, request: ExecRequest, size: tuple[int, int] | None = None, *, exec_id: str = ""
    ) -> Session:
        """Run a further process in it; `exec_id` when its id has been promised already."""
        from . import exec

        container = self._in_state_for("exec", reference)
        image = self._images.config(container.image_id)
        layers = tuple(self._images.layer_path(chain_id) for chain_id in image.chain_ids)
        created = rows.request(self._store, container.id)
        process = exec.process_for(self._paths, container, created, image, layers, request)
        return exec.execute(self._store, self._paths, container, request, process, size, exec_id)

    def resize(self, reference: str, rows: int, columns: int, *, exec_id: str = "") -> None:
        """Set the size of its terminal, or of an exec's. Raises `WrongState`, `NotFound`."""
        from .session import ask

        container = self._in_state_for("resize", reference)
        body = {"op": "resize", "rows": rows, "columns": columns, "exec_id": exec_id}
        try:
            ask(self._paths.shim_socket(container.id), body)
        except (FileNotFoundError, ConnectionError) as error:
            raise self._ended_meanwhile(container, "resize") from error

    def terminals(self, reference: str) -> builtins.list[Terminal]:
        """Its exec processes that have a terminal and still run."""
        from .session import ask

        container = self.get(reference)
        try:
            reply = ask(self._paths.shim_socket(container.id), {"op": "terminals"})
        except (FileNotFoundError, ConnectionError):
            return []
        return [Terminal.from_json(data) for data in reply["terminals"]]

    def reattach(self, reference: str, exec_id: str) -> Session:
        """Take up an exec process that is still held."""
        from .session import request

        container = self._in_state_for("reattach", reference)
        session, _reply = request(self._paths.shim_socket(container.id), {"op": "reattach", "exec_id": exec_id})
        return session

    def top(self, reference: str) -> builtins.list[Process]:
        """Its processes."""
        from . import runtimes, top

        container = self._in_state_for("top", reference)
        cgroup = runtimes.cgroup(self._paths, container, rows.request(self._store, container.id).runtime)
        return top.processes(cgroup.pids() if cgroup else [container.pid])

    def sample(self, reference: str) -> Sample | None:
        """Its latest figures; None before its first start."""
        from ..stats import ring

        return ring.latest(self._paths.ring(self.get(reference).id))

    def samples(self) -> dict[str, Sample]:
        """The latest figures of all that run, by id."""
        from ..stats import ring

        found = ((row.id, ring.latest(self._paths.ring(row.id))) for row in self.list())
        return {container_id: sample for container_id, sample in found if sample}

    def history(self, reference: str) -> builtins.list[Sample]:
        """Its figures since birth, oldest first: 15 s steps for six hours, 1 s steps for the last 15 minutes."""
        from ..stats import ring

        return ring.history(self._paths.ring(self.get(reference).id))

    def timeline(self, reference: str) -> builtins.list[Phase]:
        """The steps of its making and its last start."""
        return [*self.get(reference).phases]

    def path_stat(self, reference: str, path: str) -> PathStat:
        """What a path in it is, running or not. Raises `NotFound`."""
        from . import archive

        container = self.get(reference)
        with self._view(container) as view:
            return archive.stat_path(view, path, container.name)

    def read_archive(self, reference: str, path: str) -> tuple[PathStat, Stream]:
        """A file or directory of it as tar, and what it is; the caller closes the stream. Raises `NotFound`."""
        from . import archive

        container = self.get(reference)
        view = self._view(container).__enter__()
        try:
            found = archive.stat_path(view, path, container.name)
            self._tell(container, "archive-path")
            return found, archive.Stream(archive.read(view, path, container.name), view)
        except BaseException:
            view.close()
            raise

    def write_archive(
        self, reference: str, path: str, read: Callable[[int], bytes], *, own: bool = False, strict: bool = False
    ) -> int:
        """Unpack a tar (gzip, bzip2, xz, zstd or plain; `read(n)` gives up to n bytes, b"" at the end) into a
        directory of it; the bytes of the files. `own`: all belongs to its user. `strict`: no file replaces a
        directory, nor the reverse. Raises `NotFound`, and `InvalidRequest` for what is no directory, read-only, or no
        archive."""
        from . import archive

        container = self.get(reference)
        owner = self._owner(container) if own else None
        with self._view(container, write=True) as view:
            size = archive.write(view, path, container.name, read, owner=owner, strict=strict)
        self._tell(container, "extract-to-dir")
        return size

    def changes(self, reference: str) -> builtins.list[Change]:
        """What it changed in its root file system, by path. Raises `HostUnfit` where that cannot be known."""
        from . import changes

        container = self.get(reference)
        return changes.listing(self._paths.container(container.id), self._layers(container))

    def export(self, reference: str) -> Stream:
        """Its root file system as tar, without what is mounted in it; the caller closes the stream."""
        from . import archive

        container = self.get(reference)
        view = self._view(container, with_mounts=False).__enter__()
        self._tell(container, "export")
        return archive.Stream(archive.export(view), view)

    def commit(
        self,
        reference: str,
        name: str = "",
        *,
        author: str = "",
        comment: str = "",
        changes: Sequence[str] = (),
        pause: bool = True,
        config: dict[str, Any] | None = None,
    ) -> Image:
        """Make an image of it, as it is now, under a name or none. `changes`: Dockerfile instructions; `config`:
        settings in place of its own, by Docker's names. Raises `HostUnfit` where its changes cannot be known."""
        from ..images.reference import parse
        from .commit import commit

        container = self.get(reference)
        entry = commit(
            self._store,
            self._paths,
            self._images,
            container,
            rows.request(self._store, container.id),
            parse(name) if name else None,
            author=author,
            comment=comment,
            asked=tuple(changes),
            pause=pause,
            config=config or {},
        )
        with self._store.transaction() as tx:
            told = {"comment": comment, "imageID": entry.config, "imageRef": name}
            tx.event("container", "commit", container.id, {**rows.attributes(container), **told})
        return self._images.get(entry.config)

    def _tell(self, container: Container, action: str) -> None:
        with self._store.transaction() as tx:
            tx.event("container", action, container.id, rows.attributes(container))

    def _view(self, container: Container, *, write: bool = False, with_mounts: bool = True) -> View:
        from .view import View

        return View(
            self._store, self._paths, self._images, self._volumes, container, write=write, with_mounts=with_mounts
        )

    def _layers(self, container: Container) -> tuple[str, ...]:
        image = self._images.config(container.image_id)
        return tuple(self._images.layer_path(chain_id) for chain_id in image.chain_ids)

    def _owner(self, container: Container) -> tuple[int, int]:
        from ..bundle import user

        asked = rows.request(self._store, container.id).user or self._images.config(container.image_id).user
        layers = (*self._layers(container), f"{self._paths.container(container.id)}/upper")
        found = user.resolve(asked, (), layers)
        return found.uid, found.gid

    def _ended_meanwhile(self, container: Container, action: str) -> WrongState:
        from . import states

        return states.refusal(container.name, rows.load(self._store, container.id).state, action)

    def _in_state_for(self, action: str, reference: str) -> Container:
        from . import states

        container = self.get(reference)
        states.check(container, action)
        return container

    def _stop(
        self,
        container: Container,
        timeout_s: int | None,
        signal: int | None,
        *,
        restarting: bool = False,
        lasting: bool = True,
    ) -> None:
        from . import stop

        if container.state not in rows.LIVE_STATES:
            return
        asked = rows.request(self._store, container.id)
        if timeout_s is None:
            timeout_s = stop.DEFAULT_TIMEOUT_S if asked.stop_timeout_s is None else asked.stop_timeout_s
        number = signal or self._stop_signal(container, asked)
        stop.stop(self._store, self._paths, container, number, timeout_s, restarting=restarting, lasting=lasting)

    def _stop_signal(self, container: Container, asked: CreateRequest) -> int:
        from ..bundle.validate import signal_number

        name = asked.stop_signal
        if not name:
            try:
                name = self._images.config(container.image_id).stop_signal
            except ImageNotFound:
                pass
        return signal_number(name or "SIGTERM")

    def in_use(self, image_id: str) -> builtins.list[str]:
        """Names of the containers made from an image, or that mount it."""
        return [
            container.name
            for container in self.list(all=True)
            if container.image_id == image_id or any(mount.image_id == image_id for mount in container.mounts)
        ]
