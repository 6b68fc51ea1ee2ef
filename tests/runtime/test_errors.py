"""Bad input: one clear line that names the place, an exit code, and nothing half-made."""

from __future__ import annotations

import json
import subprocess
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from runtime.cli.main import VERBS

from .bundle import cgroups_named, environment

if TYPE_CHECKING:
    from .bundle import Bundle

pytestmark = [pytest.mark.root, pytest.mark.usefixtures("own_runtime")]


def refused(bundle: Bundle, *arguments: str) -> str:
    result = bundle.call(*arguments)
    assert result.code not in (0, 2)
    assert result.out == ""
    lines = result.err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("pydock-runc: ")
    assert "internal error" not in lines[0]
    assert bundle.ok("list", "--quiet") == ""
    assert cgroups_named(bundle.id) == []
    return lines[0]


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"ociVersion": None}, "ociVersion"),
        ({"ociVersion": "2.0.0"}, "ociVersion"),
        ({"ociVersion": 1}, "ociVersion"),
        ({"process": {"args": ["true"]}}, "process.cwd"),
        ({"process": {"args": ["true"], "cwd": "relative"}}, "process.cwd"),
        ({"process": {"args": [], "cwd": "/"}}, "process.args"),
        ({"process": {"args": "true", "cwd": "/"}}, "process.args"),
        ({"process": {"args": [1], "cwd": "/"}}, "process.args[0]"),
        ({"process": {"args": ["a\0b"], "cwd": "/"}}, "process.args[0]"),
        ({"process": {"args": ["true"], "cwd": "/", "user": {"uid": -1}}}, "process.user.uid"),
        ({"process": {"args": ["true"], "cwd": "/", "user": {"uid": "root"}}}, "process.user.uid"),
        (
            {"process": {"args": ["true"], "cwd": "/", "rlimits": [{"type": "X", "hard": 1, "soft": 1}]}},
            "process.rlimits[0].type",
        ),
        ({"root": None}, "root"),
        ({"root": {"path": "nosuch"}}, "root.path"),
        ({"root": {"path": "/"}}, "root.path"),
        ({"mounts": [{"type": "tmpfs"}]}, "mounts[0].destination"),
        ({"mounts": [{"destination": "/x", "type": "bind"}]}, "mounts[0].source"),
        ({"mounts": [{"destination": "/x", "options": ["bind"], "source": 5}]}, "mounts[0].source"),
        ({"mounts": {}}, "mounts"),
        ({"hooks": {"prestart": [{"path": "relative"}]}}, "hooks.prestart[0].path"),
        ({"hostname": 5}, "hostname"),
        ({"linux": {"namespaces": [{"type": "pid", "path": "/nosuch"}]}}, "linux.namespaces[0].path"),
        ({"linux": {"uidMappings": [{"containerID": 0, "hostID": 0, "size": 1}]}}, "linux.uidMappings"),
        ({"linux": {"resources": {"memory": {"limit": "much"}}}}, "linux.resources.memory.limit"),
        ({"linux": {"devices": [{"path": "/dev/x", "type": "q"}]}}, "linux.devices[0].type"),
    ],
)
def test_a_bad_config_names_the_json_path(bundle: Bundle, change: dict[str, Any], place: str) -> None:
    config = {**bundle.config, **change}
    (bundle.path / "config.json").write_text(json.dumps({k: v for k, v in config.items() if v is not None}))
    assert f" {place}" in refused(bundle, "create", "--bundle", str(bundle.path), bundle.id)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "\xff", '{"a":' * 3000])
def test_what_is_no_config_is_refused(bundle: Bundle, text: str) -> None:
    (bundle.path / "config.json").write_text(text, encoding="latin-1")
    assert "config.json" in refused(bundle, "create", "--bundle", str(bundle.path), bundle.id)


def test_a_missing_bundle(bundle: Bundle) -> None:
    assert "/no/such/bundle" in refused(bundle, "create", "--bundle", "/no/such/bundle", bundle.id)


