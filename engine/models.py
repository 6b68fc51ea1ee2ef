"""What the engine takes and gives: requests, and the state of its objects. Values only, no behaviour.

Times are nanoseconds since the epoch (0: never), sizes are bytes, durations say their unit. A request is the
same for the command line, the run dialog and the REST API.
"""

from __future__ import annotations

from .record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    ContainerState = Literal["created", "running", "paused", "restarting", "exited", "dead", "removing"]
    MountType = Literal["bind", "volume", "tmpfs", "image"]
    LayerStatus = Literal[
        "waiting",
        "exists",
        "downloading",
        "retrying",
        "verifying",
        "downloaded",
        "unpacking",
        "done",
        "preparing",
        "pushing",
        "pushed",
        "mounted",
    ]


class PortMapping(Record):
    """One published port. `host_port` 0 asks for a free one, and one up to `host_port_last` where that is given; an
    empty `host_ip` means every address of both families."""

    container_port: int
    protocol: str = "tcp"
    host_ip: str = ""
    host_port: int = 0
    host_port_last: int = 0


class Mount(Record):
    """A mount beside the root file system. `source`: host path, volume name ("" = anonymous), an image, or unused.
    `subpath`: what of a volume or image is mounted, "" all. `driver_options`, `labels`: of a volume that has to be
    made. `image_id`: what `source` of an image stood for when the container was made."""

    type: MountType
    target: str
    source: str = ""
    read_only: bool = False
    options: tuple[str, ...] = ()
    subpath: str = ""
    driver_options: dict[str, str] = {}
    labels: dict[str, str] = {}
    image_id: str = ""


class Ulimit(Record):
    """A resource limit by its lower-case name without RLIMIT_; -1 is unlimited."""

    name: str
    soft: int
    hard: int


class Device(Record):
    """A host device made visible; permissions are cgroup letters (rwm)."""

    host_path: str
    container_path: str
    permissions: str = "rwm"


class DeviceLimit(Record):
    """A limit or weight of one block device, by its path on the host."""

    path: str
    value: int


class Resources(Record):
    """cgroup limits; 0 or "" is unset. `nano_cpus`: billionths of a CPU. `memory_swap`: memory plus swap,
    -1 unlimited. `memory_swappiness` -1 is the host's own."""

    memory: int = 0
    memory_swap: int = 0
    memory_reservation: int = 0
    nano_cpus: int = 0
    cpu_shares: int = 0
    cpu_period: int = 0
    cpu_quota: int = 0
    cpuset_cpus: str = ""
    cpuset_mems: str = ""
    pids_limit: int = 0
    memory_swappiness: int = -1
    oom_kill_disable: bool = False
    blkio_weight: int = 0
    blkio_weight_devices: tuple[DeviceLimit, ...] = ()
    device_read_bps: tuple[DeviceLimit, ...] = ()
    device_write_bps: tuple[DeviceLimit, ...] = ()
    device_read_iops: tuple[DeviceLimit, ...] = ()
    device_write_iops: tuple[DeviceLimit, ...] = ()


class RestartPolicy(Record):
    """`name`: no, on-failure, always, unless-stopped."""

    name: str = "no"
    maximum_retries: int = 0


class HealthCheck(Record):
    """How to find out whether the program is well. `test`: Docker's form, ("NONE",), ("CMD", word, …) or
    ("CMD-SHELL", text); () is the image's own. A duration or number of 0 is the image's own, else Docker's default:
    every 30 s, at most 30 s long, no start period (in it, every 5 s), 3 retries."""

    test: tuple[str, ...] = ()
    interval_ns: int = 0
    timeout_ns: int = 0
    start_period_ns: int = 0
    start_interval_ns: int = 0
    retries: int = 0


class NetworkAttachment(Record):
    """What is asked of a container's place in one network: fixed addresses, a MAC, further names there, names that
    it alone has for others ("container:alias"). The highest `priority` gets the default route."""

    network: str
    address: str = ""
    mac: str = ""
    aliases: tuple[str, ...] = ()
    address6: str = ""
    links: tuple[str, ...] = ()
    priority: int = 0


