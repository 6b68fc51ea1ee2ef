"""From Docker's JSON and back: models, create bodies, sessions, log lines, addresses."""

from __future__ import annotations

import socket
import struct

import pytest

from engine.api.create_request import read_create
from engine.containers.session import Frame
from engine.errors import EngineError, InvalidRequest
from engine.models import (
    CreateRequest,
    Device,
    HealthCheck,
    Mount,
    NetworkAttachment,
    PortMapping,
    Resources,
    RestartPolicy,
    Ulimit,
)
from engine.remote.create_body import create_body
from engine.remote.models import inspected_container, listed_container, parse_time
from engine.remote.session import RemoteSession
from engine.remote.target import Channel, Tls, parse_target

FULL = CreateRequest(
    image="toolbox",
    name="web",
    command=("sh", "-c", "true"),
    entrypoint=(),
    env=("A=b",),
    labels={"k": "v"},
    hostname="h",
    user="1:2",
    group_add=("3",),
    working_dir="/w",
    tty=True,
    open_stdin=True,
    auto_remove=True,
    init=True,
    read_only=True,
    privileged=True,
    cap_add=("NET_ADMIN",),
    cap_drop=("ALL",),
    security_opt=("no-new-privileges",),
    network="net",
    networks=(
        NetworkAttachment(
            network="net",
            address="10.1.2.3",
            address6="fd00::3",
            mac="02:00:00:00:00:01",
            aliases=("a",),
            links=("db:d",),
            priority=4,
        ),
    ),
    ports=(
        PortMapping(container_port=80, host_port=8080, host_ip="127.0.0.1"),
        PortMapping(container_port=53, protocol="udp"),
    ),
    publish_all=True,
    expose=("80/tcp", "53/udp", "81/tcp"),
    dns=("1.1.1.1",),
    dns_search=("x",),
    dns_options=("ndots:2",),
    extra_hosts=("a:1.2.3.4",),
    mounts=(
        Mount(type="bind", source="/h", target="/c", read_only=True, options=("rslave",)),
        Mount(type="volume", source="data", target="/d"),
        Mount(type="tmpfs", target="/t", options=("size=64m",)),
        Mount(type="volume", target="/anonymous"),
    ),
    devices=(Device(host_path="/dev/null", container_path="/dev/x", permissions="r"),),
    shm_size=128 << 20,
    sysctls={"net.core.somaxconn": "9"},
    ulimits=(Ulimit(name="nofile", soft=1, hard=2),),
    oom_score_adj=5,
    pid_mode="host",
    ipc_mode="host",
    uts_mode="host",
    health=HealthCheck(test=("CMD", "true"), interval_ns=10**9, retries=2),
    resources=Resources(memory=64 << 20, nano_cpus=5 * 10**8, pids_limit=10, cpuset_cpus="0"),
    restart=RestartPolicy(name="on-failure", maximum_retries=3),
    stop_signal="SIGINT",
    stop_timeout_s=0,
    log_driver="local",
    log_options={"max-size": "1m"},
)


def test_a_create_request_comes_back_from_its_body_as_it_was() -> None:
    """What the remote client writes is what our own server reads."""
    request = FULL.replace(auto_remove=False)
    read = read_create(create_body(request, (24, 80)), name="web", platform="")
    assert read.size == (24, 80)
    for name in CreateRequest._fields:
        assert getattr(read.request, name) == getattr(request, name), name


def test_links_on_the_default_network_are_the_containers_own() -> None:
    request = CreateRequest(image="x", links=("db:d",))
    assert read_create(create_body(request), name="", platform="").request.links == ("db:d",)


def test_a_small_request_says_little() -> None:
    body = create_body(CreateRequest(image="toolbox", command=("true",)))
    assert body == {
        "Image": "toolbox",
        "Cmd": ["true"],
        "AttachStdout": True,
        "AttachStderr": True,
        "HostConfig": {"NetworkMode": "bridge"},
    }


def test_a_health_check_is_said_in_dockers_words() -> None:
    check = HealthCheck(test=("CMD", "true"), interval_ns=10**9, retries=2)
    body = create_body(CreateRequest(image="x", health=check))
    assert body["Healthcheck"] == {"Test": ["CMD", "true"], "Interval": 10**9, "Retries": 2}


