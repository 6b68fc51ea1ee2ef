"""Checks a create request before anything is made of it; messages are Docker's in words and order where it has them.

Only what can be told from the request and the host is checked. What needs the image (its users, its command) is
found by the step that reads it.
"""

from __future__ import annotations

import os
import posixpath
import re
import signal

from ..containers import runtimes
from ..errors import InvalidRequest
from . import host
from .capabilities import missing as missing_capabilities
from .capabilities import resolve as resolve_capabilities
from .devices import block_number, parse_rule
from .names import PATTERN, check_name
from .namespaces import modes
from .process import no_new_privileges
from .resources import has_block_weights, has_v1_memory, swap_is_counted
from .security import apparmor_is_on, option
from .validate_network import check_network

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..models import CreateRequest, HealthCheck, Mount, Resources

MEMORY_MIN = 6 << 20

_KERNEL_SYSCTLS = frozenset(
    f"kernel.{name}" for name in ("msgmax", "msgmnb", "msgmni", "sem", "shmall", "shmmax", "shmmni", "shm_rmid_forced")
)
_RESTART_NAMES = ("", "no", "on-failure", "always", "unless-stopped")


def validate(request: CreateRequest) -> None:
    """Raise InvalidRequest for the first thing that is wrong."""
    if request.name:
        name(request.name)
    for entry in request.env:
        if not entry or entry.startswith("="):
            raise InvalidRequest(f'invalid environment variable: "{entry}"')
    if request.working_dir and not request.working_dir.startswith("/"):
        raise InvalidRequest(
            f"the working directory '{request.working_dir}' is invalid, it needs to be an absolute path"
        )
    _check_host_name(request)
    _check_resources(request.resources)
    _check_mounts(request)
    _check_ulimits(request)
    _check_restart(request)
    _check_security(request)
    check_network(request)
    _check_sysctls(request)
    _check_health(request.health)
    _check_log(request)
    _check_runtime(request.runtime)
    _check_user_namespace(request)
    for rule in request.device_cgroup_rules:
        parse_rule(rule)
    if request.cgroupns_mode not in ("", "private", "host"):
        raise InvalidRequest(f"invalid cgroup namespace mode: {request.cgroupns_mode}", hint="Known: private, host.")
    parent = request.cgroup_parent
    if parent and ("\0" in parent or ".." in parent.split("/") or not parent.strip("/")):
        raise InvalidRequest(f'invalid cgroup parent "{parent}"', hint="A path such as /apps/web.")
    if request.stop_timeout_s is not None and request.stop_timeout_s < -1:
        raise InvalidRequest(f"invalid stop timeout {request.stop_timeout_s}: -1 means for ever")
    if request.shm_size < 0:
        raise InvalidRequest("SHM size can not be less than 0")
    if not -1000 <= request.oom_score_adj <= 1000:
        raise InvalidRequest(f"invalid value {request.oom_score_adj}, range for oom score adj is [-1000, 1000]")
    if request.stop_signal:
        signal_number(request.stop_signal)


def check_limits(request: CreateRequest) -> None:
    """What `update` may change."""
    _check_resources(request.resources)
    _check_restart(request)


def command(vector: tuple[str, ...], image: str) -> None:
    """The resolved command must name a program."""
    if not vector or not vector[0]:
        raise InvalidRequest(
            f"no command specified for {image}", hint="The image names none, so give one after the image."
        )
    if any("\0" in word for word in vector):
        raise InvalidRequest("an argument of the command contains a zero byte")


def name(text: str) -> None:
    """The name of a container. Raises InvalidRequest."""
    check_name(text, "container")


def warnings(request: CreateRequest) -> tuple[str, ...]:
    """What will be left out, and why; shown, not refused."""
    told = []
    told += _resource_warnings(request.resources)
    for name in missing_capabilities(request.cap_add, request.cap_drop, request.privileged):
        told.append(f"this host does not have {name}: the container starts without it")
    for limit in request.ulimits:
        lowered = host.possible_limit(limit)
        if lowered != limit:
            told.append(f"ulimit {limit.name} lowered to {lowered.hard}: this host allows no more")
    score = request.oom_score_adj
    if score and host.possible_oom_score(score) != score:
        told.append("oom score adjustment raised to this host's own: lowering it takes CAP_SYS_RESOURCE")
    profile = option(request, "apparmor")
    if profile and profile != "unconfined" and not apparmor_is_on():
        told.append(f'apparmor profile "{profile}" ignored: AppArmor is not enabled on this host')
    if option(request, "label") not in ("", "disable"):
        selinux = os.path.isdir("/sys/fs/selinux")
        why = "labels are left to the host's policy" if selinux else "SELinux is not enabled on this host"
        told.append(f"security label ignored: {why}")
    if request.network == "host" and (request.ports or request.publish_all):
        told.append("published ports are discarded when using host network mode")
    return tuple(told)