class CreateRequest(Record):
    """All that `create` can be asked for. None for command and entrypoint means the image's own. `network` is a mode or
    a network's name; `networks`, unless None, says all networks and what is asked of each, `network` among them.
    `stdin_once`: the end of an API client's input is the end of the program's. `health` None is the image's own check.
    `runtime`: "" is ours, else the name or path of another OCI runtime. `volumes_from`: NAME[:ro|rw], whose mounts
    come before `mounts`."""

    image: str
    name: str = ""
    command: tuple[str, ...] | None = None
    entrypoint: tuple[str, ...] | None = None
    env: tuple[str, ...] = ()
    labels: dict[str, str] = {}
    hostname: str = ""
    domainname: str = ""
    user: str = ""
    group_add: tuple[str, ...] = ()
    working_dir: str = ""
    tty: bool = False
    open_stdin: bool = False
    stdin_once: bool = True
    auto_remove: bool = False
    init: bool = False
    read_only: bool = False
    privileged: bool = False
    cap_add: tuple[str, ...] = ()
    cap_drop: tuple[str, ...] = ()
    security_opt: tuple[str, ...] = ()
    network: str = "bridge"
    networks: tuple[NetworkAttachment, ...] | None = None
    ports: tuple[PortMapping, ...] = ()
    publish_all: bool = False
    expose: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    dns: tuple[str, ...] = ()
    dns_search: tuple[str, ...] = ()
    dns_options: tuple[str, ...] = ()
    extra_hosts: tuple[str, ...] = ()
    mounts: tuple[Mount, ...] = ()
    devices: tuple[Device, ...] = ()
    shm_size: int = 64 << 20
    sysctls: dict[str, str] = {}
    ulimits: tuple[Ulimit, ...] = ()
    oom_score_adj: int = 0
    pid_mode: str = ""
    ipc_mode: str = ""
    uts_mode: str = ""
    userns_mode: str = ""
    cgroupns_mode: str = ""
    cgroup_parent: str = ""
    runtime: str = ""
    annotations: dict[str, str] = {}
    device_cgroup_rules: tuple[str, ...] = ()
    volumes_from: tuple[str, ...] = ()
    health: HealthCheck | None = None
    resources: Resources = Resources()
    restart: RestartPolicy = RestartPolicy()
    stop_signal: str = ""
    stop_timeout_s: int | None = None
    log_driver: str = "json-file"
    log_options: dict[str, str] = {}
    platform: str = ""


class ExecRequest(Record):
    """A further process in a running container."""

    command: tuple[str, ...]
    tty: bool = False
    open_stdin: bool = False
    env: tuple[str, ...] = ()
    user: str = ""
    working_dir: str = ""
    privileged: bool = False
    detach: bool = False


class Endpoint(Record):
    """A container's place in one network; `ports` have their host ports decided. `interface`: its name inside
    the container. `internal`: no way out of the network. `default_route`: the way out of the container leads here,
    and its ports are published here; `default_route6`: the same for IPv6. `isolated`: its neighbours are out of reach.
    `mtu` 0 is the kernel's own. `links`: names that this container alone has for others, "container:alias".

    The rest is its network's, so that a shim can make the wiring anew without asking: `table`, the engine's own in
    nf_tables; `parent` and `mode` of macvlan and ipvlan; how packets leave (`masquerade`, or `source` as the
    address they get) and come in (`way_in`: "nat", "routed", "nat-unprotected"), for each family; `trusted`: the host's
    interfaces from which everything may come."""

    network: str
    network_id: str = ""
    bridge: str = ""
    interface: str = "eth0"
    internal: bool = False
    address: str = ""
    prefix_length: int = 0
    gateway: str = ""
    mac: str = ""
    ports: tuple[PortMapping, ...] = ()
    aliases: tuple[str, ...] = ()
    default_route: bool = True
    isolated: bool = False
    masquerade: bool = True
    mtu: int = 0
    address6: str = ""
    prefix_length6: int = 0
    gateway6: str = ""
    default_route6: bool = False
    links: tuple[str, ...] = ()
    priority: int = 0
    driver: str = "bridge"
    table: str = "pydock"
    parent: str = ""
    mode: str = ""
    source: str = ""
    source6: str = ""
    way_in: str = "nat"
    way_in6: str = "nat"
    trusted: tuple[str, ...] = ()


class Phase(Record):
    """One step of a life cycle, with its start and length; the timeline is drawn from these."""

    name: str
    start_ns: int
    duration_ns: int


