"""The engine's facade in memory, for Pilot tests of the interface: same calls, same events, no kernel.

Only tests use it. It keeps objects in dictionaries, rings a real descriptor for events, and connects sessions over
socket pairs to a tiny shell that echoes, so that the interface runs its own code for everything but the engine.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections import deque
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple

from engine.containers.session import Session
from engine.errors import ContainerNotFound, ImageNotFound, WrongState
from engine.models import (
    Container,
    CreateRequest,
    Endpoint,
    Event,
    ExecRequest,
    Image,
    LogLine,
    Network,
    Phase,
    Process,
    PullProgress,
    Removed,
    Volume,
)
from engine.shim import frames

if TYPE_CHECKING:
    import builtins
    from collections.abc import Callable, Iterator

SECOND = 1_000_000_000


class FakeSample(NamedTuple):
    """As engine.stats.sample.Sample."""

    time_ns: int
    cpu_ns: int = 0
    cpu_user_ns: int = 0
    cpu_system_ns: int = 0
    throttled_ns: int = 0
    memory: int = 0
    memory_cache: int = 0
    memory_limit: int = 0
    pids: int = 1
    pids_limit: int = 0
    net_rx: int = 0
    net_tx: int = 0
    blk_read: int = 0
    blk_write: int = 0
    psi_cpu: float = -1
    psi_memory: float = -1
    psi_io: float = -1


class FakeTerminal:
    """The far end of a session: echoes what is typed, answers `exit N` with the end, remembers everything."""

    def __init__(self, *, tty: bool = True, exec_id: str = "", greeting: bytes = b"/ # ") -> None:
        near, self._far = socket.socketpair()
        self.session = Session(near, tty=tty, exec_id=exec_id)
        self.received = bytearray()
        self.sizes: list[tuple[int, ...]] = []
        self.signals: list[int] = []
        self.got = threading.Condition()
        self.exec_id = exec_id
        self.say(greeting, kind=frames.REPLAY)
        threading.Thread(target=self._serve, daemon=True).start()

    def say(self, data: bytes, kind: int = frames.STDOUT) -> None:
        self._far.sendall(frames.frame(kind, data))

    def end(self, code: int = 0) -> None:
        self._far.sendall(frames.json_frame(frames.EXIT, {"code": code}))
        self._far.close()

    def wait_for(self, data: bytes, timeout_s: float = 20) -> bool:
        """Whether these bytes were typed within the time."""
        with self.got:
            return self.got.wait_for(lambda: data in self.received, timeout_s)

    def _serve(self) -> None:
        decoder = frames.Decoder()
        while True:
            try:
                data = self._far.recv(65536)
            except OSError:
                return
            if not data:
                return
            for kind, payload in decoder.feed(data):
                with self.got:
                    if kind == frames.STDIN:
                        self.received += payload
                        self.say(payload.replace(b"\r", b"\r\n/ # "))
                    elif kind == frames.SIGNAL:
                        self.signals.append(payload[0])
                    elif kind == frames.RESIZE:
                        self.sizes.append(frames.SIZE.unpack(payload))
                    self.got.notify_all()


class FakeEvents:
    def __init__(self) -> None:
        self.all: list[Event] = []
        self._readers: list[FakeSubscription] = []
        self.lock = threading.RLock()

    def tell(self, kind: str, action: str, actor: str, **attributes: str) -> None:
        with self.lock:
            number = len(self.all) + 1
            self.all.append(
                Event(id=number, time_ns=time.time_ns(), type=kind, action=action, actor=actor, attributes=attributes)
            )
            for reader in self._readers:
                reader.ring()

    def subscribe(self) -> FakeSubscription:
        reader = FakeSubscription(self, self.last_id())
        self._readers.append(reader)
        return reader

    def since(self, event_id: int = 0) -> list[Event]:
        return [event for event in self.all if event.id > event_id]

    def last_id(self) -> int:
        return len(self.all)


class FakeSubscription:
    def __init__(self, events: FakeEvents, last_id: int) -> None:
        self._events = events
        self._last_id = last_id
        self._read_fd, self._write_fd = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def ring(self) -> None:
        if self._write_fd >= 0:
            os.write(self._write_fd, b"!")

    def fileno(self) -> int:
        return self._read_fd

    def read(self) -> list[Event]:
        try:
            os.read(self._read_fd, 4096)
        except BlockingIOError:
            pass
        news = self._events.since(self._last_id)
        if news:
            self._last_id = news[-1].id
        return news

    def close(self) -> None:
        os.close(self._read_fd)
        os.close(self._write_fd)
        self._read_fd = self._write_fd = -1


class FakeImages:
    def __init__(self, engine: FakeEngine) -> None:
        self._engine = engine
        self.kept: list[Image] = []

    def add(self, reference: str, size: int = 8_300_000) -> Image:
        number = f"{len(self.kept) + 1:064x}"
        image = Image(
            id=f"sha256:{number}",
            digest=f"sha256:{number}",
            references=(reference,),
            created_ns=time.time_ns() - 40 * 86400 * SECOND,
            size=size,
            architecture="amd64",
            os="linux",
            layers=1,
        )
        self.kept.append(image)
        self._engine.events.tell("image", "pull", image.id, name=reference)
        return image

    def list(self) -> list[Image]:
        return list(self.kept)

    def get(self, reference: str) -> Image:
        for image in self.kept:
            if reference in (image.id, *image.references) or f"{reference}:latest" in image.references:
                return image
        raise ImageNotFound(f"no such image: {reference}", hint="pull it first")

    def inspect(self, reference: str) -> dict[str, Any]:
        return {"Id": self.get(reference).id, "Config": {"Cmd": ["/bin/sh"], "Env": ["PATH=/usr/bin"]}}

    def history(self, reference: str) -> builtins.list[dict[str, Any]]:
        self.get(reference)
        return [{"Created": 1_700_000_000, "CreatedBy": "COPY rootfs /", "Size": 8_300_000, "Comment": ""}]

    def pull(
        self,
        reference: str,
        *,
        platform: str = "",
        on_progress: Callable[[PullProgress], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> Image:
        if "nosuch" in reference:
            raise ImageNotFound(f"{reference}: not found in the registry", hint="check the name")
        if on_progress:
            for step in range(5):
                on_progress(PullProgress(layer="0123456789ab", status="downloading", current=step, total=4))
            on_progress(PullProgress(layer="0123456789ab", status="done", current=4, total=4))
        return self.add(reference)

    def toolbox(
        self, ref: str = "toolbox:latest", *, on_progress: Callable[[PullProgress], None] | None = None
    ) -> Image:
        return self.add(ref)

    def remove(
        self, reference: str, *, force: bool = False, in_use: Callable[[str], builtins.list[str]] | None = None
    ) -> builtins.list[Removed]:
        image = self.get(reference)
        self.kept.remove(image)
        self._engine.events.tell("image", "delete", image.id)
        return [Removed(deleted=image.id)]

    def tag(self, source: str, target: str) -> None:
        image = self.get(source)
        self.kept[self.kept.index(image)] = image.replace(references=(*image.references, target))
        self._engine.events.tell("image", "tag", image.id)


class FakeContainers:
    def __init__(self, engine: FakeEngine) -> None:
        self._engine = engine
        self.kept: dict[str, Container] = {}
        self.requests: dict[str, CreateRequest] = {}
        self.output: dict[str, list[LogLine]] = {}
        self.sessions: dict[str, list[FakeTerminal]] = {}
        self.calls: deque[tuple[str, ...]] = deque(maxlen=200)
        self.delay_s = 0.0
        self._began_ns = time.time_ns()

    def list(self, all: bool = False) -> list[Container]:
        return [item for item in reversed(self.kept.values()) if all or item.state in ("running", "paused")]

    def get(self, reference: str) -> Container:
        for container in self.kept.values():
            if reference == container.name or container.id.startswith(reference):
                return container
        raise ContainerNotFound(f"no such container: {reference}")

    def create(self, request: CreateRequest, on_phase: object = None) -> Container:
        self._engine.images.get(request.image)
        number = len(self.kept) + 1
        container = Container(
            id=f"{number:02x}" + "c0ffee" * 10 + "00",
            name=request.name or f"quiet_harbour{number}",
            image=request.image,
            image_id=self._engine.images.get(request.image).id,
            command=request.command or ("/bin/sh",),
            created_ns=time.time_ns(),
            tty=request.tty,
            open_stdin=request.open_stdin,
            auto_remove=request.auto_remove,
            labels=request.labels,
            ports=request.ports,
            mounts=request.mounts,
            resources=request.resources,
            restart=request.restart,
            phases=(Phase(name="bundle", start_ns=time.time_ns(), duration_ns=900_000),),
        )
        self.kept[container.id] = container
        self.requests[container.id] = request
        self._tell("create", container)
        return container

    def start(
        self, reference: str, *, attach: bool = False, size: tuple[int, int] | None = None, on_phase: object = None
    ) -> Session | None:
        place = Endpoint(network="bridge", address="10.88.0.2", prefix_length=16)
        container = self._change("start", reference, ("created", "exited", "dead"), state="running", pid=4242,
                                 started_ns=time.time_ns(), finished_ns=0, oom_killed=False, exit_code=0,
                                 endpoints=(place,))  # fmt: skip
        return self.attach(container.id) if attach else None

    def stop(self, reference: str, timeout_s: int | None = None) -> None:
        self._change("die", reference, ("running", "paused"), state="exited", exit_code=143, signal=15,
                     stop_requested=True, finished_ns=time.time_ns(), pid=0)  # fmt: skip

    def restart(self, reference: str, timeout_s: int | None = None) -> None:
        self._change("restart", reference, ("running", "exited"), state="running", started_ns=time.time_ns())

    def kill(self, reference: str, signal: int = 9) -> None:
        container = self.get(reference)
        self.calls.append(("kill", container.name, str(signal)))
        if signal == 9:
            self._change("die", reference, ("running", "paused"), state="exited", exit_code=137, signal=9,
                         finished_ns=time.time_ns(), pid=0)  # fmt: skip

    def oom(self, reference: str) -> None:
        """A test's way to let the kernel kill it."""
        self._change("oom", reference, ("running",), state="exited", exit_code=137, signal=9, oom_killed=True,
                     finished_ns=time.time_ns(), pid=0)  # fmt: skip

    def pause(self, reference: str) -> None:
        self._change("pause", reference, ("running",), state="paused")

    def unpause(self, reference: str) -> None:
        self._change("unpause", reference, ("paused",), state="running")

    def remove(self, reference: str, *, force: bool = False, volumes: bool = False) -> None:
        container = self.get(reference)
        if container.state in ("running", "paused") and not force:
            raise WrongState(f"{container.name} is running", hint="stop it first")
        self.calls.append(("remove", container.name, "force" if force else "", "volumes" if volumes else ""))
        del self.kept[container.id]
        self._tell("destroy", container)

    def rename(self, reference: str, name: str) -> None:
        self._change("rename", reference, (), name=name)

    def inspect(self, reference: str) -> dict[str, Any]:
        container = self.get(reference)
        return {"Id": container.id, "Name": f"/{container.name}", "State": {"Status": container.state}}

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
        container = self.get(reference)
        lines = self.output.setdefault(container.id, [])
        position = 0
        while True:
            while position < len(lines):
                yield lines[position]
                position += 1
            alive = container.id in self.kept and self.kept[container.id].state in ("running", "paused")
            if not follow or not alive or (cancelled is not None and cancelled()):
                return
            time.sleep(0.01)

    def say(self, reference: str, text: str, stream: str = "stdout") -> None:
        """A test's way to let a container print a line."""
        lines = self.output.setdefault(self.get(reference).id, [])
        lines.append(LogLine(time_ns=time.time_ns(), stream=stream, text=f"{text}\n"))

    def attach(self, reference: str) -> Session:
        return self._session(self.get(reference), "")

    def exec(self, reference: str, request: ExecRequest) -> Session:
        container = self.get(reference)
        self.calls.append(("exec", container.name, *request.command))
        return self._session(container, f"exec{len(self.sessions.get(container.id, []))}")

    def terminals(self, reference: str) -> builtins.list[Any]:
        held = self.sessions.get(self.get(reference).id, [])
        return [SimpleNamespace(id=one.exec_id, command=("sh",), pid=1) for one in held if one.exec_id]

    def reattach(self, reference: str, exec_id: str) -> Session:
        return self._session(self.get(reference), exec_id)

    def top(self, reference: str) -> builtins.list[Process]:
        return [
            Process(pid=4242, ppid=1, user="root", state="S", cpu_percent=1.5, rss=4 << 20, started_ns=0,
                    cpu_time_ns=SECOND, tty="pts/0", command="sh")
        ]  # fmt: skip

    def sample(self, reference: str) -> FakeSample | None:
        return self.samples().get(self.get(reference).id)

    def samples(self) -> dict[str, FakeSample]:
        now = time.time_ns()
        return {item.id: self._sample(now, number) for number, item in enumerate(self.kept.values())
                if item.state in ("running", "paused")}  # fmt: skip

    def history(self, reference: str) -> builtins.list[FakeSample]:
        number = list(self.kept).index(self.get(reference).id)
        now = time.time_ns()
        return [self._sample(now - second * SECOND, number) for second in range(120, 0, -1)]

    def timeline(self, reference: str) -> builtins.list[Phase]:
        return list(self.get(reference).phases)

    def _sample(self, now: int, number: int) -> FakeSample:
        seconds = (now - self._began_ns + 200 * SECOND) / SECOND
        return FakeSample(
            time_ns=now,
            cpu_ns=int(seconds * SECOND * (0.05 + number * 0.1)),
            memory=(20 + number) << 20,
            pids=2,
            net_rx=int(seconds * 4000),
            net_tx=int(seconds * 900),
            blk_read=int(seconds * 100),
            blk_write=int(seconds * 300),
        )

    def _session(self, container: Container, exec_id: str) -> Session:
        terminal = FakeTerminal(tty=container.tty or bool(exec_id), exec_id=exec_id)
        self.sessions.setdefault(container.id, []).append(terminal)
        return terminal.session

    def _change(self, action: str, reference: str, states: tuple[str, ...], **changes: Any) -> Container:
        container = self.get(reference)
        self.calls.append((action, container.name))
        if self.delay_s:
            time.sleep(self.delay_s)
        if states and container.state not in states:
            raise WrongState(f"{container.name} is {container.state}")
        container = self.kept[container.id] = container.replace(**changes)
        self._tell(action, container)
        return container

    def _tell(self, action: str, container: Container) -> None:
        self._engine.events.tell("container", action, container.id, name=container.name)


