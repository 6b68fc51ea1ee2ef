"""`features`: what this runtime supports, whatever this host's kernel has, as JSON (runtime-spec, features.md)."""

from __future__ import annotations

import json

from ..kernel import constants as k
from ..rootfs.options import names as mount_option_names
from ..schema import HOOK_KINDS, NAMESPACE_TYPES
from ..security.capability_names import NAMES
from ..spec import OCI_VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .main import Context
    from .options import Options

OPTIONS: dict[str, str] = {}
USAGE = ""
_ACTIONS = ("ALLOW", "ERRNO", "KILL", "KILL_PROCESS", "KILL_THREAD", "LOG", "NOTIFY", "TRACE", "TRAP")
_OPERATORS = ("EQ", "GE", "GT", "LE", "LT", "MASKED_EQ", "NE")
_ARCHITECTURES = ("AARCH64", "X32", "X86", "X86_64")
_FILTER_FLAGS = ("LOG", "SPEC_ALLOW", "TSYNC", "WAIT_KILLABLE_RECV")


def run(options: Options, context: Context) -> int:
    print(json.dumps(features(), indent=4))
    return 0


def features() -> dict[str, object]:
    """The document."""
    return {
        "ociVersionMin": "1.0.0",
        "ociVersionMax": OCI_VERSION,
        "hooks": list(HOOK_KINDS),
        "mountOptions": mount_option_names(),
        "linux": {
            "namespaces": sorted(NAMESPACE_TYPES),
            "capabilities": list(NAMES),
            "cgroup": {"v1": True, "v2": True, "systemd": True, "systemdUser": False, "rdma": True},
            "seccomp": {
                "enabled": True,
                "actions": [f"SCMP_ACT_{name}" for name in _ACTIONS],
                "operators": [f"SCMP_CMP_{name}" for name in _OPERATORS],
                "archs": [f"SCMP_ARCH_{name}" for name in _ARCHITECTURES],
                "knownFlags": [f"SECCOMP_FILTER_FLAG_{name}" for name in _FILTER_FLAGS],
                "supportedFlags": [f"SECCOMP_FILTER_FLAG_{name}" for name in _FILTER_FLAGS],
            },
            "apparmor": {"enabled": True},
            "selinux": {"enabled": True},
            "intelRdt": {"enabled": True, "schemata": True, "monitoring": True},
            "memoryPolicy": {"modes": sorted(k.MPOL_MODES), "flags": sorted(k.MPOL_FLAGS)},
            "mountExtensions": {"idmap": {"enabled": True}},
            "netDevices": {"enabled": True},
        },
        "potentiallyUnsafeConfigAnnotations": [],
    }
