"""`pydock run` and what it is made of: get the image, create, start, join, leave with the container's exit code."""

from __future__ import annotations

import os
import sys

from ..errors import ContainerNotFound, EngineError, ImageNotFound
from . import stream, terminal
from .container_options import OPTIONS
from .create_request import build_request
from .detach_keys import DEFAULT, parse_detach_keys
from .errors import UsageError
from .options import Command, flag, text
from .session_end import container_exit_code

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..engine import Engine
    from ..models import Container, CreateRequest, Phase
    from .context import Context
    from .options import Parsed

PULL_POLICIES = ("always", "missing", "never")


def run(context: Context, options: Parsed) -> int:
    """Create, start and (unless -d) join a container."""
    detached = options.flag("detach")
    streams = read_streams(options)
    if detached and options.many("attach"):
        raise UsageError("conflicting options: cannot specify both --attach and --detach", "run")
    keys = parse_detach_keys(options.text("detach-keys"))
    # who detaches at once leaves the input to those who attach later, any number of them
    open_stdin = options.flag("interactive") or "stdin" in streams
    request = build_request(options, open_stdin=open_stdin, stdin_once=not detached)
    if request.tty and "stdin" in streams and not detached:
        terminal.require_input_terminal()
    timing = Timing(options.flag("timing"))
    container = create_container(context, request, options, timing)
    try:
        session = context.engine.containers.start(
            container.id,
            attach=not detached,
            size=terminal.size() if request.tty and not detached else None,
            on_phase=timing.on_phase,
        )
    except EngineError:
        _discard(context.engine, container)
        raise
    timing.show()
    if session is None:
        print(container.id)
        return 0
    with session:
        outcome = stream.Stream(
            session,
            stdin="stdin" in streams,
            detach=keys,
            signaller=proxy(context.engine, container.id) if options.flag("sig-proxy") else None,
            stdout="stdout" in streams,
            stderr="stderr" in streams,
        ).join()
    if container.auto_remove and outcome.kind == stream.EXITED:
        # the next command may use the name again, so its removal belongs to this one
        _wait_removed(context.engine, container)
    return container_exit_code(context.engine, container.id, outcome)


def create_container(context: Context, request: CreateRequest, options: Parsed, timing: Timing) -> Container:
    """Create it, after pulling its image where the --pull policy says so; writes the --cidfile."""
    engine = context.engine
    policy = options.text("pull")
    if policy not in PULL_POLICIES:
        raise UsageError(
            f'invalid argument "{policy}" for "--pull" flag: none of {", ".join(PULL_POLICIES)}',
            options.command.name,
        )
    cidfile = options.text("cidfile")
    if cidfile and os.path.exists(cidfile):
        raise UsageError(
            f"container ID file found, make sure the other container isn't running or delete {cidfile}",
            options.command.name,
        )
    if policy == "always":
        _pull(engine, request, options)
    try:
        container = engine.containers.create(request, on_phase=timing.on_phase)
    except ImageNotFound as error:
        if policy != "missing":
            raise
        if not options.flag("quiet"):
            sys.stderr.write(f"Unable to find image '{_tagged(request.image)}' locally\n")
        try:
            _pull(engine, request, options)
        except EngineError as failure:
            failure.hint = _near_image(context, request.image) or failure.hint or error.hint
            raise
        container = engine.containers.create(request, on_phase=timing.on_phase)
    for warning in engine.containers.warnings(request):
        sys.stderr.write(f"WARNING: {warning}\n")
    if cidfile:
        with open(cidfile, "x", encoding="ascii") as file:
            file.write(container.id)
    return container


def read_streams(options: Parsed) -> tuple[str, ...]:
    """Which streams to join: those of -a, else output always and input with -i."""
    asked = tuple(name.lower() for name in options.many("attach"))
    for name in asked:
        if name not in ("stdin", "stdout", "stderr"):
            raise UsageError(
                f'invalid argument "{name}" for "-a, --attach" flag: none of stdin, stdout, stderr',
                options.command.name,
            )
    if asked:
        return asked
    return ("stdout", "stderr", "stdin") if options.flag("interactive") else ("stdout", "stderr")


def proxy(engine: Engine, container_id: str) -> Callable[[int], None]:
    """Passes this program's signals on to a container."""
    return lambda number: engine.containers.kill(container_id, number)


class Timing:
    """Collects the phases for --timing."""

    def __init__(self, wanted: bool) -> None:
        self._wanted = wanted
        self._phases: list[Phase] = []

    def on_phase(self, phase: Phase) -> None:
        self._phases.append(phase)

    def show(self) -> None:
        """One line per phase to standard error: start after the first one, length, name."""
        if not self._wanted or not self._phases:
            return
        first = min(phase.start_ns for phase in self._phases)
        end = max(phase.start_ns + phase.duration_ns for phase in self._phases)
        lines = [
            f"{(phase.start_ns - first) / 1e6:9.2f} ms  +{phase.duration_ns / 1e6:8.2f} ms  {phase.name}"
            for phase in sorted(self._phases, key=_started)
        ]
        lines.append(f"{'':9}     {(end - first) / 1e6:9.2f} ms  in all")
        sys.stderr.write("\n".join(lines) + "\n")
        sys.stderr.flush()


def _started(phase: Phase) -> int:
    return phase.start_ns


def _pull(engine: Engine, request: CreateRequest, options: Parsed) -> None:
    from .progress import pull_image

    pull_image(engine, request.image, platform=request.platform, quiet=options.flag("quiet"), to_stderr=True)


def _near_image(context: Context, image: str) -> str:
    from .meant import nearest

    near = nearest(context, ImageNotFound, image)
    return f"did you mean {near}, which is here?" if near else ""


def _tagged(image: str) -> str:
    return image if "@" in image or ":" in image.rpartition("/")[2] else f"{image}:latest"


def _discard(engine: Engine, container: Container) -> None:
    """A container that could not start is of no use when it was to be removed at its end."""
    if container.auto_remove:
        try:
            engine.containers.remove(container.id, force=True, volumes=True)
        except EngineError:
            pass


def _wait_removed(engine: Engine, container: Container) -> None:
    try:
        engine.containers.wait(container.id, "removed")
    except ContainerNotFound:
        pass


COMMANDS = {
    "run": Command(
        "run",
        "IMAGE [COMMAND] [ARG...]",
        "Create and run a new container from an image",
        run,
        (
            *OPTIONS,
            flag("-d, --detach", "Run container in background and print container ID"),
            text("--detach-keys", "KEYS", "Override the key sequence for detaching", default=DEFAULT),
            flag("--sig-proxy", "Proxy received signals to the process", default=True),
        ),
        minimum=1,
        interspersed=False,
        docker_codes=True,
        aliases=("container run",),
    )
}
