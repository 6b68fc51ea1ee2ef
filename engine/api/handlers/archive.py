"""Files of a container: what a path is, out as tar, in as tar, the whole of it, and what it has changed."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

from ...cli.units import rfc3339
from ..call import Answer, Call, json_answer
from ..errors import ApiError

if TYPE_CHECKING:
    from ...containers.archive import PathStat, Stream
    from ..call import Headers

TAR = "application/x-tar"
OCTETS = "application/octet-stream"
_KINDS = {"C": 0, "A": 1, "D": 2}


async def stat(call: Call) -> Answer:
    found = await call.threads.call_long(call.engine.containers.path_stat, call.words["id"], _path(call))
    return Answer(200, headers=(_stat_header(found),))


async def read(call: Call) -> None:
    path = _path(call)

    def opened() -> tuple[Headers, Stream]:
        found, stream = call.engine.containers.read_archive(call.words["id"], path)
        return (_stat_header(found),), stream

    await call.send_pieces(opened, TAR)


async def write(call: Call) -> Answer:
    source = call.file()
    await call.threads.call_long(
        call.engine.containers.write_archive,
        call.words["id"],
        _path(call),
        source.read,
        own=call.flag("copyUIDGID"),
        strict=call.flag("noOverwriteDirNonDir"),
    )
    return Answer(200)


async def export(call: Call) -> None:
    await call.send_pieces(lambda: ((), call.engine.containers.export(call.words["id"])), OCTETS)


async def changes(call: Call) -> Answer:
    found = await call.threads.call_long(call.engine.containers.changes, call.words["id"])
    return json_answer([{"Path": change.path, "Kind": _KINDS[change.kind]} for change in found] or None)


def _path(call: Call) -> str:
    path = call.text("path")
    if not path:
        raise ApiError(400, "Bad parameter: path is missing")
    return path


def _stat_header(found: PathStat) -> tuple[str, str]:
    data = {
        "name": found.name,
        "size": found.size,
        "mode": found.go_mode,
        "mtime": rfc3339(found.mtime_ns),
        "linkTarget": found.link_target,
    }
    text = json.dumps(data, separators=(",", ":")).encode("utf-8", "surrogateescape")
    return "X-Docker-Container-Path-Stat", base64.b64encode(text).decode()
