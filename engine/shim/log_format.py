"""What a record of a log looks like on disk; `containers/log_file.py` reads both forms.

Docker's json-file: one JSON object a line, `{"log":"…\\n","stream":"stdout","time":"…"}`. What is no UTF-8 is replaced.

Compact, for the driver `local`: a letter for the stream (`o`, `e`; in upper case when the line goes on in the next
record), the time in nanoseconds, a space, and the bytes as they came. A fifth of the other's size with short lines.
"""

from __future__ import annotations

import time
from json.encoder import encode_basestring as quoted

_DIGITS = 9
_LETTERS = {"stdout": "o", "stderr": "e"}
# Stands for a line break while a text is quoted in one go. No decoded text has it: it is half a surrogate pair.
_BREAK = "\udc0a"


class JsonFormat:
    """`attributes` are kept with every line, for `logs --details`."""

    def __init__(self, attributes: dict[str, str] | None = None) -> None:
        self._attributes = ""
        if attributes:
            pairs = ",".join(f"{quoted(key)}:{quoted(value)}" for key, value in sorted(attributes.items()))
            self._attributes = f',"attrs":{{{pairs}}}'

    def lines(self, stream: str, text: bytes, now_ns: int) -> bytes:
        """The records of whole lines, given without the last newline."""
        end = self._end(stream, now_ns)
        body = quoted(text.decode(errors="replace").replace("\n", _BREAK))[:-1]
        return f'{{"log":{body}\\n{end}'.replace(_BREAK, f'\\n{end}{{"log":"').encode()

    def stretch(self, stream: str, piece: bytes, now_ns: int) -> bytes:
        """The record of a stretch of a line, with its newline if it is the last one."""
        body = quoted(piece.decode(errors="replace"))[:-1]
        return f'{{"log":{body}{self._end(stream, now_ns)}'.encode()

    def _end(self, stream: str, now_ns: int) -> str:
        return f'","stream":"{stream}"{self._attributes},"time":"{timestamp(now_ns)}"}}\n'


class CompactFormat:
    def lines(self, stream: str, text: bytes, now_ns: int) -> bytes:
        start = f"{_LETTERS[stream]}{now_ns} ".encode()
        return start + text.replace(b"\n", b"\n" + start) + b"\n"

    def stretch(self, stream: str, piece: bytes, now_ns: int) -> bytes:
        if piece.endswith(b"\n"):
            return self.lines(stream, piece[:-1], now_ns)
        return f"{_LETTERS[stream].upper()}{now_ns} ".encode() + piece + b"\n"


def timestamp(now_ns: int) -> str:
    """RFC 3339 with nanoseconds, UTC."""
    seconds, nanoseconds = divmod(now_ns, 1_000_000_000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{nanoseconds:0{_DIGITS}d}Z"
