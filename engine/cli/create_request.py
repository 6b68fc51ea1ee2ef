"""From the options of `run` and `create` to the engine's request; every mistake names its option."""

from __future__ import annotations

from ..models import CreateRequest, Device, DeviceLimit, HealthCheck, Resources, RestartPolicy, Ulimit
from .environment import read_environment, read_labels
from .errors import UsageError
from .mounts import parse_mount, parse_tmpfs, parse_volume
from .network_options import read_networks
from .ports import parse_exposed, parse_ports
from .units import parse_duration, parse_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .options import Parsed

RESTART_POLICIES = ("no", "on-failure", "always", "unless-stopped")


def build_request(options: Parsed, *, open_stdin: bool, stdin_once: bool = True) -> CreateRequest:
    """The request; raises `UsageError` (or `InvalidRequest`) for what cannot be meant."""
    image, *command = options.arguments
    if options.text("volume-driver") not in ("", "local"):
        raise UsageError(
            f"there is no volume driver {options.text('volume-driver')!r}, only local", options.command.name
        )
    network, networks = read_networks(options)
    request = CreateRequest(
        image=image,
        name=options.text("name"),
        command=tuple(command) if command else None,
        entrypoint=_entrypoint(options),
        env=read_environment(options.many("env"), options.many("env-file")),
        labels=read_labels(options.many("label"), options.many("label-file")),
        hostname=options.text("hostname"),
        domainname=options.text("domainname"),
        user=options.text("user"),
        group_add=options.many("group-add"),
        working_dir=options.text("workdir"),
        tty=options.flag("tty"),
        open_stdin=open_stdin,
        stdin_once=stdin_once,
        auto_remove=options.flag("rm"),
        init=options.flag("init"),
        read_only=options.flag("read-only"),
        privileged=options.flag("privileged"),
        cap_add=_words(options.many("cap-add")),
        cap_drop=_words(options.many("cap-drop")),
        security_opt=tuple(_security_option(text) for text in options.many("security-opt")),
        network=network,
        networks=networks,
        ports=parse_ports(options.many("publish")),
        publish_all=options.flag("publish-all"),
        expose=parse_exposed(options.many("expose")),
        links=options.many("link") if network == "bridge" or networks is None else (),
        dns=options.many("dns"),
        dns_search=options.many("dns-search"),
        dns_options=(*options.many("dns-option"), *options.many("dns-opt")),
        extra_hosts=tuple(_extra_host(text) for text in options.many("add-host")),
        mounts=(
            *(parse_volume(text) for text in options.many("volume")),
            *(parse_mount(text) for text in options.many("mount")),
            *(parse_tmpfs(text) for text in options.many("tmpfs")),
        ),
        devices=tuple(_device(text) for text in options.many("device")),
        shm_size=_size(options, "shm-size", "--shm-size") or 64 << 20,
        sysctls=_pairs(options, "sysctl"),
        ulimits=tuple(_ulimit(text) for text in options.many("ulimit")),
        oom_score_adj=_within(options, "oom-score-adj", -1000, 1000) or 0,
        pid_mode=options.text("pid"),
        ipc_mode=options.text("ipc"),
        uts_mode=options.text("uts"),
        userns_mode=options.text("userns"),
        cgroupns_mode=options.text("cgroupns"),
        cgroup_parent=options.text("cgroup-parent"),
        runtime=options.text("runtime"),
        annotations=_pairs(options, "annotation"),
        device_cgroup_rules=options.many("device-cgroup-rule"),
        volumes_from=options.many("volumes-from"),
        health=_health(options),
        resources=_all_resources(options),
        restart=read_restart(options.text("restart")),
        stop_signal=options.text("stop-signal"),
        stop_timeout_s=options.number("stop-timeout"),
        log_driver=options.text("log-driver"),
        log_options=_pairs(options, "log-opt"),
        platform=options.text("platform"),
    )
    if request.auto_remove and request.restart.name != "no":
        raise UsageError("conflicting options: --restart and --rm", options.command.name)
    return request


