"""Docker's words for the engine's: what scripts and clients look for in messages of errors."""

from __future__ import annotations

import re

#: The first that fits a whole message counts.
_WORDS: tuple[tuple[str, str], ...] = (
    (
        r'the container name "(.+)" is already in use by container (\w+).*',
        r'Conflict. The container name "/\1" is already in use by container "\2". You have to remove (or rename) that '
        r"container to be able to reuse that name.",
    ),
    (
        r'invalid container name "(.*)": only .*',
        r"Invalid container name (\1), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed",
    ),
    (
        r'invalid volume name "(.*)": only .*',
        r'create \1: "\1" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are '
        r"allowed. If you intended to pass a host directory, use absolute path",
    ),
    (r"minimum memory (.*)", r"Minimum memory \1"),
    (r"range of CPUs (.*)", r"Range of CPUs \1"),
    (r'unknown capability "(.*)" for --cap-(add|drop)', r'invalid Cap\2: unknown capability: "\1"'),
    (r"invalid mount config for type (\w+): (.*)", r'invalid mount config for type "\1": \2'),
    (r"container (\S+) is paused", r"container \1 is paused, unpause the container before exec"),
    (
        r"cannot remove container (\S+): it is (running|paused|restarting)",
        r'cannot remove container "/\1": container is \2: stop the container before removing or force remove',
    ),
    (r"could not find the file (.*)", r"Could not find the file \1"),
)


def in_dockers_words(message: str) -> str:
    for pattern, words in _WORDS:
        found = re.fullmatch(pattern, message, re.DOTALL)
        if found:
            # Docker's field is CapAdd, the option is --cap-add
            return found.expand(words).replace("invalid Capadd", "invalid CapAdd").replace("Capdrop", "CapDrop")
    return message
