"""Real systems from a real registry: pulled, run, and removed by the command that people type."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator

import pytest

from tests.support import registry, systems
from tests.support.engine import EngineRoot
from tests.support.images import Layout

pytestmark = [
    pytest.mark.root,
    pytest.mark.registry,
    pytest.mark.timeout(400),
    pytest.mark.skipif(bool(registry.missing()), reason=f"needs {registry.missing()}"),
]


@pytest.fixture(scope="module")
def address(toolbox_root: EngineRoot, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    layout = Layout(tmp_path_factory.mktemp("systems"))
    systems.busybox(layout, "busybox")
    systems.debian(layout, "debian")
    with registry.run_registry(tmp_path_factory.mktemp("registry")) as address:
        for name in ("busybox", "debian"):
            registry.push(layout.folder, name, f"{address}/library/{name}:latest")
        # the toolbox goes from our own store to the registry by somebody else's tool
        registry.push(
            toolbox_root.root / "oci", "docker.io/library/toolbox:latest", f"{address}/library/toolbox:latest"
        )
        shutil.rmtree(layout.folder)
        yield address


def test_debian_is_whole(pydock: EngineRoot, address: str) -> None:
    image = f"{address}/library/debian:latest"
    shown = pydock.ok("pull", image, timeout_s=200)
    assert f"Status: Downloaded newer image for {image}" in shown
    script = (
        "cat /etc/debian_version; dpkg -l | grep -c ^ii; stat -c %a /tmp /usr/bin/passwd; su -s /bin/sh nobody -c id"
    )
    version, packages, *rest = pydock.ok("run", "--rm", image, "sh", "-c", script).splitlines()
    assert version.startswith("12.")
    assert int(packages) > 80
    assert rest == ["1777", "4755", "uid=65534(nobody) gid=65534(nogroup) groups=65534(nogroup)"]
    assert "up to date" in pydock.ok("pull", image)
    pydock.ok("rmi", image)


def test_busybox_runs_with_a_terminal_of_its_own(pydock: EngineRoot, address: str) -> None:
    image = f"{address}/library/busybox"
    assert pydock.ok("run", "--rm", image, "echo", "pulled by run") == "pulled by run"
    pydock.ok("run", "-d", "--name", "bb", image, "sleep", "1000")
    assert pydock.ok("exec", "bb", "hostname") == pydock.ok("ps", "-q")
    refused = pydock.pydock("rmi", image)
    assert refused.returncode != 0
    assert "bb" in refused.stderr
    pydock.ok("rm", "-f", "bb")
    pydock.ok("rmi", image)


def test_the_toolbox_comes_back_as_it_went(pydock: EngineRoot, address: str) -> None:
    image = f"{address}/library/toolbox:latest"
    pydock.ok("pull", "-q", image)
    ids = {name: pydock.ok("image", "inspect", "-f", "{{.Id}}", name) for name in ("toolbox", image)}
    assert ids["toolbox"] == ids[image]
    pydock.ok("rmi", image)
    assert pydock.ok("run", "--rm", "toolbox", "echo", "still here") == "still here"


def test_other_tools_read_the_store(pydock: EngineRoot) -> None:
    store = f"oci:{pydock.root}/oci:docker.io/library/toolbox:latest"
    seen = subprocess.run(["skopeo", "inspect", store], check=True, capture_output=True, text=True).stdout
    assert '"Architecture": "amd64"' in seen
