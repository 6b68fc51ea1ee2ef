"""`pydock attach`: join a running container; the last screen of its terminal is shown first."""

from __future__ import annotations

from ..errors import WrongState
from . import stream, terminal
from .detach_keys import DEFAULT, parse_detach_keys
from .options import Command, flag, text
from .run import proxy
from .session_end import container_exit_code

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .context import Context
    from .options import Parsed


def attach(context: Context, options: Parsed) -> int:
    engine = context.engine
    keys = parse_detach_keys(options.text("detach-keys"))
    container = engine.containers.get(options.arguments[0])
    if container.state == "paused":
        raise WrongState(
            "you cannot attach to a paused container, unpause it first",
            hint=f"pydock unpause {container.name}",
        )
    if container.state != "running":
        raise WrongState(
            "you cannot attach to a stopped container, start it first", hint=f"pydock start -ai {container.name}"
        )
    stdin = container.open_stdin and not options.flag("no-stdin")
    if container.tty and stdin:
        terminal.require_input_terminal()
    with engine.containers.attach(container.id) as session:
        signaller = proxy(engine, container.id) if options.flag("sig-proxy") else None
        outcome = stream.Stream(session, stdin=stdin, detach=keys, signaller=signaller).join()
    return container_exit_code(engine, container.id, outcome)


COMMANDS = {
    "attach": Command(
        "attach",
        "CONTAINER",
        "Attach local standard input, output, and error streams to a running container",
        attach,
        (
            text("--detach-keys", "KEYS", "Override the key sequence for detaching", default=DEFAULT),
            flag("--no-stdin", "Do not attach STDIN"),
            flag("--sig-proxy", "Proxy all received signals to the process", default=True),
        ),
        minimum=1,
        maximum=1,
        aliases=("container attach",),
    )
}