def _resource_warnings(limits: Resources) -> list[str]:
    told = []
    if limits.memory and limits.memory_swap and not swap_is_counted():
        told.append("this kernel does not count swap: memory limited without swap")
    if (limits.blkio_weight or limits.blkio_weight_devices) and not has_block_weights():
        told.append("this kernel cannot weigh block I/O: weight discarded")
    if not has_v1_memory():
        if limits.memory_swappiness >= 0:
            told.append("memory swappiness is a setting of cgroup v1: discarded")
        if limits.oom_kill_disable:
            told.append("the OOM killer can be disabled on cgroup v1 only: discarded")
    elif limits.oom_kill_disable and not limits.memory:
        told.append(
            "OOM killer is disabled for the container, but no memory limit is set, this can result in the system "
            "running out of resources"
        )
    return told


def signal_number(text: str) -> int:
    """`SIGTERM`, `term` or `15`; real-time ones as SIGRTMIN+3. Raises InvalidRequest."""
    if text.isascii() and text.isdigit():
        number = int(text)
    else:
        name = text.upper()
        name = name if name.startswith("SIG") else f"SIG{name}"
        base, plus, offset = name.partition("+")
        if not plus:
            base, minus, offset = name.partition("-")
            offset = f"-{offset}" if minus else "0"
        found = signal.Signals.__members__.get(base)
        shift = re.fullmatch(r"-?[0-9]{1,2}", offset, re.ASCII)
        number = int(found) + int(offset) if found is not None and shift else 0
    if not 1 <= number <= 64:
        raise InvalidRequest(f"invalid signal: {text}")
    return number


def _check_host_name(request: CreateRequest) -> None:
    label = r"[a-zA-Z0-9_]([a-zA-Z0-9_-]*[a-zA-Z0-9_])?"
    name = request.hostname
    if name and (len(name) > 63 or not re.fullmatch(rf"{label}(\.{label})*\.?", name, re.ASCII)):
        raise InvalidRequest(f"invalid hostname format: {name}")
    if len(request.domainname) > 63 or "/" in request.domainname or "\n" in request.domainname:
        raise InvalidRequest(f"invalid domain name: {request.domainname}")
    if name and modes(request)["uts"] == "host":
        raise InvalidRequest("conflicting options: hostname and the UTS mode")


