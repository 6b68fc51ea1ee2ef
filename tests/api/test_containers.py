"""Every endpoint of containers, called well and badly."""

from __future__ import annotations

import json
import shutil
from typing import Any
from urllib.parse import quote

import pytest

from tests.api.client import Api, connect, frames, joined, read_head
from tests.support.engine import wait_until

pytestmark = pytest.mark.root


def filtered(**filters: list[str]) -> str:
    return f"filters={quote(json.dumps(filters))}"


def test_create_carries_over_what_docker_can_ask(api: Api) -> None:
    identifier = api.create(
        "sh",
        name="full",
        Env=["A=b"],
        Labels={"x": "y"},
        WorkingDir="/tmp",
        Hostname="host1",
        User="1:1",
        StopTimeout=3,
        host={
            "Binds": ["/usr:/mnt:ro", "data1:/data"],
            "Mounts": [{"Type": "tmpfs", "Target": "/t", "TmpfsOptions": {"SizeBytes": 1 << 20, "Mode": 0o700}}],
            "Memory": 64 << 20,
            "NanoCpus": 500_000_000,
            "PidsLimit": 50,
            "PortBindings": {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "48080"}], "53/udp": [{"HostPort": ""}]},
            "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 2},
            "CapAdd": ["NET_ADMIN"],
            "ReadonlyRootfs": True,
            "MemorySwappiness": -1,
        },
    )
    made = api("GET", f"/containers/{identifier}/json").json
    assert made["Name"] == "/full"
    assert made["Config"]["WorkingDir"] == "/tmp"
    assert "A=b" in made["Config"]["Env"]
    assert made["Config"]["Labels"]["x"] == "y"
    assert made["Config"]["StopTimeout"] == 3
    host = made["HostConfig"]
    assert (host["Memory"], host["NanoCpus"], host["PidsLimit"]) == (64 << 20, 500_000_000, 50)
    assert host["PortBindings"]["80/tcp"] == [{"HostIp": "127.0.0.1", "HostPort": "48080"}]
    assert host["PortBindings"]["53/udp"] == [{"HostIp": "", "HostPort": ""}]
    assert host["RestartPolicy"] == {"Name": "on-failure", "MaximumRetryCount": 2}
    assert host["CapAdd"] == ["NET_ADMIN"]
    mounts = {mount["Destination"]: mount for mount in made["Mounts"]}
    assert (mounts["/mnt"]["Type"], mounts["/mnt"]["RW"]) == ("bind", False)
    assert (mounts["/data"]["Type"], mounts["/data"]["Name"]) == ("volume", "data1")
    assert made["State"]["StartedAt"] == "0001-01-01T00:00:00Z"
    assert api("DELETE", f"/containers/{identifier}?v=1").status == 204
    assert api("DELETE", "/volumes/data1").status == 204


@pytest.mark.parametrize(
    ("config", "host", "status", "words"),
    [
        ({"Image": "absent:1"}, {}, 404, "No such image: absent:1"),
        ({"Image": ""}, {}, 400, "no image specified"),
        ({}, {"Memory": 1}, 400, "Minimum memory limit"),
        ({}, {"Memory": "64m"}, 400, "HostConfig.Memory"),
        ({}, {"Binds": ["nonsense:relative"]}, 400, "invalid volume specification"),
        ({}, {"Mounts": [{"Type": "cloud", "Target": "/x"}]}, 400, "mount type unknown"),
        ({}, {"PortBindings": {"http/tcp": []}}, 400, "invalid port specification"),
        ({}, {"Runtime": "gvisor"}, 400, "unknown or invalid runtime"),
        ({}, {"Links": ["absent:b"]}, 404, "No such container: absent"),
        ({}, {"RestartPolicy": {"Name": "sometimes"}}, 400, "invalid restart policy"),
        ({}, {"VolumesFrom": ["absent"]}, 404, "No such container: absent"),
    ],
)
def test_create_refuses(api: Api, config: dict[str, object], host: dict[str, object], status: int, words: str) -> None:
    reply = api("POST", "/containers/create", {"Image": "toolbox", "Cmd": ["true"], **config, "HostConfig": host})
    assert reply.status == status
    assert words in reply.message
    assert api("GET", "/containers/json?all=1").json == []


def test_what_is_left_out_is_told(api: Api) -> None:
    body = {"Image": "toolbox", "Cmd": ["true"], "HostConfig": {"CpuRealtimePeriod": 300}}
    reply = api("POST", "/containers/create", body)
    assert reply.status == 201
    assert reply.json["Warnings"] == ["CpuRealtimePeriod is not supported and was discarded."]
    assert api("POST", "/containers/create", {**body, "HostConfig": {}}).json["Warnings"] == []


