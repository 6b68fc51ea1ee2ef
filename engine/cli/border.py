"""Where errors become a line for a person and an exit code for a script. No traceback passes here.

The line starts with the program's name; the cure, if one is known, follows on a line of its own. An error
nobody foresaw is told in one line too; its traceback goes to a log file (or to the terminal with
PYDOCK_DEBUG=1).
"""

from __future__ import annotations

import errno
import os
import sys

from ..errors import EngineError, NotFound
from .errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

BROKEN_PIPE = 128 + 13
INTERRUPTED = 128 + 2
_meant: Callable[[NotFound], str] | None = None


def guarded(function: Callable[[list[str]], int], words: list[str]) -> int:
    """Run a program's function; the exit code, whatever happens inside."""
    for stream in (sys.stdout, sys.stderr):
        # names from outside may hold bytes that are no text; they must not end in an encoding error
        if stream is not None and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        code = function(words)
        if sys.stdout is not None:
            sys.stdout.flush()
        return code
    except BrokenPipeError:
        _forget_stdout()
        return BROKEN_PIPE
    except KeyboardInterrupt:
        if sys.stderr is not None and sys.stderr.isatty():
            _say("")  # the shell's prompt begins on a line of its own, not behind ^C
        return INTERRUPTED
    except EngineError as error:
        return complain(error)
    except OSError as error:
        return _complain_os(error)
    except Exception as error:
        return _complain_unexpected(error)


def complain(error: EngineError, exit_code: int | None = None) -> int:
    """Print a foreseen error; the exit code to leave with (the error's own unless another one is given)."""
    _flush_stdout()
    _say(refusal(error))
    if isinstance(error, UsageError) and error.command:
        _say(f"Run 'pydock {error.command} --help' for more information")
    return error.exit_code if exit_code is None else exit_code


def refusal(error: EngineError) -> str:
    """The line for an error, and the line of its cure."""
    cure = error.hint
    if isinstance(error, NotFound) and _meant is not None:
        cure = _meant(error) or cure
    return f"pydock: {worded(error.message)}" + (f"\nhint: {cure}" if cure else "")


def suggest_with(meant: Callable[[NotFound], str] | None) -> None:
    """How to find out what a name that is not there was meant to be; a process runs one command at a time."""
    global _meant
    _meant = meant


def worded(message: str) -> str:
    """Scripts look for docker's "No such container"; everything else keeps its words. Always one line."""
    if message.startswith("no such "):
        message = "N" + message[1:]
    return " ".join(message.split())


def _complain_os(error: OSError) -> int:
    if error.errno == errno.EIO and not _stdout_alive():
        return BROKEN_PIPE
    _flush_stdout()
    what = os.strerror(error.errno) if error.errno else str(error)
    where = f"{error.filename}: " if error.filename else ""
    _say(f"pydock: {where}{what[:1].lower()}{what[1:]}")
    if error.errno == errno.ENOSPC:
        _say("hint: free some space: pydock rm, pydock rmi, pydock system df")
    _log()
    return 125


def _complain_unexpected(error: Exception) -> int:
    _flush_stdout()
    path = _log()
    text = " ".join(str(error).split()) or type(error).__name__
    where = f"; the details are in {path}" if path else ""
    _say(f"pydock: unexpected {type(error).__name__}: {text}{where}")
    return 125


def _log() -> str:
    """Keep the traceback; the path of the file, "" when it was shown or could not be kept."""
    import time
    import traceback

    if os.environ.get("PYDOCK_DEBUG"):
        traceback.print_exc()
        return ""
    state = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    path = f"{state}/pydock/pydock.log"
    try:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        with open(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "a") as log:
            log.write(f"{time.strftime('%Y-%m-%d %H:%M:%S%z')} {sys.argv}\n{traceback.format_exc()}\n")
    except OSError:
        return ""
    return path


def _say(text: str) -> None:
    try:
        sys.stderr.write(text + "\n")
        sys.stderr.flush()
    except (OSError, ValueError, AttributeError):
        pass  # nobody is left to hear it


def _flush_stdout() -> None:
    try:
        sys.stdout.flush()
    except (OSError, ValueError, AttributeError):
        _forget_stdout()


def _forget_stdout() -> None:
    """Point standard output to nowhere, or the interpreter complains about it on its way out."""
    try:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.close(null)
    except OSError:
        pass


def _stdout_alive() -> bool:
    try:
        os.write(1, b"")
    except OSError:
        return False
    return True
