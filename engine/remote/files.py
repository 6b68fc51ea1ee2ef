"""Files of another engine's containers: archives in and out, what changed, the whole root, an image made of it."""

from __future__ import annotations

import base64
import json
import stat

from ..containers.archive import PathStat
from ..containers.changes import Change
from ..errors import EngineError, NotFound
from .api import quoted
from .models import parse_time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any, Self

    from .api import Api
    from .http import Response

_KINDS = {
    1 << 31: stat.S_IFDIR,
    1 << 27: stat.S_IFLNK,
    1 << 25: stat.S_IFIFO,
    1 << 24: stat.S_IFSOCK,
    1 << 26 | 1 << 21: stat.S_IFCHR,
    1 << 26: stat.S_IFBLK,
}
_BITS = ((1 << 23, stat.S_ISUID), (1 << 22, stat.S_ISGID), (1 << 20, stat.S_ISVTX))
_CHANGES = ("C", "A", "D")


class RemoteStream:
    """A body in pieces, to be iterated once and closed."""

    def __init__(self, response: Response) -> None:
        self._response = response
        self._pieces = response.chunks()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        return next(self._pieces)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        self._response.close()


def path_stat(api: Api, reference: str, path: str) -> PathStat:
    try:
        with api.open("HEAD", _archive(reference), {"path": path}) as response:
            response.read()
            return _stat(response, path)
    except NotFound:  # an answer to HEAD has no words
        api.json("GET", f"/containers/{quoted(reference)}/json")
        raise NotFound(f"could not find the file {path} in container {reference}") from None


def read_archive(api: Api, reference: str, path: str) -> tuple[PathStat, RemoteStream]:
    response = api.open("GET", _archive(reference), {"path": path})
    try:
        return _stat(response, path), RemoteStream(response)
    except BaseException:
        response.close()
        raise


def write_archive(api: Api, reference: str, path: str, read: Callable[[int], bytes], *, own: bool, strict: bool) -> int:
    """The bytes that were sent."""
    sent = 0

    def pieces() -> Iterator[bytes]:
        nonlocal sent
        for piece in read_pieces(read):
            sent += len(piece)
            yield piece

    query = {"path": path, "noOverwriteDirNonDir": strict, "copyUIDGID": own}
    api.open("PUT", _archive(reference), query, stream=pieces()).read()
    return sent


def changes(api: Api, reference: str) -> list[Change]:
    found = [
        Change.from_json({"kind": _CHANGES[int(row["Kind"])], "path": row["Path"]})
        for row in api.json("GET", f"/containers/{quoted(reference)}/changes") or ()
    ]
    return sorted(found, key=_path)


def export(api: Api, reference: str) -> RemoteStream:
    return RemoteStream(api.open("GET", f"/containers/{quoted(reference)}/export"))


def commit(
    api: Api,
    reference: str,
    name: str,
    *,
    author: str,
    comment: str,
    changes: Sequence[str],
    pause: bool,
    config: dict[str, Any],
) -> str:
    """The id of the new image."""
    repository, colon, tag = name.rpartition(":")
    if not colon or "/" in tag:
        repository, tag = name, ""
    query = {
        "container": reference,
        "repo": repository,
        "tag": tag,
        "author": author,
        "comment": comment,
        "changes": list(changes),
        "pause": "1" if pause else "0",
    }
    return str(api.json("POST", "/commit", query, config)["Id"])


def read_pieces(read: Callable[[int], bytes]) -> Iterator[bytes]:
    """What `read(n)` gives until it gives nothing."""
    while piece := read(1 << 16):
        yield piece


def _archive(reference: str) -> str:
    return f"/containers/{quoted(reference)}/archive"


def _stat(response: Response, path: str) -> PathStat:
    try:
        data = json.loads(base64.b64decode(response.headers["x-docker-container-path-stat"]))
    except (KeyError, ValueError) as error:
        raise EngineError(f"the engine does not say what {path} is") from error
    go_mode = int(data["mode"])
    mode = go_mode & 0o777
    mode |= next((kind for bits, kind in _KINDS.items() if go_mode & bits == bits), stat.S_IFREG)
    for bit, mask in _BITS:
        mode |= mask if go_mode & bit else 0
    return PathStat(
        name=data["name"],
        size=int(data["size"]),
        mode=mode,
        mtime_ns=parse_time(data.get("mtime")),
        link_target=data.get("linkTarget") or "",
    )


def _path(change: Change) -> str:
    return change.path