@pytest.mark.parametrize("container_id", ["", ".", "..", "a/b", "../x", "a b", "a\nb", "ü"])
def test_a_strange_id_is_refused(bundle: Bundle, container_id: str) -> None:
    bundle.write_config()
    refused(bundle, "create", "--bundle", str(bundle.path), "--", container_id)


@pytest.mark.parametrize(
    "arguments",
    [
        ("frobnicate",),
        ("create",),
        ("create", "--nosuch", "x"),
        ("state",),
        ("state", "a", "b"),
        ("kill", "x", "NOSIGNAL"),
        ("exec", "x"),
        ("list", "--format", "xml"),
        ("--log-format", "xml", "list"),
        ("update", "--memory", "much", "x"),
        ("create", "--preserve-fds", "x", "y"),
    ],
)
def test_a_wrong_command_line(bundle: Bundle, arguments: tuple[str, ...]) -> None:
    refused(bundle, *arguments)


def test_errors_go_to_the_log_as_json(bundle: Bundle, tmp_path: Path) -> None:
    log = tmp_path / "log.json"
    result = bundle.call("--log", str(log), "--log-format", "json", "start", "nosuch")
    assert result.code == 1
    record = json.loads(log.read_text().splitlines()[-1])
    assert record["level"] == "error"
    assert "nosuch" in record["msg"]
    assert record["time"]


def test_help_and_version(bundle: Bundle) -> None:
    assert bundle.ok("--version").splitlines()[0].split()[1] == "version"
    assert bundle.ok("--version").splitlines()[1].startswith("spec: 1.")
    overview = bundle.ok("--help")
    assert overview == bundle.ok("help") == bundle.ok()
    for verb in VERBS:
        assert f" {verb} " in overview
        text = bundle.ok(verb, "--help")
        assert text == bundle.ok("help", verb)
        assert f"usage: pydock-runc {verb}" in text
        assert all(f"--{name}" in text for name in import_module(f"runtime.cli.{VERBS[verb][0]}").OPTIONS)


def test_debug_tells_the_steps(bundle: Bundle, tmp_path: Path) -> None:
    bundle.write_config()
    log = tmp_path / "log"
    bundle.ok("--debug", "--log", str(log), "run", "--bundle", str(bundle.path), bundle.id)
    assert "level=debug" in log.read_text()
    assert "mounts: " in log.read_text()
    assert "level=debug" not in bundle.call("run", "--bundle", str(bundle.path), bundle.id).err


@pytest.mark.parametrize("wish", ["true", "false", "auto"])
def test_rootless_is_a_wish_of_three(bundle: Bundle, wish: str) -> None:
    bundle.write_config()
    bundle.ok("--rootless", wish, "run", "--bundle", str(bundle.path), bundle.id)
    assert "--rootless" in refused(bundle, "--rootless=maybe", "list")


def test_rootless_goes_on_without_a_cgroup(bundle: Bundle) -> None:
    """What may not be written to (another's cgroups, here read-only ones) is an error, or with --rootless a warning."""
    bundle.write_config()
    script = 'for d in /sys/fs/cgroup /sys/fs/cgroup/*; do mount -o remount,bind,ro $d 2>/dev/null; done; exec "$@"'
    for wish, code in (("false", 1), ("true", 0)):
        words = bundle.command("--rootless", wish, "run", "--bundle", str(bundle.path), bundle.id)
        done = subprocess.run(
            ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh", *words],
            capture_output=True,
            text=True,
            env=environment(),
            timeout=60,
            check=False,
        )
        assert done.returncode == code, done
        assert ("without a cgroup" in done.stderr) == (code == 0)


def test_features_is_a_document(bundle: Bundle) -> None:
    features = json.loads(bundle.ok("features"))
    assert features["ociVersionMin"] == "1.0.0"
    assert "prestart" in features["hooks"]
    assert "rro" in features["mountOptions"]
    assert "CAP_CHOWN" in features["linux"]["capabilities"]
