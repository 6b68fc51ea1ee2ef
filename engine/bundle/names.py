"""The one grammar for the names of containers, networks and volumes: Docker's."""

from __future__ import annotations

import re

from ..errors import InvalidRequest

PATTERN = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+", re.ASCII)


def check_name(name: str, kind: str) -> None:
    """Raises InvalidRequest; `kind` is the word for the object in the message."""
    if not PATTERN.fullmatch(name):
        raise InvalidRequest(f'invalid {kind} name "{name}": only [a-zA-Z0-9][a-zA-Z0-9_.-]+ is allowed')
