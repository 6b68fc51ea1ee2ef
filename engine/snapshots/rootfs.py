"""Picks the snapshotter for a container: overlayfs, or copying where overlayfs cannot be had."""

from __future__ import annotations

import os

from ..errors import HostUnfit
from . import overlay


def mount(container_dir: str, lower_dirs: tuple[str, ...], *, volatile: bool = False, id_base: int = 0) -> None:
    """See `snapshotter`. A container that was once copied stays so. With `id_base` the files belong to the root of the
    user namespace that begins there (`bundle/id_range.py`)."""
    if not os.path.exists(f"{container_dir}/copied"):
        try:
            overlay.mount(container_dir, lower_dirs, volatile=volatile, id_base=id_base)
            return
        except HostUnfit:
            if not all(os.path.isdir(path) for path in lower_dirs):
                raise
    from . import copy

    copy.mount(container_dir, lower_dirs)
    if id_base:
        from .mapped import shift

        shift(f"{container_dir}/rootfs", id_base)


def unmount(container_dir: str) -> None:
    """See `snapshotter`."""
    overlay.unmount(container_dir)
