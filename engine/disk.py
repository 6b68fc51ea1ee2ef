"""How much room files take."""

from __future__ import annotations

import os


def tree_size(path: str) -> int:
    """Bytes of the files below a folder; hard links count once, what vanishes meanwhile not at all."""
    total = 0
    seen: set[tuple[int, int]] = set()
    folders = [path]
    while folders:
        try:
            entries = list(os.scandir(folders.pop()))
        except OSError:
            continue
        for entry in entries:
            try:
                status = entry.stat(follow_symlinks=False)
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
            except OSError:
                continue
            if status.st_nlink > 1:
                if (status.st_dev, status.st_ino) in seen:
                    continue
                seen.add((status.st_dev, status.st_ino))
            if not entry.is_dir(follow_symlinks=False):
                total += status.st_size
    return total
