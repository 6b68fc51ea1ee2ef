"""docker-py, the library that scripts use, class by class."""

from __future__ import annotations

import io
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import docker.errors
import docker.types
import pytest

from tests.api.client import Api, joined
from tests.support import registry
from tests.support.engine import wait_until

HTPASSWD = "ann:$2y$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW\n"

pytestmark = pytest.mark.root


@pytest.fixture
def client(api: Api) -> Iterator[docker.DockerClient]:
    client = docker.DockerClient(base_url=f"unix://{api.path}", version="auto", timeout=30)
    yield client
    client.close()


def test_client(client: docker.DockerClient) -> None:
    assert client.ping()
    assert tuple(int(part) for part in client.api.api_version.split(".")) <= (1, 47)
    assert client.version()["Os"] == "linux"
    assert client.info()["OSType"] == "linux"
    assert client.df()["BuildCache"] == []


def test_an_exec_that_ends_at_once_is_heard(client: docker.DockerClient) -> None:
    """The library reads below the buffer that it read the head through: nothing may come in one piece with the head."""
    container = client.containers.run("toolbox", ["sleep", "100"], detach=True)
    for number in range(20):
        assert container.exec_run(["echo", str(number)]) == (0, f"{number}\n".encode())
    assert container.exec_run(["sh", "-c", "echo in; exit 4"]) == (4, b"in\n")
    parted = tuple(container.exec_run(["sh", "-c", "echo a; echo b >&2"], demux=True).output)
    assert parted == (b"a\n", b"b\n")
    container.remove(force=True)


def test_containers(client: docker.DockerClient) -> None:
    assert client.containers.run("toolbox", ["echo", "hello"], remove=True) == b"hello\n"
    with pytest.raises(docker.errors.ContainerError):
        client.containers.run("toolbox", ["sh", "-c", "exit 3"], remove=True)
    with pytest.raises(docker.errors.NotFound):
        client.containers.get("absent")
    container = client.containers.run("toolbox", ["sleep", "100"], detach=True, name="py", labels={"k": "v"})
    assert [item.name for item in client.containers.list(filters={"label": "k=v"})] == ["py"]
    assert container.exec_run(["sh", "-c", "exit 4"]).exit_code == 4
    assert container.top()["Processes"]
    reading = container.stats(stream=False)
    assert isinstance(reading, dict)
    assert reading["memory_stats"]["usage"] > 0
    container.pause()
    container.reload()
    assert container.status == "paused"
    container.unpause()
    container.rename("py2")
    container.restart(timeout=0)
    container.kill()
    assert container.wait()["StatusCode"] == 137
    container.remove()


def test_logs_and_attach_as_streams(client: docker.DockerClient) -> None:
    container = client.containers.run("toolbox", ["sh", "-c", "echo 1; sleep 0.3; echo 2"], detach=True)
    assert b"".join(container.logs(stream=True, follow=True)) == b"1\n2\n"
    assert container.logs(stdout=True, stderr=False, tail=1) == b"2\n"
    again = client.containers.create("toolbox", ["sh", "-c", "echo attached"])
    stream = again.attach(stream=True)
    again.start()
    assert b"".join(stream) == b"attached\n"


def test_low_level_sockets(client: docker.DockerClient) -> None:
    container = client.containers.create("toolbox", ["cat"], stdin_open=True)
    attached = client.api.attach_socket(str(container.id), {"stdin": 1, "stdout": 1, "stream": 1})
    container.start()
    attached._sock.sendall(b"typed\n")
    data = attached._sock.recv(100)
    assert joined(data, 1) == b"typed\n"
    attached.close()
    container.kill()


def test_images(client: docker.DockerClient) -> None:
    image = client.images.get("toolbox")
    assert image.tag("py-image", "1")
    assert "py-image:1" in [tag for item in client.images.list() for tag in item.tags]
    assert client.images.get("py-image:1").history()
    client.images.remove("py-image:1")
    with pytest.raises(docker.errors.ImageNotFound):
        client.images.get("py-image:1")
    assert client.images.prune()["ImagesDeleted"] is None


def test_volumes_and_networks(client: docker.DockerClient) -> None:
    volume = client.volumes.create("py-vol", labels={"a": "b"})
    assert client.volumes.get("py-vol").attrs["Labels"] == {"a": "b"}
    assert "py-vol" in [item.name for item in client.volumes.list()]
    volume.remove()
    network = client.networks.create("py-net", driver="bridge")
    container = client.containers.run("toolbox", ["sleep", "100"], detach=True)
    network.connect(container)
    network.reload()
    assert [item.id for item in network.containers] == [container.id]
    network.disconnect(container)
    assert "py-net" in [item.name for item in client.networks.list()]
    network.remove()