class FakeNetworks:
    def list(self) -> list[Network]:
        return [
            Network(id="b" * 64, name="bridge", driver="bridge", bridge="pydock0", subnet="10.88.0.0/16"),
            Network(id="h" * 64, name="host", driver="host"),
            Network(id="n" * 64, name="none", driver="none"),
        ]


class FakeVolumes:
    def __init__(self, engine: FakeEngine) -> None:
        self._engine = engine
        self.kept: dict[str, Volume] = {}

    def list(self) -> list[Volume]:
        return list(self.kept.values())

    def create(self, name: str, labels: dict[str, str] | None = None) -> Volume:
        volume = self.kept[name] = Volume(name=name, path=f"/vol/{name}/_data", created_ns=time.time_ns())
        self._engine.events.tell("volume", "create", name)
        return volume

    def remove(self, name: str) -> None:
        del self.kept[name]
        self._engine.events.tell("volume", "destroy", name)


class FakeEngine:
    """Stands in for engine.engine.Engine."""

    def __init__(self) -> None:
        self.events = FakeEvents()
        self.images = FakeImages(self)
        self.containers = FakeContainers(self)
        self.networks = FakeNetworks()
        self.volumes = FakeVolumes(self)
        self.paths = SimpleNamespace(root="/fake", run_root="/fake")

    def close(self) -> None:
        """Nothing is held."""

    def run(self, name: str, *, image: str = "toolbox:latest", tty: bool = False, **more: Any) -> Container:
        """Create and start, as a test's starting point."""
        request = CreateRequest(image=image, name=name, tty=tty, open_stdin=tty, **more)
        container = self.containers.create(request)
        self.containers.start(container.id)
        return self.containers.get(container.id)

    def to_json(self) -> str:
        """For failures: what the engine holds."""
        return json.dumps({item.name: item.state for item in self.containers.kept.values()})
