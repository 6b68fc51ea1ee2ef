"""Checks config.json before anything is made: types and values by a schema, then rules across fields.

Each refusal is an InvalidConfig whose path names the place.
"""

from __future__ import annotations

import errno
import fcntl
import os

from .errors import InvalidConfig
from .kernel import constants as k
from .schema import CONFIG_SCHEMA, PROCESS_SCHEMA, RESOURCES_SCHEMA, check

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def validate_config(config: dict[str, Any], bundle: str) -> None:
    """Refuse what is malformed, contradictory or impossible on this host, before anything is made."""
    check(config, CONFIG_SCHEMA, "")
    _check_version(config["ociVersion"])
    if config.get("process") is not None:
        _check_process(config["process"], "process")
    _check_root(config, bundle)
    _check_mounts(config)
    _check_linux(config)
    _check_hooks(config)
    if "" in (config.get("annotations") or {}):
        raise InvalidConfig("has an empty key", path="annotations")


def validate_process(process: dict[str, Any], path: str) -> None:
    """The rules for a process on its own, as `exec` takes it."""
    check(process, PROCESS_SCHEMA, path)
    _check_process(process, path)


def validate_resources(resources: dict[str, Any], path: str) -> None:
    """The rules for `linux.resources` on its own, as `update --resources` takes it."""
    check(resources, RESOURCES_SCHEMA, path)
    _check_resources(resources, path)


def _check_version(version: str) -> None:
    core = version.partition("+")[0].partition("-")[0].split(".")
    if len(core) != 3 or not all(part.isascii() and part.isdecimal() for part in core):
        raise InvalidConfig(
            f'"{version}" is not a version', path="ociVersion", hint="It has three numbers, as 1.2.0 (SemVer)."
        )
    if core[0] != "1":
        raise InvalidConfig(f"version {version} is not supported", path="ociVersion", hint="This runtime reads 1.x.")


def _check_process(process: dict[str, Any], path: str) -> None:
    args = process.get("args")
    if not args or not args[0]:
        raise InvalidConfig("must name a program", path=f"{path}.args")
    if not process["cwd"].startswith("/"):
        raise InvalidConfig(f'"{process["cwd"]}" is not an absolute path', path=f"{path}.cwd")
    seen = set()
    for index, limit in enumerate(process.get("rlimits") or []):
        name = limit["type"]
        if not name.startswith("RLIMIT_"):
            raise InvalidConfig(f'unknown limit "{name}"', path=f"{path}.rlimits[{index}].type")
        if name in seen:
            raise InvalidConfig(f"{name} is listed twice", path=f"{path}.rlimits[{index}].type")
        seen.add(name)
        if limit["soft"] % 2**64 > limit["hard"] % 2**64:
            raise InvalidConfig("soft limit is above the hard one", path=f"{path}.rlimits[{index}].soft")
    if process.get("scheduler") or process.get("execCPUAffinity"):
        from . import possible

        possible.check_process(process, path)
    for index, entry in enumerate(process.get("env") or []):
        if "=" not in entry or entry.startswith("="):
            raise InvalidConfig(f'"{entry}" is not NAME=VALUE', path=f"{path}.env[{index}]")


def _check_root(config: dict[str, Any], bundle: str) -> None:
    if config.get("root") is None:
        raise InvalidConfig("is required", path="root")
    path = os.path.join(bundle, config["root"]["path"])
    if not os.path.isdir(path):
        raise InvalidConfig(f"no such directory: {path}", path="root.path")
    if os.path.realpath(path) == "/":
        raise InvalidConfig("is the host's own root", path="root.path")


def _check_mounts(config: dict[str, Any]) -> None:
    for index, mount in enumerate(config.get("mounts") or []):
        path = f"mounts[{index}]"
        if not mount["destination"]:
            raise InvalidConfig("is empty", path=f"{path}.destination")
        if ("uidMappings" in mount) != ("gidMappings" in mount):
            raise InvalidConfig("uidMappings and gidMappings must be given together", path=path)


def _check_linux(config: dict[str, Any]) -> None:
    linux = config.get("linux") or {}
    namespaces: dict[str, str] = {}
    for index, entry in enumerate(linux.get("namespaces") or []):
        if entry["type"] in namespaces:
            raise InvalidConfig(f'"{entry["type"]}" is listed twice', path=f"linux.namespaces[{index}].type")
        path = entry.get("path") or ""
        if path and not path.startswith("/"):
            raise InvalidConfig(f'"{path}" is not an absolute path', path=f"linux.namespaces[{index}].path")
        if path:
            _check_namespace(entry["type"], path, f"linux.namespaces[{index}].path")
        namespaces[entry["type"]] = path
        if not os.path.exists(f"/proc/self/ns/{_NAMESPACE_FILES.get(entry['type'], entry['type'])}"):
            raise InvalidConfig(
                f"this kernel has no {entry['type']} namespaces", path=f"linux.namespaces[{index}].type"
            )
    mapped = bool(linux.get("uidMappings") or linux.get("gidMappings"))
    if mapped and "user" not in namespaces:
        raise InvalidConfig("needs a user namespace in linux.namespaces", path="linux.uidMappings")
    if "user" in namespaces and not namespaces["user"] and not mapped:
        raise InvalidConfig("a new user namespace needs id mappings", path="linux.uidMappings")
    if "uts" not in namespaces:
        for name in ("hostname", "domainname"):
            if config.get(name):
                raise InvalidConfig("needs a uts namespace in linux.namespaces", path=name)
    if linux.get("timeOffsets") and "time" not in namespaces:
        raise InvalidConfig("needs a time namespace in linux.namespaces", path="linux.timeOffsets")
    if namespaces.get("mount") != "":
        for name in ("maskedPaths", "readonlyPaths"):
            if linux.get(name):
                raise InvalidConfig("needs a new mount namespace in linux.namespaces", path=f"linux.{name}")
    for name in ("maskedPaths", "readonlyPaths"):
        for index, path in enumerate(linux.get(name) or []):
            if not path.startswith("/"):
                raise InvalidConfig(f'"{path}" is not an absolute path', path=f"linux.{name}[{index}]")
    _check_sysctl(linux.get("sysctl") or {}, namespaces)
    _check_devices(linux.get("devices") or [])
    _check_seccomp(linux.get("seccomp") or {})
    _check_resources(linux.get("resources") or {}, "linux.resources")
    if any(linux.get(name) for name in _RARE):
        from . import possible

        possible.check_linux(linux, namespaces)