def test_a_list_with_nulls_is_read() -> None:
    """Podman leaves out what Docker fills, and the other way round."""
    container = listed_container(
        {
            "Id": "ab" * 32,
            "Names": ["/web/db", "/web"],
            "Created": 5,
            "State": "paused",
            "Ports": None,
            "Labels": None,
            "Mounts": None,
            "Status": "Up 2 seconds (Paused)",
        }
    )
    assert (container.name, container.state, container.created_ns) == ("web", "paused", 5 * 10**9)
    assert container.told_status == "Up 2 seconds (Paused)"


def test_ports_of_an_inspected_container() -> None:
    document = {
        "Id": "ab" * 32,
        "Name": "/web",
        "Created": "2026-01-02T03:04:05.5Z",
        "State": {"Status": "exited", "ExitCode": 3, "FinishedAt": "2026-01-02T04:04:05.123456789+01:00"},
        "NetworkSettings": {
            "Ports": {"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}], "81/tcp": None},
            "Networks": {"bridge": {"IPAddress": "10.0.0.2"}},
        },
    }
    container = inspected_container(document)
    assert container.exit_code == 3
    assert container.finished_ns - container.created_ns == -376543211 + 0
    assert container.endpoints[0].ports == (PortMapping(container_port=80, host_ip="0.0.0.0", host_port=8080),)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0001-01-01T00:00:00Z", 0),
        ("1970-01-01T00:00:01Z", 1),
        ("1970-01-01T01:00:01+01:00", 1),
        ("1969-12-31T23:00:01-01:00", 1),
        ("nonsense that is long enough", 0),
        (None, 0),
    ],
)
def test_times(text: str | None, seconds: int) -> None:
    assert parse_time(text) == seconds * 10**9


def session_over(tty: bool = False, rest: bytes = b"", code: int | None = 4) -> tuple[RemoteSession, socket.socket]:
    ours, theirs = socket.socketpair()
    session = RemoteSession(Channel(ours), rest, tty=tty, ended=lambda: code, resize=lambda rows, columns: None)
    return session, theirs


def test_frames_come_whole_whatever_the_pieces() -> None:
    wire = struct.pack(">BxxxI", 1, 3) + b"out" + struct.pack(">BxxxI", 2, 3) + b"err"
    for cut in range(len(wire) + 1):
        session, theirs = session_over(rest=wire[:cut])
        frames = session.read_available()
        theirs.sendall(wire[cut:])
        theirs.close()
        frames += list(session.frames())
        assert frames == [Frame("stdout", b"out", 0), Frame("stderr", b"err", 0), Frame("exit", b"", 4)]
        session.close()


def test_a_terminal_is_not_framed_and_an_unknown_end_is_told() -> None:
    session, theirs = session_over(tty=True, rest=b"\x01early", code=None)
    theirs.sendall(b" late")
    theirs.close()
    frames = list(session.frames())
    assert b"".join(frame.data for frame in frames) == b"\x01early late"
    assert frames[-1].kind == "closed"


def test_detaching_sends_the_keys_that_the_engine_was_told() -> None:
    session, theirs = session_over(tty=True)
    theirs.shutdown(socket.SHUT_WR)
    session.detach()
    assert theirs.recv(10) == b"\x10\x11"
    theirs.close()


@pytest.mark.parametrize(
    ("text", "path", "host", "port"),
    [
        ("unix:///run/docker.sock", "/run/docker.sock", "", 0),
        ("/run/docker.sock", "/run/docker.sock", "", 0),
        ("tcp://lab", "", "lab", 2375),
        ("tcp://lab:99/", "", "lab", 99),
        ("tcp://[::1]:99", "", "::1", 99),
        ("lab:99", "", "lab", 99),
        ("https://lab", "", "lab", 2376),
    ],
)
def test_addresses(text: str, path: str, host: str, port: int) -> None:
    target = parse_target(text)
    assert (target.path, target.host, target.port) == (path, host, port)


def test_a_tls_address_has_dockers_tls_port() -> None:
    assert parse_target("tcp://lab", Tls(ca="ca.pem")).port == 2376


@pytest.mark.parametrize("text", ["unix://relative", "fd://", "tcp://", "tcp://lab:port", "ssh://lab"])
def test_addresses_that_are_none_are_refused_with_the_cure(text: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse_target(text)
    assert refused.value.hint


def test_nobody_at_an_address_is_said_with_it() -> None:
    with pytest.raises(EngineError, match=r"cannot connect to the engine at unix:///nowhere/x\.sock: no such file"):
        parse_target("unix:///nowhere/x.sock").connect()
