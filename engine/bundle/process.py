"""The `process` object: what runs, as whom, where, with which environment and rights.

Rules are Docker's: the image's CMD is dropped when the entry point is overridden; the image's environment stands
over the engine's defaults, the request's over the image's; a bare NAME without "=" takes a variable away.
"""

from __future__ import annotations

import os

from ..errors import InvalidRequest
from . import host
from .capabilities import possible
from .init import INIT_TARGET
from .user import User, resolve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..images.config import ImageConfig
    from ..models import Container, CreateRequest

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
UNLIMITED = (1 << 64) - 1


def arguments(request: CreateRequest, image: ImageConfig) -> tuple[str, ...]:
    """Entry point and command put together: the vector that will run."""
    if request.entrypoint is None:
        entrypoint = image.entrypoint or ()
        command = request.command or image.command or ()
    else:
        entrypoint = () if request.entrypoint == ("",) else request.entrypoint
        command = request.command or ()
    return (*entrypoint, *command)


def process(
    request: CreateRequest, image: ImageConfig, container: Container, layers: tuple[str, ...]
) -> dict[str, Any]:
    """The whole object, for container creation. `layers` bottom first, for passwd and group."""
    user = resolve(request.user or image.user or "", request.group_add, layers)
    vector = container.command or arguments(request, image)
    if request.init:
        vector = (INIT_TARGET, "--", *vector)
    built: dict[str, Any] = {
        "terminal": request.tty,
        "user": user_object(user),
        "args": list(vector),
        "env": environment(request, image, host_name(request, container), user.home),
        "cwd": request.working_dir or image.working_dir or "/",
        "capabilities": capability_sets(possible(request.cap_add, request.cap_drop, request.privileged), user.uid),
        "noNewPrivileges": no_new_privileges(request.security_opt),
    }
    if request.ulimits:
        built["rlimits"] = [
            {"type": f"RLIMIT_{limit.name.upper()}", "hard": _limit(limit.hard), "soft": _limit(limit.soft)}
            for limit in map(host.possible_limit, request.ulimits)
        ]
    if request.oom_score_adj or host.own_oom_score() < 0:
        # A host that protects its engine from the OOM killer must not pass that protection on.
        built["oomScoreAdj"] = host.possible_oom_score(request.oom_score_adj)
    return built


def environment(request: CreateRequest, image: ImageConfig, host_name: str, home: str) -> list[str]:
    """Defaults, image and request merged; each name once, where it first stood."""
    values = {"PATH": DEFAULT_PATH, "HOSTNAME": host_name}
    if request.tty:
        values["TERM"] = "xterm"
    merge(values, image.env)
    merge(values, request.env)
    values.setdefault("HOME", home)
    return [f"{name}={value}" for name, value in values.items()]


def merge(values: dict[str, str], entries: tuple[str, ...]) -> None:
    """Lay NAME=VALUE entries over `values`; a bare NAME removes."""
    for entry in entries:
        name, equals, value = entry.partition("=")
        if equals:
            values[name] = value
        else:
            values.pop(name, None)


def host_name(request: CreateRequest, container: Container) -> str:
    """What the program sees as its host's name: the one asked for, the host's own, or the short id."""
    if request.hostname:
        return request.hostname
    if request.network == "host" or request.uts_mode == "host":
        return os.uname().nodename
    return container.id[:12]


def user_object(user: User) -> dict[str, Any]:
    """`process.user` of config.json."""
    built: dict[str, Any] = {"uid": user.uid, "gid": user.gid}
    # As with initgroups(3), the primary group is among the supplementary ones.
    built["additionalGids"] = [user.gid, *(gid for gid in user.additional_gids if gid != user.gid)]
    return built


def capability_sets(names: tuple[str, ...], uid: int) -> dict[str, list[str]]:
    """Inheritable and ambient stay empty (CVE-2022-24769). Other users than root get their rights from what
    they execute, as execve(2) would give them, out of the bounding set."""
    held = list(names) if uid == 0 else []
    return {"bounding": list(names), "effective": held, "permitted": held}


def no_new_privileges(security_opt: tuple[str, ...]) -> bool:
    """Whether the options ask for it: `no-new-privileges`, `no-new-privileges:true`, `=true`."""
    asked = False
    for option in security_opt:
        name, _, value = option.replace("=", ":", 1).partition(":")
        if name == "no-new-privileges":
            if value not in ("", "true", "false"):
                raise InvalidRequest(f'invalid security option "{option}": true or false is wanted')
            asked = value != "false"
    return asked


def _limit(value: int) -> int:
    return UNLIMITED if value < 0 else value
