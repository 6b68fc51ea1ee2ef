"""Pushing to a real registry, on good days and bad: what is sent, what is not, and what others read there."""

from __future__ import annotations

import io
import json
import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from engine.errors import Cancelled, EngineError, NotFound, RegistryError, Unauthorized
from engine.images import registry as client
from engine.images.auth import Credentials
from engine.models import PullProgress
from tests.support import registry
from tests.support.images import archive, member
from tests.support.registry import Answer, Proxy, Request

from .test_pull import HTPASSWD, Store

pytestmark = [
    pytest.mark.root,
    pytest.mark.registry,
    pytest.mark.skipif(bool(registry.missing()), reason=f"needs {registry.missing()}"),
]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(tmp_path / "store")
    tree = archive(member("etc", b"5"), member("etc/random", data=os.urandom(3_000_000)))
    made.images.import_archive(io.BytesIO(tree).read, "app:1", changes=['CMD ["sh"]'])
    return made


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with registry.run_registry(tmp_path_factory.mktemp("registry")) as address:
        yield address


def push(store: Store, name: str, **options: object) -> dict[str, str]:
    """Push under a name; what each layer came to."""
    store.images.tag("app:1", name)
    last: dict[str, str] = {}

    def note(progress: PullProgress) -> None:
        if progress.layer:
            last[progress.layer] = progress.status

    pushed = store.images.push(name, on_progress=note, **options)  # type: ignore[arg-type]
    assert pushed.digest == store.images.get(name).digest
    return last


def test_others_read_what_was_pushed(store: Store, address: str, tmp_path: Path) -> None:
    assert set(push(store, f"{address}/team/app:1").values()) == {"pushed"}
    raw = subprocess.run(
        ["skopeo", "inspect", "--tls-verify=false", f"docker://{address}/team/app:1"],
        check=True,
        capture_output=True,
    ).stdout
    assert json.loads(raw)["Digest"] == store.images.get("app:1").digest
    other = Store(tmp_path / "other")
    assert other.images.pull(f"{address}/team/app:1").id == store.images.get("app:1").id
    assert ("push", f"{address}/team/app:1") in store.events
    assert f"{address}/team/app@{json.loads(raw)['Digest']}" in store.images.get("app:1").repo_digests
    found = store.images.distribution(f"{address}/team/app:1")
    assert found["Descriptor"]["digest"] == json.loads(raw)["Digest"]
    assert found["Platforms"][0]["os"] == "linux"


def test_nothing_is_sent_twice(store: Store, address: str) -> None:
    with Proxy(address, lambda request, number: None) as proxy:
        assert set(push(store, f"{proxy.address}/first/app:1").values()) == {"pushed"}
        sent = len([request for request in proxy.requests if request.method == "PUT" and "/blobs/" in request.path])
        assert sent == 2  # layer and configuration
        assert set(push(store, f"{proxy.address}/first/app:2").values()) == {"exists"}
        assert set(push(store, f"{proxy.address}/second/app:1").values()) == {"mounted"}
        assert sent == len([item for item in proxy.requests if item.method == "PUT" and "/blobs/" in item.path])


def test_the_manifest_of_docker_is_pushed_as_it_came(store: Store, address: str, tmp_path: Path) -> None:
    push(store, f"{address}/kinds/oci:1")
    source, target = f"docker://{address}/kinds/oci:1", f"docker://{address}/kinds/docker:1"
    command = ["skopeo", "--insecure-policy", "copy", "--src-tls-verify=false", "--dest-tls-verify=false"]
    subprocess.run([*command, "--format", "v2s2", source, target], check=True, capture_output=True)
    other = Store(tmp_path / "other")
    pulled = other.images.pull(f"{address}/kinds/docker:1")
    other.images.tag(pulled.id, f"{address}/kinds/again:1")
    other.images.push(f"{address}/kinds/again:1")
    assert {name.rpartition("@")[2] for name in other.images.get(pulled.id).repo_digests} == {
        other.images.distribution(f"{address}/kinds/docker:1")["Descriptor"]["digest"]
    }


