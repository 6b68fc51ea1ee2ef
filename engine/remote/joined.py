"""Attach and exec over the API: the call, the connection it becomes, and where the exit code comes from."""

from __future__ import annotations

import json
import select
import time

from ..errors import EngineError, NotFound
from .api import quoted
from .session import DETACH, RemoteSession

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..models import Container, ExecRequest
    from .api import Api
    from .http import Response

HEADERS_S = 5.0
END_S = 30.0


def join(api: Api, container: Container, *, before_start: bool = False) -> RemoteSession:
    """Attach. The wait for the exit code is asked for first: of a container that removes itself nothing is left to
    ask afterwards."""
    response = api.open(
        "POST",
        f"/containers/{container.id}/attach",
        {
            "stream": True,
            "stdin": container.open_stdin,
            "stdout": True,
            "stderr": True,
            "detachKeys": DETACH if container.tty else "",
        },
        upgrade=True,
    )
    channel, rest = response.hijacked()
    try:
        # not "removed", although docker's client waits for that: Podman forgets the code on the way
        end = _Exit(api, container.id, "next-exit" if before_start else "not-running")
    except BaseException:
        channel.close()
        raise

    def resize(rows: int, columns: int) -> None:
        _resize(api, f"/containers/{container.id}/resize", rows, columns)

    return RemoteSession(
        channel, rest, tty=container.tty, ended=end.code, resize=resize, closing=end.close, signal=None
    )


def run_exec(api: Api, reference: str, request: ExecRequest, size: tuple[int, int] | None) -> RemoteSession:
    """Create and start an exec; detached, the session is over at once."""
    body: dict[str, Any] = {
        "Cmd": list(request.command),
        "Tty": request.tty,
        "AttachStdin": request.open_stdin and not request.detach,
        "AttachStdout": not request.detach,
        "AttachStderr": not request.detach,
        "Env": list(request.env),
        "User": request.user,
        "WorkingDir": request.working_dir,
        "Privileged": request.privileged,
        "DetachKeys": DETACH,
    }
    if size:
        body["ConsoleSize"] = list(size)
    exec_id = str(api.json("POST", f"/containers/{quoted(reference)}/exec", None, body)["Id"])
    start: dict[str, Any] = {"Detach": request.detach, "Tty": request.tty}
    if size and not request.detach:
        start["ConsoleSize"] = list(size)
    try:
        response = api.open("POST", f"/exec/{exec_id}/start", None, start, upgrade=not request.detach)
    except EngineError as error:
        raise _exec_failed(error) from None
    channel, rest = response.hijacked()

    def resize(rows: int, columns: int) -> None:
        _resize(api, f"/exec/{exec_id}/resize", rows, columns)

    session = RemoteSession(
        channel, rest, tty=request.tty, ended=lambda: _exec_code(api, exec_id), resize=resize, exec_id=exec_id
    )
    if request.tty and size:
        resize(*size)
    return session


class _Exit:
    """A `wait` that has been asked for; its answer is read when the output has ended."""

    def __init__(self, api: Api, container_id: str, condition: str) -> None:
        self._api = api
        self._id = container_id
        # every engine of these days answers the head at once, and from then on misses no exit
        self._response: Response | None = api.open("POST", f"/containers/{container_id}/wait", {"condition": condition})

    def code(self) -> int | None:
        response, self._response = self._response, None
        if response is None:
            return None
        try:
            with response:
                return int(json.loads(response.read())["StatusCode"])
        except (EngineError, ValueError, KeyError, TypeError):
            return None

    def close(self) -> None:
        if self._response is not None:
            self._response.close()
            self._response = None


def _resize(api: Api, path: str, rows: int, columns: int) -> None:
    try:
        api.open("POST", path, {"h": rows, "w": columns}).read()
    except EngineError:
        pass  # not started yet, or over: neither wants a size


def _exec_code(api: Api, exec_id: str) -> int | None:
    """The output has ended, the end may take a moment to be known."""
    deadline = time.monotonic() + END_S
    pause_s = 0.005
    while True:
        try:
            state = api.json("GET", f"/exec/{exec_id}/json")
        except NotFound:
            return None
        if not state.get("Running"):
            code = state.get("ExitCode")
            return None if code is None else int(code)
        if time.monotonic() > deadline:
            return None
        select.select([], [], [], pause_s)
        pause_s = min(0.1, pause_s * 1.5)


def _exec_failed(error: EngineError) -> EngineError:
    from ..errors import StartFailed
    from .containers import start_code

    code = start_code(error.message)
    return error if code == 125 else StartFailed(error.message, hint=error.hint, exit_code=code)