_RARE = ("timeOffsets", "memoryPolicy", "mountLabel", "personality", "intelRdt", "netDevices")


def _check_namespace(kind: str, path: str, place: str) -> None:
    try:
        # A pipe put there must not make us wait for its other end.
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno == errno.ENOENT:
            raise InvalidConfig(f"no such file: {path}", path=place) from None
        raise InvalidConfig(f"{path}: {error.strerror}", path=place) from None
    try:
        found = fcntl.ioctl(fd, k.NS_GET_NSTYPE)
    except OSError:
        raise InvalidConfig(f"{path} is not a namespace", path=place) from None
    finally:
        os.close(fd)
    if found != k.NAMESPACE_FLAGS[kind]:
        raise InvalidConfig(f"{path} is a namespace of another type than {kind}", path=place)


def _check_seccomp(profile: dict[str, Any]) -> None:
    if profile.get("listenerMetadata") and not profile.get("listenerPath"):
        raise InvalidConfig("is for a listener, and there is no listenerPath", path="linux.seccomp.listenerMetadata")
    for index, rule in enumerate(profile.get("syscalls") or []):
        if not rule["names"]:
            raise InvalidConfig("names no system call", path=f"linux.seccomp.syscalls[{index}].names")


def _check_resources(resources: dict[str, Any], path: str) -> None:
    swappiness = (resources.get("memory") or {}).get("swappiness")
    if swappiness is not None and not 0 <= swappiness <= 100:
        raise InvalidConfig(f"{swappiness} is not between 0 and 100", path=f"{path}.memory.swappiness")
    cpu = resources.get("cpu") or {}
    if cpu.get("burst") and (cpu.get("quota") or 0) > 0 and cpu["burst"] > cpu["quota"]:
        raise InvalidConfig("the burst is larger than the quota", path=f"{path}.cpu.burst")
    for index, device in enumerate((resources.get("blockIO") or {}).get("weightDevice") or []):
        if device.get("weight") is None and device.get("leafWeight") is None:
            raise InvalidConfig("needs weight or leafWeight", path=f"{path}.blockIO.weightDevice[{index}]")
    for name, limit in (resources.get("rdma") or {}).items():
        if limit is None or (limit.get("hcaHandles") is None and limit.get("hcaObjects") is None):
            raise InvalidConfig("needs hcaHandles or hcaObjects", path=f"{path}.rdma.{name}")


_NAMESPACE_FILES = {"network": "net", "mount": "mnt"}
_IPC_SYSCTLS = frozenset(
    f"kernel.{name}" for name in ("msgmax", "msgmnb", "msgmni", "sem", "shmall", "shmmax", "shmmni")
) | {"kernel.shm_rmid_forced"}
_UTS_SYSCTLS = {"kernel.hostname": "hostname", "kernel.domainname": "domainname"}


def _check_sysctl(sysctl: dict[str, str], namespaces: dict[str, str]) -> None:
    for key in sysctl:
        dotted = key.replace("/", ".")
        path = f"linux.sysctl.{key}"
        if dotted in _IPC_SYSCTLS or dotted.startswith("fs.mqueue."):
            needed = "ipc"
        elif dotted.startswith("net."):
            needed = "network"
        elif dotted in _UTS_SYSCTLS:
            needed = "uts"
            if dotted == "kernel.hostname":
                raise InvalidConfig("is set by the property hostname", path=path)
        elif dotted.startswith("user.") and "user" in namespaces:
            continue
        else:
            raise InvalidConfig("is not kept apart by any namespace", path=path)
        if needed not in namespaces:
            raise InvalidConfig(f"needs a {needed} namespace in linux.namespaces", path=path)
        if needed == "network" and _is_own_namespace(namespaces["network"]):
            raise InvalidConfig("would change the host's own network", path=path)


def _is_own_namespace(path: str) -> bool:
    return bool(path) and os.path.samefile(path, "/proc/self/ns/net")


def _check_devices(devices: list[dict[str, Any]]) -> None:
    for index, device in enumerate(devices):
        if not device["path"].startswith("/"):
            raise InvalidConfig(f'"{device["path"]}" is not an absolute path', path=f"linux.devices[{index}].path")
        if device["type"] != "p" and (device.get("major") is None or device.get("minor") is None):
            raise InvalidConfig("needs major and minor", path=f"linux.devices[{index}]")


def _check_hooks(config: dict[str, Any]) -> None:
    for kind, hooks in (config.get("hooks") or {}).items():
        for index, hook in enumerate(hooks if isinstance(hooks, list) else []):
            if not hook["path"].startswith("/"):
                raise InvalidConfig(f'"{hook["path"]}" is not an absolute path', path=f"hooks.{kind}[{index}].path")
            if hook.get("timeout") is not None and hook["timeout"] <= 0:
                raise InvalidConfig("must be above zero", path=f"hooks.{kind}[{index}].timeout")
