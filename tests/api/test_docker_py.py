"""docker-py, the library that scripts use, class by class."""

from __future__ import annotations

from collections.abc import Iterator

import docker
import docker.errors
import pytest

from tests.api.client import Api, joined

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
