"""features.md and features-linux.md: what the document promises holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from .spec import features, hook, must

if TYPE_CHECKING:
    from tests.runtime.bundle import Bundle

pytestmark = pytest.mark.root


@must("features.md#specification-version", "the smallest and the largest version are accepted, and in this order")
@pytest.mark.parametrize("key", ["ociVersionMin", "ociVersionMax"])
def test_versions(bundle: Bundle, key: str) -> None:
    document = features(bundle)
    assert _number(document["ociVersionMin"]) <= _number(document["ociVersionMax"])
    bundle.config["ociVersion"] = document[key]
    assert bundle.run("true").code == 0


@must("features.md#hooks", "every hook of the list is supported")
def test_hooks(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> None:
    directory = tmp_path_factory.mktemp("hooks")
    bundle.mount(str(directory), "bind", str(directory), "bind")
    kinds = features(bundle)["hooks"]
    bundle.config["hooks"] = {kind: [hook(f"touch {directory}/{kind}")] for kind in kinds}
    assert bundle.run("true").code == 0
    assert sorted(path.name for path in directory.iterdir()) == sorted(kinds)


@must("features.md#mount-options", "every mount option of the list is recognized")
def test_mount_options(bundle: Bundle, disk_path: Any) -> None:
    mapping = [{"containerID": 0, "hostID": 0, "size": 65536}]
    failed = []
    names = [name for name in features(bundle)["mountOptions"] if name not in ("bind", "rbind", "remount")]
    # one container takes those that any mount may have, all after each other
    for name in names:
        directory = f"/opt/{name}"
        if name in ("idmap", "ridmap"):
            bundle.mount(directory, "bind", str(disk_path), "rbind", name)
            bundle.config["mounts"][-1].update(uidMappings=mapping, gidMappings=mapping)
        elif name.startswith(("copy-symlink", "src-nofollow", "dest-nofollow")):
            continue
        else:
            bundle.mount(directory, "tmpfs", "tmpfs", name)
    result = bundle.run("true")
    if result.code != 0:
        failed.append(result.err)
    assert not failed


@must("features-linux.md#namespaces", "every namespace of the list is recognized")
def test_namespaces(bundle: Bundle) -> None:
    kinds = [kind for kind in features(bundle)["linux"]["namespaces"] if kind != "user"]
    bundle.linux["namespaces"] = [{"type": kind} for kind in kinds]
    assert bundle.run("true").code == 0


@must("features-linux.md#capabilities", "every capability of the list is recognized")
def test_capabilities(bundle: Bundle) -> None:
    names = features(bundle)["linux"]["capabilities"]
    bundle.process["capabilities"] = {"bounding": names}
    result = bundle.run("true")
    assert result.code == 0
    assert "unknown" not in result.err


@must("features-linux.md#seccomp", "every action of the list is recognized")
def test_seccomp_actions(bundle: Bundle) -> None:
    actions = [name for name in features(bundle)["linux"]["seccomp"]["actions"] if name != "SCMP_ACT_NOTIFY"]
    calls = ("mkdir", "rmdir", "rename", "link", "symlink", "chmod", "chown", "mknod", "acct", "swapon")
    rules = [{"names": [call], "action": action} for call, action in zip(calls, actions, strict=False)]
    bundle.linux["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": rules}
    assert bundle.run("true").code == 0


@must("features-linux.md#seccomp", "every operator of the list is recognized")
def test_seccomp_operators(bundle: Bundle) -> None:
    rules = [
        {
            "names": ["acct"],
            "action": "SCMP_ACT_ERRNO",
            "args": [{"index": 0, "value": 1 + index, "valueTwo": 1, "op": op}],
        }
        for index, op in enumerate(features(bundle)["linux"]["seccomp"]["operators"])
    ]
    bundle.linux["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": rules}
    assert bundle.run("true").code == 0


@must("features-linux.md#seccomp", "every architecture of the list is recognized")
def test_seccomp_architectures(bundle: Bundle) -> None:
    # those of the other byte order cannot be in one filter with ours, so each is tried as the only one beside it
    for name in features(bundle)["linux"]["seccomp"]["archs"]:
        if name in ("SCMP_ARCH_X86", "SCMP_ARCH_X86_64", "SCMP_ARCH_X32", "SCMP_ARCH_AARCH64"):
            bundle.linux["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "architectures": [name]}
            assert bundle.run("true").code == 0, name


@must("features-linux.md#seccomp", "every flag of supportedFlags is recognized and supported")
def test_seccomp_flags(bundle: Bundle) -> None:
    seccomp = features(bundle)["linux"]["seccomp"]
    supported = seccomp.get("supportedFlags") or []
    assert set(supported) <= set(seccomp.get("knownFlags") or [])
    # waiting for an agent is for filters that have one
    flags = [name for name in supported if "WAIT_KILLABLE" not in name]
    bundle.linux["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "flags": flags}
    assert bundle.run("true").code == 0


@must("features-linux.md#memorypolicy", "every mode and flag of the lists is recognized")
def test_memory_policy(bundle: Bundle) -> None:
    policy = features(bundle)["linux"].get("memoryPolicy") or {}
    for mode in policy.get("modes") or []:
        wanted: dict[str, Any] = {"mode": mode}
        if mode not in ("MPOL_DEFAULT", "MPOL_LOCAL"):
            wanted["nodes"] = "0"
        bundle.linux["memoryPolicy"] = wanted
        result = bundle.run("true")
        # the kernel may be older than the mode; the name must be known all the same
        assert "unknown" not in result.err, mode


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.partition("-")[0].split("."))
