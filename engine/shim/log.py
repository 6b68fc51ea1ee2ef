"""The container's output as a log: cut into lines, dated, and handed to a file or to the journal.

A record is one line of output, or a stretch of one (no newline at its end) when it is longer than 16 KiB. Writes never
fail the container: what a full disk refuses is dropped and counted, and the count is written as soon as there is room.
"""

from __future__ import annotations

import time

from .log_format import CompactFormat, JsonFormat
from .log_rotation import RotatingFile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from ..containers.log_options import LogSettings
    from .loop import Loop

    class Sink(Protocol):
        """Where records go. `text` is whole lines without the last newline; `piece` a stretch of one, with its newline
        where the line ends."""

        def lines(self, stream: str, text: bytes) -> None: ...
        def stretch(self, stream: str, piece: bytes) -> None: ...
        def close(self) -> None: ...


LINE_BYTES = 16 << 10


class LogWriter:
    """Takes output as it comes, in any pieces."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._partial: dict[str, bytes] = {}

    def write(self, stream: str, data: bytes) -> None:
        """Append output of `stdout` or `stderr`; an unfinished line waits for its end."""
        data = self._partial.pop(stream, b"") + data
        whole, newline, rest = data.rpartition(b"\n")
        if newline:
            if len(whole) <= LINE_BYTES or max(map(len, whole.split(b"\n"))) <= LINE_BYTES:
                self._sink.lines(stream, whole)
            else:
                for line in whole.split(b"\n"):
                    self._stretches(stream, line + b"\n")
        if len(rest) > LINE_BYTES:
            rest = self._stretches(stream, rest)
        if rest:
            self._partial[stream] = rest

    def close(self) -> None:
        """Write unfinished lines as they are; for the end of the container."""
        for stream, rest in self._partial.items():
            self._sink.stretch(stream, rest)
        self._partial.clear()
        self._sink.close()

    def _stretches(self, stream: str, line: bytes) -> bytes:
        """Write pieces of 16 KiB, cut between characters; returns what remains of a line that has not ended."""
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
            self._sink.stretch(stream, line[start:end])
            start = end
        return line[start:]


class FileSink:
    """Records in a file that is rotated."""

    def __init__(self, file: RotatingFile, form: JsonFormat | CompactFormat) -> None:
        self._file = file
        self._form = form
        self.dropped_bytes = 0

    def lines(self, stream: str, text: bytes) -> None:
        self._append(self._form.lines(stream, text, time.time_ns()))

    def stretch(self, stream: str, piece: bytes) -> None:
        self._append(self._form.stretch(stream, piece, time.time_ns()))

    def close(self) -> None:
        self._file.close()

    def _append(self, records: bytes) -> None:
        if self.dropped_bytes:
            note = f"[pydock: {self.dropped_bytes} bytes of log were lost, the disk was full]"
            if not self._file.append(self._form.lines("stderr", note.encode(), time.time_ns())):
                self.dropped_bytes += len(records)
                return
            self.dropped_bytes = 0
        if not self._file.append(records):
            self.dropped_bytes += len(records)


def open_log(settings: LogSettings, path: str, loop: Loop | None = None) -> LogWriter | None:
    """The writer for a container, None when nothing is to be kept. Raises OSError."""
    if settings.driver == "none":
        return None
    if settings.driver == "journald":
        from .journal import JournalSink

        return LogWriter(JournalSink(settings))
    file = RotatingFile(path, max_bytes=settings.max_bytes, files=settings.files, compress=settings.compress, loop=loop)
    return LogWriter(FileSink(file, CompactFormat() if settings.driver == "local" else JsonFormat(settings.attributes)))
