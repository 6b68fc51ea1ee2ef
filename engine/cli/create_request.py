"""From the options of `run` and `create` to the engine's request; every mistake names its option."""

from __future__ import annotations

from ..models import CreateRequest, Device, Resources, RestartPolicy, Ulimit
from .environment import read_environment, read_labels
from .errors import UsageError
from .mounts import parse_mount, parse_tmpfs, parse_volume
from .network_options import read_networks
from .ports import parse_ports
from .units import parse_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .options import Parsed

RESTART_POLICIES = ("no", "on-failure", "always", "unless-stopped")


def build_request(options: Parsed, *, open_stdin: bool) -> CreateRequest:
    """The request; raises `UsageError` (or `InvalidRequest`) for what cannot be meant."""
    image, *command = options.arguments
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
        dns=options.many("dns"),
        dns_search=options.many("dns-search"),
        dns_options=options.many("dns-option"),
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
        resources=_resources(options),
        restart=_restart(options.text("restart")),
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


def _restart(text: str) -> RestartPolicy:
    name, colon, retries = text.partition(":")
    if name not in RESTART_POLICIES or (colon and name != "on-failure"):
        raise UsageError(
            f'invalid argument "{text}" for "--restart" flag: none of {", ".join(RESTART_POLICIES)}, on-failure:N',
            "run",
        )
    if colon and not retries.isdigit():
        raise UsageError(f'invalid argument "{text}" for "--restart" flag: {retries!r} is not a number', "run")
    return RestartPolicy(name=name, maximum_retries=int(retries) if colon else 0)


def _resources(options: Parsed) -> Resources:
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
    )


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