def test_a_runtime_is_the_one_that_was_asked_for(api: Api) -> None:
    body = {"Image": "toolbox", "Cmd": ["sleep", "100"], "HostConfig": {"Runtime": "io.containerd.runc.v2"}}
    identifier = api("POST", "/containers/create", body).json["Id"]
    assert api("GET", f"/containers/{identifier}/json").json["HostConfig"]["Runtime"] == "pydock-runc"
    if shutil.which("runc") is None:
        pytest.skip("needs runc")
    body["HostConfig"] = {"Runtime": "runc", "NetworkMode": "none"}
    identifier = api("POST", "/containers/create", body).json["Id"]
    assert api("POST", f"/containers/{identifier}/start").status == 204
    document = api("GET", f"/containers/{identifier}/json").json
    assert (document["HostConfig"]["Runtime"], document["State"]["Running"]) == ("runc", True)
    assert api("DELETE", f"/containers/{identifier}?force=1").status == 204


def test_a_name_is_given_once(api: Api) -> None:
    api.create("true", name="twice")
    reply = api("POST", "/containers/create?name=twice", {"Image": "toolbox"})
    assert reply.status == 409
    assert "is already in use by container" in reply.message
    assert api("POST", "/containers/create?name=%21", {"Image": "toolbox"}).status == 400


def test_list_filters_and_limits(api: Api) -> None:
    running = api.run("sleep", "100", name="one", Labels={"k": "1"})
    api.create("true", name="two")

    def names(query: str) -> list[str]:
        return [name for line in api("GET", f"/containers/json?{query}").json for name in line["Names"]]

    assert names("") == ["/one"]
    assert names("all=true") == ["/two", "/one"]
    assert names("all=0") == ["/one"]
    assert names("limit=1") == ["/two"]
    assert names(filtered(label=["k=1"])) == ["/one"]
    assert names(filtered(status=["created"])) == ["/two"]
    assert names("all=1&" + filtered(name=["tw"])) == ["/two"]
    assert names(f"filters={quote(json.dumps({'id': {running[:10]: True}}))}") == ["/one"]  # the other shape
    assert names("all=1&" + filtered(ancestor=["toolbox"])) == ["/two", "/one"]
    assert api("GET", f"/containers/json?{filtered(nonsense=['x'])}").status == 400
    assert api("GET", f"/containers/json?{filtered(status=['x'])}").status == 400
    assert api("GET", "/containers/json?filters=%7B").status == 400
    line = api("GET", "/containers/json?size=1").json[0]
    assert line["State"] == "running"
    assert line["Status"].startswith("Up ")
    assert line["SizeRootFs"] > line["SizeRw"]
    assert line["NetworkSettings"]["Networks"]["bridge"]["IPAddress"]


def test_start_stop_and_their_304(api: Api) -> None:
    identifier = api.create("sleep", "100")
    assert api("POST", f"/containers/{identifier}/stop").status == 304
    assert api("POST", f"/containers/{identifier}/start").status == 204
    assert api("POST", f"/containers/{identifier}/start").status == 304
    assert api("POST", f"/containers/{identifier}/stop?t=5&signal=KILL").status == 204
    assert api("GET", f"/containers/{identifier}/json").json["State"]["ExitCode"] == 137
    assert api("POST", f"/containers/{identifier}/stop?t=x").status == 304
    assert api("POST", "/containers/absent/start").status == 404


@pytest.mark.parametrize(
    ("command", "words"), [("no-such-program", "executable file not found"), ("/etc", "permission denied")]
)
def test_a_program_that_cannot_start_is_a_400(api: Api, command: str, words: str) -> None:
    identifier = api.create(command)
    reply = api("POST", f"/containers/{identifier}/start")
    assert reply.status == 400
    assert words in reply.message


def test_kill_pause_unpause_restart(api: Api) -> None:
    identifier = api.run("sleep", "100")
    assert api("POST", f"/containers/{identifier}/pause").status == 204
    assert api("POST", f"/containers/{identifier}/pause").status == 409
    assert api("POST", f"/containers/{identifier}/exec", {"Cmd": ["true"]}).status == 409
    assert api("POST", f"/containers/{identifier}/unpause").status == 204
    assert api("POST", f"/containers/{identifier}/unpause").status == 409
    assert api("POST", f"/containers/{identifier}/restart?t=0").status == 204
    assert api("POST", f"/containers/{identifier}/kill?signal=NONSENSE").status == 400
    assert api("POST", f"/containers/{identifier}/kill").status == 204
    reply = api("POST", f"/containers/{identifier}/kill")
    assert reply.status == 409
    assert "is not running" in reply.message


