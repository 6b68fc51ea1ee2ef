"""One line of a container's log, made safe: colours (SGR) are kept, every other control sequence is dropped."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rich.ansi import AnsiDecoder
from rich.cells import cell_len, chop_cells

if TYPE_CHECKING:
    from rich.text import Span

# OSC, DCS, SOS, PM and APC strings with their content, to BEL, ST or the end of the line; and every CSI but SGR.
_STRINGS = re.compile(r"(?:\x1b\]|\x9d)[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c|$)|\x1b[PX^_][^\x1b]*(?:\x1b\\|$)")
_SEQUENCES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-ln-~]|\x1b\[[<-?][0-?]*[ -/]*m|\x1b[ -/]+[0-~]|\x1b[0-Z\\^-~]")
_CONTROL = re.compile(r"[\x00-\x1a\x1c-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
_REST = re.compile(r"\x1b")
MAX_CHARACTERS = 16_384


class Entry:
    """A line as it is shown. `number` grows by one from line to line (older lines, loaded later, are negative).

    `stream` is "stdout", "stderr" or "marker"; `open` means that the program has not ended the line yet.
    """

    __slots__ = ("number", "open", "plain", "raw", "spans", "stream", "time_ns", "width")

    def __init__(self, number: int, time_ns: int, stream: str, text: str) -> None:
        self.number = number
        self.time_ns = time_ns
        self.stream = stream
        self.raw = ""
        self.spans: tuple[Span, ...] = ()
        self.plain = ""
        self.width = 0
        self.open = False
        self.extend(text)

    def extend(self, text: str) -> None:
        """Add the rest of a line that was written in parts."""
        self.open = not text.endswith("\n") and self.stream != "marker"
        self.raw = (self.raw + text.rstrip("\r\n"))[:MAX_CHARACTERS]
        if self.raw.isascii() and self.raw.isprintable():
            self.plain, self.spans, self.width = self.raw, (), len(self.raw)
            return
        # A progress bar overwrites its line; what stands there in the end is after the last carriage return.
        line = self.raw.rpartition("\r")[2].expandtabs(8)
        line = _SEQUENCES.sub("", _STRINGS.sub("", line))
        line = _CONTROL.sub("", line)
        if "\x1b" in line:
            decoded = AnsiDecoder().decode_line(line)
            self.plain, self.spans = _REST.sub(" ", decoded.plain), tuple(decoded.spans)
        else:
            self.plain, self.spans = line, ()
        self.width = cell_len(self.plain)

    def pieces(self, width: int) -> list[tuple[int, int]]:
        """Where the line breaks to fit `width` cells: (start, end) in characters, at least one."""
        if width <= 0 or self.width <= width:
            return [(0, len(self.plain))]
        if self.width == len(self.plain):
            return [(start, min(start + width, self.width)) for start in range(0, self.width, width)]
        result, start = [], 0
        for part in chop_cells(self.plain, width):
            result.append((start, start + len(part)))
            start += len(part)
        return result
