"""Attach and exec: both forms of leaving HTTP, half-close, detaching, resizing, and readers that do not read."""

from __future__ import annotations

import socket
import time

import pytest

from tests.api.client import Api, Stream, frames, joined, read_head
from tests.support.engine import wait_until

pytestmark = pytest.mark.root

ALL = "stream=1&stdin=1&stdout=1&stderr=1"


@pytest.mark.parametrize("upgrade", [True, False])
def test_attach_before_start_misses_nothing(api: Api, upgrade: bool) -> None:
    identifier = api.create("sh", "-c", "echo out; echo err >&2")
    status, headers, stream = api.hijack(f"/containers/{identifier}/attach?{ALL}", upgrade=upgrade)
    with stream:
        assert status == (101 if upgrade else 200)
        if upgrade:
            assert headers["upgrade"] == "tcp"
            assert headers["content-type"] == "application/vnd.docker.multiplexed-stream"
        else:
            assert headers["content-type"] == "application/vnd.docker.raw-stream"
            assert not {"content-length", "transfer-encoding"} & headers.keys()
        assert api("POST", f"/containers/{identifier}/start").status == 204
        data = stream.read_all()
    assert (joined(data, 1), joined(data, 2)) == (b"out\n", b"err\n")


@pytest.mark.parametrize("upgrade", [True, False])
def test_nothing_follows_the_head_before_it_is_read(api: Api, upgrade: bool) -> None:
    """Programs that read the head through a buffer and go on below it would lose what came in one piece with it."""
    identifier = api.run("sh", "-c", "echo early; sleep 100")
    wait_until("it has printed", lambda: api("GET", f"/containers/{identifier}/logs?stdout=1").body)
    lines = [f"POST /containers/{identifier}/attach?stream=1&stdout=1&logs=1 HTTP/1.1", "Host: x", "Content-Length: 0"]
    lines += ["Connection: Upgrade", "Upgrade: tcp"] if upgrade else []
    with api.send("\n".join([*lines, "", ""])) as sock:
        wait_until("the head is there", lambda: sock.recv(1 << 16, socket.MSG_PEEK).endswith(b"\r\n\r\n"))
        time.sleep(0.1)
        assert sock.recv(1 << 16).endswith(b"\r\n\r\n")
        assert joined(sock.recv(1 << 16), 1) == b"early\n"


def test_a_client_that_never_reads_the_head_holds_nobody_up(api: Api) -> None:
    identifier = api.create("sh", "-c", "echo out; exit 3")
    with api.send(f"POST /containers/{identifier}/attach?{ALL} HTTP/1.1\nHost: x\nContent-Length: 0\n\n") as sock:
        wait_until("the head is there", lambda: sock.recv(1 << 16, socket.MSG_PEEK))
        assert api("POST", f"/containers/{identifier}/start").status == 204
        assert api("POST", f"/containers/{identifier}/wait").json == {"StatusCode": 3}
        assert sock.recv(1 << 16).startswith(b"HTTP/1.1 200")
        assert joined(Stream(sock).read_all(), 1) == b"out\n"


def test_the_older_content_type_for_older_clients(api: Api) -> None:
    identifier = api.create("true")
    headers = api.hijack(f"/v1.41/containers/{identifier}/attach?{ALL}")[1]
    assert headers["content-type"] == "application/vnd.docker.raw-stream"


def test_input_typed_ahead_and_its_end_reach_the_program(api: Api) -> None:
    identifier = api.create("wc", "-c", OpenStdin=True, StdinOnce=True)
    _status, _headers, stream = api.hijack(f"/containers/{identifier}/attach?{ALL}")
    with stream:
        stream.send(b"x" * 100_000)
        api("POST", f"/containers/{identifier}/start")
        stream.send(b"y" * 1_000_000)
        stream.end()
        assert joined(stream.read_all(), 1).strip() == b"1100000"


def test_two_attached_clients_both_see_the_output(api: Api) -> None:
    identifier = api.create("sh", "-c", "read x; echo got $x", OpenStdin=True)
    first, second = (api.hijack(f"/containers/{identifier}/attach?{ALL}")[2] for _ in range(2))
    api("POST", f"/containers/{identifier}/start")
    second.send(b"word\n")
    assert joined(first.read_all(), 1) == joined(second.read_all(), 1) == b"got word\n"


