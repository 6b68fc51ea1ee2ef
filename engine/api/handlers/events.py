"""Events: past ones, and on as they happen."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING

from ...cli import events as command
from ..call import JSON
from ..filters import read_filters
from .logs import time_of

if TYPE_CHECKING:
    from ...models import Event
    from ..call import Call

_FILTERS = (*command.FILTERS, "daemon", "scope", "plugin", "service", "node", "secret", "config")


async def events(call: Call) -> None:
    filters = read_filters(call, _FILTERS)
    since_ns, until_ns = time_of(call, "since"), time_of(call, "until")

    def wanted(event: Event) -> bool:
        return command.passes(event, filters)

    feed = await call.service.watcher.feed(wanted)
    try:
        await call.begin(JSON)
        seen = 0
        if since_ns or (until_ns and until_ns <= time.time_ns()):
            for event in await call.threads.call(call.engine.events.between, since_ns, until_ns):
                seen = event.id
                if wanted(event):
                    await call.write(_line(event))
        while not until_ns or time.time_ns() < until_ns:
            left_s = max(0.0, (until_ns - time.time_ns()) / 1e9) if until_ns else None
            try:
                event = await asyncio.wait_for(feed.next(), left_s)
            except TimeoutError:
                return
            if event.id > seen and not (until_ns and event.time_ns > until_ns):
                await call.write(_line(event))
    finally:
        feed.close()


def _line(event: Event) -> bytes:
    return json.dumps(command.event_json(event), separators=(",", ":")).encode() + b"\n"
