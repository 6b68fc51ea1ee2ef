"""Images, pulls, volumes, networks, events and the engine's own facts, endpoint by endpoint."""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.api.client import Api, read_head
from tests.support import registry

pytestmark = pytest.mark.root

# the password is "secret"
HTPASSWD = "ann:$2y$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW\n"


def filtered(**filters: list[str]) -> str:
    return f"filters={quote(json.dumps(filters))}"


def test_version_and_info_have_what_clients_read(api: Api) -> None:
    version = api("GET", "/version").json
    assert (version["ApiVersion"], version["MinAPIVersion"], version["Os"]) == ("1.47", "1.24", "linux")
    assert version["Components"][0]["Name"] == "Engine"
    info = api("GET", "/info").json
    assert info["Swarm"]["LocalNodeState"] == "inactive"
    assert any("seccomp" in option for option in info["SecurityOptions"])
    assert info["DefaultRuntime"] in info["Runtimes"]
    assert info["ID"]


def test_disk_usage_by_type(api: Api) -> None:
    api.create("true")
    whole = api("GET", "/system/df").json
    assert whole["Images"][0]["Containers"] == 1
    assert len(whole["Containers"]) == 1
    assert whole["BuildCache"] == []
    assert set(api("GET", "/system/df?type=volume").json) == {"LayersSize", "Volumes"}
    assert api("GET", "/system/df?type=nonsense").status == 400


def test_images_are_listed_inspected_tagged_and_removed(api: Api) -> None:
    assert api("POST", "/images/toolbox/tag?repo=example.com:5000/a/b&tag=1").status == 201
    assert api("POST", "/images/absent/tag?repo=x").status == 404
    assert api("POST", "/images/toolbox/tag?repo=UPPER").status == 400
    assert api("POST", "/images/toolbox/tag").status == 400
    name = "example.com:5000/a/b:1"
    listed = api("GET", f"/images/json?{filtered(reference=['example.com:5000/a/*'])}").json
    assert [name in image["RepoTags"] for image in listed] == [True]
    assert api("GET", f"/images/json?{filtered(reference=['other'])}").json == []
    assert api("GET", f"/images/json?{filtered(nonsense=['x'])}").status == 400
    document = api("GET", f"/images/{name}/json").json
    assert document["Id"] == listed[0]["Id"]
    assert document["RootFS"]["Layers"]
    assert "VirtualSize" not in document
    assert "VirtualSize" in api("GET", f"/v1.43/images/{name}/json").json
    assert api("GET", f"/images/{document['Id'][7:19]}/json").json["Id"] == document["Id"]
    missing = api("GET", "/images/absent/json")
    assert (missing.status, missing.message) == (404, "No such image: absent")
    assert api("GET", f"/images/{name}/history").json[0]["Id"] == document["Id"]
    assert api("DELETE", f"/images/{name}").json == [{"Untagged": name}]
    assert api("DELETE", f"/images/{name}").status == 404


def test_an_image_in_use_is_kept(api: Api) -> None:
    api.create("true")
    image = api("GET", "/images/toolbox/json").json["Id"]
    reply = api("DELETE", f"/images/{image}")
    assert reply.status == 409
    assert "image is being used by" in reply.message
    assert api("POST", f"/images/prune?{filtered(dangling=['false'])}").json["ImagesDeleted"] is None
    assert api("POST", f"/images/prune?{filtered(dangling=['maybe'])}").status == 400


@pytest.mark.registry
def test_a_pull_tells_its_progress(api: Api, tmp_path: Path) -> None:
    if missing := registry.missing():
        pytest.skip(f"needs {missing}")
    with registry.run_registry(tmp_path / "registry") as address:
        layout = Path(api.root.root) / "oci"
        reference = f"{address}/pulled"
        name = next(
            entry["annotations"]["org.opencontainers.image.ref.name"]
            for entry in json.loads((layout / "index.json").read_text())["manifests"]
        )
        registry.push(layout, name, f"{reference}:1")
        lines = [
            json.loads(line) for line in api("POST", f"/images/create?fromImage={reference}&tag=1").body.splitlines()
        ]
        assert lines[0] == {"status": f"Pulling from {reference.partition('/')[2]}", "id": "1"}
        assert lines[-2]["status"].startswith("Digest: sha256:")
        assert lines[-1]["status"].startswith("Status: ")
        digest = lines[-2]["status"].removeprefix("Digest: ")
        again = api("POST", f"/images/create?fromImage={reference}&tag={quote(digest)}").body.splitlines()
        assert b"Digest: " + digest.encode() in again[-2]
        absent = api("POST", f"/images/create?fromImage={reference}&tag=absent")
        assert absent.status == 404
        for tag in api("GET", f"/images/json?{filtered(reference=[reference])}").json:
            for one in tag["RepoTags"]:
                if one.startswith(address):
                    api("DELETE", f"/images/{one}")
        api("DELETE", f"/images/{reference}@{digest}")