def test_attach_waits_also_for_a_start_by_another_program(api: Api) -> None:
    identifier = api.create("sh", "-c", "sleep 0.5; echo late")
    stream = api.hijack(f"/containers/{identifier}/attach?{ALL}")[2]
    api.root.ok("start", identifier)
    assert joined(stream.read_all(), 1) == b"late\n"


def test_a_failed_start_ends_the_held_attach(api: Api) -> None:
    identifier = api.create("no-such-program")
    stream = api.hijack(f"/containers/{identifier}/attach?{ALL}")[2]
    assert api("POST", f"/containers/{identifier}/start").status == 400
    assert stream.read_all() == b""


def test_logs_come_before_the_stream(api: Api) -> None:
    identifier = api.run("sh", "-c", "echo before; read x; echo after", OpenStdin=True)
    wait_until("it has printed", lambda: api("GET", f"/containers/{identifier}/logs?stdout=1").body)
    with api.hijack(f"/containers/{identifier}/attach?logs=1&{ALL}")[2] as stream:
        stream.read_until(b"before\n")
        stream.send(b"\n")
        assert joined(stream.read_all(), 1) == b"after\n"
    with api.hijack(f"/containers/{identifier}/attach?logs=1&stdout=1")[2] as stream:
        assert joined(stream.read_all(), 1) == b"before\nafter\n"


def test_attach_to_nothing_is_a_404(api: Api) -> None:
    assert api("POST", f"/containers/absent/attach?{ALL}").status == 404
    identifier = api.create("true")
    assert api("POST", f"/containers/{identifier}/attach?detachKeys=ctrl-%C3%A4").status == 400


def test_a_terminal_is_raw_can_be_resized_and_left(api: Api) -> None:
    identifier = api.create("sh", OpenStdin=True, Tty=True, host={"ConsoleSize": [20, 70]})
    _status, headers, stream = api.hijack(f"/containers/{identifier}/attach?{ALL}&detachKeys=ctrl-a,x")
    assert headers["content-type"] == "application/vnd.docker.raw-stream"
    assert api("POST", f"/containers/{identifier}/resize?h=30&w=100").status == 409
    api("POST", f"/containers/{identifier}/start")
    with stream:
        stream.send(b"stty size\n")
        stream.read_until(b"20 70")
        assert api("POST", f"/containers/{identifier}/resize?h=30&w=100").status == 200
        assert api("POST", f"/containers/{identifier}/resize?h=tall").status == 400
        stream.send(b"stty size\n")
        stream.read_until(b"30 100")
        stream.send(b"\x01x")
        stream.read_all()
    assert api("GET", f"/containers/{identifier}/json").json["State"]["Running"]
    with api.hijack(f"/containers/{identifier}/attach?logs=1&{ALL}")[2] as again:
        again.read_until(b"30 100")  # the screen as it was left


def make_exec(api: Api, container: str, *command: str, **options: object) -> str:
    body = {"Cmd": list(command), "AttachStdout": True, "AttachStderr": True, **options}
    reply = api("POST", f"/containers/{container}/exec", body)
    assert reply.status == 201
    return str(reply.json["Id"])


@pytest.mark.parametrize("upgrade", [True, False])
def test_exec_streams_and_keeps_its_code(api: Api, upgrade: bool) -> None:
    container = api.run("sleep", "100")
    identifier = make_exec(api, container, "sh", "-c", "cat; echo err >&2; exit 5", AttachStdin=True)
    before = api("GET", f"/exec/{identifier}/json").json
    assert (before["Running"], before["ExitCode"], before["ContainerID"]) == (False, None, container)
    status, _headers, stream = api.hijack(f"/exec/{identifier}/start", {"Detach": False, "Tty": False}, upgrade=upgrade)
    with stream:
        assert status == (101 if upgrade else 200)
        stream.send(b"typed")
        stream.end()
        data = stream.read_all()
    assert (joined(data, 1), joined(data, 2)) == (b"typed", b"err\n")
    after = api("GET", f"/exec/{identifier}/json").json
    assert (after["Running"], after["ExitCode"]) == (False, 5)
    assert api("POST", f"/exec/{identifier}/start", {}).status == 409