class Container(Record):
    """A container as it is now. `id_base`: the host's id that is its root, 0 when that is the host's root. `command`
    is the resolved argument vector, `image` the reference as typed, `image_id` the config's digest. `exit_code`
    counts in the states exited and dead. `stop_requested`: a person or script asked for the end, so no restart
    policy applies. `health`: "" without a check, else starting, healthy or unhealthy."""

    id: str
    name: str
    image: str
    image_id: str
    command: tuple[str, ...]
    created_ns: int
    state: ContainerState = "created"
    pid: int = 0
    exit_code: int = 0
    signal: int = 0
    oom_killed: bool = False
    error: str = ""
    started_ns: int = 0
    finished_ns: int = 0
    restart_count: int = 0
    stop_requested: bool = False
    health: str = ""
    tty: bool = False
    open_stdin: bool = False
    auto_remove: bool = False
    labels: dict[str, str] = {}
    network: str = "bridge"
    endpoints: tuple[Endpoint, ...] = ()
    ports: tuple[PortMapping, ...] = ()
    exposed_ports: tuple[str, ...] = ()
    mounts: tuple[Mount, ...] = ()
    resources: Resources = Resources()
    restart: RestartPolicy = RestartPolicy()
    id_base: int = 0
    phases: tuple[Phase, ...] = ()


class Event(Record):
    """One entry of the append-only stream. `type`: container, image, network, volume. `action` is Docker's
    word: create start die oom kill stop pause unpause restart destroy rename exec_create exec_die attach
    detach resize pull tag untag delete mount unmount connect disconnect."""

    id: int
    time_ns: int
    type: str
    action: str
    actor: str
    attributes: dict[str, str] = {}


class Image(Record):
    """A tagged platform image in the content store. `size`: bytes of its unpacked layers (diff sizes added
    up). `references`: every tag of it here, "repository:tag" in familiar form (`toolbox:latest`)."""

    id: str
    digest: str
    references: tuple[str, ...]
    repo_digests: tuple[str, ...] = ()
    created_ns: int = 0
    size: int = 0
    architecture: str = ""
    os: str = ""
    labels: dict[str, str] = {}
    layers: int = 0


class PullProgress(Record):
    """Progress of one layer (its 12 hex digits), or of the whole when `layer` is empty and `message` set."""

    layer: str = ""
    status: LayerStatus = "waiting"
    current: int = 0
    total: int = 0
    message: str = ""


class Removed(Record):
    """What removing an image did: untagged reference, or deleted digest; the other is empty."""

    untagged: str = ""
    deleted: str = ""


class Network(Record):
    """A network. `driver`: bridge, macvlan, ipvlan, host, none. `ip_range`: the part of the subnet that addresses are
    taken from, "" for all of it. Without `subnet` it has no IPv4 (`ipv4` says whether it is to have it), without
    `subnet6` no IPv6. `reserved`: addresses that nobody gets, by what they are for. `options`: the driver's, by
    Docker's names. `attachable` is kept for Docker's clients: containers can join every network."""

    id: str
    name: str
    driver: str
    bridge: str = ""
    subnet: str = ""
    gateway: str = ""
    internal: bool = False
    labels: dict[str, str] = {}
    created_ns: int = 0
    ip_range: str = ""
    options: dict[str, str] = {}
    ipv4: bool = True
    ipv6: bool = False
    subnet6: str = ""
    gateway6: str = ""
    ip_range6: str = ""
    reserved: dict[str, str] = {}
    attachable: bool = False


class Volume(Record):
    """A named (or, with a 64-hex name, anonymous) volume. `options`: of the driver `local`: type, o, device."""

    name: str
    path: str
    created_ns: int = 0
    anonymous: bool = False
    labels: dict[str, str] = {}
    options: dict[str, str] = {}


class VolumeUsage(Record):
    """What a volume takes, -1 for unknown, and the names of the containers that mount it."""

    size: int
    users: tuple[str, ...] = ()


class LogLine(Record):
    """One line as the container wrote it, newline included unless the write was partial. `attributes`: what the log
    options `labels`, `env` and `tag` keep with it."""

    time_ns: int
    stream: str
    text: str
    attributes: dict[str, str] = {}


class Process(Record):
    """A process of a container as the host sees it."""

    pid: int
    ppid: int
    user: str
    state: str
    cpu_percent: float
    rss: int
    started_ns: int
    cpu_time_ns: int
    tty: str
    command: str


class HostCheck(Record):
    """One line of the preflight: what was looked for, whether it is there, and the cure when not."""

    name: str
    ok: bool
    detail: str = ""
    cure: str = ""
