"""User and group id mappings of a user namespace (user_namespaces(7))."""

from __future__ import annotations

import os

from .errors import SetupFailed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def write_maps(pid: int, uid_mappings: list[dict[str, int]], gid_mappings: list[dict[str, int]]) -> None:
    """Give the user namespace of `pid` its maps; written from the parent namespace.

    An unprivileged writer must forbid setgroups first, or a group that takes rights away could be dropped
    (CVE-2014-8989), and reaches beyond its own id only through newuidmap and newgidmap.
    """
    if os.geteuid() != 0:
        own_only = len(gid_mappings) == 1 and gid_mappings[0]["size"] == 1
        if own_only:
            _write(f"/proc/{pid}/setgroups", "deny")
        _map(pid, "uid_map", "newuidmap", uid_mappings)
        _map(pid, "gid_map", "newgidmap", gid_mappings)
        return
    _write(f"/proc/{pid}/uid_map", _format(uid_mappings))
    _write(f"/proc/{pid}/gid_map", _format(gid_mappings))


def host_id(mappings: list[dict[str, int]], container_id: int) -> int:
    """The host's id behind one in the container; the same where there is no mapping at all, -1 if unmapped."""
    if not mappings:
        return container_id
    for entry in mappings:
        offset = container_id - entry["containerID"]
        if 0 <= offset < entry["size"]:
            return entry["hostID"] + offset
    return -1


def _format(mappings: list[dict[str, int]]) -> str:
    return "".join(f"{entry['containerID']} {entry['hostID']} {entry['size']}\n" for entry in mappings)


def _map(pid: int, file_name: str, program: str, mappings: list[dict[str, Any]]) -> None:
    if len(mappings) == 1 and mappings[0]["size"] == 1:
        _write(f"/proc/{pid}/{file_name}", _format(mappings))
        return
    arguments = [program, str(pid)]
    for entry in mappings:
        arguments += [str(entry["containerID"]), str(entry["hostID"]), str(entry["size"])]
    try:
        child = os.posix_spawnp(program, arguments, os.environ)
    except FileNotFoundError:
        raise SetupFailed(
            f"{program} is needed to map more than one id",
            path="linux.uidMappings" if file_name == "uid_map" else "linux.gidMappings",
            hint="Install the package uidmap, or run as root.",
        ) from None
    _pid, status = os.waitpid(child, 0)
    if status:
        raise SetupFailed(f"{program} refused the mappings", path=file_name, hint="See /etc/subuid, /etc/subgid.")


def _write(path: str, text: str) -> None:
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(fd, text.encode())
        finally:
            os.close(fd)
    except OSError as error:
        raise SetupFailed(
            f"cannot write the id mappings: {error.strerror}", path=path, errno=error.errno or 0
        ) from error
