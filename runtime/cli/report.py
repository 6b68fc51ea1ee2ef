"""Errors and warnings of the command line: one line on standard error, and a record in the --log file.

The record is what engines read back after a failure: the last line with level "error" of a JSON log.
"""

from __future__ import annotations

import os
import time

from .. import jsontext

PROGRAM = "pydock-runc"


class Reporter:
    """Where messages go. `path` may be a file, `/dev/...`, or `file:PATH`; empty for standard error alone."""

    def __init__(self, path: str = "", log_format: str = "text", *, debug: bool = False) -> None:
        self._path = path.removeprefix("file:")
        self._json = log_format == "json"
        self.debug_enabled = debug

    def error(self, message: str, hint: str = "") -> None:
        """The reason why the command fails."""
        text = f"{message} ({hint.rstrip('.')})" if hint else message
        self._log("error", text)
        self._print(f"{PROGRAM}: {text}")

    def warning(self, message: str) -> None:
        """Something that was asked for and left out."""
        self._log("warning", message)
        if not self._path:
            self._print(f"{PROGRAM}: warning: {message}")

    def debug(self, message: str) -> None:
        if self.debug_enabled:
            self._log("debug", message)
            if not self._path:
                self._print(f"{PROGRAM}: {message}")

    def phase(self, name: str, _start_ns: int, length_ns: int) -> None:
        """A step of a creation and how long it took."""
        self.debug(f"{name}: {length_ns / 1e6:.2f} ms")

    def _print(self, line: str) -> None:
        try:
            os.write(2, (line.replace("\n", " ") + "\n").encode(errors="backslashreplace"))
        except OSError:
            pass

    def _log(self, level: str, message: str) -> None:
        if not self._path:
            return
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        if self._json:
            line = jsontext.dumps({"level": level, "msg": message, "time": now})
        else:
            line = f"time={jsontext.dumps(now)} level={level} msg={jsontext.dumps(message)}"
        try:
            fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
            try:
                os.write(fd, line.encode() + b"\n")
            finally:
                os.close(fd)
        except OSError as error:
            self._print(f"{PROGRAM}: cannot write the log {self._path}: {error.strerror}")
            self._path = ""
