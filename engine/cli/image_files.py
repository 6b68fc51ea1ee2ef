"""`pydock save`, `load` and `import`: images as archives."""

from __future__ import annotations

import contextlib

from .errors import UsageError
from .files import opened, write_out
from .options import Command, flag, many, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import IO

    from .context import Context
    from .options import Parsed


def _save(context: Context, options: Parsed) -> int:
    write_out(context.engine.images.save(options.arguments), options.text("output"))
    return 0


def _load(context: Context, options: Parsed) -> int:
    with opened(options.text("input")) as file:
        loaded = context.engine.images.load(file.read, platform=options.text("platform"))
    for image in loaded:
        for name in image.references:
            print(f"Loaded image: {name}")
        if not image.references:
            print(f"Loaded image ID: {image.id}")
    return 0


def _import(context: Context, options: Parsed) -> int:
    source = options.arguments[0]
    with _source(source) as file:
        image = context.engine.images.import_archive(
            file.read,
            options.arguments[1] if len(options.arguments) > 1 else "",
            changes=options.many("change"),
            message=options.text("message"),
            platform=options.text("platform"),
            source=source,
        )
    print(image.id)
    return 0


@contextlib.contextmanager
def _source(source: str) -> Iterator[IO[bytes]]:
    """A file, standard input, or what an address leads to."""
    if not source.startswith(("http://", "https://")):
        with opened(source) as file:
            yield file
        return
    import urllib.error
    import urllib.request

    try:
        answer = urllib.request.urlopen(source, timeout=60)
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot fetch {source}: {getattr(error, 'reason', error)}", exit_code=1) from None
    with answer:
        yield answer


COMMANDS = {
    "save": Command(
        "save",
        "IMAGE [IMAGE...]",
        "Save one or more images to a tar archive",
        _save,
        (text("-o, --output", "FILE", "Write to a file, instead of STDOUT"),),
        minimum=1,
        description="The archive is an OCI layout and what docker save writes in one: docker, podman, skopeo and "
        "containerd read it. A name without a tag is all tags of it.",
        aliases=("image save",),
    ),
    "load": Command(
        "load",
        "",
        "Load an image from a tar archive or STDIN",
        _load,
        (
            text("-i, --input", "FILE", "Read from tar archive file, instead of STDIN"),
            text("--platform", "OS/ARCH", "Which one, where an image is there for several"),
            flag("-q, --quiet", "Suppress the load output"),
        ),
        maximum=0,
        description="What docker save and podman save write, and OCI layouts; gzip, bzip2, xz, zstd or plain.",
        aliases=("image load",),
    ),
    "import": Command(
        "import",
        "FILE|URL|- [REPOSITORY[:TAG]]",
        "Import the contents from a tarball to create a filesystem image",
        _import,
        (
            many("-c, --change", "INSTRUCTION", "Apply a Dockerfile instruction to the created image"),
            text("-m, --message", "TEXT", "Set commit message for imported image"),
            text("--platform", "OS/ARCH", "Set platform of the image"),
        ),
        minimum=1,
        maximum=2,
        aliases=("image import",),
    ),
}
