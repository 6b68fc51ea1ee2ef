"""`pydock push`: an image to the registry that its name says."""

from __future__ import annotations

import sys

from ..errors import Cancelled
from .options import Command, flag
from .progress import Interrupts, display

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .context import Context
    from .options import Parsed


def _push(context: Context, options: Parsed) -> int:
    images, name = context.engine.images, options.arguments[0]
    if options.flag("all-tags"):
        names = images.tags_of(name)
    else:
        if "@" not in name and ":" not in name.rpartition("/")[2]:
            name = f"{name}:latest"
            if not options.flag("quiet"):
                print("Using default tag: latest", flush=True)
        names = [name]
    with Interrupts() as interrupts:
        try:
            for one in names:
                if options.flag("quiet"):
                    images.push(one, cancelled=interrupts.happened)
                    print(one)
                    continue
                with display(sys.stdout, pushing=True) as show:
                    images.push(one, on_progress=show, cancelled=interrupts.happened)
        except Cancelled:
            raise KeyboardInterrupt from None
    return 0


COMMANDS = {
    "push": Command(
        "push",
        "NAME[:TAG]",
        "Upload an image to a registry",
        _push,
        (
            flag("-a, --all-tags", "Push all tags of an image to the repository"),
            flag("-q, --quiet", "Suppress verbose output"),
        ),
        minimum=1,
        maximum=1,
        aliases=("image push",),
    )
}
