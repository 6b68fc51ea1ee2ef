"""Exec instances: create, start (attached or detached), inspect, resize."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ...cli.detach_keys import parse_detach_keys
from ...containers.exec import check_running
from ...errors import EngineError, StartFailed
from ...models import ExecRequest
from ..bridge import Bridge
from ..call import Answer, Call, json_answer
from ..errors import ApiError, start_message
from ..execs import ExecInstance
from ..fields import Fields
from .lifecycle import size_of

if TYPE_CHECKING:
    from ...containers.session import Session
    from ..tunnel import Tunnel


async def create(call: Call) -> Answer:
    fields = Fields(call.json(), "ExecConfig")
    command = fields.texts("Cmd")
    if not command or not command[0]:
        raise ApiError(400, "No exec command specified")
    container = await call.threads.call(call.engine.containers.get, call.words["id"])
    check_running(container)
    keys = fields.text("DetachKeys")
    parse_detach_keys(keys)
    streams = frozenset(name for name in ("stdin", "stdout", "stderr") if fields.flag(f"Attach{name.title()}"))
    request = ExecRequest(
        command=command,
        tty=fields.flag("Tty"),
        open_stdin="stdin" in streams,
        env=fields.texts("Env"),
        user=fields.text("User"),
        working_dir=fields.text("WorkingDir"),
        privileged=fields.flag("Privileged"),
    )
    instance = ExecInstance(container.id, request, streams, keys)
    call.service.execs.add(instance)
    return json_answer({"Id": instance.id}, 201)


async def start(call: Call) -> Answer | None:
    instance = call.service.execs.get(call.words["id"])
    fields = Fields(call.json(), "ExecStartConfig")
    detach = fields.flag("Detach")
    if instance.started:
        raise ApiError(409, f"exec {instance.id} has already been started")
    console = fields.value("ConsoleSize")
    size = (console[0], console[1]) if isinstance(console, list) and len(console) == 2 and all(console) else None
    instance.started = True
    # carried through although the client may go: its session must find an owner
    await asyncio.shield(call.service.spawn(_start(call, instance, detach, size)))
    return Answer(200) if detach else None


async def inspect(call: Call) -> Answer:
    return json_answer(call.service.execs.get(call.words["id"]).document())


async def resize(call: Call) -> Answer:
    instance = call.service.execs.get(call.words["id"])
    rows, columns = size_of(call)
    if not instance.running:
        raise ApiError(409, f"exec process {instance.id} is not running")
    await call.threads.call(call.engine.containers.resize, instance.container_id, rows, columns, exec_id=instance.id)
    return Answer(200)


async def _start(call: Call, instance: ExecInstance, detach: bool, size: tuple[int, int] | None) -> None:
    request = instance.request.replace(detach=detach)
    failure: StartFailed | None = None
    session: Session | None = None
    instance.running = True
    try:
        session = await call.threads.call_long(
            call.engine.containers.exec, instance.container_id, request, size, exec_id=instance.id
        )
        instance.pid = session.pid
    except StartFailed as error:
        instance.end(error.exit_code)
        if detach:
            raise
        failure = error
    except EngineError:
        instance.running = instance.started = False
        raise
    if detach:
        return
    try:
        tunnel = call.upgrade(framed=not request.tty)
    except BaseException:
        if session:
            session.close()
        raise
    await _carry(instance, tunnel, session, failure)


async def _carry(instance: ExecInstance, tunnel: Tunnel, session: Session | None, failure: StartFailed | None) -> None:
    bridge = Bridge(
        tunnel,
        tty=instance.request.tty,
        streams=instance.streams,
        detach_keys=parse_detach_keys(instance.detach_keys),
        on_exit=instance.end,
    )
    tunnel.carry(bridge)
    if session is None:
        if failure:
            # HTTP is over for the client: it reads the reason, and the code by `inspect`
            bridge.say(start_message(failure))
        bridge.close()
    else:
        bridge.wire(session)
    await tunnel.gone()