def test_rename_and_remove(api: Api) -> None:
    identifier = api.run("sleep", "100", name="before")
    api.create("true", name="other")
    assert api("POST", "/containers/before/rename?name=after").status == 204
    assert api("GET", "/containers/after/json").json["Id"] == identifier
    assert api("POST", "/containers/after/rename?name=other").status == 409
    assert api("POST", "/containers/after/rename").status == 400
    assert api("DELETE", "/containers/after").status == 409
    assert api("DELETE", "/containers/after?force=1").status == 204
    assert api("DELETE", "/containers/after").status == 404


def test_top_in_two_forms(api: Api) -> None:
    identifier = api.run("sleep", "100")
    plain = api("GET", f"/containers/{identifier}/top").json
    assert plain["Titles"][:2] == ["UID", "PID"]
    assert [row[-1] for row in plain["Processes"]] == ["sleep 100"]
    wide = api("GET", f"/containers/{identifier}/top?ps_args=-o%20pid,args").json
    assert wide["Titles"] == ["PID", "COMMAND"]
    assert [row[1] for row in wide["Processes"]] == ["sleep 100"]
    assert api("GET", f"/containers/{identifier}/top?ps_args=-o%20args").status == 400
    api("POST", f"/containers/{identifier}/kill")
    assert api("GET", f"/containers/{identifier}/top").status == 409


def test_wait_sends_its_headers_before_the_end(api: Api) -> None:
    identifier = api.create("sh", "-c", "exit 7")
    with api.send(
        f"POST /containers/{identifier}/wait?condition=next-exit HTTP/1.1\nHost: x\nContent-Length: 0\n\n"
    ) as sock:
        assert read_head(sock)[0] == 200
        api("POST", f"/containers/{identifier}/start")
        assert b'{"StatusCode":7}' in sock.recv(100)
    assert api("POST", f"/containers/{identifier}/wait").json == {"StatusCode": 7}
    assert api("POST", f"/containers/{identifier}/wait?condition=sometime").status == 400
    assert api("POST", "/containers/absent/wait").status == 404


def test_wait_for_removal(api: Api) -> None:
    identifier = api.create("sh", "-c", "exit 3", host={"AutoRemove": True})
    with connect(api.path) as sock:
        request = (
            f"POST /containers/{identifier}/wait?condition=removed HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
        )
        sock.sendall(request.encode())
        assert read_head(sock)[0] == 200
        api("POST", f"/containers/{identifier}/start")
        assert b'{"StatusCode":3}' in sock.recv(100)
    assert api("GET", f"/containers/{identifier}/json").status == 404


def test_logs_framed_and_of_a_terminal(api: Api) -> None:
    framed = api.run("sh", "-c", "echo one; echo two >&2; echo three")
    api("POST", f"/containers/{framed}/wait")
    reply = api("GET", f"/containers/{framed}/logs?stdout=1&stderr=1")
    assert reply.headers["content-type"] == "application/vnd.docker.multiplexed-stream"
    assert sorted(frames(reply.body)) == [(1, b"one\n"), (1, b"three\n"), (2, b"two\n")]
    assert joined(api("GET", f"/containers/{framed}/logs?stderr=1").body, 2) == b"two\n"
    assert len(frames(api("GET", f"/containers/{framed}/logs?stdout=1&stderr=1&tail=1").body)) == 1
    stamped = frames(api("GET", f"/containers/{framed}/logs?stdout=1&timestamps=1&follow=1").body)[0][1]
    assert stamped[10:11] == b"T"
    assert stamped.endswith(b"Z one\n")
    assert api("GET", f"/containers/{framed}/logs?stdout=1&since=4000000000.5").body == b""
    assert api("GET", f"/containers/{framed}/logs").status == 400
    assert api("GET", f"/containers/{framed}/logs?stdout=1&since=x").status == 400
    assert api("GET", "/containers/absent/logs?stdout=1").status == 404
    terminal = api.run("echo", "raw", Tty=True)
    api("POST", f"/containers/{terminal}/wait")
    reply = api("GET", f"/containers/{terminal}/logs?stdout=1")
    assert reply.headers["content-type"] == "application/vnd.docker.raw-stream"
    assert reply.body == b"raw\r\n"


