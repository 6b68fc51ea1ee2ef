"""Which handler has which path, with or without a version in front of it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

from .errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .call import Answer, Call

    Handler = Callable[[Call], Awaitable[Answer | None]]

API_VERSION = (1, 47)
MIN_API_VERSION = (1, 24)
_VERSIONED = re.compile(r"/v(\d{1,3})\.(\d{1,3})(/.*)")


class Route:
    """`pattern`: a path with `{word}` for one part and `{word:path}` for several. `streams_body`: the handler runs
    while the body comes, and reads it from the call's `input`."""

    def __init__(self, methods: str, pattern: str, handler: Handler, *, streams_body: bool = False) -> None:
        self.methods = methods.split()
        self.pattern = pattern
        self.handler = handler
        self.streams_body = streams_body
        expression = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(pattern))
        expression = re.sub(r"\\\{(\w+):path\\\}", r"(?P<\1>.+)", expression)
        self.expression = re.compile(expression)


class Router:
    def __init__(self, routes: list[Route]) -> None:
        self._routes = routes

    def resolve(self, method: str, target: str) -> tuple[Route, tuple[int, int], dict[str, str], str]:
        """(route, version asked for, the path's words, query). Raises `ApiError`."""
        path, _, query = target.partition("?")
        version = API_VERSION
        match = _VERSIONED.fullmatch(path)
        if match:
            version = (int(match[1]), int(match[2]))
            path = match[3]
            _check_version(version)
        path = unquote(path, errors="surrogateescape")
        allowed = False
        for route in self._routes:
            found = route.expression.fullmatch(path)
            if found:
                if method in route.methods or "*" in route.methods:
                    return route, version, found.groupdict(), query
                allowed = True
        if allowed:
            raise ApiError(405, f"method {method} is not allowed for {path}")
        raise ApiError(404, "page not found")


def text_of(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"


def _check_version(version: tuple[int, int]) -> None:
    if version > API_VERSION:
        raise ApiError(
            400,
            f"client version {text_of(version)} is too new. Maximum supported API version is {text_of(API_VERSION)}",
        )
    if version < MIN_API_VERSION:
        raise ApiError(
            400,
            f"client version {text_of(version)} is too old. Minimum supported API version is "
            f"{text_of(MIN_API_VERSION)}, please upgrade your client to a newer version",
        )
