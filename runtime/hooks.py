"""Running hooks: programs that the config wants at points of the life cycle (config.md, "POSIX-platform Hooks").

Each gets the container's state as JSON on its standard input and its own environment alone, inherits no
descriptor, and is killed when its time is over.
"""

from __future__ import annotations

import os
import select
import time

from .errors import HookFailed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_OUTPUT_LIMIT = 4096


def run_hooks(kind: str, hooks: list[dict[str, Any]], state_json: bytes) -> None:
    """Run the hooks of one kind in their order; HookFailed at the first that fails."""
    for index, hook in enumerate(hooks):
        _run(hook, state_json, f"hooks.{kind}[{index}]")


def _run(hook: dict[str, Any], state_json: bytes, place: str) -> None:
    path = hook["path"]
    environment = dict(entry.partition("=")[::2] for entry in hook.get("env") or [])
    state_reader, state_writer = os.pipe2(os.O_CLOEXEC)
    error_reader, error_writer = os.pipe2(os.O_CLOEXEC)
    actions = [
        (os.POSIX_SPAWN_DUP2, state_reader, 0),
        (os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0),
        (os.POSIX_SPAWN_DUP2, error_writer, 2),
    ]
    try:
        pid = os.posix_spawn(path, hook.get("args") or [path], environment, file_actions=actions)
    except OSError as error:
        os.close(state_writer)
        os.close(error_reader)
        raise HookFailed(
            f"{path}: {os.strerror(error.errno or 0)}", path=f"{place}.path", errno=error.errno or 0
        ) from error
    finally:
        os.close(state_reader)
        os.close(error_writer)
    try:
        output, in_time = _feed_and_wait(pid, state_writer, error_reader, state_json, hook.get("timeout"))
    finally:
        os.close(error_reader)
    _pid, status = os.waitpid(pid, 0)
    if not in_time:
        raise HookFailed(f"{path}: not finished after {hook['timeout']} s, killed", path=place)
    if status:
        code = os.waitstatus_to_exitcode(status)
        ended = f"exit status {code}" if code >= 0 else f"killed by signal {-code}"
        said = output.decode(errors="replace").strip()
        raise HookFailed(f"{path}: {ended}{': ' + said if said else ''}", path=place)


def _feed_and_wait(
    pid: int, state_writer: int, error_reader: int, state_json: bytes, timeout_s: int | None
) -> tuple[bytes, bool]:
    pidfd = os.pidfd_open(pid)
    try:
        # The state fits into a pipe's buffer (64 KiB); a hook that does not read it gets the rest dropped.
        os.set_blocking(state_writer, False)
        try:
            os.write(state_writer, state_json)
        except (BrokenPipeError, BlockingIOError):
            pass
        os.close(state_writer)
        output = b""
        poller = select.poll()
        poller.register(pidfd, select.POLLIN)
        poller.register(error_reader, select.POLLIN)
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            ready = poller.poll(None if deadline is None else max(deadline - time.monotonic(), 0) * 1000)
            if not ready:
                os.kill(pid, 9)
                return output, False
            for fd, _events in ready:
                if fd == error_reader:
                    chunk = os.read(error_reader, _OUTPUT_LIMIT)
                    output = (output + chunk)[:_OUTPUT_LIMIT]
                    if not chunk:
                        poller.unregister(error_reader)
            if any(fd == pidfd for fd, _events in ready):
                return output, True
    finally:
        os.close(pidfd)
