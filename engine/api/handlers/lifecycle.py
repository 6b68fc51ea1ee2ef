"""Containers: start, stop, restart, kill, pause, unpause, wait, resize, top."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING, Any

from ...bundle.validate import signal_number
from ...cli import top as columns
from ...cli.border import worded
from ...containers.rows import LIVE_STATES
from ...errors import Conflict, ContainerNotFound
from ..call import JSON, NO_CONTENT, NOT_MODIFIED, Answer, Call, json_answer
from ..errors import ApiError

if TYPE_CHECKING:
    from ...engine import Engine
    from ...models import Event

CONDITIONS = ("not-running", "next-exit", "removed")


async def start(call: Call) -> Answer:
    """204; 304 when it runs already."""
    container = await call.threads.call(call.engine.containers.get, call.words["id"])
    if container.state == "paused":
        raise Conflict("cannot start a paused container, try unpause instead")
    if container.state == "running":
        return NOT_MODIFIED
    # carried through although the client may go
    await asyncio.shield(call.service.spawn(call.service.held.start(container.id)))
    return NO_CONTENT


async def stop(call: Call) -> Answer:
    """204; 304 when it does not run. `signal`: instead of the container's own."""
    container = await call.threads.call(call.engine.containers.get, call.words["id"])
    if container.state not in LIVE_STATES:
        return NOT_MODIFIED
    timeout_s = call.number("t")
    number = signal_number(call.text("signal")) if call.text("signal") else None
    await call.threads.call_long(call.engine.containers.stop, container.id, timeout_s, signal=number)
    return NO_CONTENT


async def restart(call: Call) -> Answer:
    container = await call.threads.call(call.engine.containers.get, call.words["id"])
    timeout_s = call.number("t")
    number = signal_number(call.text("signal")) if call.text("signal") else None
    await call.threads.call_long(call.engine.containers.restart, container.id, timeout_s, signal=number)
    return NO_CONTENT


async def kill(call: Call) -> Answer:
    number = signal_number(call.text("signal") or "SIGKILL")
    try:
        container = await call.threads.call(call.engine.containers.get, call.words["id"])
    except ContainerNotFound as error:
        raise ApiError(404, f"cannot kill container: {call.words['id']}: {worded(error.message)}") from None
    if container.state not in LIVE_STATES:
        raise Conflict(f"cannot kill container: {call.words['id']}: Container {container.id} is not running")
    await call.threads.call_long(call.engine.containers.kill, container.id, number)
    if number == signal.SIGKILL:
        await call.threads.call_long(call.engine.containers.wait, container.id)
    return NO_CONTENT


async def pause(call: Call) -> Answer:
    await call.threads.call_long(call.engine.containers.pause, call.words["id"])
    return NO_CONTENT


async def unpause(call: Call) -> Answer:
    await call.threads.call_long(call.engine.containers.unpause, call.words["id"])
    return NO_CONTENT


async def wait(call: Call) -> None:
    """Status and headers at once, the exit code when it is known: clients ask before they start the container."""
    condition = call.text("condition") or "not-running"
    if condition not in CONDITIONS:
        raise ApiError(400, f"invalid condition: {condition!r}")
    container_id = (await call.threads.call(call.engine.containers.get, call.words["id"])).id

    def concerns(event: Event) -> bool:
        return event.actor == container_id and event.action in ("die", "destroy")

    feed = await call.service.watcher.feed(concerns)
    try:
        container = await call.threads.call(call.engine.containers.get, container_id)  # as of after the feed began
        await call.begin(JSON)
        code = container.exit_code
        if condition != "not-running" or container.state in LIVE_STATES:
            while True:
                event = await feed.next()
                if event.action == "die":
                    code = int(event.attributes.get("exitCode", "0"))
                if event.action == "destroy" or condition != "removed":
                    break
        await call.write(b'{"StatusCode":%d}\n' % code)
    finally:
        feed.close()


async def resize(call: Call) -> Answer:
    rows, columns = size_of(call)
    await call.threads.call(call.engine.containers.resize, call.words["id"], rows, columns)
    return Answer(200)


def size_of(call: Call) -> tuple[int, int]:
    """(rows, columns) of a resize. Raises `ApiError`."""
    rows, columns = call.number("h"), call.number("w")
    if rows is None or columns is None or not (0 <= rows < 1 << 16 and 0 <= columns < 1 << 16):
        raise ApiError(400, "invalid resize: h and w have to be from 0 to 65535")
    return rows, columns


async def top(call: Call) -> Answer:
    arguments = call.text("ps_args")
    return json_answer(await call.threads.call_long(_top, call.engine, call.words["id"], arguments))


def _top(engine: Engine, reference: str, arguments: str) -> dict[str, Any]:
    titles, rows = columns.ps_table(engine.containers.top(reference), arguments.split())
    return {"Titles": titles, "Processes": rows}
