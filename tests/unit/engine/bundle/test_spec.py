"""From a create request to config.json: what a container gets by default, and what each option changes."""

from __future__ import annotations

import json
import os
import resource
from pathlib import Path
from typing import Any

import pytest

from engine.bundle import host, validate
from engine.errors import EngineError, InvalidRequest, WrongState
from engine.models import CreateRequest, Device, Endpoint, Mount, Resources, Ulimit
from runtime.security.capability_names import NAMES

from .build import CONTAINER_ID, Bench, environment, mount_at


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_defaults_are_dockers(bench: Bench) -> None:
    config = bench.build()
    assert config["ociVersion"] == "1.2.0"
    assert config["process"]["args"] == ["sh"]
    assert config["process"]["cwd"] == "/"
    assert config["process"]["user"] == {"uid": 0, "gid": 0, "additionalGids": [0]}
    assert config["hostname"] == CONTAINER_ID[:12]
    assert config["root"] == {"path": "rootfs", "readonly": False}
    assert config["linux"]["cgroupsPath"] == f"/pydock/{CONTAINER_ID}"
    kinds = {entry["type"] for entry in config["linux"]["namespaces"]}
    assert kinds == {"mount", "cgroup", "network", "pid", "ipc", "uts"}
    assert "/proc/kcore" in config["linux"]["maskedPaths"]
    assert "/proc/sys" in config["linux"]["readonlyPaths"]
    assert config["linux"]["seccomp"]["defaultAction"] == "SCMP_ACT_ERRNO"
    assert config["linux"]["resources"]["devices"][0] == {"allow": False, "access": "rwm"}
    assert "ro" in mount_at(config, "/sys")["options"]
    assert mount_at(config, "/dev/shm")["options"][-1] == f"size={64 << 20}"
    json.dumps(config)


def test_capabilities_are_not_inheritable(bench: Bench) -> None:
    held = bench.build()["process"]["capabilities"]
    assert "CAP_CHOWN" in held["effective"]
    assert "CAP_SYS_ADMIN" not in held["bounding"]
    assert not held.get("inheritable")
    assert not held.get("ambient")


def test_other_users_than_root_hold_no_capabilities(bench: Bench) -> None:
    held = bench.build(user="1000")["process"]["capabilities"]
    assert held["effective"] == held["permitted"] == []
    assert "CAP_CHOWN" in held["bounding"]


def test_environment_is_defaults_then_image_then_request(bench: Bench) -> None:
    bench.write("etc/passwd", "root:x:0:0::/root:/bin/sh\n")
    bench.image = bench.image.replace(env=("PATH=/image", "LANG=C", "DROP=1"))
    found = environment(bench.build(tty=True, env=("LANG=de", "TERM=screen", "DROP", "EMPTY=")))
    assert found == {
        "PATH": "/image",
        "HOSTNAME": CONTAINER_ID[:12],
        "TERM": "screen",
        "LANG": "de",
        "EMPTY": "",
        "HOME": "/root",
    }
    assert "TERM" not in environment(bench.build())


def test_overriding_the_entry_point_drops_the_images_command(bench: Bench) -> None:
    bench.image = bench.image.replace(entrypoint=("/entry",), command=("default",))
    assert bench.build()["process"]["args"] == ["/entry", "default"]
    assert bench.build(command=("mine",))["process"]["args"] == ["/entry", "mine"]
    assert bench.build(entrypoint=("/other",))["process"]["args"] == ["/other"]
    assert bench.build(entrypoint=("",), command=("ls",))["process"]["args"] == ["ls"]


def test_privileged_opens_everything(bench: Bench) -> None:
    config = bench.build(privileged=True)
    linux = config["linux"]
    assert linux["resources"]["devices"] == [{"allow": True, "access": "rwm"}]
    assert linux["maskedPaths"] == linux["readonlyPaths"] == []
    assert "seccomp" not in linux
    assert "ro" not in mount_at(config, "/sys")["options"]
    assert "CAP_SYS_ADMIN" in config["process"]["capabilities"]["effective"]
    assert any(device["path"] == "/dev/kmsg" for device in linux["devices"])


def test_network_modes(bench: Bench) -> None:
    def kinds(**request: Any) -> set[str]:
        return {entry["type"] for entry in bench.build(**request)["linux"]["namespaces"]}

    assert "network" not in kinds(network="host")
    assert "network" in kinds(network="none")
    host = bench.build(network="host")
    assert host["hostname"] == os.uname().nodename
    assert "net.ipv4.ip_unprivileged_port_start" not in host["linux"].get("sysctl", {})
    assert bench.build()["linux"]["sysctl"]["net.ipv4.ip_unprivileged_port_start"] == "0"


