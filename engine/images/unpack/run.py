"""Starts the unpacker for one layer and listens to it; the host's side of `worker`."""

from __future__ import annotations

import importlib.util
import json
import os
import select
import subprocess
import sys

from ...errors import Cancelled, CorruptContent, DiskFull, EngineError
from ...record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

RESERVED_BYTES = 64 << 20
POLL_MS = 100


class Unpacked(Record):
    """`size`: bytes of file content. `implied`: directories without an entry of their own, b"" the root."""

    size: int
    entries: int
    diff_id: str
    implied: tuple[bytes, ...]


def unpack_layer(
    blob_fd: int,
    target: str,
    *,
    on_read: Callable[[int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Unpacked:
    """Unpack the blob into the empty directory `target` in a confined process; blocks until it is done.

    Leaves whatever is there to the caller when it fails. Raises CorruptContent for a bad or forbidden archive,
    Cancelled, and EngineError when the disk is full or fails.
    """
    target_fd = os.open(target, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    result_fd, answer_fd = os.pipe2(os.O_CLOEXEC)
    task = {
        "blob": blob_fd,
        "target": target_fd,
        "result": answer_fd,
        "budget": _free_bytes(target_fd) - RESERVED_BYTES,
        "path": _library_folders(),
    }
    worker = os.path.join(os.path.dirname(os.path.abspath(__file__)), "worker.py")
    try:
        process = subprocess.Popen(
            [sys.executable, "-SI", worker, json.dumps(task)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            pass_fds=(blob_fd, target_fd, answer_fd),
            env={},
        )
    finally:
        os.close(target_fd)
        os.close(answer_fd)
    try:
        return _listen(process, result_fd, target, on_read, cancelled)
    finally:
        os.close(result_fd)
        if process.stdin is not None:
            process.stdin.close()
        if process.stderr is not None:
            process.stderr.close()
        process.kill()
        process.wait()


def _listen(
    process: subprocess.Popen[bytes],
    result_fd: int,
    target: str,
    on_read: Callable[[int], None] | None,
    cancelled: Callable[[], bool] | None,
) -> Unpacked:
    for message in _messages(result_fd, cancelled):
        if "read" in message:
            if on_read is not None:
                on_read(message["read"])
        elif "refused" in message:
            raise CorruptContent(f"layer refused: {message['refused']}")
        elif "errno" in message:
            number = message["errno"]
            raise DiskFull(
                f"cannot unpack a layer into {target}: {os.strerror(number).lower()}",
                hint="Free some space: remove images that are not needed.",
            )
        else:
            implied = tuple(name.encode("latin-1") for name in message["implied"])
            return Unpacked(
                size=message["size"],
                entries=message["entries"],
                diff_id=message["diff_id"],
                implied=implied,
            )
    stderr = process.stderr.read() if process.stderr is not None else b""
    status = process.wait()
    reason = stderr.decode(errors="replace").strip().rpartition("\n")[2] or f"exit status {status}"
    raise EngineError(f"the unpacker ended without a result: {reason}")


def _messages(result_fd: int, cancelled: Callable[[], bool] | None) -> Iterator[dict[str, Any]]:
    poll = select.poll()
    poll.register(result_fd, select.POLLIN)
    rest = b""
    while True:
        if cancelled is not None and cancelled():
            raise Cancelled("cancelled while unpacking a layer")
        if not poll.poll(POLL_MS):
            continue
        data = os.read(result_fd, 1 << 16)
        if not data:
            return
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            yield json.loads(line)


def _free_bytes(directory_fd: int) -> int:
    fs = os.statvfs(directory_fd)
    return fs.f_bavail * fs.f_frsize


def _library_folders() -> list[str]:
    """Where the worker finds this package and the codecs, which `-S` hides from it."""
    here = os.path.abspath(__file__)
    folders = [os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(here))))]
    for package in ("isal", "backports"):
        spec = importlib.util.find_spec(package)
        for place in (spec.submodule_search_locations if spec is not None else None) or ():
            folder = os.path.dirname(place)
            if folder not in folders:
                folders.append(folder)
    return folders
