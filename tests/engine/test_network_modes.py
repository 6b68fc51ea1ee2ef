"""Networks of real containers through the engine: modes, files, ports, restarts, and a shim that is killed."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
from typing import Any

import pytest

from engine.engine import Engine
from engine.errors import Conflict, EngineError
from engine.models import Container, CreateRequest, ExecRequest, PortMapping, RestartPolicy
from tests.support.engine import wait_until

pytestmark = pytest.mark.root

#: Reads its own server's answer over loopback as well as from outside.
SERVE = "import socket;s=socket.create_server(('',80))\nwhile 1:\n c,a=s.accept();c.sendall(a[0].encode());c.close()"


def start(engine: Engine, image: str, *command: str, **options: Any) -> Container:
    container = engine.containers.create(CreateRequest(image=image, command=command, **options))
    engine.containers.start(container.id)
    return engine.containers.get(container.id)


def output(engine: Engine, container: Container, *command: str) -> str:
    """What a command prints in a running container."""
    session = engine.containers.exec(container.id, ExecRequest(command=command))
    told = b"".join(frame.data for frame in session.frames() if frame.kind in ("stdout", "stderr"))
    session.close()
    return told.decode()


def serve_in(container: Container) -> subprocess.Popen[bytes]:
    """A server of this machine inside the container's network."""
    server = subprocess.Popen(["nsenter", "-t", str(container.pid), "-n", "python3", "-SIc", SERVE])
    wait_until("the server to listen", lambda: ":0050" in inner_sockets(container))
    return server


def inner_sockets(container: Container) -> str:
    with open(f"/proc/{container.pid}/net/tcp", encoding="ascii") as file:
        return file.read()


def ask(port: int, address: str = "127.0.0.1") -> str:
    with socket.create_connection((address, port), 3) as connection:
        return connection.recv(100).decode()


def test_bridge_files_and_interface(engine: Engine, image: str) -> None:
    one = start(engine, image, "sleep", "100", hostname="web", extra_hosts=("db:10.9.8.7",), dns=("192.0.2.53",))
    (endpoint,) = one.endpoints
    hosts = output(engine, one, "cat", "/etc/hosts").splitlines()
    assert f"{endpoint.address}\tweb" in hosts
    assert "10.9.8.7\tdb" in hosts
    assert output(engine, one, "cat", "/etc/resolv.conf") == "nameserver 192.0.2.53\n"
    assert output(engine, one, "cat", "/proc/sys/kernel/hostname") == "web\n"
    interfaces = output(engine, one, "cat", "/proc/net/dev")
    assert "eth0:" in interfaces
    assert one.id in engine.networks.inspect("bridge")["Containers"]
    engine.containers.remove(one.id, force=True)
    assert engine.networks.inspect("bridge")["Containers"] == {}


def test_none_has_loopback_and_host_has_all(engine: Engine, image: str) -> None:
    none = start(engine, image, "sleep", "100", network="none")
    host = start(engine, image, "sleep", "100", network="host")
    lines = output(engine, none, "cat", "/proc/net/dev").splitlines()[2:]
    names = {line.split(":")[0].strip() for line in lines}
    assert "lo" in names
    assert "eth0" not in names
    with open(f"/proc/{none.pid}/net/fib_trie", encoding="ascii") as table:
        assert "127.0.0.1" in table.read()
    assert os.readlink(f"/proc/{host.pid}/ns/net") == os.readlink("/proc/self/ns/net")
    assert output(engine, host, "cat", "/proc/sys/kernel/hostname").strip() == os.uname().nodename
    assert none.endpoints == host.endpoints == ()


def test_joining_another_containers_network(engine: Engine, image: str) -> None:
    one = start(engine, image, "sleep", "100", name="joined", hostname="front")
    two = start(engine, image, "sleep", "100", network=f"container:{one.id}")
    assert os.readlink(f"/proc/{one.pid}/ns/net") == os.readlink(f"/proc/{two.pid}/ns/net")
    assert output(engine, two, "cat", "/etc/hosts") == output(engine, one, "cat", "/etc/hosts")
    assert output(engine, two, "cat", "/proc/sys/kernel/hostname") == "front\n"
    engine.containers.remove(two.id, force=True)
    engine.containers.remove(one.id, force=True)


