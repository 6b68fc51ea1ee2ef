"""The shape of config.json: every property of runtime-spec 1.3 that this runtime reads, with its type.

Unknown properties are allowed, as the spec wants ("config.md, Extensibility").
"""

from __future__ import annotations

from .errors import InvalidConfig

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

NAMESPACE_TYPES = ("pid", "network", "mount", "ipc", "uts", "user", "cgroup", "time")
_UINT32 = (0, 2**32 - 1)
_INT64 = (-(2**63), 2**64 - 1)

# A schema is: str | bool | a (low, high) integer range | [item schema] | {"*": value schema} | {name: schema}
# | frozenset of allowed strings. A name with "!" at its end is required.
_ID_MAP = [{"containerID!": _UINT32, "hostID!": _UINT32, "size!": _UINT32}]
_CAPABILITIES = {name: [str] for name in ("bounding", "effective", "inheritable", "permitted", "ambient")}
_SCHEDULER = {
    "policy!": str,
    "nice": (-20, 19),
    "priority": (0, 99),
    "flags": [str],
    "runtime": (0, 2**64 - 1),
    "deadline": (0, 2**64 - 1),
    "period": (0, 2**64 - 1),
}
PROCESS_SCHEMA = {
    "terminal": bool,
    "consoleSize": {"height!": (0, 65535), "width!": (0, 65535)},
    "user": {"uid": _UINT32, "gid": _UINT32, "umask": (0, 0o777), "additionalGids": [_UINT32]},
    "args": [str],
    "env": [str],
    "cwd!": str,
    "capabilities": _CAPABILITIES,
    "rlimits": [{"type!": str, "hard!": _INT64, "soft!": _INT64}],
    "noNewPrivileges": bool,
    "oomScoreAdj": (-1000, 1000),
    "apparmorProfile": str,
    "selinuxLabel": str,
    "scheduler": _SCHEDULER,
    "ioPriority": {
        "class!": frozenset(("IOPRIO_CLASS_RT", "IOPRIO_CLASS_BE", "IOPRIO_CLASS_IDLE")),
        "priority": (0, 7),
    },
    "execCPUAffinity": {"initial": str, "final": str},
}
HOOK_KINDS = ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")
_HOOKS = [{"path!": str, "args": [str], "env": [str], "timeout": (-(2**31), 2**31)}]
_DEVICE_RULE = {"allow!": bool, "type": str, "major": _INT64, "minor": _INT64, "access": str}
_THROTTLE = [{"major!": _INT64, "minor!": _INT64, "rate!": _INT64}]
RESOURCES_SCHEMA: dict[str, Any] = {
    "devices": [_DEVICE_RULE],
    "memory": {
        "limit": _INT64,
        "reservation": _INT64,
        "swap": _INT64,
        "kernel": _INT64,
        "kernelTCP": _INT64,
        "swappiness": _INT64,
        "disableOOMKiller": bool,
        "useHierarchy": bool,
        "checkBeforeUpdate": bool,
    },
    "cpu": {
        "shares": _INT64,
        "quota": _INT64,
        "burst": _INT64,
        "period": _INT64,
        "realtimeRuntime": _INT64,
        "realtimePeriod": _INT64,
        "cpus": str,
        "mems": str,
        "idle": _INT64,
    },
    "pids": {"limit": _INT64},
    "blockIO": {
        "weight": (0, 65535),
        "leafWeight": (0, 65535),
        "weightDevice": [{"major!": _INT64, "minor!": _INT64, "weight": (0, 65535)}],
        "throttleReadBpsDevice": _THROTTLE,
        "throttleWriteBpsDevice": _THROTTLE,
        "throttleReadIOPSDevice": _THROTTLE,
        "throttleWriteIOPSDevice": _THROTTLE,
    },
    "hugepageLimits": [{"pageSize!": str, "limit!": _INT64}],
    "network": {"classID": _UINT32, "priorities": [{"name!": str, "priority!": _UINT32}]},
    "rdma": {"*": {"hcaHandles": _UINT32, "hcaObjects": _UINT32}},
    "unified": {"*": str},
}
_SECCOMP = {
    "defaultAction!": str,
    "defaultErrnoRet": _UINT32,
    "architectures": [str],
    "flags": [str],
    "listenerPath": str,
    "listenerMetadata": str,
    "syscalls": [
        {
            "names!": [str],
            "action!": str,
            "errnoRet": _UINT32,
            "args": [{"index!": (0, 5), "value!": _INT64, "valueTwo": _INT64, "op!": str}],
        }
    ],
}
CONFIG_SCHEMA = {
    "ociVersion!": str,
    "hostname": str,
    "domainname": str,
    "process": PROCESS_SCHEMA,
    "root": {"path!": str, "readonly": bool},
    "annotations": {"*": str},
    "mounts": [
        {
            "destination!": str,
            "type": str,
            "source": str,
            "options": [str],
            "uidMappings": _ID_MAP,
            "gidMappings": _ID_MAP,
        }
    ],
    "hooks": dict.fromkeys(HOOK_KINDS, _HOOKS),
    "linux": {
        "uidMappings": _ID_MAP,
        "gidMappings": _ID_MAP,
        "sysctl": {"*": str},
        "resources": RESOURCES_SCHEMA,
        "cgroupsPath": str,
        "namespaces": [{"type!": frozenset(NAMESPACE_TYPES), "path": str}],
        "devices": [
            {
                "path!": str,
                "type!": frozenset("cbup"),
                "major": _INT64,
                "minor": _INT64,
                "fileMode": (0, 2**32 - 1),
                "uid": _UINT32,
                "gid": _UINT32,
            }
        ],
        "netDevices": {"*": {"name": str}},
        "seccomp": _SECCOMP,
        "rootfsPropagation": frozenset(
            ("", "shared", "rshared", "slave", "rslave", "private", "rprivate", "unbindable", "runbindable")
        ),
        "maskedPaths": [str],
        "readonlyPaths": [str],
        "mountLabel": str,
        "personality": {"domain!": frozenset(("LINUX", "LINUX32")), "flags": [str]},
        "timeOffsets": {"*": {"secs": _INT64, "nanosecs": (0, 999_999_999)}},
        "intelRdt": {
            "closID": str,
            "l3CacheSchema": str,
            "memBwSchema": str,
            "schemata": [str],
            "enableMonitoring": bool,
        },
        "memoryPolicy": {"mode!": str, "nodes": str, "flags": [str]},
    },
}