@pytest.mark.registry
def test_a_pull_uses_the_credentials_that_come_with_it(api: Api, tmp_path: Path) -> None:
    if missing := registry.missing():
        pytest.skip(f"needs {missing}")

    def header(password: str) -> str:
        data = json.dumps({"username": "ann", "password": password}).encode()
        return base64.urlsafe_b64encode(data).decode().rstrip("=")

    with registry.run_registry(tmp_path / "registry", htpasswd=HTPASSWD) as address:
        target = f"/images/create?fromImage={address}/private&tag=1"
        assert api("POST", target).status == 401
        assert api("POST", target, **{"X-Registry-Auth": header("wrong")}).status == 401
        # let in, and told that there is no such image
        assert api("POST", target, **{"X-Registry-Auth": header("secret")}).status == 404


def test_a_pull_of_nothing_is_refused(api: Api) -> None:
    assert api("POST", "/images/create").status == 400
    assert api("POST", "/images/create?fromImage=host.invalid/UPPER").status == 400
    unreachable = api("POST", "/images/create?fromImage=127.0.0.1:1/x&tag=1")
    assert unreachable.status == 500
    assert "127.0.0.1:1" in unreachable.message
    assert api("POST", "/images/create?fromSrc=-").status == 400


def test_volumes(api: Api) -> None:
    made = api("POST", "/volumes/create", {"Name": "vol1", "Labels": {"k": "v"}})
    assert (made.status, made.json["Name"], made.json["Labels"]) == (201, "vol1", {"k": "v"})
    assert api("POST", "/volumes/create", {"Name": "vol1"}).json["CreatedAt"] == made.json["CreatedAt"]
    assert api("POST", "/volumes/create", {"Driver": "nfs"}).status == 404
    assert api("POST", "/volumes/create", {"Name": "a/b"}).status == 400
    anonymous = api("POST", "/volumes/create", {}).json["Name"]
    identifier = api.create("true", host={"Binds": ["vol1:/data"]})
    names = {volume["Name"] for volume in api("GET", "/volumes").json["Volumes"]}
    assert {"vol1", anonymous} <= names
    free = api("GET", f"/volumes?{filtered(dangling=['true'])}").json["Volumes"]
    assert anonymous in {volume["Name"] for volume in free}
    assert "vol1" not in {volume["Name"] for volume in free}
    in_use = api("DELETE", "/volumes/vol1")
    assert in_use.status == 409
    assert "volume is in use" in in_use.message
    assert api("POST", "/volumes/prune").json["VolumesDeleted"] == [anonymous]
    api("DELETE", f"/containers/{identifier}")
    assert api("POST", f"/volumes/prune?{filtered(all=['1'])}").json["VolumesDeleted"] == ["vol1"]
    assert api("DELETE", "/volumes/vol1").status == 404
    assert api("DELETE", "/volumes/vol1?force=1").status == 204
    assert api("GET", "/volumes/vol1").status == 404
    assert api("GET", f"/volumes?{filtered(nonsense=['x'])}").status == 400


