"""Images in and out over the API: save, load, import, commit, push, pull, and accounts at registries."""

from __future__ import annotations

import base64
import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.api.client import Api, connect
from tests.support import registry

HTPASSWD = "ann:$2y$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW\n"

pytestmark = pytest.mark.root

needs_registry = pytest.mark.skipif(bool(registry.missing()), reason=f"needs {registry.missing()}")


def lines(body: bytes) -> list[dict[str, Any]]:
    """Progress: one JSON object a line."""
    return [json.loads(line) for line in body.splitlines() if line]


def auth_header(**values: str) -> str:
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode()


@pytest.fixture
def small(api: Api) -> Iterator[str]:
    """An image of one small file, imported."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        entry = tarfile.TarInfo("hello")
        entry.size = 5
        archive.addfile(entry, io.BytesIO(b"hello"))
    reply = api("POST", "/images/create?fromSrc=-&repo=small&tag=1&changes=ENV%20A=b&message=made", out.getvalue())
    assert reply.status == 200, reply.body
    identifier = lines(reply.body)[-1]["status"]
    assert identifier.startswith("sha256:")
    yield str(identifier)
    for image in api("GET", '/images/json?filters={"label":[],"reference":["small","*/small","other"]}').json:
        api("DELETE", f"/images/{image['Id']}?force=1")


def test_import_makes_an_image(api: Api, small: str) -> None:
    document = api("GET", "/images/small:1/json").json
    assert document["Id"] == small
    assert document["Config"]["Env"] == ["A=b"]
    assert api("GET", "/images/small:1/history").json[0]["Comment"] == "made"
    refused = api("POST", "/images/create?fromSrc=-&repo=small", b"no archive at all" * 100)
    assert refused.status == 400
    assert api("POST", "/images/create?fromSrc=-&repo=UPPER", b"").status == 400
    assert api("POST", "/images/create").status == 400
    assert api("POST", "/images/create?fromSrc=http://127.0.0.1:9/x&repo=small").status == 500


def test_save_and_load(api: Api, small: str) -> None:
    saved = api("GET", "/images/small:1/get")
    assert saved.headers["content-type"] == "application/x-tar"
    assert api("GET", "/images/get?names=small:1").body[:100] == saved.body[:100]
    with tarfile.open(fileobj=io.BytesIO(saved.body)) as archive:
        assert {"manifest.json", "index.json", "oci-layout"} <= {entry.name for entry in archive}
    assert api("DELETE", "/images/small:1").status == 200
    assert api("GET", "/images/small:1/json").status == 404
    loaded = api("POST", "/images/load?quiet=1", saved.body)
    assert loaded.status == 200
    assert lines(loaded.body)[-1] == {"stream": "Loaded image: small:1\n"}
    assert api("GET", "/images/small:1/json").json["Id"] == small
    assert api("POST", "/images/load", b"no archive" * 1000).status == 400
    assert api("GET", "/images/absent/get").status == 404
    assert api("GET", "/images/get?names=absent").status == 404
    assert api("GET", "/images/get").status == 400


def test_what_images_share_is_counted_once(api: Api, small: str) -> None:
    api("POST", "/images/small:1/tag?repo=other&tag=3")
    identifier = api.create("true")
    committed = api("POST", f"/commit?container={identifier}&repo=other&tag=4").json["Id"]
    usage = api("GET", "/system/df?type=image").json
    images = {image["Id"]: image for image in usage["Images"]}
    toolbox = api("GET", "/images/toolbox/json").json
    assert images[small]["SharedSize"] == 0
    assert images[committed]["SharedSize"] == images[toolbox["Id"]]["SharedSize"] == toolbox["Size"]
    assert usage["LayersSize"] < sum(image["Size"] for image in usage["Images"])
    listed = {image["Id"]: image["SharedSize"] for image in api("GET", "/images/json?shared-size=1").json}
    assert listed[committed] == toolbox["Size"]
    api("DELETE", f"/containers/{identifier}")
    api("DELETE", "/images/other:4")


def test_a_load_that_breaks_off_leaves_no_image(api: Api, small: str) -> None:
    saved = api("GET", "/images/small:1/get").body
    assert api("DELETE", "/images/small:1").status == 200
    with connect(api.path) as sock:
        sock.sendall(f"POST /images/load HTTP/1.1\r\nHost: x\r\nContent-Length: {len(saved)}\r\n\r\n".encode())
        sock.sendall(saved[: len(saved) // 2])
    assert api("GET", "/images/small:1/json").status == 404
    assert api("POST", "/images/load", saved).status == 200


def test_commit(api: Api) -> None:
    identifier = api.create("sh", "-c", "echo kept > /root/kept", Env=["A=1"])
    api("POST", f"/containers/{identifier}/start")
    api("POST", f"/containers/{identifier}/wait")
    query = f"container={identifier}&repo=other&tag=2&comment=why&author=me&changes=ENV%20C%3D3"
    reply = api("POST", f"/commit?{query}", {"Cmd": ["cat", "/root/kept"], "Labels": {"k": "v"}})
    assert reply.status == 201
    document = api("GET", "/images/other:2/json").json
    assert document["Id"] == reply.json["Id"]
    assert document["Author"] == "me"
    assert document["Comment"] == "why"
    assert {"A=1", "C=3"} <= set(document["Config"]["Env"])
    assert document["Config"]["Labels"]["k"] == "v"
    again = api("POST", "/containers/create", {"Image": "other:2"}).json["Id"]
    api("POST", f"/containers/{again}/start")
    api("POST", f"/containers/{again}/wait")
    assert api("GET", f"/containers/{again}/logs?stdout=1").body[8:] == b"kept\n"
    api("DELETE", f"/containers/{again}")
    assert api("DELETE", "/images/other:2").status == 200
    assert api("POST", "/commit?container=absent").status == 404
    assert api("POST", f"/commit?container={identifier}&repo=UPPER").status == 400
    assert api("POST", f"/commit?container={identifier}&changes=NONSENSE%201").status == 400


@needs_registry
def test_push_pull_and_what_the_registry_has(api: Api, small: str, tmp_path: Path) -> None:
    with registry.run_registry(tmp_path / "registry") as host:
        name = f"{host}/small"
        assert api("POST", f"/images/small:1/tag?repo={name}&tag=1").status == 201
        pushed = lines(api("POST", f"/images/{name}/push?tag=1", **{"X-Registry-Auth": "e30="}).body)
        assert pushed[0] == {"status": f"The push refers to repository [{name}]"}
        aux = pushed[-1]["aux"]
        assert aux["Tag"] == "1"
        assert pushed[-2]["status"] == f"1: digest: {aux['Digest']} size: {aux['Size']}"
        assert {"Preparing", "Pushed"} <= {line.get("status") for line in pushed}
        found = api("GET", f"/distribution/{name}:1/json").json
        assert found["Descriptor"]["digest"] == aux["Digest"]
        assert found["Platforms"][0]["os"] == "linux"
        assert api("GET", f"/distribution/{name}:absent/json").status == 404
        for reference in (f"{name}:1", "small:1"):
            assert api("DELETE", f"/images/{reference}").status == 200
        pulled = lines(api("POST", f"/images/create?fromImage={name}&tag=1").body)
        assert pulled[0]["id"] == "1"
        assert pulled[0]["status"].startswith("Pulling from ")
        assert pulled[-2]["status"] == f"Digest: {aux['Digest']}"
        assert pulled[-1]["status"] == f"Status: Downloaded newer image for {name}:1"
        again = lines(api("POST", f"/images/create?fromImage={name}&tag=1").body)
        assert again[-1]["status"] == f"Status: Image is up to date for {name}:1"
        assert api("POST", f"/images/create?fromImage={name}&tag=absent").status == 404
        api("POST", f"/images/{name}:1/tag?repo={name}&tag=2")
        assert "aux" in lines(api("POST", f"/images/{name}/push").body)[-1]
        api("DELETE", f"/images/{name}:2")
        every = lines(api("POST", f"/images/create?fromImage={name}").body)
        told = [line["status"] for line in every if line["status"].startswith("Status:")]
        assert [line.rpartition(" ")[2] for line in told] == [f"{name}:1", f"{name}:2"]
        assert api("DELETE", f"/images/{name}:2").status == 200
        assert api("POST", f"/images/create?fromImage={host}/absent").status == 404
        assert api("POST", f"/images/{name}/push?tag=absent").status == 404
        assert api("DELETE", f"/images/{name}:1").status == 200


@needs_registry
def test_accounts(api: Api, small: str, tmp_path: Path) -> None:
    with registry.run_registry(tmp_path / "registry", htpasswd=HTPASSWD) as host:
        account = {"username": "ann", "password": "secret", "serveraddress": host}
        reply = api("POST", "/auth", account)
        assert (reply.status, reply.json["Status"]) == (200, "Login Succeeded")
        assert api("POST", "/auth", {**account, "password": "wrong"}).status == 401
        assert api("POST", "/auth", {}).status == 400
        name = f"{host}/small"
        api("POST", f"/images/small:1/tag?repo={name}&tag=1")
        refused = lines(api("POST", f"/images/{name}/push?tag=1").body)
        assert "no basic auth credentials" in refused[-1].get("error", refused[-1].get("message", ""))
        pair = base64.b64encode(b"ann:secret").decode()
        assert api("GET", f"/distribution/{name}:1/json", **{"X-Registry-Auth": auth_header(auth=pair)}).status == 404
        header = {"X-Registry-Auth": auth_header(**account)}
        assert "aux" in lines(api("POST", f"/images/{name}/push?tag=1", **header).body)[-1]
        assert api("DELETE", f"/images/{name}:1").status == 200
        assert api("GET", f"/distribution/{name}:1/json").status == 401
        assert api("GET", f"/distribution/{name}:1/json", **header).status == 200


def test_push_needs_a_name(api: Api) -> None:
    assert api("POST", "/images/absent/push?tag=1").status == 404
    assert api("POST", "/images/UPPER/push?tag=1").status == 400
