"""Logs: what a container printed, framed unless it has a terminal, and on to its end with `follow`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...cli.errors import UsageError
from ...cli.units import parse_time, rfc3339
from ...containers.log_options import details_text
from ..bridge import framed
from ..errors import ApiError
from ..exchange import MULTIPLEXED_STREAM, RAW_STREAM

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ...models import LogLine
    from ..call import Call


async def logs(call: Call) -> None:
    streams = frozenset(name for name in ("stdout", "stderr") if call.flag(name))
    if not streams:
        raise ApiError(400, "Bad parameters: you must choose at least one stream")
    tail = _tail(call.text("tail"))
    since_ns, until_ns = time_of(call, "since"), time_of(call, "until")
    follow, timestamps, details = call.flag("follow"), call.flag("timestamps"), call.flag("details")
    container = await call.threads.call(call.engine.containers.get, call.words["id"])
    request = await call.threads.call(call.engine.containers.request, container.id)
    if request.log_driver == "none":
        raise ApiError(501, "configured logging driver does not support reading")

    def lines(cancelled: Callable[[], bool]) -> Iterable[LogLine]:
        return call.engine.containers.logs(
            container.id, follow=follow, tail=tail, since_ns=since_ns, until_ns=until_ns, cancelled=cancelled
        )

    await call.begin(RAW_STREAM if container.tty or call.version < (1, 42) else MULTIPLEXED_STREAM)
    async for batch in call.threads.stream(lines):
        out = bytearray()
        for line in batch:
            if line.stream not in streams:
                continue
            prefix = f"{rfc3339(line.time_ns)} " if timestamps else ""
            prefix += f"{details_text(line.attributes)} " if details else ""
            data = f"{prefix}{line.text}".encode("utf-8", "surrogateescape")
            out += data if container.tty else framed(line.stream, data)
        await call.write(bytes(out))


def time_of(call: Call, name: str) -> int:
    """Nanoseconds of a Unix time with a fraction, or a time as the command line takes it; 0 for none."""
    text = call.text(name)
    try:
        return 0 if text in ("", "0") else parse_time(text, name)
    except UsageError:
        raise ApiError(400, f"invalid value for {name!r}: {text!r}") from None


def _tail(text: str) -> int | None:
    """Docker takes what is no number for all."""
    return int(text) if text.isdigit() else None