def test_stats_once_and_as_a_stream(api: Api) -> None:
    identifier = api.run("sh", "-c", "while :; do :; done", host={"Memory": 64 << 20})
    with api.send(f"GET /containers/{identifier}/stats HTTP/1.0\nHost: x\n\n") as sock:
        assert read_head(sock)[0] == 200
        lines = sock.makefile("rb")
        readings = [json.loads(lines.readline()) for _ in range(3)]
    last = readings[-1]
    assert last["memory_stats"]["limit"] == 64 << 20
    assert last["memory_stats"]["usage"] > 0
    used = last["cpu_stats"]["cpu_usage"]["total_usage"] - last["precpu_stats"]["cpu_usage"]["total_usage"]
    passed = last["cpu_stats"]["system_cpu_usage"] - last["precpu_stats"]["system_cpu_usage"]
    assert 0 < used <= passed * 1.2
    alone = api("GET", f"/containers/{identifier}/stats?stream=0&one-shot=1").json
    assert alone["precpu_stats"]["cpu_usage"]["total_usage"] == 0
    api("POST", f"/containers/{identifier}/kill")
    still = api("GET", f"/containers/{identifier}/stats?stream=false").json
    assert still["memory_stats"] == {}
    assert api("GET", "/containers/absent/stats").status == 404


def test_prune_removes_what_has_stopped(api: Api) -> None:
    kept, gone = api.run("sleep", "100"), api.create("true", Labels={"k": "v"})
    assert api("POST", f"/containers/prune?{filtered(label=['other'])}").json["ContainersDeleted"] is None
    assert api("POST", "/containers/prune").json["ContainersDeleted"] == [gone]
    assert [line["Id"] for line in api("GET", "/containers/json?all=1").json] == [kept]
    assert api("POST", f"/containers/prune?{filtered(nonsense=['x'])}").status == 400


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/build"),
        ("POST", "/build/cancel"),
        ("GET", "/images/search?term=x"),
        ("GET", "/containers/x/checkpoints"),
    ],
)
def test_what_is_not_built_says_so(api: Api, method: str, path: str) -> None:
    reply = api(method, path)
    assert reply.status == 501
    assert reply.message.endswith("is not implemented")


def test_what_was_asked_for_is_told_back(api: Api) -> None:
    """Programs make a container anew from what `inspect` tells of it."""
    host = {
        "Binds": ["data7:/data:ro", "/usr:/mnt"],
        "Mounts": [
            {"Type": "tmpfs", "Target": "/t", "TmpfsOptions": {"SizeBytes": 1 << 20, "Mode": 0o700}},
            {"Type": "volume", "Source": "data8", "Target": "/other", "VolumeOptions": {"NoCopy": True}},
        ],
        "Tmpfs": {"/tt": "size=1m"},
        "Memory": 64 << 20,
        "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 2},
        "CapAdd": ["NET_ADMIN"],
        "ExtraHosts": ["far:192.0.2.1"],
        "Annotations": {"a": "b"},
        "BlkioWeight": 0,
        "ConsoleSize": [10, 20],
        "LogConfig": {"Type": "json-file", "Config": {"max-size": "1m"}},
        "PortBindings": {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": ""}]},
        "Ulimits": [{"Name": "nofile", "Soft": 10, "Hard": 20}],
        "DeviceCgroupRules": ["c 1:3 r"],
    }
    config: dict[str, Any] = {
        "Healthcheck": {"Test": ["CMD", "true"], "Interval": 5_000_000_000},
        "AttachStdout": True,
        "Volumes": {"/anonymous": {}},
        "StopSignal": "SIGUSR1",
        "StopTimeout": 7,
        "Env": ["B=2", "A=1"],
    }
    identifier = api.create("true", host=host, **config)
    told = api("GET", f"/containers/{identifier}/json").json
    assert {key: told["HostConfig"][key] for key in host} == host
    assert {key: told["Config"][key] for key in config if key != "Env"} == {
        key: value for key, value in config.items() if key != "Env"
    }
    assert told["Config"]["Env"][:2] == ["B=2", "A=1"]
    body = {**told["Config"], "HostConfig": told["HostConfig"]}
    again = api("POST", "/containers/create", body)
    assert again.status == 201
    second = api("GET", f"/containers/{again.json['Id']}/json").json
    assert second["HostConfig"] == told["HostConfig"]
    api("DELETE", f"/containers/{identifier}?v=1")
    api("DELETE", f"/containers/{again.json['Id']}?v=1")
    for name in ("data7", "data8"):
        api("DELETE", f"/volumes/{name}")


def test_containers_by_health(api: Api) -> None:
    identifier = api.run("sleep", "100", Healthcheck={"Test": ["CMD", "true"], "Interval": 1_000_000_000})
    other = api.run("sleep", "100")

    def ids(state: str) -> list[str]:
        return [line["Id"] for line in api("GET", f"/containers/json?{filtered(health=[state])}").json]

    wait_until("it is healthy", lambda: ids("healthy") == [identifier])
    assert ids("none") == [other]
    assert ids("unhealthy") == []
