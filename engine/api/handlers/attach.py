"""Attach: a container's stream in place of HTTP, now or as soon as the container starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...cli.detach_keys import parse_detach_keys
from ...containers import rows
from ...errors import WrongState
from ..bridge import Bridge, framed
from ..errors import ApiError

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
    streams = frozenset(name for name in STREAMS if call.flag(name))
    await _attach(call, container, streams, not container.tty, lambda: call.upgrade(framed=not container.tty))


async def attach_by_websocket(call: Call) -> None:
    """The same in WebSocket frames, stdout and stderr as one stream; clients before 1.42 always get all three."""
    key = call.headers.get("sec-websocket-key", "")
    if call.headers.get("upgrade", "").lower() != "websocket" or not key:
        raise ApiError(400, "not a websocket handshake: headers Upgrade and Sec-WebSocket-Key are wanted")
    if call.headers.get("sec-websocket-version", "13") != "13":
        raise ApiError(400, "websocket version 13 is wanted")
    container = await call.threads.call(call.engine.containers.get, call.words["id"])
    streams = frozenset(name for name in STREAMS if call.version < (1, 42) or call.flag(name))
    protocol = call.headers.get("sec-websocket-protocol", "").split(",")[0].strip()
    await _attach(call, container, streams, False, lambda: call.upgrade_to_websocket(key, protocol))


async def _attach(
    call: Call, container: Container, streams: frozenset[str], is_framed: bool, upgrade: Callable[[], Tunnel]
) -> None:
    keys = parse_detach_keys(call.text("detachKeys"))
    logs, stream = call.flag("logs"), call.flag("stream")
    ends_stdin = (await call.threads.call(call.engine.containers.request, container.id)).stdin_once
    session = None
    if stream and container.state in LIVE:
        try:
            session = await call.threads.call(call.engine.containers.attach, container.id)
        except WrongState:  # ended this moment: as one that does not run
            pass
    try:
        tunnel = upgrade()
        if logs and not (container.tty and session):  # a terminal's last screen comes with its session
            await _replay(call, container, tunnel, streams, is_framed)
    except BaseException:
        if session:
            session.close()
        raise
    await call.threads.call(
        call.engine.events.announce, "container", "attach", container.id, rows.attributes(container)
    )
    bridge = Bridge(
        tunnel,
        tty=container.tty,
        framed=is_framed,
        streams=streams,
        detach_keys=keys,
        replay=logs,
        ends_stdin=ends_stdin,
    )
    tunnel.carry(bridge)
    if session:
        bridge.wire(session)
    elif stream:
        await _hold(call, container, bridge)
    else:
        bridge.close()
    await tunnel.gone()
    call.service.held.release(container.id, bridge)


async def _replay(call: Call, container: Container, tunnel: Tunnel, streams: frozenset[str], is_framed: bool) -> None:
    def lines(cancelled: Callable[[], bool]) -> Iterable[LogLine]:
        return call.engine.containers.logs(container.id, cancelled=cancelled)

    async for batch in call.threads.stream(lines):
        for line in batch:
            if line.stream in streams:
                data = line.text.encode("utf-8", "surrogateescape")
                tunnel.write(framed(line.stream, data) if is_framed else data)
        await tunnel.drained()


async def _hold(call: Call, container: Container, bridge: Bridge) -> None:
    held = call.service.held
    held.hold(container.id, bridge)
    now = await call.threads.call(call.engine.containers.get, container.id)
    if now.started_ns != container.started_ns:
        # started between the two looks, perhaps before it was held
        await held.wire_late(container.id)