def _check_resources(wanted: Resources) -> None:
    if wanted.memory < 0 or 0 < wanted.memory < MEMORY_MIN:
        raise InvalidRequest("minimum memory limit allowed is 6MB")
    if wanted.memory_swap > 0:
        if not wanted.memory:
            raise InvalidRequest("you should always set the memory limit when using memoryswap limit")
        if wanted.memory_swap < wanted.memory:
            raise InvalidRequest("minimum memoryswap limit should be larger than memory limit")
    elif wanted.memory_swap < -1:
        raise InvalidRequest(f"invalid memoryswap limit {wanted.memory_swap}: -1 means unlimited")
    if wanted.memory_reservation and wanted.memory_reservation < MEMORY_MIN:
        raise InvalidRequest("minimum memory reservation allowed is 6MB")
    if wanted.memory and wanted.memory_reservation > wanted.memory:
        raise InvalidRequest("minimum memory limit can not be less than memory reservation limit")
    count = os.cpu_count() or 1
    if wanted.nano_cpus and not 10_000_000 <= wanted.nano_cpus <= count * 1_000_000_000:
        raise InvalidRequest(f"range of CPUs is from 0.01 to {count}.00, as there are only {count} CPUs available")
    if wanted.nano_cpus and (wanted.cpu_period or wanted.cpu_quota):
        raise InvalidRequest("conflicting options: nano CPUs and CPU period or quota cannot both be set")
    if wanted.cpu_period and not 1000 <= wanted.cpu_period <= 1_000_000:
        raise InvalidRequest("CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)")
    if 0 < wanted.cpu_quota < 1000:
        raise InvalidRequest("CPU cfs quota can not be less than 1ms (i.e. 1000)")
    if wanted.cpu_shares < 0:
        raise InvalidRequest(f"invalid CPU shares ({wanted.cpu_shares}): value must be a positive integer")
    if not -1 <= wanted.memory_swappiness <= 100:
        raise InvalidRequest(f"invalid value: {wanted.memory_swappiness}, valid memory swappiness range is 0-100")
    if wanted.blkio_weight and not 10 <= wanted.blkio_weight <= 1000:
        raise InvalidRequest("range of blkio weight is from 10 to 1000")
    for item in wanted.blkio_weight_devices:
        block_number(item.path)
        if not 10 <= item.value <= 1000:
            raise InvalidRequest(f"range of blkio weight is from 10 to 1000, not {item.value} for {item.path}")
    for item in (
        *(*wanted.device_read_bps, *wanted.device_write_bps),
        *(*wanted.device_read_iops, *wanted.device_write_iops),
    ):
        block_number(item.path)
        if not 0 < item.value < 1 << 64:
            raise InvalidRequest(f"invalid rate {item.value} for {item.path}: must be a positive integer")
    if wanted.pids_limit < -1:
        raise InvalidRequest(f"invalid pids limit {wanted.pids_limit}: -1 means unlimited")
    _check_cpu_set(wanted.cpuset_cpus, "CPUs", "/sys/devices/system/cpu/online")
    _check_cpu_set(wanted.cpuset_mems, "memory nodes", "/sys/devices/system/node/online")


def _check_cpu_set(text: str, what: str, online_path: str) -> None:
    if not text:
        return
    wanted = _numbers(text)
    if wanted is None:
        raise InvalidRequest(f'invalid value "{text}" for cpuset {what}')
    try:
        with open(online_path, encoding="ascii") as file:
            online = file.read().strip()
    except OSError:
        online = "0"
    if not wanted <= (_numbers(online) or set()):
        raise InvalidRequest(f"requested {what} are not available - requested {text}, available: {online}")


def _numbers(text: str) -> set[int] | None:
    found: set[int] = set()
    for part in text.split(","):
        match = re.fullmatch(r"([0-9]{1,5})(?:-([0-9]{1,5}))?", part.strip(), re.ASCII)
        if not match:
            return None
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first:
            return None
        found.update(range(first, last + 1))
    return found


def _check_mounts(request: CreateRequest) -> None:
    seen: set[str] = set()
    for mount in request.mounts:
        _check_mount(mount)
        target = posixpath.normpath(mount.target)
        if target in seen:
            raise InvalidRequest(f"duplicate mount point: {target}")
        seen.add(target)


def _check_mount(mount: Mount) -> None:
    if not mount.target.startswith("/"):
        raise InvalidRequest(f"invalid mount path: '{mount.target}' mount path must be absolute")
    if posixpath.normpath(mount.target) in ("/", "//"):
        raise InvalidRequest("invalid volume specification: destination can't be '/'")
    if mount.type == "bind" and not mount.source.startswith("/"):
        raise InvalidRequest(f"invalid mount path: '{mount.source}' mount path must be absolute")
    if mount.type == "volume" and mount.source:
        if not PATTERN.fullmatch(mount.source):
            raise InvalidRequest(
                f'"{mount.source}" includes invalid characters for a local volume name, only '
                '"[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed',
                hint="To mount a folder of the host, give its absolute path.",
            )
        if len(mount.source) > 255:
            raise InvalidRequest(f"volume name of {len(mount.source)} characters is too long: at most 255")
    if mount.type == "image" and not mount.source:
        raise InvalidRequest("invalid mount config for type image: the source, an image, is missing")
    parts = mount.subpath.split("/")
    if mount.subpath and (mount.type not in ("volume", "image") or mount.subpath.startswith("/") or ".." in parts):
        raise InvalidRequest(f"invalid subpath {mount.subpath!r}: it must be a relative path within a volume or image")
    if "\0" in mount.source + mount.target + mount.subpath:
        raise InvalidRequest("a mount path must not contain a zero byte")