def test_joined_namespaces_point_at_the_running_process(bench: Bench) -> None:
    from engine.bundle import namespaces

    config = bench.build(network="container:other", ipc_mode="container:other")
    namespaces.join(config, lambda reference: 4711 if reference == "other" else 0)
    paths = {entry["type"]: entry.get("path") for entry in config["linux"]["namespaces"]}
    assert paths["network"] == "/proc/4711/ns/net"
    assert paths["ipc"] == "/proc/4711/ns/ipc"
    assert mount_at(config, "/dev/shm")["source"] == "/proc/4711/root/dev/shm"
    with pytest.raises(WrongState, match="other: it is not running"):
        namespaces.join(bench.build(network="container:other"), lambda _reference: 0)


def test_joined_containers_are_kept_by_id() -> None:
    from engine.bundle.namespaces import with_ids
    from engine.models import CreateRequest

    asked = CreateRequest(image="x", network="container:web", pid_mode="host", ipc_mode="container:db")
    found = with_ids(asked, {"web": "1" * 64, "db": "2" * 64}.__getitem__)
    assert (found.network, found.ipc_mode) == ("container:" + "1" * 64, "container:" + "2" * 64)
    assert found.pid_mode == "host"


def test_host_modes_take_the_hosts_own(bench: Bench) -> None:
    config = bench.build(pid_mode="host", ipc_mode="host", uts_mode="host")
    kinds = {entry["type"] for entry in config["linux"]["namespaces"]}
    assert kinds == {"mount", "cgroup", "network"}
    assert mount_at(config, "/dev/shm")["type"] == "bind"
    assert "hostname" not in config


def test_binds_make_the_missing_directory(bench: Bench, tmp_path: Path) -> None:
    source = tmp_path / "a" / "b"
    mount = mount_at(
        bench.build(mounts=(Mount(type="bind", target="/data/", source=str(source), read_only=True),)), "/data"
    )
    assert source.is_dir()
    assert mount["options"] == ["rbind", "rprivate", "ro", "rro"]


def test_a_bind_that_must_exist_is_refused(bench: Bench, tmp_path: Path) -> None:
    missing = Mount(type="bind", target="/data", source=str(tmp_path / "no"), options=("must-exist",))
    with pytest.raises(InvalidRequest, match="bind source path does not exist"):
        bench.build(mounts=(missing,))


def test_a_bind_below_a_file_names_the_path(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EngineError, match=r"file/x: not a directory"):
        bench.build(mounts=(Mount(type="bind", target="/data", source=str(tmp_path / "file" / "x")),))


def test_mounts_are_ordered_by_depth_and_replace_defaults(bench: Bench) -> None:
    config = bench.build(
        mounts=(
            Mount(type="tmpfs", target="/a/b/c"),
            Mount(type="volume", target="/a", source="vol"),
            Mount(type="tmpfs", target="/dev/shm", options=("size=1m", "exec")),
        )
    )
    targets = [mount["destination"] for mount in config["mounts"]]
    assert targets.index("/a") < targets.index("/a/b/c")
    assert targets.count("/dev/shm") == 1
    assert mount_at(config, "/a")["source"] == bench.paths.volume("vol")
    options = mount_at(config, "/dev/shm")["options"]
    assert "exec" in options
    assert "noexec" not in options
    assert {"nosuid", "nodev", "mode=1777", "size=1m"} <= set(options)


def test_the_network_files_are_mounted_and_written(bench: Bench) -> None:
    endpoint = Endpoint(network="bridge", address="172.29.0.7", prefix_length=16, gateway="172.29.0.1")
    config = bench.build(
        hostname="web",
        domainname="example.org",
        dns=("9.9.9.9",),
        dns_search=("corp",),
        dns_options=("ndots:2",),
        extra_hosts=("db:10.0.0.5", "host.docker.internal:host-gateway", "six=[::5]"),
        container={"endpoints": (endpoint,)},
    )
    for name in ("hosts", "hostname", "resolv.conf"):
        assert mount_at(config, f"/etc/{name}")["source"] == str(bench.folder / name)
    hosts = (bench.folder / "hosts").read_text().splitlines()
    assert hosts[0] == "127.0.0.1\tlocalhost"
    assert hosts[-4:] == [
        "10.0.0.5\tdb",
        "172.29.0.1\thost.docker.internal",
        "::5\tsix",
        "172.29.0.7\tweb.example.org web",
    ]
    assert (bench.folder / "hostname").read_text() == "web\n"
    assert (bench.folder / "resolv.conf").read_text() == "nameserver 9.9.9.9\nsearch corp\noptions ndots:2\n"


def test_a_start_writes_the_files_in_place(bench: Bench) -> None:
    """A running container has the old file mounted: a new inode would never reach it."""
    bench.build()
    before = (bench.folder / "hosts").stat().st_ino
    bench.build(container={"endpoints": (Endpoint(network="bridge", address="10.0.0.9"),)})
    assert (bench.folder / "hosts").stat().st_ino == before
    assert "10.0.0.9" in (bench.folder / "hosts").read_text()