def test_events(client: docker.DockerClient) -> None:
    stream = client.events(decode=True, filters={"type": "container"})
    container = client.containers.create("toolbox", ["true"])
    assert next(stream)["Action"] == "create"
    stream.close()
    container.remove()


def test_files_of_a_container(client: Any) -> None:
    container = client.containers.run("toolbox", ["sleep", "100"], detach=True)
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        entry = tarfile.TarInfo("in.txt")
        entry.size = 6
        archive.addfile(entry, io.BytesIO(b"typed\n"))
    assert container.put_archive("/root", out.getvalue())
    assert container.exec_run(["cat", "/root/in.txt"]).output == b"typed\n"
    pieces, status = container.get_archive("/root/in.txt")
    assert (status["name"], status["size"]) == ("in.txt", 6)
    with tarfile.open(fileobj=io.BytesIO(b"".join(pieces))) as archive:
        assert archive.getnames() == ["in.txt"]
    assert {"Path": "/root/in.txt", "Kind": 1} in container.diff()
    with tarfile.open(fileobj=io.BytesIO(b"".join(container.export()))) as archive:
        assert "root/in.txt" in archive.getnames()
    with pytest.raises(docker.errors.NotFound):
        container.get_archive("/absent")
    image = container.commit("py-made", "1", message="why", author="me")
    assert image.tags == ["py-made:1"]
    assert client.containers.run("py-made:1", ["cat", "/root/in.txt"], remove=True) == b"typed\n"
    client.images.remove("py-made:1")


def test_update_wait_and_prune(client: Any) -> None:
    container = client.containers.run("toolbox", ["sleep", "100"], detach=True, mem_limit="64m")
    container.update(
        mem_limit="96m", memswap_limit="192m", restart_policy={"Name": "on-failure", "MaximumRetryCount": 1}
    )
    container.reload()
    assert container.attrs["HostConfig"]["Memory"] == 96 << 20
    container.stop(timeout=0)
    assert container.wait(condition="not-running")["StatusCode"] == 137
    assert client.containers.prune()["ContainersDeleted"] == [container.id]


def test_a_container_with_everything(client: Any) -> None:
    container = client.containers.create(
        "toolbox",
        ["sleep", "100"],
        name="py-full",
        environment={"A": "b"},
        hostname="here",
        user="1000",
        working_dir="/tmp",
        volumes={"py-data": {"bind": "/data", "mode": "ro"}},
        tmpfs={"/t": "size=1m"},
        mounts=[docker.types.Mount("/other", "py-other", type="volume")],
        ports={"80/tcp": ("127.0.0.1", None)},
        cap_add=["NET_ADMIN"],
        ulimits=[docker.types.Ulimit(name="nofile", soft=100, hard=200)],
        log_config=docker.types.LogConfig(type="json-file", config={"max-size": "1m"}),
        healthcheck={"test": ["CMD", "true"], "interval": 1_000_000_000},
        restart_policy={"Name": "always"},
        init=True,
        read_only=True,
        nano_cpus=500_000_000,
        pids_limit=50,
        sysctls={"net.ipv4.ip_forward": "1"},
        stop_signal="SIGUSR1",
        extra_hosts={"far": "192.0.2.1"},
    )
    container.start()
    assert container.exec_run(["sh", "-c", "echo $A $(hostname) $(pwd) $(id -u) $(ulimit -n)"]).output == (
        b"b here /tmp 1000 100\n"
    )
    wait_until("it is healthy", lambda: client.containers.get("py-full").health == "healthy")
    container.reload()
    assert list(container.ports) == ["80/tcp"]
    assert [mount["Destination"] for mount in container.attrs["Mounts"]] == ["/data", "/other"]
    container.remove(force=True, v=True)
    for name in ("py-data", "py-other"):
        client.volumes.get(name).remove()


def test_images_in_and_out(client: Any, tmp_path: Path) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        entry = tarfile.TarInfo("hello")
        entry.size = 5
        archive.addfile(entry, io.BytesIO(b"hello"))
    client.api.import_image_from_data(out.getvalue(), repository="py-small", tag="1")
    image = client.images.get("py-small:1")
    saved = b"".join(image.save(named=True))
    client.images.remove("py-small:1")
    assert [item.id for item in client.images.load(saved)] == [image.id]
    with pytest.raises(docker.errors.ImageNotFound):
        client.images.remove("py-absent:1")
    with pytest.raises(docker.errors.APIError, match="not implemented"):
        client.images.build(fileobj=io.BytesIO(b"FROM toolbox\n"))
    with pytest.raises(docker.errors.APIError, match="not implemented"):
        client.images.search("x")
    client.images.remove("py-small:1")


