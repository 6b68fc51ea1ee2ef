"""`pydock start`: run created or stopped containers again, joined with -a."""

from __future__ import annotations

import sys

from ..errors import EngineError
from . import stream, terminal
from .border import refusal
from .detach_keys import DEFAULT, parse_detach_keys
from .errors import UsageError
from .options import Command, flag, text
from .run import Timing, proxy
from .session_end import container_exit_code

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .context import Context
    from .options import Parsed


def start(context: Context, options: Parsed) -> int:
    attach = options.flag("attach") or options.flag("interactive")
    timing = Timing(options.flag("timing"))
    if attach and len(options.arguments) > 1:
        raise UsageError("you cannot start and attach multiple containers at once", "start", exit_code=1)
    if attach:
        return _start_joined(context, options, timing)
    failed = False
    for name in options.arguments:
        try:
            context.engine.containers.start(name, on_phase=timing.on_phase)
            print(name, flush=True)
        except EngineError as error:
            failed = True
            sys.stderr.write(refusal(error) + "\n")
    timing.show()
    return 1 if failed else 0


def _start_joined(context: Context, options: Parsed, timing: Timing) -> int:
    engine = context.engine
    keys = parse_detach_keys(options.text("detach-keys"))
    container = engine.containers.get(options.arguments[0])
    stdin = options.flag("interactive") and container.open_stdin
    if container.tty and stdin:
        terminal.require_input_terminal()
    size = terminal.size() if container.tty else None
    session = engine.containers.start(container.id, attach=True, size=size, on_phase=timing.on_phase)
    timing.show()
    if session is None:  # it ran already; join what runs
        session = engine.containers.attach(container.id)
    with session:
        signaller = proxy(engine, container.id) if options.flag("sig-proxy") else None
        outcome = stream.Stream(session, stdin=stdin, detach=keys, signaller=signaller).join()
    return container_exit_code(engine, container.id, outcome)


COMMANDS = {
    "start": Command(
        "start",
        "CONTAINER [CONTAINER...]",
        "Start one or more stopped containers",
        start,
        (
            flag("-a, --attach", "Attach STDOUT/STDERR and forward signals"),
            text("--detach-keys", "KEYS", "Override the key sequence for detaching", default=DEFAULT),
            flag("-i, --interactive", "Attach container's STDIN"),
            flag("--sig-proxy", "Proxy received signals to the process", default=True),
            flag("--timing", "Print how long each step took (to standard error)"),
        ),
        minimum=1,
        aliases=("container start",),
    )
}