def test_a_registry_with_bad_days(store: Store, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "FIRST_PAUSE_S", 0.01)

    def every_third_is_busy(_request: Request, number: int) -> Answer | None:
        return Answer(status=503) if number % 3 == 0 else None

    with Proxy(address, every_third_is_busy) as proxy:
        assert set(push(store, f"{proxy.address}/busy/app:1").values()) == {"pushed"}

    forgotten: list[str] = []

    def forgets_uploads(request: Request, _number: int) -> Answer | None:
        if request.method == "PUT" and "/uploads/" in request.path and len(forgotten) < 2:
            forgotten.append(request.path)
            return Answer(status=404)
        return None

    with Proxy(address, forgets_uploads) as proxy:
        assert set(push(store, f"{proxy.address}/forgetful/app:1").values()) == {"pushed"}
    assert len(forgotten) == 2
    with (
        Proxy(address, lambda request, _: Answer(status=500) if request.is_manifest else None) as proxy,
        pytest.raises(RegistryError, match="answered 500"),
    ):
        push(store, f"{proxy.address}/broken/app:1")
    with (
        Proxy(address, lambda request, _: Answer(status=403) if request.method == "POST" else None) as proxy,
        pytest.raises(RegistryError, match=r"requested access to .* is denied"),
    ):
        push(store, f"{proxy.address}/denied/app:1")


def test_accounts(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    with registry.run_registry(tmp_path / "registry", htpasswd=HTPASSWD) as address:
        name = f"{address}/private:1"
        with pytest.raises(Unauthorized):
            push(store, name)
        with pytest.raises(EngineError) as refused:
            push(store, name, credentials=Credentials("ann", "wrong"))
        assert "wrong" not in refused.value.message.replace("wrong user name", "")
        assert set(push(store, name, credentials=Credentials("ann", "secret")).values()) == {"pushed"}
        store.images.check_login(address, Credentials("ann", "secret"))
        with pytest.raises(Unauthorized, match="wrong user name or password"):
            store.images.check_login(address, Credentials("ann", "wrong"))
        registry.docker_config(tmp_path / "docker", address, "ann", "secret")
        assert set(push(store, name).values()) == {"exists"}


def test_tokens_are_for_what_is_done_and_credentials_for_who_asks(store: Store, address: str) -> None:
    """A token service in front of the registry, which wants the right scope for each request."""
    asked: list[str] = []

    def guard(request: Request, _number: int) -> Answer | None:
        url = urlsplit(request.path)
        if url.path == "/token":
            scopes = parse_qs(url.query)["scope"][0]
            asked.append(f"{request.headers.get('Authorization', '')} {scopes}")
            return Answer(status=200, body=json.dumps({"token": scopes.encode().hex()}).encode())
        repository = url.path.split("/blobs/")[0].split("/manifests/")[0].removeprefix("/v2/")
        needed = [f"repository:{repository}:{'pull' if request.method in ('GET', 'HEAD') else 'pull,push'}"]
        needed += [f"repository:{source}:pull" for source in parse_qs(url.query).get("from", [])]
        given = bytes.fromhex(request.headers.get("Authorization", "").removeprefix("Bearer ")).decode()
        if all(any(scope.startswith(one) for scope in given.split()) for one in needed):
            return None
        challenge = f'Bearer realm="http://{proxy.address}/token",service="test",scope="{" ".join(needed)}"'
        return Answer(status=401, headers={"WWW-Authenticate": challenge})

    with Proxy(address, guard) as proxy:
        account = Credentials("ann", "secret")
        assert set(push(store, f"{proxy.address}/token/one:1", credentials=account).values()) == {"pushed"}
        assert set(push(store, f"{proxy.address}/token/two:1", credentials=account).values()) == {"mounted"}
        sent = [request.headers.get("Authorization", "") for request in proxy.requests if request.path[:6] != "/token"]
    assert any("repository:token/one:pull,push" in scopes for scopes in asked)
    assert any("repository:token/two:pull,push" in scopes and "token/one:pull" in scopes for scopes in asked)
    assert all(scopes.startswith("Basic ") for scopes in asked)
    assert not [value for value in sent if value.startswith("Basic ")]


def test_only_a_name_that_is_here_is_pushed_and_a_cancel_ends_it(store: Store, address: str) -> None:
    with pytest.raises(NotFound, match="does not exist locally with the tag"):
        store.images.push(f"{address}/none:1")
    stop = threading.Event()

    def stall(request: Request, _number: int) -> Answer | None:
        if request.method == "PUT":
            stop.set()
            return Answer(stall_after=0)
        return None

    with Proxy(address, stall) as proxy, pytest.raises(Cancelled):
        push(store, f"{proxy.address}/slow/app:1", cancelled=stop.is_set)
