"""Lists of CPUs and memory nodes as the kernel and config.json write them: "0-3,7" (cpuset(7), "List format")."""

from __future__ import annotations

from .errors import InvalidConfig

_LARGEST = 1 << 16


def parse_list(text: str, path: str) -> set[int]:
    """The members of a list, none for an empty one. Raises InvalidConfig, which names `path`."""
    members: set[int] = set()
    for part in text.strip().split(",") if text.strip() else ():
        low, dash, high = (word.strip() for word in part.partition("-"))
        last = high if dash else low
        if not (low.isascii() and low.isdecimal() and last.isascii() and last.isdecimal()):
            raise InvalidConfig(f'"{text}" is not a list such as 0-3,7', path=path)
        if int(low) > int(last) or int(last) >= _LARGEST:
            raise InvalidConfig(f'"{part.strip()}" is not a range of numbers from 0 to {_LARGEST - 1}', path=path)
        members.update(range(int(low), int(last) + 1))
    return members