def _check_ulimits(request: CreateRequest) -> None:
    for limit in request.ulimits:
        if limit.name not in host.ULIMITS:
            raise InvalidRequest(f"invalid ulimit type: {limit.name}", hint=f"Known: {' '.join(sorted(host.ULIMITS))}.")
        if limit.soft < -1 or limit.hard < -1:
            raise InvalidRequest(f"invalid ulimit {limit.name}={limit.soft}:{limit.hard}: -1 means unlimited")
        soft, hard = (value if value >= 0 else 1 << 64 for value in (limit.soft, limit.hard))
        if soft > hard:
            raise InvalidRequest(
                f"ulimit soft limit must be less than or equal to hard limit: {limit.soft} > {limit.hard}"
            )


def _check_restart(request: CreateRequest) -> None:
    policy = request.restart
    if policy.name not in _RESTART_NAMES:
        raise InvalidRequest(
            f"invalid restart policy '{policy.name}'", hint="Known: no, on-failure[:N], always, unless-stopped."
        )
    if policy.maximum_retries < 0:
        raise InvalidRequest("maximum restart count must not be negative")
    if policy.maximum_retries and policy.name != "on-failure":
        raise InvalidRequest(f"maximum restart count not valid with restart policy of '{policy.name or 'no'}'")
    if request.auto_remove and policy.name not in ("", "no"):
        raise InvalidRequest("can't create 'AutoRemove' container with restart policy")


def _check_health(health: HealthCheck | None) -> None:
    if health is None:
        return
    kind, *words = health.test or ("",)
    if kind not in ("", "NONE", "CMD", "CMD-SHELL"):
        raise InvalidRequest(f"unknown type '{kind}' in healthcheck", hint="Known: NONE, CMD, CMD-SHELL.")
    if kind in ("CMD", "CMD-SHELL") and not (words and words[0]):
        raise InvalidRequest(f"missing command for {kind} in healthcheck")
    for what, value in (
        ("interval", health.interval_ns),
        ("timeout", health.timeout_ns),
        ("start period", health.start_period_ns),
        ("start interval", health.start_interval_ns),
    ):
        if value and value < 1_000_000:
            raise InvalidRequest(f"{what} in healthcheck cannot be less than 1ms")
    if health.retries < 0:
        raise InvalidRequest("retries in healthcheck cannot be negative")


def _check_user_namespace(request: CreateRequest) -> None:
    if request.userns_mode in ("", "host"):
        return
    if request.userns_mode != "auto":
        raise InvalidRequest(f"invalid user namespace mode: {request.userns_mode}", hint="Known: host, auto.")
    if request.privileged:
        raise InvalidRequest("privileged mode is incompatible with user namespaces")
    for kind, mode in modes(request).items():
        if mode:
            raise InvalidRequest(
                f"--userns auto needs {'an' if kind == 'ipc' else 'a'} {kind} namespace of the container's own, "
                f"not {mode}"
            )
    if request.runtime not in runtimes.OURS:
        raise InvalidRequest(f"--userns auto is not to be had with the runtime {request.runtime}")


def _check_runtime(name: str) -> None:
    runtimes.program(name)


def _check_log(request: CreateRequest) -> None:
    from ..containers.log_options import check

    check(request.log_driver, request.log_options)


def _check_security(request: CreateRequest) -> None:
    resolve_capabilities(request.cap_add, request.cap_drop, request.privileged)
    no_new_privileges(request.security_opt)
    for entry in request.security_opt:
        name = re.split("[=:]", entry, maxsplit=1)[0]
        if name not in ("seccomp", "apparmor", "label", "no-new-privileges", "systempaths"):
            raise InvalidRequest(f'invalid --security-opt: "{entry}"')


def _check_sysctls(request: CreateRequest) -> None:
    kinds = modes(request)
    for name in request.sysctls:
        if name.startswith("net."):
            if kinds["network"]:
                raise InvalidRequest(f'sysctl "{name}" not allowed in host network namespace or a joined one')
        elif name in _KERNEL_SYSCTLS or name.startswith("fs.mqueue."):
            if kinds["ipc"]:
                raise InvalidRequest(f'sysctl "{name}" not allowed in host ipc namespace or a joined one')
        else:
            raise InvalidRequest(f"sysctl '{name}' is not allowed", hint="It would change the whole host.")
