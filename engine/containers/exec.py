"""`exec`: a further process in a running container, in the surroundings of its first one."""

from __future__ import annotations

import json
import os

from ..bundle import capabilities, process, user
from ..errors import InvalidRequest
from . import reconcile, rows, states
from .session import Session, request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..images.config import ImageConfig
    from ..models import Container, CreateRequest, ExecRequest
    from ..paths import Paths
    from ..store import Store


def execute(
    store: Store,
    paths: Paths,
    container: Container,
    asked: ExecRequest,
    process_json: dict[str, Any],
    size: tuple[int, int] | None = None,
    exec_id: str = "",
) -> Session:
    """Run it and return its session, closed already when it is to be detached. `exec_id`: 64 hex digits, or random.

    Raises `WrongState` when the container is not running, `StartFailed` when there is no such program.
    """
    body = {
        "op": "exec",
        "exec_id": exec_id or os.urandom(32).hex(),
        "process": process_json,
        "tty": asked.tty,
        "open_stdin": asked.open_stdin,
        "detach": asked.detach,
        "rows": size[0] if size else 0,
        "columns": size[1] if size else 0,
    }
    check_running(container)
    try:
        session, _reply = request(paths.shim_socket(container.id), body)
    except (FileNotFoundError, ConnectionError) as error:
        reconcile.settle(store, paths, container.id)
        raise states.refusal(container.name, rows.load(store, container.id).state, "exec") from error
    if asked.detach:
        session.close()
    return session


def check_running(container: Container) -> None:
    """Raise `WrongState` when no process can join it."""
    states.check(container, "exec")


def process_for(
    paths: Paths,
    container: Container,
    created: CreateRequest,
    image: ImageConfig,
    layers: tuple[str, ...],
    asked: ExecRequest,
) -> dict[str, Any]:
    """The OCI process object: the container's own with the request laid over it."""
    if not asked.command or not asked.command[0]:
        raise InvalidRequest("no command given to exec")
    bundle = paths.container(container.id)
    with open(f"{bundle}/config.json", encoding="utf-8") as file:
        built: dict[str, Any] = json.load(file)["process"]
    environment = dict(entry.partition("=")[::2] for entry in built["env"])
    if asked.tty:
        environment.setdefault("TERM", "xterm")
    if asked.user:
        who = user.resolve(asked.user, created.group_add, (*layers, f"{bundle}/upper"))
        built["user"] = process.user_object(who)
        environment["HOME"] = who.home
    process.merge(environment, asked.env)
    if asked.user or asked.privileged:
        names = capabilities.possible(created.cap_add, created.cap_drop, created.privileged or asked.privileged)
        built["capabilities"] = process.capability_sets(names, built["user"]["uid"])
    built["args"] = list(asked.command)
    built["env"] = [f"{name}={value}" for name, value in environment.items()]
    built["terminal"] = asked.tty
    if asked.working_dir:
        built["cwd"] = asked.working_dir
    return built