def test_networks(api: Api) -> None:
    made = api("POST", "/networks/create", {"Name": "net1", "Labels": {"k": "v"}, "Internal": True})
    assert made.status == 201
    assert api("POST", "/networks/create", {"Name": "net1"}).status == 409
    assert api("POST", "/networks/create", {}).status == 400
    pools = [{"Subnet": "fd00:2f::/64"}, {"Subnet": "10.204.1.0/24"}]
    dual = {"Name": "net2", "EnableIPv6": True, "Attachable": True, "IPAM": {"Config": pools}}
    assert api("POST", "/networks/create", dual).status == 201
    shown = api("GET", "/networks/net2").json
    assert shown["IPAM"]["Config"] == [
        {"Subnet": "10.204.1.0/24", "Gateway": "10.204.1.1"},
        {"Subnet": "fd00:2f::/64", "Gateway": "fd00:2f::1"},
    ]
    assert (shown["EnableIPv4"], shown["EnableIPv6"], shown["Attachable"]) == (True, True, True)
    assert api("DELETE", "/networks/net2").status == 204
    assert api("GET", "/networks/net1").json["Internal"]
    assert api("GET", f"/networks/{made.json['Id'][:12]}").json["Name"] == "net1"
    assert {net["Name"] for net in api("GET", "/networks").json} >= {"bridge", "host", "none", "net1"}
    assert [net["Name"] for net in api("GET", f"/networks?{filtered(type=['custom'])}").json] == ["net1"]
    assert api("GET", f"/networks?{filtered(type=['x'])}").status == 400
    identifier = api.run("sleep", "100")
    assert api("POST", "/networks/net1/connect", {"Container": identifier}).status == 200
    assert "net1" in api("GET", f"/containers/{identifier}/json").json["NetworkSettings"]["Networks"]
    assert api("POST", "/networks/net1/connect", {"Container": "absent"}).status == 404
    assert api("DELETE", "/networks/net1").status == 403
    assert api("POST", "/networks/net1/disconnect", {"Container": identifier}).status == 200
    assert api("POST", "/networks/net1/disconnect", {"Container": "absent", "Force": True}).status == 200
    assert api("DELETE", "/networks/net1").status == 204
    assert api("DELETE", "/networks/net1").status == 404
    assert api("DELETE", "/networks/bridge").status == 403
    assert api("GET", "/networks/absent").status == 404
    api("POST", "/networks/create", {"Name": "net3", "Labels": {"k": "v"}})
    assert api("POST", f"/networks/prune?{filtered(label=['k=v'])}").json["NetworksDeleted"] == ["net3"]


def test_a_container_on_two_networks_from_its_birth(api: Api) -> None:
    api("POST", "/networks/create", {"Name": "netA"})
    api("POST", "/networks/create", {"Name": "netB"})
    endpoints = {"netA": {"Aliases": ["www"]}, "netB": {}}
    identifier = api.run("sleep", "100", host={"NetworkMode": "netA"}, NetworkingConfig={"EndpointsConfig": endpoints})
    assert set(api("GET", f"/containers/{identifier}/json").json["NetworkSettings"]["Networks"]) == {"netA", "netB"}
    api("DELETE", f"/containers/{identifier}?force=1")
    assert api("DELETE", "/networks/netA").status == api("DELETE", "/networks/netB").status == 204


def test_events_past_and_as_they_happen(api: Api) -> None:
    begun = time.time()
    with api.send(f"GET /events?{filtered(type=['container'])} HTTP/1.0\nHost: x\n\n") as sock:
        assert read_head(sock)[0] == 200  # before anything has happened
        identifier = api.create("true", name="watched")
        first = json.loads(sock.makefile("rb").readline())
    assert (first["Type"], first["Action"], first["Actor"]["ID"]) == ("container", "create", identifier)
    assert (first["status"], first["id"]) == ("create", identifier)
    api("DELETE", f"/containers/{identifier}")
    query = f"since={begun:.3f}&until={time.time():.3f}&{filtered(container=['watched'])}"
    past = [json.loads(line)["Action"] for line in api("GET", f"/events?{query}").body.splitlines()]
    assert past == ["create", "destroy"]
    assert api("GET", f"/events?{filtered(nonsense=['x'])}").status == 400
    assert api("GET", "/events?since=yesterday").status == 400


@pytest.mark.parametrize("path", ["/swarm", "/services", "/nodes", "/secrets/x", "/tasks", "/configs"])
def test_a_swarm_there_is_none(api: Api, path: str) -> None:
    reply = api("GET", path)
    assert reply.status == 503
    assert reply.message.startswith("This node is not a swarm manager")


def test_plugins_sessions_and_builds(api: Api) -> None:
    assert api("GET", "/plugins").json == []
    assert api("GET", "/plugins/x/json").status == 404
    assert api("POST", "/session").status == 404
    assert api("POST", "/build/prune").json == {"CachesDeleted": None, "SpaceReclaimed": 0}
