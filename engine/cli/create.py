"""`pydock create`: everything of `run` up to the start."""

from __future__ import annotations

from .container_options import OPTIONS
from .create_request import build_request
from .options import Command
from .run import Timing, create_container, read_streams

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .context import Context
    from .options import Parsed


def create(context: Context, options: Parsed) -> int:
    open_stdin = options.flag("interactive") or "stdin" in read_streams(options)
    timing = Timing(options.flag("timing"))
    request = build_request(options, open_stdin=open_stdin)
    container = create_container(context, request, options, timing)
    timing.show()
    print(container.id)
    return 0


COMMANDS = {
    "create": Command(
        "create",
        "IMAGE [COMMAND] [ARG...]",
        "Create a new container",
        create,
        OPTIONS,
        minimum=1,
        interspersed=False,
        aliases=("container create",),
    )
}
