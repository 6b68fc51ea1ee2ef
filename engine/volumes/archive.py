"""A volume's files as tar, out and in. Both sides may be in use by containers meanwhile: no link is ever followed."""

from __future__ import annotations

import os

from ..tars import header
from ..tars.tree import FOLDER, TreeWriter, gathered

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .hold import Hold


def export(path: str, hold: Hold) -> Iterator[bytes]:
    """Everything in it, in pieces; the hold is given back at the end."""
    return gathered(_pieces(path, hold))


def import_archive(path: str, read: Callable[[int], bytes]) -> None:
    """Unpack over what is there; its own directory takes the attributes of the archive's, if that has it."""
    from ..tars.extract import Extraction
    from ..tars.read import open_archive

    fd = os.open(path, FOLDER)
    try:
        Extraction(fd, inside=False, with_root=True).run(open_archive(read))
    finally:
        os.close(fd)


def _pieces(path: str, hold: Hold) -> Iterator[bytes]:
    with hold:
        writer = TreeWriter(precise=True)
        fd = os.open(path, FOLDER)
        yield from writer.entry(fd, b".", b".")
        yield from writer.below(fd, b".")
        yield header.END
