"""linux.intelRdt: classes of service and monitoring groups of the resctrl file system (config-linux.md, "IntelRdt").

A class is a directory of resctrl; `schemata` says what of the caches and of the memory's bandwidth it gets, `tasks` who
belongs to it. Only what the runtime has made for a container is removed with it: a class without a `closID`, and the
monitoring group.
"""

from __future__ import annotations

import os

from .errors import InvalidConfig, SetupFailed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_PATH = "linux.intelRdt"


def check(rdt: dict[str, Any]) -> None:
    """Refuse what is malformed, and what this host has no resctrl for."""
    for key in ("l3CacheSchema", "memBwSchema"):
        if "\n" in (rdt.get(key) or ""):
            raise InvalidConfig("has more than one line", path=f"{_PATH}.{key}")
    if rdt.get("memBwSchema") and not rdt["memBwSchema"].startswith("MB:"):
        raise InvalidConfig("does not start with MB:", path=f"{_PATH}.memBwSchema")
    for index, line in enumerate(rdt.get("schemata") or []):
        if "\n" in line:
            raise InvalidConfig("has more than one line", path=f"{_PATH}.schemata[{index}]")
    class_id = rdt.get("closID") or ""
    if class_id != "/" and ("/" in class_id or class_id in (".", "..", "info", "mon_groups", "mon_data")):
        raise InvalidConfig(f'"{class_id}" is not the name of a class of service', path=f"{_PATH}.closID")
    mount_point()


def mount_point() -> str:
    """Where resctrl is mounted. Raises SetupFailed when it is not."""
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            before, _dash, after = line.partition(" - ")
            if after.startswith("resctrl "):
                return before.split(" ")[4]
    raise SetupFailed(
        "no resctrl file system is mounted on this host",
        path=_PATH,
        hint="Where the processor has it: mount -t resctrl resctrl /sys/fs/resctrl.",
    )


class Group:
    """Where one container belongs; `made` are the directories to remove with it, innermost first."""

    def __init__(self, directory: str, monitor: str, made: list[str]) -> None:
        self.directory = directory
        self.monitor = monitor
        self.made = made

    def kept(self) -> dict[str, Any]:
        """For state.json."""
        return {"directory": self.directory, "monitor": self.monitor, "made": self.made}

    def add(self, pid: int) -> None:
        """Let a process belong to it."""
        for directory in filter(None, (self.directory, self.monitor)):
            _write(f"{directory}/tasks", str(pid), _PATH)

    def remove(self) -> None:
        """Remove what was made for the container; its tasks fall back to the default class by themselves."""
        for directory in self.made:
            try:
                os.rmdir(directory)
            except FileNotFoundError:
                continue
            except OSError as error:
                raise SetupFailed(f"{directory}: {error.strerror}", path=_PATH, errno=error.errno or 0) from error


def kept_group(kept: dict[str, Any]) -> Group:
    """The group again whose `kept()` is in state.json."""
    return Group(kept["directory"], kept["monitor"], kept["made"])


def open_group(rdt: dict[str, Any], container_id: str, root: str) -> Group:
    """Find or make the container's class (and monitoring group) below `root` and write its schemata.

    Raises SetupFailed; then nothing that was made is left.
    """
    class_id = rdt.get("closID") or ""
    directory = root if class_id == "/" else f"{root}/{class_id or container_id}"
    lines = [line for line in (rdt.get("l3CacheSchema"), rdt.get("memBwSchema")) if line]
    lines += rdt.get("schemata") or []
    group = Group(directory, "", [])
    exists = os.path.isdir(directory)
    if class_id and not lines and not exists:
        raise SetupFailed(f'there is no class "{class_id}", and no schema to make one', path=f"{_PATH}.closID", errno=2)
    try:
        if class_id and exists:
            _compare(directory, lines)
        else:
            if not exists:
                _make(directory, f"{_PATH}.closID")
                if not class_id:
                    group.made.append(directory)
            for line in lines:
                _write(f"{directory}/schemata", line + "\n", _PATH)
        if rdt.get("enableMonitoring"):
            group.monitor = f"{directory}/mon_groups/{container_id}"
            _make(group.monitor, f"{_PATH}.enableMonitoring")
            group.made.insert(0, group.monitor)
    except BaseException:
        group.remove()
        if class_id and not exists and os.path.isdir(directory):
            os.rmdir(directory)
        raise
    return group


def _compare(directory: str, lines: list[str]) -> None:
    """A class that exists must be the one that is meant."""
    present = _values(_read(f"{directory}/schemata").splitlines())
    for resource, value in _values(lines).items():
        if present.get(resource) != value:
            here = _shown(present.get(resource))
            raise SetupFailed(
                f"{directory} exists, and its {resource} is {here}, not {_shown(value)}",
                path=f"{_PATH}.closID",
                hint="Choose another closID, or leave the schemas out to join it as it is.",
            )


def _values(lines: list[str]) -> dict[str, dict[str, str]]:
    """Resource → cache or node → value, numbers without the zeros that the kernel pads them with."""
    found: dict[str, dict[str, str]] = {}
    for line in lines:
        resource, _colon, rest = line.strip().partition(":")
        pairs = (item.strip().partition("=") for item in rest.split(";") if item.strip())
        found[resource.strip()] = {each.strip(): value.strip().lstrip("0") or "0" for each, _equals, value in pairs}
    return found


def _shown(values: dict[str, str] | None) -> str:
    return ";".join(f"{each}={value}" for each, value in (values or {}).items()) or "none"


def _make(directory: str, path: str) -> None:
    try:
        os.mkdir(directory)
    except FileExistsError:
        return
    except OSError as error:
        raise SetupFailed(f"{directory}: {error.strerror}", path=path, errno=error.errno or 0) from error


def _read(path: str) -> str:
    try:
        with open(path, encoding="ascii") as file:
            return file.read()
    except OSError as error:
        raise SetupFailed(f"{path}: {error.strerror}", path=_PATH, errno=error.errno or 0) from error


def _write(path: str, text: str, place: str) -> None:
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(fd, text.encode())
        finally:
            os.close(fd)
    except OSError as error:
        raise SetupFailed(
            f'cannot write "{text.strip()}" to {path}: {error.strerror}', path=place, errno=error.errno or 0
        ) from error