def test_joining_by_name(engine: Engine, image: str) -> None:
    one = start(engine, image, "sleep", "100", name="named")
    two = start(engine, image, "sleep", "100", network="container:named")
    assert os.readlink(f"/proc/{one.pid}/ns/net") == os.readlink(f"/proc/{two.pid}/ns/net")
    assert output(engine, two, "cat", "/etc/hosts") == output(engine, one, "cat", "/etc/hosts")


def test_joining_one_that_does_not_run_is_refused(engine: Engine, image: str) -> None:
    engine.containers.create(CreateRequest(image=image, command=("true",), name="asleep"))
    two = engine.containers.create(CreateRequest(image=image, command=("true",), network="container:asleep"))
    with pytest.raises(EngineError, match="not running"):
        engine.containers.start(two.id)


def test_a_published_port_answers_and_closes_with_the_container(engine: Engine, image: str) -> None:
    one = start(engine, image, "sleep", "100", ports=(PortMapping(container_port=80),))
    (port,) = one.endpoints[0].ports
    server = serve_in(one)
    try:
        assert ask(port.host_port) == one.endpoints[0].gateway
    finally:
        server.kill()
        server.wait()
    engine.containers.stop(one.id, timeout_s=0)
    with pytest.raises(ConnectionRefusedError):
        ask(port.host_port)
    with socket.create_server(("0.0.0.0", port.host_port)):
        pass


def test_a_port_that_is_taken_names_the_container(engine: Engine, image: str) -> None:
    one = start(engine, image, "sleep", "100", name="first", ports=(PortMapping(container_port=80),))
    number = one.endpoints[0].ports[0].host_port
    two = engine.containers.create(
        CreateRequest(image=image, command=("true",), ports=(PortMapping(container_port=80, host_port=number),))
    )
    with pytest.raises(Conflict, match="port is already allocated by container first"):
        engine.containers.start(two.id)
    assert engine.containers.get(two.id).state == "created"


def test_a_restart_by_policy_keeps_address_and_port(engine: Engine, image: str) -> None:
    one = start(
        engine,
        image,
        "sleep",
        "100",
        ports=(PortMapping(container_port=80),),
        restart=RestartPolicy(name="always"),
    )
    os.kill(one.pid, signal.SIGKILL)

    def restarted() -> bool:
        now = engine.containers.get(one.id)
        return now.state == "running" and now.pid != one.pid

    wait_until("the restart", restarted)
    again = engine.containers.get(one.id)
    assert again.endpoints == one.endpoints
    server = serve_in(again)
    try:
        assert ask(one.endpoints[0].ports[0].host_port)
    finally:
        server.kill()
        server.wait()


def test_a_killed_shim_leaves_no_network(engine: Engine, image: str) -> None:
    one = start(engine, image, "sleep", "100", ports=(PortMapping(container_port=80),))
    (endpoint,) = one.endpoints
    with open(f"/proc/{one.pid}/status", encoding="ascii") as file:
        shim = int(next(line for line in file if line.startswith("PPid:")).split()[1])
    os.kill(shim, signal.SIGKILL)
    wait_until("the end of the container", lambda: not os.path.exists(f"/proc/{one.pid}"))
    with Engine(engine.paths.root, engine.paths.run_root) as other:
        assert other.containers.get(one.id).state == "exited"
        assert other.store.query("SELECT count(*) FROM endpoints WHERE container_id = ?", (one.id,)) == [(0,)]
        rules = subprocess.run(
            ["nft", "list", "table", "inet", endpoint.bridge], capture_output=True, text=True, check=False
        )
        assert str(endpoint.ports[0].host_port) not in rules.stdout
    with contextlib.suppress(ConnectionRefusedError):
        ask(endpoint.ports[0].host_port)
        pytest.fail("the port still answers")
