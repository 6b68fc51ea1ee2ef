"""The container's log: one JSON object a line, in Docker's json-file form, appended as it is printed.

A line of the file is one line of output, or a stretch of one (no newline at its end) when it is longer than
16 KiB. Writes never fail the container: what a full disk refuses is dropped and counted, and the count is
written as soon as there is room.
"""

from __future__ import annotations

import os
import time
from json.encoder import encode_basestring as quoted

LINE_BYTES = 16 << 10
_DIGITS = 9


class LogWriter:
    """`max_bytes` 0: never rotated; otherwise `files` of this size are kept: log.json, log.json.1, …"""

    def __init__(self, path: str, *, max_bytes: int = 0, files: int = 1) -> None:
        self.path = path
        self.dropped_bytes = 0
        self._max_bytes = max_bytes
        self._files = max(files, 1)
        self._partial: dict[str, bytes] = {}
        self._open()

    def write(self, stream: str, data: bytes) -> None:
        """Append output of `stdout` or `stderr`; an unfinished line waits for its end."""
        data = self._partial.pop(stream, b"") + data
        whole, newline, rest = data.rpartition(b"\n")
        tail = f',"stream":"{stream}","time":"{timestamp()}"}}\n'
        records = ""
        if newline:
            lines = whole.split(b"\n")
            if max(map(len, lines)) <= LINE_BYTES:
                text = whole.decode(errors="replace")
                records = "".join([f'{{"log":{quoted(line)[:-1]}\\n"{tail}' for line in text.split("\n")])
            else:
                records = "".join([_stretches(line + b"\n", tail)[0] for line in lines])
        if len(rest) > LINE_BYTES:
            stretches, rest = _stretches(rest, tail)
            records += stretches
        if rest:
            self._partial[stream] = rest
        if records:
            self._write(records)

    def flush(self) -> None:
        """Write unfinished lines as they are; for the end of the container."""
        for stream, rest in self._partial.items():
            self._write(_record(rest.decode(errors="replace"), stream, timestamp()))
        self._partial.clear()

    def close(self) -> None:
        self.flush()
        os.close(self._fd)

    def _write(self, text: str) -> None:
        data = text.encode()
        if self._max_bytes and self._size + len(data) > self._max_bytes and self._size:
            self._rotate()
        try:
            if self.dropped_bytes:
                note = f"[pydock: {self.dropped_bytes} bytes of log were lost, the disk was full]\n"
                os.write(self._fd, _record(note, "stderr", timestamp()).encode())
                self.dropped_bytes = 0
            written = os.write(self._fd, data)
            if written < len(data):
                os.ftruncate(self._fd, self._size)
                self.dropped_bytes += len(data)
            else:
                self._size += written
        except OSError:
            self.dropped_bytes += len(data)

    def _open(self) -> None:
        self._fd = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
        self._size = os.fstat(self._fd).st_size

    def _rotate(self) -> None:
        try:
            for number in range(self._files - 1, 0, -1):
                older = self.path if number == 1 else f"{self.path}.{number - 1}"
                if os.path.exists(older):
                    os.replace(older, f"{self.path}.{number}")
            if self._files == 1:
                os.ftruncate(self._fd, 0)
                self._size = 0
                return
            os.close(self._fd)
            self._open()
        except OSError:
            pass


def timestamp(now_ns: int = 0) -> str:
    """RFC 3339 with nanoseconds, UTC."""
    now_ns = now_ns or time.time_ns()
    seconds, nanoseconds = divmod(now_ns, 1_000_000_000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{nanoseconds:0{_DIGITS}d}Z"


def _record(text: str, stream: str, time_text: str) -> str:
    return f'{{"log":{quoted(text)},"stream":"{stream}","time":"{time_text}"}}\n'


def _stretches(line: bytes, tail: str) -> tuple[str, bytes]:
    """Records of 16 KiB each, and what remains of a line that has not ended; cut between characters."""
    records = []
    start = 0
    while start < len(line):
        end = start + LINE_BYTES
        if end >= len(line):
            if not line.endswith(b"\n"):
                break
            end = len(line)
        else:
            while end > start + LINE_BYTES - 4 and line[end] & 0xC0 == 0x80:
                end -= 1
        records.append(f'{{"log":{quoted(line[start:end].decode(errors="replace"))}{tail}')
        start = end
    return "".join(records), line[start:]