def _entrypoint(options: Parsed) -> tuple[str, ...] | None:
    if not options.given("entrypoint"):
        return None
    program = options.text("entrypoint")
    return (program,) if program else ()  # --entrypoint "" means: none at all


def _words(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(word for value in values for word in value.split(",") if word)


def _security_option(text: str) -> str:
    """`seccomp=FILE` reads the file here: its path means something to this shell only."""
    key, equals, value = text.partition("=")
    if key != "seccomp" or not equals or value in ("unconfined", "builtin") or value.startswith("{"):
        return text
    try:
        with open(value, encoding="utf-8") as file:
            return f"seccomp={file.read()}"
    except (OSError, UnicodeDecodeError) as error:
        why = (getattr(error, "strerror", None) or str(error)).lower()
        raise UsageError(f"--security-opt seccomp={value}: {why}", "run") from None


def _extra_host(text: str) -> str:
    name, separator, address = text.partition("=") if "=" in text else text.partition(":")
    if not name or not separator or not address:
        raise UsageError(f'invalid argument "{text}" for "--add-host" flag: written as HOST:IP', "run")
    return f"{name}:{address.strip('[]')}"


def _device(text: str) -> Device:
    host, *rest = text.split(":")
    container, permissions = host, "rwm"
    if rest and set(rest[-1]) <= set("rwm") and rest[-1]:
        permissions = rest.pop()
    if rest:
        container = rest.pop(0)
    if rest or not host.startswith("/") or not container.startswith("/"):
        raise UsageError(
            f'invalid argument "{text}" for "--device" flag: written as HOST[:CONTAINER[:rwm]], with absolute paths',
            "run",
        )
    return Device(host_path=host, container_path=container, permissions=permissions)


def _ulimit(text: str) -> Ulimit:
    name, _, limits = text.partition("=")
    soft, colon, hard = limits.partition(":")
    try:
        low = int(soft)
        return Ulimit(name=name.lower(), soft=low, hard=int(hard) if colon else low)
    except ValueError:
        raise UsageError(f'invalid argument "{text}" for "--ulimit" flag: written as NAME=SOFT[:HARD]', "run") from None


def _health(options: Parsed) -> HealthCheck | None:
    """What was said about the check; None when nothing was, so that the image's own holds."""
    command = options.text("health-cmd")
    check = HealthCheck(
        test=("CMD-SHELL", command) if command else (),
        interval_ns=_duration(options, "health-interval"),
        timeout_ns=_duration(options, "health-timeout"),
        start_period_ns=_duration(options, "health-start-period"),
        start_interval_ns=_duration(options, "health-start-interval"),
        retries=_within(options, "health-retries", 0, 1 << 31) or 0,
    )
    if not options.flag("no-healthcheck"):
        return check if check != HealthCheck() else None
    if check != HealthCheck():
        raise UsageError("--no-healthcheck conflicts with --health-* options", options.command.name)
    return HealthCheck(test=("NONE",))


def _duration(options: Parsed, name: str) -> int:
    text = options.text(name)
    value = parse_duration(text) if text not in ("", "0") else 0
    if value is None:
        raise UsageError(f'invalid argument "{text}" for "--{name}" flag: no duration such as 30s or 1m30s', "run")
    return value


def read_restart(text: str) -> RestartPolicy:
    """`no`, `always`, `unless-stopped`, `on-failure` or `on-failure:N`."""
    name, colon, retries = text.partition(":")
    if name not in RESTART_POLICIES or (colon and name != "on-failure"):
        raise UsageError(
            f'invalid argument "{text}" for "--restart" flag: none of {", ".join(RESTART_POLICIES)}, on-failure:N',
            "run",
        )
    if colon and not retries.isdigit():
        raise UsageError(f'invalid argument "{text}" for "--restart" flag: {retries!r} is not a number', "run")
    return RestartPolicy(name=name, maximum_retries=int(retries) if colon else 0)


def read_resources(options: Parsed) -> Resources:
    """The limits that `update` has too."""
    swap = options.text("memory-swap")
    return Resources(
        memory=_size(options, "memory", "-m, --memory"),
        memory_swap=-1 if swap == "-1" else _size(options, "memory-swap", "--memory-swap"),
        memory_reservation=_size(options, "memory-reservation", "--memory-reservation"),
        nano_cpus=_nano_cpus(options.text("cpus")),
        cpu_shares=_within(options, "cpu-shares", 0, 262144) or 0,
        cpu_period=_microseconds(options, "cpu-period"),
        cpu_quota=_microseconds(options, "cpu-quota"),
        cpuset_cpus=options.text("cpuset-cpus"),
        cpuset_mems=options.text("cpuset-mems"),
        pids_limit=_within(options, "pids-limit", -1, 4194304) or 0,
        blkio_weight=options.number("blkio-weight") or 0,
    )


def _all_resources(options: Parsed) -> Resources:
    return read_resources(options).replace(
        memory_swappiness=_swappiness(options),
        oom_kill_disable=options.flag("oom-kill-disable"),
        blkio_weight_devices=_device_limits(options, "blkio-weight-device"),
        device_read_bps=_device_limits(options, "device-read-bps", sizes=True),
        device_write_bps=_device_limits(options, "device-write-bps", sizes=True),
        device_read_iops=_device_limits(options, "device-read-iops"),
        device_write_iops=_device_limits(options, "device-write-iops"),
    )


def _swappiness(options: Parsed) -> int:
    value = _within(options, "memory-swappiness", -1, 100)
    return -1 if value is None else value


def _device_limits(options: Parsed, name: str, *, sizes: bool = False) -> tuple[DeviceLimit, ...]:
    """`PATH:VALUE` of each; with `sizes` the value may have a unit, as in /dev/sda:1mb."""
    found = []
    for text in options.many(name):
        path, colon, value = text.rpartition(":")
        if not colon or not path.startswith("/dev/") or not (sizes or value.isdigit()):
            wanted = "/dev/NAME:SIZE" if sizes else "/dev/NAME:NUMBER"
            raise UsageError(f'invalid argument "{text}" for "--{name}" flag: written as {wanted}', "run")
        found.append(DeviceLimit(path=path, value=parse_size(value, f"--{name}") if sizes else int(value)))
    return tuple(found)


def _size(options: Parsed, name: str, spelled: str) -> int:
    text = options.text(name)
    return parse_size(text, spelled) if text else 0


def _nano_cpus(text: str) -> int:
    if not text:
        return 0
    whole, _, fraction = text.partition(".")
    if not (whole + fraction).isdigit() or len(fraction) > 9:
        raise UsageError(f'invalid argument "{text}" for "--cpus" flag: not a number such as 0.5 or 2', "run")
    return int(whole or 0) * 10**9 + int(fraction.ljust(9, "0"))


def _microseconds(options: Parsed, name: str) -> int:
    text = options.text(name)
    if text and not text.removeprefix("-").isdigit():
        raise UsageError(f'invalid argument "{text}" for "--{name}" flag: not a number of microseconds', "run")
    return int(text or 0)


def _within(options: Parsed, name: str, low: int, high: int) -> int | None:
    value = options.number(name)
    if value is not None and not low <= value <= high:
        raise UsageError(f'invalid argument "{value}" for "--{name}" flag: not from {low} to {high}', "run")
    return value


def _pairs(options: Parsed, name: str) -> dict[str, str]:
    result = {}
    for text in options.many(name):
        key, equals, value = text.partition("=")
        if not key or not equals:
            raise UsageError(f'invalid argument "{text}" for "--{name}" flag: written as KEY=VALUE', "run")
        result[key] = value
    return result