@pytest.mark.skipif(bool(registry.missing()), reason=f"needs {registry.missing()}")
def test_images_by_way_of_a_registry(client: Any, tmp_path: Path) -> None:
    with registry.run_registry(tmp_path / "registry", htpasswd=HTPASSWD) as host:
        name = f"{host}/py-pushed"
        client.images.get("toolbox").tag(name, "1")
        account = {"username": "ann", "password": "secret"}
        told = list(client.images.push(name, tag="1", auth_config=account, stream=True, decode=True))
        digest = told[-1]["aux"]["Digest"]
        assert client.images.get_registry_data(f"{name}:1", auth_config=account).id == digest
        client.images.remove(f"{name}:1")
        pulled = client.images.pull(name, tag="1", auth_config=account)
        assert f"{name}:1" in pulled.tags
        assert client.login(username="ann", password="secret", registry=host)["Status"] == "Login Succeeded"
        with pytest.raises(docker.errors.APIError):
            client.login(username="ann", password="wrong", registry=host, reauth=True)
        client.images.remove(f"{name}:1")


def test_networks(client: Any) -> None:
    network = client.networks.create("py-own", labels={"k": "v"}, internal=True)
    assert client.networks.list(filters={"label": "k=v"})[0].id == network.id
    container = client.containers.run("toolbox", ["sleep", "100"], detach=True, network="py-own", name="py-on-net")
    network.reload()
    assert [item.name for item in network.containers] == ["py-on-net"]
    with pytest.raises(docker.errors.APIError):
        network.remove()
    container.remove(force=True)
    assert client.networks.prune(filters={"label": "k=v"})["NetworksDeleted"] == ["py-own"]
    with pytest.raises(docker.errors.NotFound):
        client.networks.get("py-own")


def test_volumes(client: Any) -> None:
    volume = client.volumes.create("py-own", labels={"k": "v"})
    assert [item.id for item in client.volumes.list(filters={"label": "k=v"})] == [volume.id]
    with pytest.raises(docker.errors.NotFound):
        client.volumes.get("py-absent")
    assert client.volumes.prune(filters={"all": True, "label": "k=v"})["VolumesDeleted"] == ["py-own"]


def test_events_of_the_past_and_by_filter(client: Any) -> None:
    begun = time.time()
    container = client.containers.run("toolbox", ["sh", "-c", "exit 6"], detach=True, name="py-seen", labels={"k": "v"})
    container.wait()
    container.remove()
    told = list(
        client.events(since=begun - 1, until=time.time(), decode=True, filters={"container": "py-seen", "label": "k=v"})
    )
    assert [event["Action"] for event in told] == ["create", "start", "die", "destroy"]
    assert told[2]["Actor"]["Attributes"]["exitCode"] == "6"
    assert told[2]["status"] == "die"


def test_exec_by_the_low_level_api_and_its_socket(client: Any) -> None:
    container = client.containers.run("toolbox", ["sleep", "100"], detach=True)
    created = client.api.exec_create(str(container.id), ["sh", "-c", "read x; echo got $x; exit 5"], stdin=True)
    stream = client.api.exec_start(created["Id"], socket=True)
    stream._sock.sendall(b"word\n")
    data = b""
    while piece := stream._sock.recv(100):
        data += piece
    assert joined(data, 1) == b"got word\n"
    assert client.api.exec_inspect(created["Id"])["ExitCode"] == 5
    terminal = client.api.exec_create(str(container.id), ["sh", "-c", "stty size; sleep 100"], tty=True)
    output = client.api.exec_start(terminal["Id"], tty=True, stream=True)
    assert b" " in next(iter(output))
    client.api.exec_resize(terminal["Id"], height=20, width=90)
    with pytest.raises(docker.errors.NotFound):
        client.api.exec_inspect("absent")
    container.remove(force=True)


def test_a_terminal_by_the_low_level_api(client: Any) -> None:
    container = client.containers.create("toolbox", ["sh"], tty=True, stdin_open=True)
    attached = client.api.attach_socket(str(container.id), {"stdin": 1, "stdout": 1, "stream": 1})
    container.start()
    client.api.resize(str(container.id), height=21, width=91)
    attached._sock.sendall(b"stty size; exit 4\n")
    data = b""
    while piece := attached._sock.recv(1000):
        data += piece
    assert b"21 91" in data
    attached.close()
    assert container.wait()["StatusCode"] == 4


def test_errors_have_their_own_classes(client: Any) -> None:
    with pytest.raises(docker.errors.ImageNotFound):
        client.containers.create("py-absent", ["true"])
    with pytest.raises(docker.errors.NotFound):
        client.containers.get("py-absent").start()
    client.containers.create("toolbox", ["true"], name="py-once")
    with pytest.raises(docker.errors.APIError) as refused:
        client.containers.create("toolbox", ["true"], name="py-once")
    assert refused.value.status_code == 409
    assert "is already in use" in str(refused.value.explanation)
    with pytest.raises(docker.errors.APIError) as swarm:
        client.swarm.init()
    assert swarm.value.status_code == 503
