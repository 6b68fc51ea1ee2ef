"""Archives from and to files and pipes, for the commands that read or write one."""

from __future__ import annotations

import contextlib
import os
import sys

from .errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import IO


@contextlib.contextmanager
def opened(source: str) -> Iterator[IO[bytes]]:
    """A file to read from; "-" or "" is standard input. Raises UsageError."""
    if source in ("", "-"):
        if sys.stdin.isatty():
            raise UsageError("requested to read an archive from standard input, but that is a terminal", exit_code=1)
        yield sys.stdin.buffer
        return
    try:
        file = open(source, "rb")  # noqa: SIM115
    except OSError as error:
        raise UsageError(f"open {source}: {(error.strerror or str(error)).lower()}", exit_code=1) from None
    with file:
        yield file


@contextlib.contextmanager
def replaced(path: str) -> Iterator[IO[bytes]]:
    """A file that appears under its name when it is whole. Raises UsageError when its folder is not there."""
    if os.path.exists(path) and not os.path.isfile(path):  # /dev/null, a pipe
        with open(path, "wb") as file:
            yield file
        return
    temporary = os.path.join(os.path.dirname(path) or ".", f".{os.path.basename(path)}.{os.urandom(4).hex()}")
    try:
        file = open(temporary, "wb")  # noqa: SIM115
    except OSError as error:
        raise UsageError(f"invalid output path {path}: {(error.strerror or str(error)).lower()}", exit_code=1) from None
    try:
        with file:
            yield file
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def write_out(pieces: Iterable[bytes], output: str) -> None:
    """An archive to a file, or to standard output unless that is a terminal."""
    if output and output != "-":
        with replaced(output) as file:
            for piece in pieces:
                file.write(piece)
        return
    if sys.stdout.isatty():
        raise UsageError("cowardly refusing to save to a terminal: use the -o flag or redirect", exit_code=1)
    for piece in pieces:
        sys.stdout.buffer.write(piece)
