"""Pulling on bad days: a registry that cuts, stalls, lies, is busy, redirects, and pulls that are killed midway."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.errors import Cancelled, CorruptContent, RegistryError, Unauthorized
from engine.images import registry as client
from engine.models import PullProgress
from tests.support import registry
from tests.support.images import Layout, archive, member
from tests.support.registry import Answer, Proxy, Request

from .test_pull import Store

pytestmark = [
    pytest.mark.root,
    pytest.mark.registry,
    pytest.mark.skipif(bool(registry.missing()), reason=f"needs {registry.missing()}"),
]

SIZE = 2_000_000
LAYERS = 3


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("faults")
    layout = Layout(folder / "layout")
    layout.image("big", *(archive(member(f"file{number}", data=os.urandom(SIZE))) for number in range(LAYERS)))
    with registry.run_registry(folder / "registry") as address:
        registry.push(layout.folder, "big", f"{address}/big:1")
        yield address


def _whole(store: Store, name: str) -> bool:
    config = store.images.config(name)
    paths = [Path(store.images.layer_path(chain_id), f"file{n}") for n, chain_id in enumerate(config.chain_ids)]
    return [path.stat().st_size for path in paths] == [SIZE] * LAYERS and store.leftovers() == []


def _large(request: Request) -> bool:
    return request.is_blob and request.headers.get("Accept-Encoding") == "identity"


def test_cut_connections_are_continued_where_they_broke(store: Store, address: str) -> None:
    cuts = iter(range(8))

    def cut(request: Request, number: int) -> Answer | None:
        return Answer(cut_after=700_000) if _large(request) and next(cuts, None) is not None else None

    seen: list[PullProgress] = []
    with Proxy(address, cut) as proxy:
        store.images.pull(f"{proxy.address}/big:1", on_progress=seen.append)
        assert _whole(store, f"{proxy.address}/big:1")
        sent = sum(request.sent for request in proxy.blobs())
        assert sent < LAYERS * SIZE + 200_000
        assert any("Range" in request.headers for request in proxy.blobs())
    assert "retrying" in {step.status for step in seen}


def test_a_server_without_ranges_is_read_from_the_start(store: Store, address: str) -> None:
    cuts = iter(range(2))

    def cut(request: Request, number: int) -> Answer | None:
        request.headers.pop("Range", None)
        return Answer(cut_after=1_500_000) if _large(request) and next(cuts, None) is not None else None

    with Proxy(address, cut) as proxy:
        store.images.pull(f"{proxy.address}/big:1")
        assert _whole(store, f"{proxy.address}/big:1")


@pytest.mark.parametrize("status", [500, 502, 503, 429])
def test_busy_answers_are_repeated(store: Store, address: str, status: int) -> None:
    def busy(request: Request, number: int) -> Answer | None:
        return Answer(status=status) if number % 2 else None

    with Proxy(address, busy) as proxy:
        store.images.pull(f"{proxy.address}/big:1")
        assert _whole(store, f"{proxy.address}/big:1")


def test_retry_after_is_honoured(store: Store, address: str) -> None:
    asked: list[float] = []

    def later(request: Request, number: int) -> Answer | None:
        asked.append(time.monotonic())
        return Answer(status=429, headers={"Retry-After": "1"}) if number == 1 else None

    with Proxy(address, later) as proxy:
        store.images.pull(f"{proxy.address}/big:1")
    assert asked[1] - asked[0] >= 1.0


def test_a_registry_that_stays_broken_is_told(store: Store, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "FIRST_PAUSE_S", 0.01)
    with (
        Proxy(address, lambda request, number: Answer(status=503)) as proxy,
        pytest.raises(RegistryError, match=r"answered 503 Service Unavailable"),
    ):
        store.images.pull(f"{proxy.address}/big:1")
    assert store.images.list() == []


def test_a_stalled_connection_is_noticed_and_continued(
    store: Store, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client.Registry.__init__, "__kwdefaults__", {"cancelled": None, "stall_s": 0.5, "scope": ""})
    stalls = iter(range(2))

    def stall(request: Request, number: int) -> Answer | None:
        return Answer(stall_after=500_000) if _large(request) and next(stalls, None) is not None else None

    with Proxy(address, stall) as proxy:
        store.images.pull(f"{proxy.address}/big:1")  # which would wait for ever
        assert _whole(store, f"{proxy.address}/big:1")


def test_a_corrupt_blob_is_refused_and_only_it_is_fetched_again(store: Store, address: str) -> None:
    seen: list[str] = []
    bad = seen[1:2]

    def corrupt(request: Request, number: int) -> Answer | None:
        if request.is_blob and request.path not in seen:
            seen.append(request.path)
        bad[:] = seen[1:2]  # the first one is the configuration
        return Answer(flip=True) if request.path in bad else None

    with Proxy(address, corrupt) as proxy, pytest.raises(CorruptContent, match="is corrupt"):
        store.images.pull(f"{proxy.address}/big:1")
    assert store.images.list() == []
    with Proxy(address, lambda request, number: None) as good:
        store.images.pull(f"{good.address}/big:1")
        assert len(good.blobs()) <= LAYERS
        assert bad[0] in {request.path for request in good.blobs()}


def test_cancel_in_the_middle_of_a_stall_keeps_what_came(store: Store, address: str) -> None:
    stop = threading.Event()

    def stall(request: Request, number: int) -> Answer | None:
        return Answer(stall_after=1_000_000) if _large(request) else None

    def stop_when_all_stall() -> None:
        deadline = time.monotonic() + 40
        while _here(store) < LAYERS * 900_000 and time.monotonic() < deadline:
            time.sleep(0.02)
        stop.set()

    user = threading.Thread(target=stop_when_all_stall)
    with Proxy(address, stall) as proxy:
        user.start()
        with pytest.raises(Cancelled):
            store.images.pull(f"{proxy.address}/big:1", cancelled=stop.is_set)
        user.join()
    assert store.images.list() == []
    assert _here(store) >= LAYERS * 900_000


def test_a_killed_pull_is_continued_by_the_next(store: Store, address: str) -> None:
    def stall(request: Request, number: int) -> Answer | None:
        return Answer(stall_after=1_500_000) if _large(request) else None

    program = (
        "import sys; from engine.paths import Paths; from engine.images.images import Images;"
        f"Images(Paths({store.paths.root!r}, {store.paths.run_root!r}), print).pull(sys.argv[1])"
    )
    with Proxy(address, stall) as proxy:
        child = subprocess.Popen([sys.executable, "-c", program, f"{proxy.address}/big:1"])
        deadline = time.monotonic() + 40
        while _here(store) < LAYERS * 1_400_000 and time.monotonic() < deadline:
            time.sleep(0.05)
        child.send_signal(signal.SIGKILL)
        child.wait()
    here = _here(store)
    assert here >= LAYERS * 1_400_000
    with Proxy(address, lambda request, number: None) as good:
        store.images.pull(f"{good.address}/big:1")
        assert _whole(store, f"{good.address}/big:1")
        assert sum(request.sent for request in good.blobs()) < LAYERS * SIZE - here + 100_000


def _here(store: Store) -> int:
    if not os.path.isdir(store.paths.ingest):
        return 0
    return sum(entry.stat().st_size for entry in os.scandir(store.paths.ingest))


def test_a_redirect_gets_no_credentials(
    store: Store, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The blob lives with another host, as with most real registries; the login is for the registry alone."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    with Proxy(address, lambda request, number: None) as storage:

        def ask_and_redirect(request: Request, number: int) -> Answer | None:
            if not request.headers.get("Authorization"):
                return Answer(status=401, headers={"WWW-Authenticate": 'Basic realm="x"'})
            if request.is_blob:
                return Answer(status=307, headers={"Location": f"http://{storage.address}{request.path}"})
            return None

        with Proxy(address, ask_and_redirect) as front:
            registry.docker_config(tmp_path / "docker", front.address, "ann", "pw")
            store.images.pull(f"{front.address}/big:1")
            assert _whole(store, f"{front.address}/big:1")
    assert len(storage.blobs()) >= LAYERS
    assert [request for request in storage.requests if "Authorization" in request.headers] == []


def test_tokens_are_fetched_used_and_renewed_in_the_middle(
    store: Store, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "none"))
    issued: list[str] = []

    def guard(request: Request, number: int) -> Answer | None:
        if request.path.startswith("/token"):
            issued.append(f"t{len(issued) + 1}")
            assert "scope=repository%3Abig%3Apull" in request.path
            return Answer(status=200, body=f'{{"token":"{issued[-1]}","expires_in":300}}'.encode())
        # The first token is good for the manifest only, as if it had run out.
        good = issued[-1:] if not request.is_blob else issued[1:]
        if request.headers.get("Authorization", "").removeprefix("Bearer ") not in good:
            challenge = f'Bearer realm="http://{proxy.address}/token",service="here",scope="repository:big:pull"'
            return Answer(status=401, headers={"WWW-Authenticate": challenge})
        request.headers.pop("Authorization")
        return None

    with Proxy(address, guard) as proxy:
        store.images.pull(f"{proxy.address}/big:1")
        assert _whole(store, f"{proxy.address}/big:1")
    assert issued == ["t1", "t2"]


@pytest.mark.parametrize("realm", ["http://token.example/t", "ftp://127.0.0.1/t", "nonsense"])
def test_tokens_are_not_asked_for_in_the_clear(store: Store, address: str, realm: str) -> None:
    challenge = Answer(status=401, headers={"WWW-Authenticate": f'Bearer realm="{realm}",service="s"'})
    with Proxy(address, lambda request, number: challenge) as proxy, pytest.raises(RegistryError, match="not https"):
        store.images.pull(f"{proxy.address}/big:1")


def test_a_registry_that_refuses_without_a_challenge(store: Store, address: str) -> None:
    with Proxy(address, lambda request, number: Answer(status=401)) as proxy, pytest.raises(Unauthorized):
        store.images.pull(f"{proxy.address}/big:1")


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (Answer(status=200, body=b"<html>"), "manifest of"),
        (Answer(status=200, body=b"x" * (5 << 20)), "larger than it may be"),
        (Answer(status=302, headers={"Location": "http://elsewhere.example/"}), "not https"),
        (Answer(status=302, headers={"Location": "/v2/big/manifests/1"}), "redirects more than"),
        (Answer(status=404, body=b'{"errors":[{"code":"X","message":"\\u001b[31mred"}]}'), "manifest unknown"),
        (Answer(status=418, body=b'{"errors":[{"message":"\\u001b[31mred"}]}'), r"answered 418 .*\[31mred$"),
    ],
)
def test_nonsense_gets_one_clear_line(store: Store, address: str, answer: Answer, message: str) -> None:
    with Proxy(address, lambda request, number: answer) as proxy, pytest.raises(Exception, match=message) as refused:
        store.images.pull(f"{proxy.address}/big:1")
    assert "\x1b" not in str(refused.value)