def test_exec_detached_is_seen_to_its_end(api: Api) -> None:
    container = api.run("sleep", "100")
    identifier = make_exec(api, container, "sh", "-c", "sleep 0.3; exit 4")
    assert api("POST", f"/exec/{identifier}/start", {"Detach": True}).status == 200
    running = api("GET", f"/exec/{identifier}/json").json
    assert running["Running"]
    assert running["Pid"] > 0
    assert api("GET", f"/containers/{container}/json").json["ExecIDs"] == [identifier]
    wait_until("it has ended", lambda: api("GET", f"/exec/{identifier}/json").json["ExitCode"] == 4)


def test_exec_in_a_terminal_and_its_size(api: Api) -> None:
    container = api.run("sleep", "100")
    identifier = make_exec(api, container, "sh", AttachStdin=True, Tty=True)
    assert api("POST", f"/exec/{identifier}/resize?h=1&w=1").status == 409
    with api.hijack(f"/exec/{identifier}/start", {"Tty": True, "ConsoleSize": [21, 71]})[2] as stream:
        stream.send(b"stty size\n")
        stream.read_until(b"21 71")
        assert api("POST", f"/exec/{identifier}/resize?h=31&w=101").status == 200
        stream.send(b"stty size; exit 3\n")
        stream.read_until(b"31 101")
        stream.read_all()
    assert api("GET", f"/exec/{identifier}/json").json["ExitCode"] == 3


def test_exec_of_no_program_says_so_in_the_stream(api: Api) -> None:
    container = api.run("sleep", "100")
    identifier = make_exec(api, container, "no-such-program")
    with api.hijack(f"/exec/{identifier}/start", {})[2] as stream:
        assert b"executable file not found" in joined(stream.read_all(), 2)
    assert api("GET", f"/exec/{identifier}/json").json["ExitCode"] == 127


def test_exec_refuses(api: Api) -> None:
    stopped, running = api.create("true"), api.run("sleep", "100")
    assert api("POST", f"/containers/{stopped}/exec", {"Cmd": ["true"]}).status == 409
    assert api("POST", "/containers/absent/exec", {"Cmd": ["true"]}).status == 404
    assert api("POST", f"/containers/{running}/exec", {"Cmd": []}).status == 400
    assert api("GET", "/exec/absent/json").status == 404
    assert api("POST", "/exec/absent/start", {}).status == 404
    identifier = make_exec(api, running, "true")
    api("DELETE", f"/containers/{running}?force=1")
    assert api("POST", f"/exec/{identifier}/start", {}).status == 404


def test_a_hundred_readers_that_do_not_read_hold_up_nobody(api: Api) -> None:
    """All of them on a container that prints without end: it goes on, the server answers, and its memory is flat."""
    identifier = api.run("sh", "-c", "while :; do echo 0123456789012345678901234567890123456789; sleep 0.001; done")
    noisy = api.run("sh", "-c", "yes | head -c 20000000; sleep 100")
    with open(f"/proc/{api.process.pid}/statm") as file:
        before_pages = int(file.read().split()[1])
    slow: list[Stream] = []
    for number in range(100):
        if number % 2:
            slow.append(Stream(api.send(f"GET /containers/{noisy}/logs?stdout=1&follow=1 HTTP/1.1\nHost: x\n\n")))
            assert read_head(slow[-1].sock)[0] == 200
        else:
            slow.append(api.hijack(f"/containers/{identifier}/attach?stream=1&stdout=1")[2])
    longest = 0.0
    for _ in range(20):
        begun = time.monotonic()
        assert api("GET", "/containers/json").status == 200
        longest = max(longest, time.monotonic() - begun)
    assert longest < 15
    with api.hijack(f"/containers/{identifier}/attach?stream=1&stdout=1")[2] as reader:
        reader.read_until(b"0123456789\n")
    with open(f"/proc/{api.process.pid}/statm") as file:
        grown = (int(file.read().split()[1]) - before_pages) * 4096
    assert grown < 150 << 20
    for stream in slow:
        stream.sock.close()
    assert frames(api("GET", f"/containers/{identifier}/logs?stdout=1&tail=1").body)
