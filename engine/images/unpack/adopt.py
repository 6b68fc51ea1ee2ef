"""Gives directories that a layer's archive only implies the attributes they have in the layers below.

An archive may hold `usr/bin/tool` without entries for `usr` and `usr/bin`. In the merged view the topmost
layer's directory decides owner, mode and attributes, so the implied ones must copy what they cover. Both sides
are untrusted: every component is opened from its parent without following links.
"""

from __future__ import annotations

import os
import stat

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_OPAQUE = "trusted.overlay.opaque"
_OVERLAY = "trusted.overlay."


def adopt(target: str, implied: tuple[bytes, ...], lower: tuple[str, ...]) -> None:
    """`implied` are paths in the layer at `target`, "" its root; `lower` are the layers below, bottom first."""
    # Deepest first: making a child's attributes right must not be undone, nor its parent's time touched.
    for path in sorted(implied, key=lambda name: name.count(b"/"), reverse=True):
        own_fd = _walk(target, path)
        if own_fd < 0:
            continue
        try:
            for layer in reversed(lower):
                if _copy_from(layer, path, own_fd):
                    break
        finally:
            os.close(own_fd)


def _copy_from(layer: str, path: bytes, own_fd: int) -> bool:
    """True when the search is over: found, or hidden by this layer."""
    try:
        fd = os.open(layer, _FOLDER)
    except FileNotFoundError:
        return False
    opaque = False
    for part in path.split(b"/") if path else ():
        try:
            child_fd = os.open(part, _FOLDER, dir_fd=fd)
        except FileNotFoundError:
            return opaque
        except OSError:
            return True  # a whiteout, a file or a link: nothing below it shows
        finally:
            os.close(fd)
        fd = child_fd
        opaque = opaque or _is_opaque(fd)
    try:
        _copy_attributes(fd, own_fd)
    finally:
        os.close(fd)
    return True


def _copy_attributes(from_fd: int, to_fd: int) -> None:
    status = os.fstat(from_fd)
    os.fchown(to_fd, status.st_uid, status.st_gid)
    os.fchmod(to_fd, stat.S_IMODE(status.st_mode))
    for key in os.listxattr(from_fd):
        if not key.startswith(_OVERLAY):
            try:
                os.setxattr(to_fd, key, os.getxattr(from_fd, key))
            except OSError:
                continue
    os.utime(to_fd, ns=(status.st_mtime_ns, status.st_mtime_ns))


def _walk(root: str, path: bytes) -> int:
    fd = os.open(root, _FOLDER)
    for part in path.split(b"/") if path else ():
        try:
            child_fd = os.open(part, _FOLDER, dir_fd=fd)
        except OSError:
            return -1
        finally:
            os.close(fd)
        fd = child_fd
    return fd


def _is_opaque(fd: int) -> bool:
    try:
        return os.getxattr(fd, _OPAQUE) == b"y"
    except OSError:
        return False
