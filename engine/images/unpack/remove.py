"""Removes directory trees that came out of archives nobody vouches for: any depth, no link followed."""

from __future__ import annotations

import os
import stat

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def remove_tree(parent_fd: int, name: bytes) -> None:
    """Remove the directory `name` below `parent_fd` and all in it. Raises OSError.

    Holds one descriptor and no Python frame per level, since a layer may be 2,000 directories deep. Climbing back
    by `..` is safe only because nobody else may move directories in the tree meanwhile.
    """
    fd = os.open(name, _FOLDER, dir_fd=parent_fd)
    names = [name]
    waiting = [_children(fd)]
    try:
        while True:
            if waiting[-1]:
                child = waiting[-1].pop()
                if stat.S_ISDIR(os.lstat(child, dir_fd=fd).st_mode):
                    fd = _move(fd, child)
                    names.append(child)
                    waiting.append(_children(fd))
                else:
                    os.unlink(child, dir_fd=fd)
                continue
            waiting.pop()
            done = names.pop()
            if not names:
                break
            fd = _move(fd, b"..")
            os.rmdir(done, dir_fd=fd)
    finally:
        os.close(fd)
    os.rmdir(name, dir_fd=parent_fd)


def remove_path(path: str) -> None:
    """`remove_tree` by path; nothing happens when it is not there."""
    parent_fd = os.open(os.path.dirname(path), _FOLDER)
    try:
        remove_tree(parent_fd, os.fsencode(os.path.basename(path)))
    except FileNotFoundError:
        pass
    finally:
        os.close(parent_fd)


def _children(fd: int) -> list[bytes]:
    return [os.fsencode(child) for child in os.listdir(fd)]


def _move(fd: int, name: bytes) -> int:
    try:
        return os.open(name, _FOLDER, dir_fd=fd)
    finally:
        os.close(fd)
