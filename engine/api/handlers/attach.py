"""Attach: a container's stream in place of HTTP, now or as soon as the container starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...cli.detach_keys import parse_detach_keys
from ...errors import WrongState
from ..bridge import Bridge, framed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ...models import Container, LogLine
    from ..call import Call
    from ..tunnel import Tunnel

STREAMS = ("stdin", "stdout", "stderr")
LIVE = ("running", "paused")


async def attach(call: Call) -> None:
    """`logs`: what it printed before comes first; `stream`: and what it prints from now on.

    With both, a line printed at this very moment may come twice: better than not at all.
    """
    container = await call.threads.call(call.engine.containers.get, call.words["id"])
    keys = parse_detach_keys(call.text("detachKeys"))
    streams = frozenset(name for name in STREAMS if call.flag(name))
    logs, stream = call.flag("logs"), call.flag("stream")
    ends_stdin = (await call.threads.call(call.engine.containers.request, container.id)).stdin_once
    session = None
    if stream and container.state in LIVE:
        try:
            session = await call.threads.call(call.engine.containers.attach, container.id)
        except WrongState:  # ended this moment: as one that does not run
            pass
    try:
        tunnel = call.upgrade(framed=not container.tty)
        if logs and not (container.tty and session):  # a terminal's last screen comes with its session
            await _replay(call, container, tunnel, streams)
    except BaseException:
        if session:
            session.close()
        raise
    bridge = Bridge(tunnel, tty=container.tty, streams=streams, detach_keys=keys, replay=logs, ends_stdin=ends_stdin)
    tunnel.carry(bridge)
    if session:
        bridge.wire(session)
    elif stream:
        await _hold(call, container, bridge)
    else:
        bridge.close()
    await tunnel.gone()
    call.service.held.release(container.id, bridge)


async def _replay(call: Call, container: Container, tunnel: Tunnel, streams: frozenset[str]) -> None:
    def lines(cancelled: Callable[[], bool]) -> Iterable[LogLine]:
        return call.engine.containers.logs(container.id, cancelled=cancelled)

    async for batch in call.threads.stream(lines):
        for line in batch:
            if line.stream in streams:
                data = line.text.encode("utf-8", "surrogateescape")
                tunnel.write(data if container.tty else framed(line.stream, data))
        await tunnel.drained()


async def _hold(call: Call, container: Container, bridge: Bridge) -> None:
    held = call.service.held
    held.hold(container.id, bridge)
    now = await call.threads.call(call.engine.containers.get, container.id)
    if now.state in LIVE and now.started_ns != container.started_ns:
        # started between the two looks, perhaps before it was held
        await held.wire_late(container.id)
