"""What the container may not see or call: masked and read-only paths, the seccomp profile, sysctls.

A profile file may be in the runtime specification's form or in Docker's, whose groups say for which
architectures, capabilities and kernels they hold.
"""

from __future__ import annotations

import json
import os

from ..errors import InvalidRequest
from .id_range import SIZE
from .namespaces import modes
from .seccomp import default_profile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..models import CreateRequest

MASKED_PATHS = (
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
READONLY_PATHS = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")

_CPUS = "/sys/devices/system/cpu"
# Docker's profile names architectures as Go does.
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64", "i686": "x86", "armv7l": "arm", "riscv64": "riscv64"}
_SCMP = {
    "x86_64": "SCMP_ARCH_X86_64",
    "aarch64": "SCMP_ARCH_AARCH64",
    "armv7l": "SCMP_ARCH_ARM",
    "riscv64": "SCMP_ARCH_RISCV64",
}


def masked_paths(request: CreateRequest) -> list[str]:
    """Paths that read as empty. The per-CPU throttle folders tell about neighbours on the same machine."""
    if _unconfined(request):
        return []
    throttles = []
    try:
        cpus = os.listdir(_CPUS)
    except OSError:
        cpus = []
    for name in cpus:
        if name.startswith("cpu") and name[3:].isdigit():
            path = f"{_CPUS}/{name}/thermal_throttle"
            if os.path.isdir(path):
                throttles.append(path)
    return [*MASKED_PATHS, *sorted(throttles)]


def readonly_paths(request: CreateRequest) -> list[str]:
    """Paths of /proc that stay readable only."""
    return [] if _unconfined(request) else list(READONLY_PATHS)


def sysctls(request: CreateRequest) -> dict[str, str]:
    """The request's, over Docker's two defaults for a network namespace of the container's own."""
    built: dict[str, str] = {}
    if not modes(request)["network"]:
        # A container's root-less program may bind port 80 and send pings: its network is its own.
        built["net.ipv4.ip_unprivileged_port_start"] = "0"
        last_gid = SIZE - 1 if request.userns_mode == "auto" else 2147483647
        built["net.ipv4.ping_group_range"] = f"0 {last_gid}"
    built.update(request.sysctls)
    return built


def seccomp(request: CreateRequest, capabilities: tuple[str, ...]) -> dict[str, Any] | None:
    """`linux.seccomp`, or None for no filter: privileged, or `seccomp=unconfined`."""
    wanted = option(request, "seccomp")
    machine = os.uname().machine
    if wanted == "unconfined" or (request.privileged and not wanted):
        return None
    if wanted in ("", "builtin", "default"):
        return default_profile(frozenset(capabilities), machine)
    return _translated(_read_profile(wanted), frozenset(capabilities), machine)


def option(request: CreateRequest, name: str) -> str:
    """The value of `--security-opt NAME=VALUE` (or NAME:VALUE), the last one if repeated."""
    found = ""
    for entry in request.security_opt:
        key, separator, value = entry.partition("=")
        if not separator:
            key, separator, value = entry.partition(":")
        if key == name:
            found = value
    return found


def apparmor(request: CreateRequest) -> str:
    """The profile to name in `process.apparmorProfile`; empty where the host has no AppArmor."""
    profile = option(request, "apparmor")
    if not profile or profile == "unconfined" or not apparmor_is_on():
        return ""
    return profile


def apparmor_is_on() -> bool:
    try:
        with open("/sys/module/apparmor/parameters/enabled", encoding="ascii") as file:
            return file.read(1) == "Y"
    except OSError:
        return False


def _unconfined(request: CreateRequest) -> bool:
    return request.privileged or option(request, "systempaths") == "unconfined"


def _read_profile(source: str) -> dict[str, Any]:
    text = source
    if not source.lstrip().startswith("{"):
        try:
            with open(source, encoding="utf-8") as file:
                text = file.read(4 << 20)
        except (OSError, UnicodeDecodeError) as error:
            reason = os.strerror(error.errno or 0).lower() if isinstance(error, OSError) else "not text"
            raise InvalidRequest(f"opening seccomp profile ({source}) failed: {reason}") from error
    try:
        profile = json.loads(text)
    except ValueError as error:
        raise InvalidRequest(f"decoding seccomp profile failed: {error}") from error
    if not isinstance(profile, dict) or not isinstance(profile.get("defaultAction"), str):
        raise InvalidRequest("decoding seccomp profile failed: defaultAction is missing")
    return profile


def _translated(profile: dict[str, Any], capabilities: frozenset[str], machine: str) -> dict[str, Any]:
    """Docker's form to the specification's; one that is in that form already passes unchanged."""
    built = {key: profile[key] for key in profile if key not in ("archMap", "syscalls")}
    if "archMap" in profile:
        own = _SCMP.get(machine, "")
        for entry in profile["archMap"] or ():
            if entry.get("architecture") == own:
                built["architectures"] = [own, *(entry.get("subArchitectures") or ())]
    groups = []
    for group in profile.get("syscalls") or ():
        if not _holds(group, capabilities, machine):
            continue
        kept = {key: group[key] for key in ("names", "action", "args", "errnoRet") if group.get(key) is not None}
        if "name" in group:
            kept.setdefault("names", [group["name"]])
        groups.append(kept)
    built["syscalls"] = groups
    return built


def _holds(group: dict[str, Any], capabilities: frozenset[str], machine: str) -> bool:
    arch = _MACHINES.get(machine, machine)
    includes, excludes = group.get("includes") or {}, group.get("excludes") or {}
    if includes.get("arches") and arch not in includes["arches"]:
        return False
    if not capabilities.issuperset(includes.get("caps") or ()):
        return False
    if includes.get("minKernel") and _kernel() < _version(includes["minKernel"]):
        return False
    if arch in (excludes.get("arches") or ()) or capabilities.intersection(excludes.get("caps") or ()):
        return False
    return not (excludes.get("minKernel") and _kernel() >= _version(excludes["minKernel"]))


def _kernel() -> tuple[int, int]:
    return _version(os.uname().release)


def _version(text: str) -> tuple[int, int]:
    major, _, rest = text.partition(".")
    minor = rest.partition(".")[0].partition("-")[0]
    return (int(major) if major.isdigit() else 0, int(minor) if minor.isdigit() else 0)
