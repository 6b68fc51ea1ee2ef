"""Device nodes beyond the runtime's defaults, and the cgroup rules that say which may be used.

The rules deny everything and then allow Docker's list: making any node (mknod is a capability of its own),
the memory devices, terminals; /dev/fuse stays denied unless asked for.
"""

from __future__ import annotations

import os
import re
import stat

from ..errors import InvalidRequest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from ..models import CreateRequest, Device

# type, major, minor (None: all), access
_ALLOWED = (
    ("c", None, None, "m"),
    ("b", None, None, "m"),
    ("c", 1, 3, "rwm"),
    ("c", 1, 5, "rwm"),
    ("c", 1, 7, "rwm"),
    ("c", 1, 8, "rwm"),
    ("c", 1, 9, "rwm"),
    ("c", 5, 0, "rwm"),
    ("c", 5, 1, "rwm"),
    ("c", 5, 2, "rwm"),
    ("c", 136, None, "rwm"),
)

# Folders of /dev that are the container's own, or no devices.
_OWN_FOLDERS = frozenset({"pts", "shm", "fd", "mqueue"})
_OWN_NODES = frozenset({"console", "ptmx", "tty", "null", "zero", "full", "random", "urandom"})
_DEPTH_MAX = 8
_RULE = re.compile(r"([acb]) ([0-9]{1,9}|\*):([0-9]{1,9}|\*) ([rwm]{1,3})")


def devices(request: CreateRequest) -> list[dict[str, Any]]:
    """`linux.devices`: all of the host's when privileged, else those of the request."""
    if request.privileged:
        return [_node(path, path) for path in _host_nodes("/dev", 0)]
    built: dict[str, dict[str, Any]] = {}
    for device in request.devices:
        for host_path, container_path in _expand(device):
            built[container_path] = _node(host_path, container_path)
    return list(built.values())


def device_rules(request: CreateRequest) -> list[dict[str, Any]]:
    """`linux.resources.devices`, in the order in which they take effect."""
    if request.privileged:
        return [{"allow": True, "access": "rwm"}]
    rules: list[dict[str, Any]] = [{"allow": False, "access": "rwm"}]
    rules += [_rule(kind, major, minor, access) for kind, major, minor, access in _ALLOWED]
    for device in request.devices:
        for host_path, _ in _expand(device):
            kind, major, minor, _ = _look(host_path)
            rules.append(_rule(kind, major, minor, device.permissions))
    rules += [parse_rule(text) for text in request.device_cgroup_rules]
    return rules


def parse_rule(text: str) -> dict[str, Any]:
    """`c 10:200 rwm`, with `*` for any number and `a` for both kinds. Raises InvalidRequest."""
    match = _RULE.fullmatch(text)
    if not match:
        raise InvalidRequest(
            f"invalid device cgroup format '{text}'", hint="Written as 'c 10:200 rwm': a, b or c, MAJOR:MINOR, access."
        )
    kind, major, minor, access = match.groups()
    rule = _rule(kind, None if major == "*" else int(major), None if minor == "*" else int(minor), access)
    if kind == "a":
        del rule["type"]
    return rule


def block_number(path: str) -> tuple[int, int]:
    """Major and minor number of a block device of the host, to limit its use by. Raises InvalidRequest."""
    kind, major, minor, _ = _look(path)
    if kind != "b":
        raise InvalidRequest(f'"{path}" is not a block device')
    return major, minor


def _rule(kind: str, major: int | None, minor: int | None, access: str) -> dict[str, Any]:
    rule: dict[str, Any] = {"allow": True, "type": kind, "access": access}
    if major is not None:
        rule["major"] = major
    if minor is not None:
        rule["minor"] = minor
    return rule


def _expand(device: Device) -> Iterator[tuple[str, str]]:
    """A device as it is, or every device below a folder such as /dev/snd."""
    try:
        is_folder = stat.S_ISDIR(os.stat(device.host_path).st_mode)
    except OSError as error:
        raise InvalidRequest(
            f'error gathering device information of "{device.host_path}": {os.strerror(error.errno or 0).lower()}'
        ) from error
    if not is_folder:
        yield device.host_path, device.container_path or device.host_path
        return
    target = device.container_path or device.host_path
    for path in _host_nodes(device.host_path, 1):
        yield path, target + path.removeprefix(device.host_path)


def _host_nodes(folder: str, depth: int) -> Iterator[str]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        try:
            mode = entry.stat(follow_symlinks=False).st_mode
        except OSError:
            continue
        if stat.S_ISDIR(mode):
            if depth < _DEPTH_MAX and not (depth == 0 and entry.name in _OWN_FOLDERS):
                yield from _host_nodes(entry.path, depth + 1)
        elif (stat.S_ISCHR(mode) or stat.S_ISBLK(mode)) and not (depth == 0 and entry.name in _OWN_NODES):
            yield entry.path


def _node(host_path: str, container_path: str) -> dict[str, Any]:
    kind, major, minor, found = _look(host_path)
    return {
        "type": kind,
        "path": container_path,
        "major": major,
        "minor": minor,
        "fileMode": stat.S_IMODE(found.st_mode),
        "uid": found.st_uid,
        "gid": found.st_gid,
    }


def _look(host_path: str) -> tuple[str, int, int, os.stat_result]:
    try:
        found = os.stat(host_path)
    except OSError as error:
        raise InvalidRequest(
            f'error gathering device information of "{host_path}": {os.strerror(error.errno or 0).lower()}'
        ) from error
    if stat.S_ISCHR(found.st_mode):
        kind = "c"
    elif stat.S_ISBLK(found.st_mode):
        kind = "b"
    else:
        raise InvalidRequest(f'"{host_path}" is not a device node')
    return kind, os.major(found.st_rdev), os.minor(found.st_rdev), found
