"""`--userns auto`: root inside is nobody outside, on disk everything keeps the image's owners."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.bundle import id_range
from engine.errors import InvalidRequest
from engine.models import CreateRequest, ExecRequest, Mount
from engine.snapshots.mapped import of_namespace
from tests.engine.test_create_flags import pid_of
from tests.support.engine import EngineRoot

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.engine import Engine

pytestmark = pytest.mark.root


def outer_uid(pid: int) -> int:
    return int(Path(f"/proc/{pid}/status").read_text().partition("Uid:")[2].split()[0])


def maps_layers(root: Path) -> bool:
    """Whether overlayfs takes id-mapped layers here: from Linux 5.19 on, on most file systems."""
    release = tuple(int(part) for part in os.uname().release.split(".")[:2])
    kind = subprocess.run(["stat", "-f", "-c", "%T", root], capture_output=True, text=True, check=True).stdout.strip()
    return release >= (5, 19) and kind in ("ext2/ext3", "xfs", "btrfs")


def test_root_inside_is_nobody_outside(pydock: EngineRoot) -> None:
    null = os.stat("/dev/null")
    pydock.ok("run", "-d", "--name", "one", "--userns", "auto", "toolbox", "sleep", "1000")
    pydock.ok("run", "-d", "--name", "two", "--userns", "auto", "-u", "1000:7", "toolbox", "sleep", "1000")
    one, two = pid_of(pydock, "one"), pid_of(pydock, "two")
    base = outer_uid(one)
    assert base >= 1 << 16
    assert Path(f"/proc/{one}/uid_map").read_text().split() == ["0", str(base), "65536"]
    assert Path(f"/proc/{one}/gid_map").read_text().split() == ["0", str(base), "65536"]
    second = int(Path(f"/proc/{two}/uid_map").read_text().split()[1])
    assert abs(second - base) >= 1 << 16  # a range of its own
    assert outer_uid(two) == second + 1000
    assert pydock.ok("exec", "one", "id", "-u") == "0"
    assert pydock.ok("exec", "two", "id", "-u") == "1000"
    # capabilities over the host's things are none: its clock, its devices
    assert pydock.pydock("exec", "one", "mknod", "/x", "b", "7", "0").returncode != 0
    after = os.stat("/dev/null")
    assert (after.st_uid, after.st_gid, after.st_mode) == (null.st_uid, null.st_gid, null.st_mode)


def test_what_is_written_has_the_images_owners_on_disk(pydock: EngineRoot) -> None:
    if not maps_layers(pydock.root):
        pytest.skip("needs a file system whose mounts can be id-mapped below overlayfs (Linux 5.19)")
    script = "echo x >/mine; echo y >/other; chown 5:6 /other; chmod 4755 /mine; rm /etc/passwd; echo z >/v/in"
    pydock.ok("run", "--name", "writer", "--userns", "auto", "-v", "shared:/v", "toolbox", "sh", "-c", script)
    upper = pydock.root / "containers" / pydock.ok("inspect", "-f", "{{.Id}}", "writer") / "upper"
    mine, other, volume = os.stat(upper / "mine"), os.stat(upper / "other"), pydock.root / "volumes/shared/_data/in"
    assert (mine.st_uid, mine.st_gid, mine.st_mode & 0o7777) == (0, 0, 0o4755)
    assert (other.st_uid, other.st_gid) == (5, 6)
    assert (volume.stat().st_uid, volume.read_text()) == (0, "z\n")
    # another container with another range, and one without, use the same files
    script = "stat -c %u /v/in; echo more >>/v/in; cat /v/in"
    options = ("--rm", "-v", "shared:/v", "toolbox", "sh", "-c", script)
    assert pydock.ok("run", "--userns", "auto", *options).split() == ["0", "z", "more"]
    assert pydock.ok("run", *options).split() == ["0", "z", "more", "more"]
    pydock.ok("start", "-a", "writer")
    pydock.ok("rm", "writer")
    pydock.ok("volume", "rm", "shared")


def test_a_folder_of_the_host_stays_the_hosts(pydock: EngineRoot, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("told\n")
    secret.chmod(0o600)
    tmp_path.chmod(0o755)
    script = "cat /host/secret; echo x >/host/new; stat -c %u /host/secret"
    done = pydock.pydock("run", "--rm", "--userns", "auto", "-v", f"{tmp_path}:/host", "toolbox", "sh", "-c", script)
    assert done.stdout == "65534\n"
    assert done.stderr.count("Permission denied") == 2
    assert not (tmp_path / "new").exists()


def test_a_network_a_terminal_and_sysctls_of_its_own(pydock: EngineRoot) -> None:
    script = "cat /proc/sys/net/core/somaxconn; test -e /sys/class/net/eth0 && echo net; test -t 0 && stat -c %u $(tty)"
    options = ("--userns", "auto", "--sysctl", "net.core.somaxconn=77", "-t", "--init", "--read-only")
    output = pydock.ok("run", "--rm", *options, "--tmpfs", "/scratch", "toolbox", "sh", "-c", script)
    assert output.split() == ["77", "net", "0"]


def test_a_new_volume_gets_what_the_image_has(engine: Engine, image: str) -> None:
    request = CreateRequest(
        image=image,
        command=("stat", "-c", "%u", "/etc/group"),
        userns_mode="auto",
        network="none",
        mounts=(Mount(type="volume", source="copied", target="/etc"),),
    )
    container = engine.containers.create(request)
    engine.containers.start(container.id)
    assert engine.containers.wait(container.id) == 0
    assert [line.text for line in engine.containers.logs(container.id)] == ["0\n"]
    assert os.stat(f"{engine.paths.volume('copied')}/group").st_uid == 0
    engine.containers.remove(container.id)
    engine.volumes.remove("copied")


def test_a_range_stays_through_restarts_and_is_free_again_after_removal(engine: Engine, image: str) -> None:
    request = CreateRequest(image=image, command=("sleep", "1000"), userns_mode="auto", network="none")
    first, second = engine.containers.create(request), engine.containers.create(request)
    assert first.id_base != second.id_base
    engine.containers.start(first.id)
    engine.containers.restart(first.id, 0)
    row = engine.containers.get(first.id)
    assert (row.id_base, outer_uid(row.pid)) == (first.id_base, first.id_base)
    frames = list(engine.containers.exec(first.id, ExecRequest(command=("id", "-u"), user="3")).frames())
    assert b"".join(frame.data for frame in frames) == b"3\n"
    engine.containers.remove(first.id, force=True)
    assert engine.containers.create(request).id_base == first.id_base


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"userns_mode": "auto", "privileged": True}, "privileged mode is incompatible"),
        ({"userns_mode": "auto", "network": "host"}, "network namespace of the container's own"),
        ({"userns_mode": "auto", "pid_mode": "host"}, "pid namespace of the container's own"),
        ({"userns_mode": "auto", "ipc_mode": "host"}, "an ipc namespace of the container's own"),
        ({"userns_mode": "keep-id"}, "invalid user namespace mode: keep-id"),
    ],
)
def test_what_cannot_go_together_is_refused(engine: Engine, image: str, fields: dict[str, object], told: str) -> None:
    with pytest.raises(InvalidRequest, match=told):
        engine.containers.create(CreateRequest(image=image, command=("true",), **fields))  # type: ignore[arg-type]


@pytest.fixture
def unmappable() -> Iterator[EngineRoot]:
    """An engine whose containers lie on a file system that knows nothing of id-mapped mounts."""
    root = EngineRoot()
    containers = root.root / "containers"
    try:
        root.ok("image", "toolbox", "-q", timeout_s=120)
        containers.mkdir(exist_ok=True)
        if subprocess.run(["mount", "-t", "ramfs", "ramfs", containers], capture_output=True, check=False).returncode:
            pytest.skip("needs ramfs")
        yield root
        root.remove_containers()
    finally:
        subprocess.run(["umount", "-l", containers], check=False, capture_output=True)
        root.close()


def test_where_mounts_cannot_be_mapped_a_copy_is_shifted(unmappable: EngineRoot) -> None:
    script = "id -u; stat -c %u /etc/group; echo x >/mine; stat -c %u /mine; touch /etc/group && echo writes"
    options = ("--userns", "auto", "--network", "none")
    output = unmappable.ok("run", "--name", "copied", *options, "toolbox", "sh", "-c", script)
    assert output.split() == ["0", "0", "0", "writes"]
    folder = unmappable.root / "containers" / unmappable.ok("inspect", "-f", "{{.Id}}", "copied")
    assert os.stat(folder / "rootfs/mine").st_uid >= 1 << 16
    assert unmappable.ok("start", "-a", "copied").split() == ["0", "0", "0", "writes"]  # and is not shifted twice


def test_file_capabilities_become_those_of_the_namespace() -> None:
    had = bytes.fromhex("01000002 00200000 00000000 00000000 00000000")  # cap_net_raw=ep
    given = of_namespace(had, 0x70000000)
    assert given == bytes.fromhex("01000003 00200000 00000000 00000000 00000000 00000070")
    assert of_namespace(given, 5) == given


def test_ranges_come_from_the_hosts_line_for_us(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "subuid").write_text("other:1:65536\npydock:200000:131072\n")
    monkeypatch.setattr(id_range, "_SUBUID", str(tmp_path / "subuid"))
    assert id_range.free(frozenset()) == 200000
    assert id_range.free({200000}) == 265536
    with pytest.raises(Exception, match="all id ranges from 200000 to 331071 are taken"):
        id_range.free({200000, 265536})
