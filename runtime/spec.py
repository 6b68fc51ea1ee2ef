"""Reading config.json: parsed, version-checked and validated, still plain dictionaries.

The runtime-spec's own structure is the model everywhere in this package; there is no second one to convert
to. Accessors here take care of what is absent or null.
"""

from __future__ import annotations

import os

from . import jsontext
from .errors import InvalidConfig
from .validate import validate_config, validate_process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

OCI_VERSION = "1.3.0"
_SIZE_LIMIT = 16 << 20


def load_config(bundle: str, file_name: str = "config.json") -> dict[str, Any]:
    """The validated config of a bundle. Raises InvalidConfig with the JSON path of what is wrong."""
    path = os.path.join(bundle, file_name)
    config = read_json(path)
    validate_config(config, bundle)
    return config


def load_process(path: str) -> dict[str, Any]:
    """A validated process.json, as `exec --process` takes."""
    process = read_json(path)
    validate_process(process, "process")
    return process


def read_json(path: str) -> dict[str, Any]:
    """One JSON object from a file; InvalidConfig when it is anything else."""
    try:
        with open(path, "rb") as file:
            raw = file.read(_SIZE_LIMIT + 1)
    except FileNotFoundError:
        raise InvalidConfig(f"no such file: {path}", path=path) from None
    except OSError as error:
        raise InvalidConfig(f"cannot read {path}: {error.strerror}", path=path) from error
    if len(raw) > _SIZE_LIMIT:
        raise InvalidConfig(f"{path} is larger than {_SIZE_LIMIT} bytes", path=path)
    return parse_json(raw, path)


def parse_json(raw: bytes, path: str) -> dict[str, Any]:
    """One JSON object from bytes; `path` names the source in errors."""
    try:
        data = jsontext.loads(raw)
    except (ValueError, RecursionError) as error:
        raise InvalidConfig(f"{path} is not JSON: {error}", path=path) from None
    if not isinstance(data, dict):
        raise InvalidConfig(f"{path} is not a JSON object", path=path)
    return data


def section(config: dict[str, Any], *names: str) -> dict[str, Any]:
    """The nested object under `names`, empty when any of them is absent or null."""
    value: Any = config
    for name in names:
        value = value.get(name) or {}
    return value  # type: ignore[no-any-return]


def items(config: dict[str, Any], *names: str) -> list[Any]:
    """The array under `names`, empty when any of them is absent or null."""
    return section(config, *names[:-1]).get(names[-1]) or []


def namespace_paths(config: dict[str, Any]) -> dict[str, str]:
    """The namespaces asked for: type → path to join, or "" for a new one."""
    return {entry["type"]: entry.get("path") or "" for entry in items(config, "linux", "namespaces")}


def default_config(*, rootless: bool = False) -> dict[str, Any]:
    """What `spec` writes: a shell in a read-only root with a terminal."""
    capabilities = ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"]
    namespaces = ["pid", "network", "ipc", "uts", "mount", "cgroup"]
    mounts = [
        {"destination": "/proc", "type": "proc", "source": "proc"},
        _mount("/dev", "tmpfs", "tmpfs", "nosuid", "strictatime", "mode=755", "size=65536k"),
        _mount("/dev/pts", "devpts", "devpts", "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"),
        _mount("/dev/shm", "tmpfs", "shm", "nosuid", "noexec", "nodev", "mode=1777", "size=65536k"),
        _mount("/dev/mqueue", "mqueue", "mqueue", "nosuid", "noexec", "nodev"),
        _mount("/sys", "sysfs", "sysfs", "nosuid", "noexec", "nodev", "ro"),
        _mount("/sys/fs/cgroup", "cgroup", "cgroup", "nosuid", "noexec", "nodev", "relatime", "ro"),
    ]
    linux: dict[str, Any] = {"resources": {"devices": [{"allow": False, "access": "rwm"}]}}
    if rootless:
        namespaces = [name for name in namespaces if name != "network"] + ["user"]
        linux = {
            "uidMappings": [{"containerID": 0, "hostID": os.geteuid(), "size": 1}],
            "gidMappings": [{"containerID": 0, "hostID": os.getegid(), "size": 1}],
        }
        # A sysfs of its own takes a network namespace of its own, and there is no cgroup to show.
        mounts[5:] = [_mount("/sys", "none", "/sys", "rbind", "nosuid", "noexec", "nodev", "ro")]
    else:
        mounts[2]["options"].append("gid=5")
    linux["namespaces"] = [{"type": name} for name in namespaces]
    linux["maskedPaths"] = list(DEFAULT_MASKED_PATHS)
    linux["readonlyPaths"] = list(DEFAULT_READONLY_PATHS)
    return {
        "ociVersion": OCI_VERSION,
        "process": {
            "terminal": True,
            "user": {"uid": 0, "gid": 0},
            "args": ["sh"],
            "env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"],
            "cwd": "/",
            "capabilities": {name: list(capabilities) for name in ("bounding", "effective", "permitted")},
            "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024}],
            "noNewPrivileges": True,
        },
        "root": {"path": "rootfs", "readonly": True},
        "hostname": "pydock",
        "mounts": mounts,
        "linux": linux,
    }


DEFAULT_MASKED_PATHS = (
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
)
DEFAULT_READONLY_PATHS = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")


def _mount(destination: str, fs_type: str, source: str, *options: str) -> dict[str, Any]:
    return {"destination": destination, "type": fs_type, "source": source, "options": list(options)}
