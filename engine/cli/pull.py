"""`pydock pull` and `pydock image toolbox`: two ways to get an image."""

from __future__ import annotations

import sys

from .errors import UsageError
from .options import Command, flag, text
from .progress import display, pull_image

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..engine import Engine
    from ..models import Image
    from .context import Context
    from .options import Parsed


def pull(context: Context, options: Parsed) -> int:
    reference = options.arguments[0]
    if options.flag("all-tags"):
        return _pull_all(context, options, reference)
    return _pull_one(context.engine, options, reference)


def _pull_all(context: Context, options: Parsed, repository: str) -> int:
    if "@" in repository or ":" in repository.rpartition("/")[2]:
        raise UsageError("tag can't be used with --all-tags/-a", "pull", exit_code=1)
    for tag in context.engine.images.registry_tags(repository):
        _pull_one(context.engine, options, f"{repository}:{tag}")
    return 0


def _pull_one(engine: Engine, options: Parsed, reference: str) -> int:
    from ..images.reference import parse

    named = parse(reference)
    before = _present(engine, reference)
    image = pull_image(engine, reference, platform=options.text("platform"), quiet=options.flag("quiet"))
    if options.flag("quiet"):
        print(named.full)
        return 0
    digest = next((entry.rpartition("@")[2] for entry in image.repo_digests), image.digest)
    print(f"Digest: {digest}")
    if before is not None and before.id == image.id:
        print(f"Status: Image is up to date for {named.familiar}")
    else:
        print(f"Status: Downloaded newer image for {named.familiar}")
    print(named.full)
    return 0


def toolbox(context: Context, options: Parsed) -> int:
    """Make an image of this machine's own shell and tools; needs no network."""
    reference = options.arguments[0] if options.arguments else "toolbox:latest"
    if options.flag("quiet"):
        image = context.engine.images.toolbox(reference)
    else:
        with display(sys.stderr) as show:
            image = context.engine.images.toolbox(reference, on_progress=show)
    print(image.id)
    return 0


def _present(engine: Engine, reference: str) -> Image | None:
    from ..errors import ImageNotFound

    try:
        return engine.images.get(reference)
    except ImageNotFound:
        return None


COMMANDS = {
    "pull": Command(
        "pull",
        "NAME[:TAG|@DIGEST]",
        "Download an image from a registry",
        pull,
        (
            flag("-a, --all-tags", "Download all tagged images in the repository"),
            flag("--disable-content-trust", "Accepted for docker's sake; digests are always checked", default=True),
            text("--platform", "OS/ARCH", "Set platform if the image is there for several"),
            flag("-q, --quiet", "Suppress verbose output"),
        ),
        minimum=1,
        maximum=1,
        aliases=("image pull",),
    ),
    "image toolbox": Command(
        "image toolbox",
        "[NAME[:TAG]]",
        "Make an image of this machine's own shell and tools; needs no network",
        toolbox,
        (flag("-q, --quiet", "Suppress verbose output"),),
        maximum=1,
    ),
}
