"""Containers of another engine, with the face of `containers.containers.Containers`."""

from __future__ import annotations

import signal as signals

from ..containers.rows import LIVE_STATES
from ..errors import ContainerNotFound, EngineError, StartFailed, WrongState
from .api import only_here, quoted
from .create_body import attachment as attachment_body
from .create_body import create_body, limits
from .joined import join, run_exec
from .models import inspected_container, listed_container

TYPE_CHECKING = False
if TYPE_CHECKING:
    import builtins
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import Any

    from ..containers.archive import PathStat
    from ..containers.changes import Change
    from ..models import (
        Container,
        CreateRequest,
        ExecRequest,
        Image,
        LogLine,
        NetworkAttachment,
        Phase,
        Resources,
        RestartPolicy,
    )
    from ..stats.sample import Sample
    from .api import Api
    from .files import RemoteStream
    from .session import RemoteSession


class RemoteContainers:
    """Every method takes what the other engine takes: a name, an id, the beginning of one."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._warnings: tuple[str, ...] = ()

    def __getattr__(self, name: str) -> Any:
        raise only_here(name)

    def list(
        self,
        all: bool = False,
        *,
        brief: bool = False,
        filters: Mapping[str, builtins.list[str]] | None = None,
        sizes: bool = False,
    ) -> builtins.list[Container]:
        """Newest first. The other engine filters: it knows more than its list tells."""
        # asked for all: Podman's list of the running lacks what is paused
        query: dict[str, object] = {"all": True, "size": sizes}
        if filters:
            query["filters"] = dict(filters)
        found = [listed_container(row) for row in self._api.json("GET", "/containers/json", query) or ()]
        return sorted((item for item in found if all or item.state in LIVE_STATES), key=_newest_first)

    def get(self, reference: str) -> Container:
        return inspected_container(self.inspect(reference))

    def inspect(self, reference: str, *, size: bool = False) -> dict[str, Any]:
        document: dict[str, Any] = self._api.json("GET", f"/containers/{quoted(reference)}/json", {"size": size})
        return document

    def sizes(self, reference: str) -> tuple[int, int]:
        """Bytes that it wrote, and with those of its image."""
        document = self.inspect(reference, size=True)
        return int(document.get("SizeRw") or 0), int(document.get("SizeRootFs") or 0)

    def create(
        self,
        request: CreateRequest,
        on_phase: Callable[[Phase], None] | None = None,
        size: tuple[int, int] | None = None,
    ) -> Container:
        query = {"name": request.name, "platform": request.platform}
        reply = self._api.json("POST", "/containers/create", query, create_body(request, size))
        self._warnings = tuple(reply.get("Warnings") or ())
        return self.get(reply["Id"])

    def warnings(self, request: CreateRequest) -> tuple[str, ...]:
        """What the other engine said to the last create."""
        return self._warnings

    def start(
        self,
        reference: str,
        *,
        attach: bool = False,
        size: tuple[int, int] | None = None,
        on_phase: Callable[[Phase], None] | None = None,
    ) -> RemoteSession | None:
        """With `attach`, a session that misses nothing: joined before the start."""
        path = f"/containers/{quoted(reference)}/start"
        if not attach:
            self._start(path)
            return None
        container = self.get(reference)
        try:
            session = join(self._api, container, before_start=True)
        except EngineError as error:  # Podman prepares the start here
            raise _start_failed(error) from None
        try:
            self._start(path)
        except BaseException:
            session.close()
            raise
        if size and container.tty:
            try:
                session.resize(*size)
            except EngineError:
                pass  # it may have ended already
        return session

    def _start(self, path: str) -> None:
        try:
            self._api.open("POST", path).read()
        except (ContainerNotFound, WrongState):
            raise
        except EngineError as error:
            raise _start_failed(error) from None

    def stop(self, reference: str, timeout_s: int | None = None, *, signal: int | None = None) -> None:
        self._act(reference, "stop", {"t": timeout_s, "signal": signal})

    def restart(self, reference: str, timeout_s: int | None = None, *, signal: int | None = None) -> None:
        self._act(reference, "restart", {"t": timeout_s, "signal": signal})

    def kill(self, reference: str, signal: int = signals.SIGKILL) -> None:
        self._act(reference, "kill", {"signal": int(signal)})

    def pause(self, reference: str) -> None:
        self._act(reference, "pause", {})

    def unpause(self, reference: str) -> None:
        self._act(reference, "unpause", {})

    def rename(self, reference: str, name: str) -> None:
        self._act(reference, "rename", {"name": name})

    def wait(self, reference: str, condition: str = "not-running") -> int:
        reply = self._api.json("POST", f"/containers/{quoted(reference)}/wait", {"condition": condition})
        return int(reply["StatusCode"])

    def remove(self, reference: str, *, force: bool = False, volumes: bool = False) -> None:
        self._api.open("DELETE", f"/containers/{quoted(reference)}", {"force": force, "v": volumes}).read()

    def update(self, reference: str, resources: Resources, restart: RestartPolicy | None = None) -> tuple[str, ...]:
        """Change limits and policy; the other engine's warnings."""
        body: dict[str, Any] = limits(resources)
        if restart:
            body["RestartPolicy"] = {"Name": restart.name, "MaximumRetryCount": restart.maximum_retries}
        reply = self._api.json("POST", f"/containers/{quoted(reference)}/update", None, body)
        return tuple((reply or {}).get("Warnings") or ())

    def connect(self, reference: str, attachment: NetworkAttachment) -> None:
        body = {"Container": reference, "EndpointConfig": attachment_body(attachment)}
        self._api.open("POST", f"/networks/{quoted(attachment.network)}/connect", None, body).read()

    def disconnect(self, reference: str, network: str) -> None:
        body = {"Container": reference, "Force": False}
        self._api.open("POST", f"/networks/{quoted(network)}/disconnect", None, body).read()

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
        from .log_lines import read_lines

        container = self.get(reference)
        query = {
            "stdout": True,
            "stderr": True,
            "timestamps": True,
            "follow": follow,
            "tail": "all" if tail is None else str(tail),
            "since": _seconds(since_ns),
            "until": _seconds(until_ns),
        }
        return read_lines(self._api.open("GET", f"/containers/{container.id}/logs", query), framed=not container.tty)

    def attach(self, reference: str) -> RemoteSession:
        return join(self._api, self.get(reference))

    def exec(
        self, reference: str, request: ExecRequest, size: tuple[int, int] | None = None, *, exec_id: str = ""
    ) -> RemoteSession:
        return run_exec(self._api, reference, request, size)

    def top_table(
        self, reference: str, arguments: tuple[str, ...] = ()
    ) -> tuple[builtins.list[str], builtins.list[builtins.list[str]]]:
        """Headings and rows of ps over there."""
        query = {"ps_args": " ".join(arguments)}
        reply = self._api.json("GET", f"/containers/{quoted(reference)}/top", query)
        return reply["Titles"], reply["Processes"] or []

    def sample(self, reference: str) -> Sample | None:
        from .stats import read_sample

        query = {"stream": "0", "one-shot": "1"}
        return read_sample(self._api.json("GET", f"/containers/{quoted(reference)}/stats", query))

    def history(self, reference: str) -> builtins.list[Sample]:
        """Other engines keep none."""
        return []

    def in_use(self, image_id: str) -> builtins.list[str]:
        return [container.name for container in self.list(all=True) if container.image_id == image_id]

    def path_stat(self, reference: str, path: str) -> PathStat:
        from . import files

        return files.path_stat(self._api, reference, path)

    def read_archive(self, reference: str, path: str) -> tuple[PathStat, RemoteStream]:
        from . import files

        return files.read_archive(self._api, reference, path)

    def write_archive(
        self, reference: str, path: str, read: Callable[[int], bytes], *, own: bool = False, strict: bool = False
    ) -> int:
        from . import files

        return files.write_archive(self._api, reference, path, read, own=own, strict=strict)

    def changes(self, reference: str) -> builtins.list[Change]:
        from . import files

        return files.changes(self._api, reference)

    def export(self, reference: str) -> RemoteStream:
        from . import files

        return files.export(self._api, reference)

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
        from . import files
        from .images import RemoteImages

        image_id = files.commit(
            self._api,
            reference,
            name,
            author=author,
            comment=comment,
            changes=changes,
            pause=pause,
            config=config or {},
        )
        return RemoteImages(self._api).get(image_id)

    def _act(self, reference: str, verb: str, query: dict[str, object]) -> None:
        self._api.open("POST", f"/containers/{quoted(reference)}/{verb}", query).read()


def _newest_first(container: Container) -> int:
    return -container.created_ns


def _seconds(time_ns: int) -> str:
    if not time_ns:
        return ""
    seconds, rest = divmod(time_ns, 10**9)
    return f"{seconds}.{rest:09d}"


def _start_failed(error: EngineError) -> StartFailed:
    return StartFailed(error.message, hint=error.hint, exit_code=start_code(error.message))


def start_code(message: str) -> int:
    """docker's exit codes, from docker's words."""
    if any(words in message for words in ("executable file not found", "no such file or directory", "not found in")):
        return 127
    if any(words in message for words in ("permission denied", "not a directory", "exec format error", "is a dir")):
        return 126
    return 125
