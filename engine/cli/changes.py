"""`pydock diff`, `export` and `commit`: what a container changed, its files, and an image of it."""

from __future__ import annotations

from .errors import UsageError
from .files import write_out
from .options import Command, flag, many, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .context import Context
    from .options import Parsed


def _diff(context: Context, options: Parsed) -> int:
    for change in context.engine.containers.changes(options.arguments[0]):
        print(f"{change.kind} {change.path}")
    return 0


def _export(context: Context, options: Parsed) -> int:
    with context.engine.containers.export(options.arguments[0]) as stream:
        write_out(stream, options.text("output"))
    return 0


def _commit(context: Context, options: Parsed) -> int:
    name = options.arguments[1] if len(options.arguments) > 1 else ""
    if "@" in name:
        raise UsageError(f"an image cannot be committed under a digest: {name}", exit_code=1)
    image = context.engine.containers.commit(
        options.arguments[0],
        name,
        author=options.text("author"),
        comment=options.text("message"),
        changes=options.many("change"),
        pause=options.flag("pause") and not options.flag("no-pause"),
    )
    print(image.id)
    return 0


COMMANDS = {
    "diff": Command(
        "diff",
        "CONTAINER",
        "Inspect changes to files or directories on a container's filesystem",
        _diff,
        minimum=1,
        maximum=1,
        description="A added, C changed, D deleted.",
        aliases=("container diff",),
    ),
    "export": Command(
        "export",
        "CONTAINER",
        "Export a container's filesystem as a tar archive",
        _export,
        (text("-o, --output", "FILE", "Write to a file, instead of STDOUT"),),
        minimum=1,
        maximum=1,
        aliases=("container export",),
    ),
    "commit": Command(
        "commit",
        "CONTAINER [REPOSITORY[:TAG]]",
        "Create a new image from a container's changes",
        _commit,
        (
            text("-a, --author", "AUTHOR", 'Author (e.g., "John Hannibal Smith <hannibal@a-team.com>")'),
            many("-c, --change", "INSTRUCTION", "Apply a Dockerfile instruction to the created image"),
            text("-m, --message", "TEXT", "Commit message"),
            flag("-p, --pause", "Pause the container during commit", default=True),
            flag("--no-pause", "Do not pause it"),
        ),
        minimum=1,
        maximum=2,
        aliases=("container commit",),
    ),
}
