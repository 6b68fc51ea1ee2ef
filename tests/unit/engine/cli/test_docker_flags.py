"""Every command, alias and flag of docker's client is here too, or on a list with its reason."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from engine.cli.commands import ABSENT, GROUPS, PLAIN
from engine.cli.main import load

pytestmark = pytest.mark.skipif(shutil.which("docker") is None, reason="needs the docker client")

SWARM = {
    *(
        "--availability",
        "--cluster",
        "--group",
        "--limit-bytes",
        "--required-bytes",
        "--scope",
        "--secret",
        "--sharing",
    ),
    *("--topology-preferred", "--topology-required", "--type"),
}
WINDOWS = {"--cpu-count", "--cpu-percent", "--io-maxbandwidth", "--io-maxiops", "--isolation"}
# what this engine has no part for, by command; the flag is then unknown, and said to be so
WITHOUT: dict[str, set[str]] = {
    "run": {
        *WINDOWS,
        *("--cpu-rt-period", "--cpu-rt-runtime", "--gpus", "--kernel-memory", "--link-local-ip", "--storage-opt"),
        *("--use-api-socket", "--volume-driver", "--disable-content-trust", "--help"),
    },
    "start": {"--checkpoint", "--checkpoint-dir"},
    "update": {"--cpu-rt-period", "--cpu-rt-runtime", "--kernel-memory"},
    "images": {"--tree"},
    "push": {"--disable-content-trust", "--platform"},
    "save": {"--platform"},
    "network connect": {"--driver-opt", "--link-local-ip"},
    "network create": {"--config-from", "--config-only", "--ingress", "--ipam-driver", "--ipam-opt", "--scope"},
    "volume create": SWARM,
    "volume ls": SWARM,
}
NOT_HERE = {("image", "build"), ("volume", "update")}


def page(*words: str) -> str:
    return subprocess.run(["docker", *words, "--help"], capture_output=True, text=True, check=True).stdout


def flags(text: str) -> dict[str, str]:
    """Long name -> short one, "" without."""
    options = text.partition("\nOptions:\n")[2]
    return {f"--{name}": short for short, name in re.findall(r"^ +(?:-(\w), )?--([\w-]+)", options, re.MULTILINE)}


def words_of(text: str) -> list[str]:
    return re.findall(r"^  ([a-z-]+)\*? {2,}", text, re.MULTILINE)


@pytest.mark.parametrize("group", ["container", "context", "image", "network", "system", "volume"])
def test_groups_have_dockers_commands_and_flags(group: str) -> None:
    for word in words_of(page(group).partition("\nCommands:\n")[2]):
        if (group, word) in NOT_HERE:
            continue
        assert word in GROUPS[group], f"{group} {word}"
        module, name = GROUPS[group][word]
        missing(name, module, flags(page(group, word)))


def test_plain_commands_have_dockers_flags() -> None:
    text = page()
    listed = [
        *words_of(text.partition("Common Commands:\n")[2].partition("\n\n")[0]),
        *words_of(text.partition("\nCommands:\n")[2].partition("\n\n")[0]),
    ]
    assert len(listed) > 30
    for word in listed:
        if word in ABSENT:
            continue
        assert word in PLAIN, word
        missing(word, PLAIN[word], flags(page(word)))


def missing(name: str, module: str, theirs: dict[str, str]) -> None:
    command = load(module, name)
    names = {spelling for option in command.options for spelling in option.names}
    without = WITHOUT.get("run" if name == "create" else name, set())
    lacking = {flag for flag in theirs if flag not in names} - without
    assert not lacking, f"{name} lacks {', '.join(sorted(lacking))}"
    for flag, short in theirs.items():
        if short and flag in names:
            assert f"-{short}" in names, f"{name}: {flag} has no -{short}"
