"""`pydock exec`: a further process in a running container."""

from __future__ import annotations

from ..errors import InvalidRequest, NotFound, StartFailed
from ..models import ExecRequest
from . import stream, terminal
from .border import complain
from .detach_keys import DEFAULT, parse_detach_keys
from .environment import read_environment
from .errors import UsageError
from .options import Command, flag, many, text
from .session_end import exec_exit_code

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .context import Context
    from .options import Parsed


def execute(context: Context, options: Parsed) -> int:
    name, *command = options.arguments
    if options.flag("reattach"):
        return _reattach(context, options)
    if not command:
        raise UsageError("'pydock exec' requires at least 2 arguments", "exec", exit_code=1)
    if not command[0]:
        raise UsageError("the command is empty", "exec", exit_code=1)
    detached = options.flag("detach")
    stdin = options.flag("interactive") and not detached
    keys = parse_detach_keys(options.text("detach-keys"))
    if options.flag("tty") and stdin:
        terminal.require_input_terminal()
    request = ExecRequest(
        command=tuple(command),
        tty=options.flag("tty"),
        open_stdin=stdin,
        env=read_environment(options.many("env"), options.many("env-file")),
        user=options.text("user"),
        working_dir=options.text("workdir"),
        privileged=options.flag("privileged"),
        detach=detached,
    )
    size = terminal.size() if request.tty and not detached else None
    try:
        session = context.engine.containers.exec(name, request, size)
    except StartFailed as error:
        return complain(error)  # 126 and 127 speak of the command, every other refusal is 1
    if detached:
        session.close()
        return 0
    with session:
        # unlike docker's, our client passes signals on: ctrl-C must not leave the command behind
        signaller = session.signal if session.takes_signals else None
        outcome = stream.Stream(session, stdin=stdin, detach=keys, signaller=signaller, patience=2).join()
    return exec_exit_code(name, outcome)


def _reattach(context: Context, options: Parsed) -> int:
    """Take up a terminal that an earlier exec has left, the only one or the one that is named."""
    name, *wanted = options.arguments
    if len(wanted) > 1:
        raise UsageError("'pydock exec --reattach' takes a container and at most one id", "exec", exit_code=1)
    keys = parse_detach_keys(options.text("detach-keys"))
    containers = context.engine.containers
    held = [entry for entry in containers.terminals(name) if entry.id.startswith("".join(wanted))]
    if not held:
        raise NotFound(
            f"no terminal of an exec is held in container {name}",
            hint=f"`pydock exec -it {name} sh` opens one; leave it with the detach keys, and it stays.",
        )
    if len(held) > 1:
        told = "; ".join(f"{entry.id[:12]} ({' '.join(entry.command)})" for entry in held)
        raise InvalidRequest(f"container {name} holds more than one terminal: {told}", hint="Give the id of one.")
    terminal.require_input_terminal()
    size = terminal.size()
    with containers.reattach(name, held[0].id) as session:
        if size:
            session.resize(*size)
        outcome = stream.Stream(session, stdin=True, detach=keys).join()
    return exec_exit_code(name, outcome)


COMMANDS = {
    "exec": Command(
        "exec",
        "CONTAINER COMMAND [ARG...]",
        "Execute a command in a running container",
        execute,
        (
            flag("-d, --detach", "Detached mode: run command in the background"),
            text("--detach-keys", "KEYS", "Override the key sequence for detaching", default=DEFAULT),
            many("-e, --env", "KEY[=VALUE]", "Set environment variables"),
            many("--env-file", "FILE", "Read in a file of environment variables"),
            flag("-i, --interactive", "Keep STDIN open even if not attached"),
            flag("--reattach", "Take up the terminal of an exec that was left with the detach keys: CONTAINER [ID]"),
            flag("--privileged", "Give extended privileges to the command"),
            flag("-t, --tty", "Allocate a pseudo-TTY"),
            text("-u, --user", "USER[:GROUP]", "User name or UID"),
            text("-w, --workdir", "PATH", "Working directory inside the container"),
        ),
        minimum=1,
        interspersed=False,
        aliases=("container exec",),
    )
}
