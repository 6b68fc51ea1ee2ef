"""What a living shim does for hosts that ask on `shim.sock`. The questions are listed in `frames.py`."""

from __future__ import annotations

import json
import signal
import sys
import time

from runtime.errors import RuntimeFault, WrongStatus

from ..containers import rows, states
from ..containers.session import error_data
from ..errors import EngineError, InvalidRequest, NotFound, WrongState
from ..models import Endpoint, Resources, RestartPolicy
from . import frames
from .client import Client
from .execs import Execs
from .exits import StopRequest
from .loop import READ

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from typing import Any

    from .loop import Timer
    from .supervisor import Supervisor


_PROGRAM_BYTES = 200


_ACTIONS = {
    "attach": "attach",
    "exec": "exec",
    "pause": "pause",
    "reattach": "reattach",
    "resize": "resize",
    "resume": "unpause",
    "signal": "kill",
}
"""What people call the operations that a container's state may forbid."""


class Service:
    def __init__(self, supervisor: Supervisor) -> None:
        self.execs = Execs(supervisor)
        self._supervisor = supervisor
        self._clients: set[Client] = set()
        self._waiters: set[Client] = set()
        self._patient: set[Client] = set()
        self._listener: socket.socket | None = None
        self._kill_timer: Timer | None = None
        self._operations: dict[str, Callable[[Client, dict[str, Any]], dict[str, Any] | None]] = {
            "attach": self._attach,
            "exec": self.execs.start,
            "reattach": self.execs.reattach,
            "terminals": self.execs.terminals,
            "signal": self._signal,
            "pause": self._pause,
            "resume": self._resume,
            "resize": self._resize,
            "update": self._update,
            "wait": self._wait,
            "connect": self._connect,
            "disconnect": self._disconnect,
        }

    def listen(self, listener: socket.socket) -> None:
        """Take connections from now on."""
        listener.setblocking(False)
        self._listener = listener
        self._supervisor.loop.watch(listener.fileno(), READ, lambda _events: self._accept())

    def tell_waiters(self, code: int, *, final: bool = True) -> None:
        """The program has ended, and the row says so; not `final`: it is about to be started again."""
        for client in tuple(self._waiters if final else self._waiters - self._patient):
            client.send_json(frames.EXIT, {"code": code})
            client.close_when_sent()

    def flush(self, limit_s: float) -> None:
        """Serve until every client has taken what is queued for it, and then close."""
        loop = self._supervisor.loop
        if self._listener:
            loop.unwatch(self._listener.fileno())
            self._listener.close()
        for client in tuple(self._clients):
            client.close_when_sent()
        over: list[bool] = []
        loop.later(limit_s, lambda: over.append(True))
        if self._clients:
            loop.run(lambda: not self._clients or bool(over))

    def _accept(self) -> None:
        assert self._listener is not None
        try:
            connection, _address = self._listener.accept()
        except OSError:
            return
        client = Client(self._supervisor.loop, connection)
        client.on_frame = self._request
        self.adopt(client)

    def _forget(self, client: Client) -> None:
        self._clients.discard(client)
        self._waiters.discard(client)
        self._patient.discard(client)

    def adopt(self, client: Client) -> None:
        """Count a connection among those that must be flushed at the end."""
        client.on_close.append(self._forget)
        self._clients.add(client)

    def _request(self, client: Client, kind: int, payload: bytes) -> None:
        if kind != frames.REQUEST:
            return
        try:
            body = json.loads(payload)
            operation = self._operations.get(body.get("op"))
            if operation is None:
                raise InvalidRequest(f"unknown operation {body.get('op')!r}")
            reply = operation(client, body)
        except EngineError as error:
            client.send_json(frames.ERROR, error_data(error))
        except (RuntimeFault, OSError, ValueError, KeyError, TypeError) as error:
            name = self._supervisor.plan.name
            if self._supervisor.has_ended():  # this very moment: everything fails in its own way then
                action = _ACTIONS.get(body.get("op"))
                text = f"container {name} is not running"
                refused = states.refusal(name, "exited", action) if action else WrongState(text)
                client.send_json(frames.ERROR, error_data(refused))
                return
            if isinstance(error, WrongStatus):
                text = str(error).replace(self._supervisor.plan.container_id, name)
                client.send_json(frames.ERROR, error_data(WrongState(text)))
                return
            print(f"{payload[:200]!r}: {error!r}", file=sys.stderr, flush=True)
            client.send_json(frames.ERROR, error_data(EngineError(str(error))))
        else:
            if reply is not None:
                client.send_json(frames.REPLY, reply)

    def _attach(self, client: Client, _body: dict[str, Any]) -> None:
        stdio = self._supervisor.stdio
        if stdio is None:
            raise states.refusal(self._supervisor.plan.name, self._supervisor.state(), "attach")
        client.send_json(frames.REPLY, {"tty": stdio.tty})
        stdio.attach(client)

    def _signal(self, client: Client, body: dict[str, Any]) -> dict[str, Any]:
        """`stop` means that the end is wanted; after `timeout_s` it is enforced."""
        supervisor = self._supervisor
        number = int(body["signal"])
        if body.get("stop"):
            supervisor.stop = _asked_by(client, number, body)
            supervisor.restarting = bool(body.get("restarting"))
            if supervisor.cancel_restart() or supervisor.ended:
                return {}
        container = supervisor.container
        if container is None or supervisor.ended:
            raise states.refusal(supervisor.plan.name, supervisor.state(), "kill")
        container.kill(number)
        if supervisor.paused and (body.get("stop") or number == signal.SIGKILL):
            supervisor.paused = False
            try:
                container.resume()
            except WrongStatus:  # SIGKILL has thawed it already, and may have ended it
                pass
        timeout_s = body.get("timeout_s")
        if timeout_s is not None and timeout_s >= 0:
            if self._kill_timer:
                self._kill_timer.cancel()
            self._kill_timer = supervisor.loop.later(timeout_s, self._enforce)
        supervisor.ledger.tell(("kill", {"signal": str(number)}))
        return {}

    def _enforce(self) -> None:
        container = self._supervisor.container
        if container and self._supervisor.ended is None:
            try:
                container.kill(signal.SIGKILL)
            except RuntimeFault:  # it ended this very moment
                pass

    def _pause(self, _client: Client, _body: dict[str, Any]) -> dict[str, Any]:
        supervisor = self._supervisor
        if supervisor.state() != "running" or supervisor.container is None:
            raise states.refusal(supervisor.plan.name, supervisor.state(), "pause")
        if supervisor.stop:  # v1 would freeze it with the signal that is to end it
            raise WrongState(f"container {supervisor.plan.name} is being stopped")
        supervisor.container.pause()
        supervisor.paused = True
        supervisor.ledger.change(lambda row: row.replace(state="paused"), ("pause", {}))
        return {}

    def _resume(self, _client: Client, _body: dict[str, Any]) -> dict[str, Any]:
        supervisor = self._supervisor
        if not supervisor.paused or supervisor.container is None:
            raise states.refusal(supervisor.plan.name, supervisor.state(), "unpause")
        supervisor.container.resume()
        supervisor.paused = False
        supervisor.ledger.change(lambda row: row.replace(state="running"), ("unpause", {}))
        return {}

    def _resize(self, _client: Client, body: dict[str, Any]) -> dict[str, Any]:
        stdio = self._supervisor.stdio
        exec_id = body.get("exec_id")
        if exec_id:
            stdio = self.execs.stdio(str(exec_id))
        if stdio is None:
            raise NotFound("no terminal to resize")
        stdio.resize(int(body["rows"]), int(body["columns"]))
        return {}

    def _update(self, _client: Client, body: dict[str, Any]) -> dict[str, Any]:
        """Other limits, by the kernel's leave, and another restart policy."""
        supervisor = self._supervisor
        if supervisor.container and not supervisor.ended and body["limits"]:
            supervisor.container.update(body["limits"])
        supervisor.keep_limits(body["limits"])
        resources, restart = Resources.from_json(body["resources"]), RestartPolicy.from_json(body["restart"])
        supervisor.plan = supervisor.plan.replace(restart=restart)
        supervisor.ledger.change(
            lambda row: row.replace(resources=resources, restart=restart),
            ("update", {}),
            also=lambda tx: rows.change_request(tx, supervisor.plan.container_id, resources=resources, restart=restart),
        )
        return {}

    def _wait(self, client: Client, body: dict[str, Any]) -> dict[str, Any]:
        """Told at the next end of the program, or with `final` when it will not be started again."""
        self._waiters.add(client)
        if body.get("final"):
            self._patient.add(client)
        return {}

    def _connect(self, _client: Client, body: dict[str, Any]) -> dict[str, Any]:
        """Give the container its place in a further network, which its row already reserves."""
        self._supervisor.endpoints.connect(Endpoint.from_json(body["endpoint"]))
        return {}

    def _disconnect(self, _client: Client, body: dict[str, Any]) -> dict[str, Any]:
        self._supervisor.endpoints.disconnect(str(body["network"]))
        return {}


def _asked_by(client: Client, number: int, body: dict[str, Any]) -> StopRequest:
    pid, uid = client.peer()
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            words = file.read(_PROGRAM_BYTES)
    except OSError:  # it is gone again, or in another pid namespace
        words = b""
    return StopRequest(
        signal=number,
        time_ns=time.time_ns(),
        pid=pid,
        uid=uid,
        program=words.rstrip(b"\0").replace(b"\0", b" ").decode(errors="replace"),
        is_stop=body.get("timeout_s") is not None,
        lasting=bool(body.get("lasting", True)),
    )