def check(value: Any, schema: Any, path: str) -> None:
    """Refuse a value that is not of the schema's shape; `path` is where in the document it stands."""
    if isinstance(schema, dict):
        _expect(isinstance(value, dict), path, "an object", value)
        if "*" in schema:
            for key, item in value.items():
                _check_text(key, path)
                check(item, schema["*"], f"{path}.{key}")
            return
        for name, inner in schema.items():
            key = name.rstrip("!")
            item = value.get(key)
            if item is not None:
                check(item, inner, f"{path}.{key}" if path else key)
            elif name.endswith("!"):
                raise InvalidConfig("is required", path=f"{path}.{key}" if path else key)
    elif isinstance(schema, list):
        _expect(isinstance(value, list), path, "an array", value)
        for index, item in enumerate(value):
            check(item, schema[0], f"{path}[{index}]")
    elif isinstance(schema, tuple):
        _expect(isinstance(value, int) and not isinstance(value, bool), path, "an integer", value)
        if not schema[0] <= value <= schema[1]:
            raise InvalidConfig(f"{value} is not between {schema[0]} and {schema[1]}", path=path)
    elif isinstance(schema, frozenset):
        _expect(isinstance(value, str), path, "a string", value)
        if value not in schema:
            known = ", ".join(sorted(name for name in schema if name))
            raise InvalidConfig(f'unknown value "{value}"', path=path, hint=f"Known are: {known}.")
    else:
        _expect(isinstance(value, schema), path, "a string" if schema is str else "true or false", value)
        if schema is str:
            _check_text(value, path)


def _check_text(text: str, path: str) -> None:
    """Refuse what JSON can hold and no system call can take."""
    if "\0" in text:
        raise InvalidConfig("contains a NUL character", path=path)
    if not text.isascii():
        try:
            text.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:
            raise InvalidConfig("contains half of a surrogate pair", path=path) from None


def _expect(right: bool, path: str, wanted: str, value: Any) -> None:
    if not right:
        raise InvalidConfig(f"is {_json_type(value)}, not {wanted}", path=path or "config.json")


def _json_type(value: Any) -> str:
    names = {dict: "an object", list: "an array", str: "a string", bool: "a boolean", int: "a number"}
    return "null" if value is None else names.get(type(value), "a number")
