"""The log stream of another engine: frames or plain text, each line with its time before it."""

from __future__ import annotations

import struct

from ..models import LogLine
from .models import parse_time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from .http import Response

_HEADER = struct.Struct(">BxxxI")
_STREAMS = {1: "stdout", 2: "stderr"}


def read_lines(response: Response, *, framed: bool) -> Iterator[LogLine]:
    """Line by line until the stream ends."""
    with response:
        yield from _framed(response) if framed else _plain(response)


def _framed(response: Response) -> Iterator[LogLine]:
    pending = b""
    for chunk in response.chunks():
        pending += chunk
        offset = 0
        while len(pending) - offset >= _HEADER.size:
            stream, length = _HEADER.unpack_from(pending, offset)
            end = offset + _HEADER.size + length
            if end > len(pending):
                break
            yield from _lines(_STREAMS.get(stream, "stdout"), pending[offset + _HEADER.size : end])
            offset = end
        pending = pending[offset:]


def _plain(response: Response) -> Iterator[LogLine]:
    pending = b""
    for chunk in response.chunks():
        *lines, pending = (pending + chunk).split(b"\n")
        for line in lines:
            yield _line("stdout", line + b"\n")
    if pending:
        yield _line("stdout", pending)


def _lines(stream: str, payload: bytes) -> Iterator[LogLine]:
    """A frame holds one line, or several where an engine joins what it has."""
    for line in payload.splitlines(keepends=True) if payload.count(b"\n") > 1 else (payload,):
        yield _line(stream, line)


def _line(stream: str, data: bytes) -> LogLine:
    stamp, space, text = data.partition(b" ")
    time_ns = parse_time(stamp.decode("latin-1")) if space and stamp[:1].isdigit() else 0
    return LogLine(
        time_ns=time_ns,
        stream=stream,
        text=(text if time_ns else data).decode("utf-8", "surrogateescape"),
    )