def test_resources_become_cgroup_limits(bench: Bench) -> None:
    limits = Resources(memory=64 << 20, nano_cpus=1_500_000_000, cpu_shares=512, cpuset_cpus="0", pids_limit=50)
    found = bench.build(resources=limits)["linux"]["resources"]
    assert found["memory"]["limit"] == 64 << 20
    assert found["memory"].get("swap", 128 << 20) == 128 << 20
    assert found["cpu"] == {"period": 100_000, "quota": 150_000, "shares": 512, "cpus": "0"}
    assert found["pids"] == {"limit": 50}
    assert "memory" not in bench.build()["linux"]["resources"]


def test_rlimits_and_scores(bench: Bench) -> None:
    run = bench.build(ulimits=(Ulimit(name="nofile", soft=10, hard=20),), oom_score_adj=500)["process"]
    assert run["rlimits"] == [{"type": "RLIMIT_NOFILE", "soft": 10, "hard": 20}]
    assert run["oomScoreAdj"] == 500


@pytest.mark.parametrize("able", [True, False])
def test_no_more_is_asked_of_the_host_than_it_may_give(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, able: bool
) -> None:
    had = frozenset(NAMES) if able else frozenset(NAMES) - {"CAP_SYS_RESOURCE", "CAP_CHOWN"}
    monkeypatch.setattr(host, "capabilities", lambda: had)
    monkeypatch.setattr(host, "own_oom_score", lambda: 100)
    monkeypatch.setattr(resource, "getrlimit", lambda _number: (1024, 4096))
    asked = CreateRequest(
        image="toolbox", privileged=True, ulimits=(Ulimit(name="nofile", soft=5000, hard=-1),), oom_score_adj=7
    )
    run = bench.build(privileged=True, ulimits=asked.ulimits, oom_score_adj=7)["process"]
    limit = {"type": "RLIMIT_NOFILE", "soft": 5000, "hard": (1 << 64) - 1}
    assert run["rlimits"] == [limit if able else {**limit, "soft": 4096, "hard": 4096}]
    assert run["oomScoreAdj"] == (7 if able else 100)
    assert set(run["capabilities"]["bounding"]) == had
    told = "\n".join(validate.warnings(asked))
    assert ("CAP_CHOWN" in told, "ulimit nofile" in told, "oom score" in told) == (not able,) * 3
    # Docker's defaults were not asked for by name: leaving one out is no news to the person.
    assert not any("CAP_" in line for line in validate.warnings(CreateRequest(image="toolbox")))


def test_a_device_and_its_rule(bench: Bench) -> None:
    linux = bench.build(devices=(Device(host_path="/dev/null", container_path="/dev/mine", permissions="r"),))["linux"]
    (node,) = linux["devices"]
    assert (node["path"], node["type"], node["major"], node["minor"]) == ("/dev/mine", "c", 1, 3)
    assert linux["resources"]["devices"][-1] == {
        "allow": True, "type": "c", "major": 1, "minor": 3, "access": "r",
    }  # fmt: skip
    with pytest.raises(InvalidRequest, match='"/dev/nosuch": no such file'):
        bench.build(devices=(Device(host_path="/dev/nosuch", container_path="/dev/nosuch"),))
    with pytest.raises(InvalidRequest, match='"/etc/hosts" is not a device node'):
        bench.build(devices=(Device(host_path="/etc/hosts", container_path="/x"),))


def test_security_options(bench: Bench, tmp_path: Path) -> None:
    assert bench.build(security_opt=("no-new-privileges",))["process"]["noNewPrivileges"]
    assert not bench.build(security_opt=("no-new-privileges:false",))["process"]["noNewPrivileges"]
    assert "seccomp" not in bench.build(security_opt=("seccomp=unconfined",))["linux"]
    assert bench.build(security_opt=("systempaths=unconfined",))["linux"]["maskedPaths"] == []
    profile = tmp_path / "profile.json"
    groups = [
        {"names": ["chmod"], "action": "SCMP_ACT_ERRNO"},
        {"names": ["mount"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_ADMIN"]}},
        {"names": ["reboot"], "action": "SCMP_ACT_ALLOW", "excludes": {"minKernel": "2.6"}},
        {"names": ["ptrace"], "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "4.8"}},
    ]
    profile.write_text(json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": groups}))
    found = bench.build(security_opt=(f"seccomp={profile}",))["linux"]["seccomp"]
    assert [group["names"] for group in found["syscalls"]] == [["chmod"], ["ptrace"]]
    profile.write_text("[1")
    with pytest.raises(InvalidRequest, match="decoding seccomp profile failed"):
        bench.build(security_opt=(f"seccomp={profile}",))
    with pytest.raises(InvalidRequest, match=r"opening seccomp profile \(/nosuch\) failed: no such file"):
        bench.build(security_opt=("seccomp=/nosuch",))
