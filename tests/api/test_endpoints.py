"""Every endpoint answers a good request in Docker's shape and a bad one with its status and words."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest

from engine.api.router import Router
from engine.api.routes import ROUTES
from tests.api.client import Api, Reply, read_head
from tests.api.endpoints import BAD, GOOD, Bad, Good
from tests.api.shapes import faults
from tests.support.engine import wait_until

ANOTHER_TEST = {
    ("POST", "/images/load"),  # test_transport: it needs an archive
    ("POST", "/images/{name:path}/push"),  # test_transport: these need a registry
    ("GET", "/distribution/{name:path}/json"),
    ("POST", "/auth"),
}


def covered(requests: list[str]) -> set[tuple[str, str]]:
    """Method and pattern of each request's route; the router itself says which."""
    router = Router(ROUTES)
    found = set()
    for request in requests:
        method, target = request.split(" ", 1)
        try:
            found.add((method, router.resolve(method, target)[0].pattern))
        except Exception:  # a path or version that there is not
            continue
    return found


def test_every_endpoint_has_a_good_and_a_bad_request() -> None:
    everything = {(method, route.pattern) for route in ROUTES for method in route.methods if method != "*"}
    good = covered([good.request for good in GOOD]) | ANOTHER_TEST
    bad = covered([bad.request for bad in BAD])
    refused = {("POST", "/session"), ("POST", "/grpc"), ("GET", "/plugins/{name:path}/json")}
    assert everything - good - refused == set()
    always_the_same = {
        *(("GET", "/_ping"), ("HEAD", "/_ping"), ("GET", "/version"), ("GET", "/info"), ("GET", "/plugins")),
        ("POST", "/build/prune"),
    }
    honest = covered([good.request for good in GOOD if good.status in (501, 503)])
    assert everything - bad - honest - always_the_same == set()


@pytest.fixture
def world(api: Api) -> Iterator[dict[str, str]]:
    """What the requests speak of."""
    live = api.run("sh", "-c", "echo printed; sleep 1000", name="live", Tty=True, OpenStdin=True)
    wait_until("it has printed", lambda: api("GET", "/containers/live/logs?stdout=1").body)
    idle = api.create("true", name="idle")
    network = api("POST", "/networks/create", {"Name": "net"}).json["Id"]
    api("POST", "/volumes/create", {"Name": "vol"})
    execs = [
        api("POST", f"/containers/{live}/exec", {"Cmd": ["sleep", "1000"], "Tty": True}).json["Id"] for _ in range(2)
    ]
    assert api("POST", f"/exec/{execs[1]}/start", {"Detach": True, "Tty": True}).status == 200
    yield {
        "live": live,
        "idle": idle,
        "network": network,
        "volume": "vol",
        "exec": execs[0],
        "shell": execs[1],
    }
    for path in ("/containers/live?force=1&v=1", "/containers/idle?v=1", "/networks/net", "/networks/made"):
        api("DELETE", path)
    for path in ("/volumes/vol", "/volumes/made", "/images/tagged:1", "/images/tagged:2", "/images/tagged:3"):
        api("DELETE", path)


def filled(value: object, world: dict[str, str]) -> object:
    if isinstance(value, bytes) or value is None:
        return value
    text = json.dumps(value)
    for name, text_of in {**world, "now": f"{time.time():.9f}"}.items():
        text = text.replace(f"{{{name}}}", text_of)
    return json.loads(text)


def send(api: Api, item: Good | Bad, world: dict[str, str]) -> Reply:
    method, target = str(filled(item.request, world)).split(" ", 1)
    if item.status == 101:
        with api.send(
            f"{method} {target} HTTP/1.1\nHost: x\nConnection: Upgrade\nUpgrade: websocket\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\nSec-WebSocket-Version: 13\n\n"
        ) as sock:
            status, headers = read_head(sock)
            return Reply(status, headers, b"")
    return api(method, target, filled(item.body, world))


@pytest.mark.root
def test_good_requests(api: Api, world: dict[str, str]) -> None:
    wrong = []
    for item in GOOD:
        reply = send(api, item, world)
        if reply.status != item.status:
            wrong.append(f"{item.request}: {reply.status} for {item.status}: {reply.body[:200]!r}")
        elif item.lines:
            answers = [json.loads(line) for line in reply.body.splitlines() if line]
            assert answers, item.request
            wrong += [f"{item.request}: {fault}" for answer in answers for fault in faults(answer, item.shape)]
        elif item.shape is not None:
            wrong += [f"{item.request}: {fault}" for fault in faults(reply.json, item.shape)]
    assert not wrong, "\n".join(wrong)


@pytest.mark.root
def test_bad_requests(api: Api, world: dict[str, str]) -> None:
    wrong = []
    for item in BAD:
        reply = send(api, item, world)
        if reply.status != item.status:
            wrong.append(f"{item.request}: {reply.status} for {item.status}: {reply.body[:200]!r}")
        elif item.request.startswith("HEAD"):
            assert reply.body == b""
        else:
            wrong += [f"{item.request}: {fault}" for fault in faults(reply.json, "Error")]
            if item.words not in reply.message:
                wrong.append(f"{item.request}: {reply.message!r} without {item.words!r}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("data", "shape", "found"),
    [
        ({"Id": 5}, "Id", [".Id: 5 is no string"]),
        ({}, "Id", [".Id: absent"]),
        ({"Id": "x", "Extra": 1}, "Id", [".Extra: not in the description"]),
        ({"Warnings": None}, "Update", []),
        ([{"Path": "/x", "Kind": True}], "Changes", ["[0].Kind: True is no integer"]),
        ("2026-01-01", "time", [": '2026-01-01' is no time"]),
    ],
)
def test_the_check_itself_finds_what_is_wrong(data: object, shape: str, found: list[str]) -> None:
    assert faults(data, shape) == found
