"""Options of `run` become the engine's request, and mistakes name their option."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from engine.cli.create_request import build_request
from engine.cli.errors import UsageError
from engine.cli.main import load
from engine.cli.options import parse
from engine.models import CreateRequest, Device, Mount, PortMapping, Ulimit

if TYPE_CHECKING:
    from pathlib import Path


def request(*words: str) -> CreateRequest:
    return build_request(parse(load("run", "run"), [*words]), open_stdin=False)


def test_defaults_are_those_of_the_model() -> None:
    assert request("toolbox") == CreateRequest(image="toolbox")


def test_limits() -> None:
    resources = request(
        "-m", "64m", "--memory-swap", "-1", "--cpus", "1.5", "--pids-limit", "100", "--cpuset-cpus", "0-1", "i"
    ).resources
    assert resources.memory == 64 << 20
    assert resources.memory_swap == -1
    assert resources.nano_cpus == 1_500_000_000
    assert resources.pids_limit == 100
    assert resources.cpuset_cpus == "0-1"


@pytest.mark.parametrize(
    ("text", "mapping"),
    [
        ("80", PortMapping(container_port=80)),
        ("8080:80", PortMapping(container_port=80, host_port=8080)),
        ("8080:80/udp", PortMapping(container_port=80, host_port=8080, protocol="udp")),
        ("127.0.0.1:8080:80", PortMapping(container_port=80, host_port=8080, host_ip="127.0.0.1")),
        ("127.0.0.1::80", PortMapping(container_port=80, host_ip="127.0.0.1")),
        ("[::1]:8080:80", PortMapping(container_port=80, host_port=8080, host_ip="::1")),
    ],
)
def test_published_ports(text: str, mapping: PortMapping) -> None:
    assert request("-p", text, "i").ports == (mapping,)


def test_ranges_of_ports() -> None:
    ports = request("-p", "8000-8002:80-82", "i").ports
    assert [(port.host_port, port.container_port) for port in ports] == [(8000, 80), (8001, 81), (8002, 82)]


@pytest.mark.parametrize(
    "text",
    ["", "x", "70000:80", "0:80", "80:", "1:2:3:4", "8000-8001:80-82", "90-80", "80/icmp", "999.1.1.1:80:80", "8 0"],
)
def test_wrong_ports_name_the_option(text: str) -> None:
    with pytest.raises(UsageError, match="--publish"):
        request("-p", text, "i")


def test_mounts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert request("-v", "/a:/b:ro", "i").mounts == (Mount(type="bind", source="/a", target="/b", read_only=True),)
    assert request("-v", "./a:/b", "i").mounts == (Mount(type="bind", source=f"{tmp_path}/a", target="/b"),)
    assert request("-v", ".:/b", "i").mounts == (Mount(type="bind", source=f"{tmp_path}", target="/b"),)
    assert request("-v", "data:/b", "i").mounts == (Mount(type="volume", source="data", target="/b"),)
    assert request("-v", "/b", "i").mounts == (Mount(type="volume", target="/b"),)
    assert request("--tmpfs", "/t:size=1m", "i").mounts == (Mount(type="tmpfs", target="/t", options=("size=1m",)),)
    assert request("--mount", "type=volume,src=d,dst=/b,ro", "i").mounts == (
        Mount(type="volume", source="d", target="/b", read_only=True),
    )
    assert request("--mount", "type=tmpfs,target=/t,tmpfs-size=1m,tmpfs-mode=700", "i").mounts == (
        Mount(type="tmpfs", target="/t", options=("size=1048576", "mode=700")),
    )


@pytest.mark.parametrize(
    ("option", "text"),
    [
        ("-v", "a:b"),
        ("-v", "/a:/b:/c:d"),
        ("-v", "/a:/b:weird"),
        ("-v", "/a:/"),
        ("-v", "a b:/c"),
        ("--mount", "type=bind,src=rel,dst=/x"),
        ("--mount", "type=nfs,dst=/x"),
        ("--mount", "typo=bind"),
        ("--mount", "type=bind,src=/x"),
        ("--tmpfs", "rel"),
    ],
)
def test_wrong_mounts_name_the_option(option: str, text: str) -> None:
    with pytest.raises(UsageError, match=r"--(volume|mount|tmpfs)"):
        request(option, text, "i")


def test_environment_from_options_files_and_this_shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FROM_SHELL", "yes")
    monkeypatch.delenv("ABSENT", raising=False)
    file = tmp_path / "env"
    file.write_text("# comment\n\nA=file\nB=file with spaces\nFROM_SHELL\n")
    assert request("--env-file", str(file), "-e", "A=option", "-e", "ABSENT", "i").env == (
        "B=file with spaces",
        "FROM_SHELL=yes",
        "A=option",
    )


def test_labels_devices_ulimits_hosts() -> None:
    asked = request(
        "-l",
        "a=1",
        "-l",
        "b",
        "--device",
        "/dev/null:/dev/x:r",
        "--ulimit",
        "nofile=10:20",
        "--add-host",
        "h:1.2.3.4",
        "i",
    )
    assert asked.labels == {"a": "1", "b": ""}
    assert asked.devices == (Device(host_path="/dev/null", container_path="/dev/x", permissions="r"),)
    assert asked.ulimits == (Ulimit(name="nofile", soft=10, hard=20),)
    assert asked.extra_hosts == ("h:1.2.3.4",)


def test_an_empty_entrypoint_means_none() -> None:
    assert request("--entrypoint", "", "i").entrypoint == ()
    assert request("--entrypoint", "sh", "i").entrypoint == ("sh",)
    assert request("i").entrypoint is None


@pytest.mark.parametrize(
    "words",
    [
        ["--memory", "much"],
        ["--cpus", "x"],
        ["--cpus", "1.x"],
        ["--restart", "sometimes"],
        ["--restart", "always:3"],
        ["--ulimit", "nofile"],
        ["--device", "null"],
        ["--add-host", "name"],
        ["--sysctl", "a"],
        ["--env", "=x"],
        ["--env-file", "/nowhere"],
        ["--label", "=x"],
        ["--rm", "--restart", "always"],
        ["--oom-score-adj", "2000"],
        ["--security-opt", "seccomp=/nowhere"],
    ],
    ids=lambda words: " ".join(words),
)
def test_wrong_values_are_refused_with_one_line(words: list[str]) -> None:
    with pytest.raises(UsageError) as caught:
        request(*words, "i")
    assert "\n" not in caught.value.message
    assert words[0].lstrip("-") in caught.value.message


def test_a_seccomp_profile_is_read_here(tmp_path: Path) -> None:
    path = tmp_path / "profile.json"
    path.write_text("{}")
    assert request("--security-opt", f"seccomp={os.fspath(path)}", "i").security_opt == ("seccomp={}",)
