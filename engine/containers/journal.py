"""What containers with the log driver `journald` printed, by journalctl(1)."""

from __future__ import annotations

import json
import select
import subprocess

from ..errors import HostUnfit
from ..models import LogLine

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from ..models import Container
    from .session import Session

_CANCEL_LATENCY_S = 0.25
_QUIET_S = 1.0
_OURS = frozenset(
    (
        *("MESSAGE", "PRIORITY", "SYSLOG_IDENTIFIER", "CONTAINER_ID", "CONTAINER_ID_FULL", "CONTAINER_NAME"),
        *("CONTAINER_TAG", "IMAGE_NAME", "CONTAINER_PARTIAL_MESSAGE"),
    )
)


def read(
    container: Container,
    *,
    follow: bool,
    tail: int | None,
    since_ns: int,
    until_ns: int,
    cancelled: Callable[[], bool] | None,
    ending: Session | None = None,
) -> Iterator[LogLine]:
    """The entries of one container. A follower goes on until it is cancelled, or until `ending`, an open wait for the
    container's end, has told it and nothing has come for a moment: the journal itself knows no end."""
    command = ["journalctl", "--quiet", "--no-pager", "--output=json", f"CONTAINER_ID_FULL={container.id}"]
    if tail is not None:
        command.append(f"--lines={tail}")
    elif follow:
        command.append("--no-tail")
    if since_ns:
        command.append(f"--since=@{since_ns / 1e9:.6f}")
    if until_ns:
        command.append(f"--until=@{until_ns / 1e9:.6f}")
    if follow:
        command.append("--follow")
    try:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
    except FileNotFoundError as error:
        raise HostUnfit("the journal cannot be read: no journalctl on this host") from error
    return _lines(process, cancelled, ending)


def _lines(
    process: subprocess.Popen[bytes], cancelled: Callable[[], bool] | None, ending: Session | None
) -> Iterator[LogLine]:
    assert process.stdout is not None
    pending, over = b"", False
    try:
        while True:
            if cancelled and cancelled():
                return
            waiting = [] if ending is None or over else [ending.fileno()]
            wait_s = _QUIET_S if over else _CANCEL_LATENCY_S if cancelled else None
            output_fd = process.stdout.fileno()
            ready = select.select([output_fd, *waiting], [], [], wait_s)[0]
            if waiting and waiting[0] in ready and ending is not None:
                over = any(frame.kind in ("exit", "closed") for frame in ending.read_available())
            if output_fd not in ready:
                if over and not ready:
                    return
                continue
            data = process.stdout.read1(1 << 16)  # type: ignore[attr-defined]
            if not data:
                return
            whole, _, pending = (pending + data).rpartition(b"\n")
            for raw in whole.split(b"\n") if whole else ():
                line = parse(raw)
                if line:
                    yield line
    finally:
        if ending is not None:
            ending.close()
        process.kill()
        process.wait()
        process.stdout.close()


def parse(raw: bytes) -> LogLine | None:
    """One entry of journalctl's JSON; a message that is no text is a list of bytes there."""
    try:
        entry: dict[str, Any] = json.loads(raw)
        message = entry.get("MESSAGE") or ""
        text = bytes(message).decode(errors="surrogateescape") if isinstance(message, list) else str(message)
        time_ns = int(entry["__REALTIME_TIMESTAMP"]) * 1000
        stream = "stderr" if str(entry.get("PRIORITY")) == "3" else "stdout"
    except (ValueError, KeyError, TypeError):
        return None
    partial = entry.get("CONTAINER_PARTIAL_MESSAGE") == "true"
    return LogLine(
        time_ns=time_ns,
        stream=stream,
        text=text if partial else f"{text}\n",
        attributes={
            name: value
            for name, value in entry.items()
            if name not in _OURS and not name.startswith("_") and isinstance(value, str)
        },
    )
