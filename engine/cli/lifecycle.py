"""The commands that do one thing to each named container: stop, kill, pause, rm and their like."""

from __future__ import annotations

import signal
import sys

from ..errors import EngineError
from .border import refusal
from .errors import UsageError
from .options import Command, flag, number, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .context import Context
    from .options import Parsed


def for_each(names: Sequence[str], act: Callable[[str], object]) -> int:
    """Act on each; print its name when done, the refusal when not, and go on. 1 if any was refused."""
    failed = False
    for name in names:
        try:
            result = act(name)
            print(name if result is None else result, flush=True)
        except EngineError as error:
            failed = True
            sys.stderr.write(refusal(error) + "\n")
    return 1 if failed else 0


def parse_signal(text: str) -> int:
    """The number of "KILL", "SIGKILL", "kill" or "9"."""
    word = text.upper().removeprefix("SIG")
    if word.isdigit():
        if 0 < int(word) < signal.NSIG:
            return int(word)
    else:
        if word.startswith("RTMIN+") and word[6:].isdigit():
            return int(signal.SIGRTMIN) + int(word[6:])
        found = signal.Signals.__members__.get(f"SIG{word}")
        if found is not None:
            return int(found)
    raise UsageError(f"invalid signal: {text}", exit_code=1)


def _stop(context: Context, options: Parsed) -> int:
    timeout = options.number("timeout") if options.given("timeout") else options.number("time")
    stop = context.engine.containers.stop
    number = parse_signal(options.text("signal")) if options.text("signal") else None
    return for_each(options.arguments, lambda name: stop(name, timeout, signal=number))


def _restart(context: Context, options: Parsed) -> int:
    timeout = options.number("timeout") if options.given("timeout") else options.number("time")
    restart = context.engine.containers.restart
    number = parse_signal(options.text("signal")) if options.text("signal") else None
    return for_each(options.arguments, lambda name: restart(name, timeout, signal=number))


def _kill(context: Context, options: Parsed) -> int:
    number = parse_signal(options.text("signal"))
    kill = context.engine.containers.kill
    return for_each(options.arguments, lambda name: kill(name, number))


def _pause(context: Context, options: Parsed) -> int:
    return for_each(options.arguments, context.engine.containers.pause)


def _unpause(context: Context, options: Parsed) -> int:
    return for_each(options.arguments, context.engine.containers.unpause)


def _remove(context: Context, options: Parsed) -> int:
    remove = context.engine.containers.remove
    force, volumes = options.flag("force"), options.flag("volumes")

    def act(name: str) -> None:
        try:
            remove(name, force=force, volumes=volumes)
        except EngineError as error:
            from ..errors import ContainerNotFound

            if not (force and isinstance(error, ContainerNotFound)):
                raise
            # as with `rm -f`: what is gone already is no failure, but it is said
            sys.stderr.write(refusal(error) + "\n")

    return for_each(options.arguments, act)


def _rename(context: Context, options: Parsed) -> int:
    context.engine.containers.rename(*options.arguments)
    return 0


def _wait(context: Context, options: Parsed) -> int:
    wait = context.engine.containers.wait
    return for_each(options.arguments, wait)


_TIMES = (
    text("-s, --signal", "SIGNAL", "Signal to send to the container, in place of its own"),
    number("-t, --timeout", "SECONDS", "Seconds to wait before killing the container (-1: no limit)"),
    number("--time", "SECONDS", "The same as --timeout"),
)

COMMANDS = {
    "stop": Command(
        "stop",
        "CONTAINER [CONTAINER...]",
        "Stop one or more running containers",
        _stop,
        _TIMES,
        minimum=1,
        aliases=("container stop",),
    ),
    "restart": Command(
        "restart",
        "CONTAINER [CONTAINER...]",
        "Restart one or more containers",
        _restart,
        _TIMES,
        minimum=1,
        aliases=("container restart",),
    ),
    "kill": Command(
        "kill",
        "CONTAINER [CONTAINER...]",
        "Kill one or more running containers",
        _kill,
        (text("-s, --signal", "SIGNAL", "Signal to send to the container", default="KILL"),),
        minimum=1,
        aliases=("container kill",),
    ),
    "pause": Command(
        "pause",
        "CONTAINER [CONTAINER...]",
        "Pause all processes within one or more containers",
        _pause,
        minimum=1,
        aliases=("container pause",),
    ),
    "unpause": Command(
        "unpause",
        "CONTAINER [CONTAINER...]",
        "Unpause all processes within one or more containers",
        _unpause,
        minimum=1,
        aliases=("container unpause",),
    ),
    "rm": Command(
        "rm",
        "CONTAINER [CONTAINER...]",
        "Remove one or more containers",
        _remove,
        (
            flag("-f, --force", "Force the removal of a running container (uses SIGKILL)"),
            flag("-l, --link", "Accepted for docker's sake; there are no links here"),
            flag("-v, --volumes", "Remove anonymous volumes associated with the container"),
        ),
        minimum=1,
        aliases=("container rm",),
    ),
    "rename": Command(
        "rename",
        "CONTAINER NEW_NAME",
        "Rename a container",
        _rename,
        minimum=2,
        maximum=2,
        aliases=("container rename",),
    ),
    "wait": Command(
        "wait",
        "CONTAINER [CONTAINER...]",
        "Block until one or more containers stop, then print their exit codes",
        _wait,
        minimum=1,
        aliases=("container wait",),
    ),
}
