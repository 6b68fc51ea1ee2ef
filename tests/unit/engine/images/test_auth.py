"""Where credentials come from, and that they show nowhere."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from engine.errors import RegistryError
from engine.images.auth import Challenge, find_credentials
from engine.images.endpoint import base_url, is_plain_http


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    return tmp_path / "config.json"


def _auth(user: str, password: str) -> str:
    return base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.mark.parametrize(
    ("domain", "key"),
    [
        ("docker.io", "https://index.docker.io/v1/"),
        ("ghcr.io", "ghcr.io"),
        ("ghcr.io", "https://ghcr.io"),
        ("reg:5000", "reg:5000"),
    ],
)
def test_accounts_of_docker_login_are_found(config: Path, domain: str, key: str) -> None:
    config.write_text(json.dumps({"auths": {key: {"auth": _auth("ann", "p:w")}, "other": {"auth": _auth("x", "y")}}}))
    found = find_credentials(domain)
    assert (found.username, found.password) == ("ann", "p:w")
    assert "p:w" not in repr(found)


def test_no_file_and_no_account_are_nobody(config: Path) -> None:
    assert not find_credentials("ghcr.io")
    config.write_text('{"auths": {"ghcr.io": {}}}')
    assert not find_credentials("ghcr.io")


def test_a_damaged_file_is_named_without_its_content(config: Path) -> None:
    config.write_text('{"auths": secret')
    with pytest.raises(RegistryError, match="cannot read credentials from") as refused:
        find_credentials("ghcr.io")
    assert "secret" not in refused.value.message


def test_helpers_are_asked(config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    helper = tmp_path / "docker-credential-test"
    helper.write_text(
        "#!/bin/sh\nread server\n"
        'case $server in reg.example) echo \'{"Username":"ann","Secret":"pw"}\';;\n'
        'tok.example) echo \'{"Username":"<token>","Secret":"tt"}\';; *) echo missing; exit 1;; esac\n'
    )
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    config.write_text(json.dumps({"credHelpers": {"reg.example": "test"}, "credsStore": "test"}))
    assert find_credentials("reg.example").password == "pw"
    assert find_credentials("tok.example").identity_token == "tt"
    assert not find_credentials("unknown.example")
    config.write_text(json.dumps({"credsStore": "../../bin/evil"}))
    assert not find_credentials("reg.example")


def test_challenges_are_taken_apart() -> None:
    challenge = Challenge('Bearer realm="https://a/t",service="s, \\"x\\"",scope="repository:a/b:pull,push"')
    assert challenge.scheme == "bearer"
    assert challenge.parameters == {
        "realm": "https://a/t",
        "service": 's, "x"',
        "scope": "repository:a/b:pull,push",
    }


@pytest.mark.parametrize(
    ("domain", "url"),
    [
        ("docker.io", "https://registry-1.docker.io"),
        ("ghcr.io", "https://ghcr.io"),
        ("127.0.0.1:5000", "http://127.0.0.1:5000"),
        ("127.1.2.3", "http://127.1.2.3"),
        ("localhost:5000", "http://localhost:5000"),
        ("[::1]:5000", "http://[::1]:5000"),
        ("localhost.example.com", "https://localhost.example.com"),
        ("128.0.0.1:5000", "https://128.0.0.1:5000"),
        ("reg.local:5000", "http://reg.local:5000"),
        ("10.1.2.3", "http://10.1.2.3"),
    ],
)
def test_only_the_loopback_and_insecure_ones_are_spoken_to_in_the_clear(
    domain: str, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYDOCK_INSECURE_REGISTRIES", "reg.local:5000, 10.0.0.0/8")
    assert base_url(domain) == url
    assert is_plain_http(domain) == url.startswith("http:")
