"""config.md: specification version, root, mounts and their options, hostname, annotations, extensibility."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from .spec import create, mount_flags, must, refused

if TYPE_CHECKING:
    from tests.runtime.bundle import Bundle

pytestmark = pytest.mark.root


@must("config.md#specification-version", "ociVersion is required and has the form of SemVer")
@pytest.mark.parametrize("version", [None, "", "one", "1"])
def test_a_version_that_is_none_is_refused(bundle: Bundle, version: str | None) -> None:
    if version is None:
        del bundle.config["ociVersion"]
    else:
        bundle.config["ociVersion"] = version
    refused(bundle, "ociVersion")


@must("config.md#specification-version", "a config of an earlier 1.x is accepted")
@pytest.mark.parametrize("version", ["1.0.0", "1.0.2-dev"])
def test_an_earlier_version_is_accepted(bundle: Bundle, version: str) -> None:
    bundle.config["ociVersion"] = version
    assert bundle.run("true").code == 0


@must("config.md#root", "root is required")
def test_root_is_required(bundle: Bundle) -> None:
    del bundle.config["root"]
    refused(bundle, "root")


@must("config.md#root", "root.path is an absolute path, or relative to the bundle")
@pytest.mark.parametrize("absolute", [False, True])
def test_root_path(bundle: Bundle, absolute: bool) -> None:
    bundle.config["root"]["path"] = str(bundle.rootfs) if absolute else "rootfs"
    (bundle.rootfs / "mark").write_text("x")
    assert bundle.sh("cat /mark") == "x"


@must("config.md#root", "there must be a directory at root.path")
@pytest.mark.parametrize("path", ["nothing", "config.json"])
def test_root_path_must_be_a_directory(bundle: Bundle, path: str) -> None:
    bundle.config["root"]["path"] = path
    refused(bundle, "root.path")


@must("config.md#root", "a read-only root is read-only inside the container, another is not")
@pytest.mark.parametrize("read_only", [True, False])
def test_root_read_only(bundle: Bundle, read_only: bool) -> None:
    bundle.config["root"]["readonly"] = read_only
    result = bundle.run("touch", "/file")
    assert (result.code != 0) is read_only
    assert (bundle.rootfs / "file").exists() is not read_only


@must("config.md#mounts", "mounts are made in the order of the list")
def test_mounts_are_made_in_order(bundle: Bundle, tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "mark").write_text(name)
        bundle.mount("/data", "bind", str(tmp_path / name), "bind")
    assert bundle.sh("cat /data/mark") == "second"


@must("config.md#mounts", "a relative destination counts from /")
def test_a_relative_destination(bundle: Bundle) -> None:
    bundle.mount("data/below", "tmpfs", "tmpfs")
    assert mount_flags(bundle, "/data/below")


@must("config.md#mounts", "the source of a bind mount is absolute or relative to the bundle")
def test_a_relative_source(bundle: Bundle) -> None:
    (bundle.path / "beside").mkdir()
    (bundle.path / "beside/mark").write_text("x")
    bundle.mount("/data", "bind", "beside", "bind")
    assert bundle.sh("cat /data/mark") == "x"


@must("config.md#mounts", "bind or rbind among the options makes it a bind mount, whatever its type")
@pytest.mark.parametrize(("fs_type", "option"), [("none", "bind"), ("tmpfs", "rbind"), (None, "bind")])
def test_the_option_makes_the_bind(bundle: Bundle, tmp_path: Path, fs_type: str | None, option: str) -> None:
    (tmp_path / "mark").write_text("x")
    bundle.mount("/data", fs_type or "", str(tmp_path), option)
    if fs_type is None:
        del bundle.config["mounts"][-1]["type"]
    assert bundle.sh("cat /data/mark") == "x"


@must("config.md#mounts", "the destination is required")
def test_a_mount_needs_a_destination(bundle: Bundle) -> None:
    bundle.config["mounts"].append({"type": "tmpfs", "source": "tmpfs"})
    refused(bundle, "mounts[4].destination")


@must("config.md#mounts", "a source that is not there is an error")
def test_a_missing_source(bundle: Bundle) -> None:
    bundle.mount("/data", "bind", "/no/such/source", "bind")
    refused(bundle, "mounts[4]")


@must("config.md#mounts", "a file system type that the kernel does not have is an error")
def test_an_unknown_file_system(bundle: Bundle) -> None:
    bundle.mount("/data", "nosuchfs", "none")
    refused(bundle, "mounts[4]")


@must("config.md#linux-mount-options", "options with an effect on the mount itself")
@pytest.mark.parametrize(
    ("options", "present", "absent"),
    [
        (["ro"], {"ro"}, {"rw"}),
        (["ro", "rw"], {"rw"}, {"ro"}),
        (["nosuid"], {"nosuid"}, set()),
        (["nosuid", "suid"], set(), {"nosuid"}),
        (["nodev"], {"nodev"}, set()),
        (["nodev", "dev"], set(), {"nodev"}),
        (["noexec"], {"noexec"}, set()),
        (["noexec", "exec"], set(), {"noexec"}),
        (["noatime"], {"noatime"}, {"relatime"}),
        (["noatime", "atime"], set(), {"noatime"}),
        (["noatime", "relatime"], {"relatime"}, {"noatime"}),
        (["strictatime"], set(), {"relatime", "noatime"}),
        (["nostrictatime"], set(), {"noatime"}),
        (["norelatime"], set(), {"noatime"}),
        (["nodiratime"], {"nodiratime"}, set()),
        (["nodiratime", "diratime"], set(), {"nodiratime"}),
        (["sync"], {"super:sync"}, set()),
        (["async"], set(), {"super:sync"}),
        (["dirsync"], {"super:dirsync"}, set()),
        (["lazytime"], {"super:lazytime"}, set()),
        (["lazytime", "nolazytime"], set(), {"super:lazytime"}),
        (["defaults"], {"rw"}, set()),
        (["loud"], {"rw"}, set()),
        (["silent"], {"rw"}, set()),
        (["iversion"], {"rw"}, set()),
        (["noiversion"], {"rw"}, set()),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, list) else "",
)
def test_options_of_a_mount(bundle: Bundle, options: list[str], present: set[str], absent: set[str]) -> None:
    bundle.mount("/data", "tmpfs", "tmpfs", *options)
    flags = mount_flags(bundle, "/data")
    assert present <= flags
    assert not absent & flags


@must("config.md#linux-mount-options", "nosymfollow and symfollow (SHOULD)")
def test_nosymfollow(bundle: Bundle) -> None:
    bundle.mount("/data", "tmpfs", "tmpfs", "nosymfollow")
    out = bundle.sh("ln -s /etc/passwd /data/link; cat /data/link >/dev/null 2>&1 && echo followed || echo not")
    assert out == "not\n"


@must("config.md#linux-mount-options", "bind takes the one mount, rbind those below it too")
@pytest.mark.parametrize(("option", "seen"), [("bind", "no\n"), ("rbind", "yes\n")])
def test_bind_and_rbind(bundle: Bundle, option: str, seen: str) -> None:
    bundle.mount("/outer", "bind", "/sys", option)
    inner = "/outer/fs/cgroup"
    assert bundle.sh(f'[ -n "$(ls {inner})" ] && echo yes || echo no') == seen


@must("config.md#linux-mount-options", "the options that say how mounts propagate")
@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("private", set()),
        ("rprivate", set()),
        ("shared", {"shared"}),
        ("rshared", {"shared"}),
        ("unbindable", {"unbindable"}),
        ("runbindable", {"unbindable"}),
    ],
)
def test_propagation(bundle: Bundle, tmp_path: Path, option: str, words: set[str]) -> None:
    bundle.mount("/data", "bind", str(tmp_path), "rbind", option)
    found = mount_flags(bundle, "/data") & {"shared", "master", "unbindable"}
    # one that is shared may get mounts from the host besides, where the source is on a shared mount
    assert found - ({"master"} if words == {"shared"} else set()) == words


@must("config.md#linux-mount-options", "the recursive forms concern the mounts below too (SHOULD)")
@pytest.mark.parametrize(
    ("option", "flag"),
    [("rro", "ro"), ("rnosuid", "nosuid"), ("rnodev", "nodev"), ("rnoexec", "noexec"), ("rnoatime", "noatime")],
)
def test_recursive_options(bundle: Bundle, tmp_path: Path, option: str, flag: str) -> None:
    outer = _nested_tmpfs(tmp_path)
    try:
        bundle.mount("/outer", "bind", str(outer), "rbind", option)
        assert flag in mount_flags(bundle, "/outer/inner")
    finally:
        _undo_nested_tmpfs(outer)


@must("config.md#linux-mount-options", "remount changes what is mounted there")
def test_remount(bundle: Bundle) -> None:
    bundle.mount("/data", "tmpfs", "tmpfs", "size=1m")
    bundle.mount("/data", "tmpfs", "tmpfs", "remount", "ro")
    assert "ro" in mount_flags(bundle, "/data")
    assert bundle.run("touch", "/data/file").code != 0


@must("config.md#linux-mount-options", "unknown options are for the file system to read")
def test_options_of_the_file_system(bundle: Bundle) -> None:
    bundle.mount("/data", "tmpfs", "tmpfs", "size=64k", "mode=0711")
    flags = mount_flags(bundle, "/data")
    assert {"super:size=64k", "super:mode=711"} <= flags


@must("config.md#linux-mount-options", "an option that the file system does not know is an error")
def test_an_option_that_nobody_knows(bundle: Bundle) -> None:
    bundle.mount("/data", "tmpfs", "tmpfs", "nosuchoption=1")
    refused(bundle, "mounts[4]")


@must("config.md#linux-mount-options", "tmpcopyup fills a tmpfs with what it covers (MAY)")
def test_tmpcopyup(bundle: Bundle) -> None:
    (bundle.rootfs / "data").mkdir()
    (bundle.rootfs / "data/mark").write_text("x")
    bundle.mount("/data", "tmpfs", "tmpfs", "tmpcopyup")
    assert bundle.sh("cat /data/mark; touch /data/new") == "x"
    assert not (bundle.rootfs / "data/new").exists()


MAPPING = [{"containerID": 0, "hostID": 5000, "size": 1000}]


@must("config.md#posix-platform-mounts", "uidMappings and gidMappings come together")
@pytest.mark.parametrize("key", ["uidMappings", "gidMappings"])
def test_one_mapping_alone_is_refused(bundle: Bundle, tmp_path: Path, key: str) -> None:
    bundle.mount("/data", "bind", str(tmp_path), "bind", "idmap")
    bundle.config["mounts"][-1][key] = MAPPING
    refused(bundle, "mounts[4]")


@must("config.md#linux-mount-options", "idmap and ridmap apply the mappings of the mount (SHOULD)")
@pytest.mark.parametrize("option", ["idmap", "ridmap"])
def test_an_id_mapped_mount(bundle: Bundle, disk_path: Path, option: str) -> None:
    (disk_path / "file").write_text("x")
    os.chown(disk_path / "file", 7, 7)
    bundle.mount("/data", "bind", str(disk_path), "rbind" if option == "ridmap" else "bind", option)
    bundle.config["mounts"][-1].update(uidMappings=MAPPING, gidMappings=MAPPING)
    assert bundle.sh("stat -c %u:%g /data/file") == "5007:5007\n"


@must("config.md#linux-mount-options", "idmap without any mapping, in the mount or the container, is an error")
@pytest.mark.parametrize("option", ["idmap", "ridmap"])
def test_idmap_without_mappings(bundle: Bundle, tmp_path: Path, option: str) -> None:
    bundle.mount("/data", "bind", str(tmp_path), "bind", option)
    refused(bundle, "mounts[4].options")


@must("config.md#mounts", "a file can be bound onto a file that is not there yet")
def test_bind_of_a_file(bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    bundle.mount("/some/where/file", "bind", str(tmp_path / "file"), "bind")
    assert bundle.sh("cat /some/where/file") == "x"


@must("config.md#hostname", "the hostname is that of the config")
def test_hostname(bundle: Bundle) -> None:
    bundle.config["hostname"] = "a-name"
    assert bundle.sh("hostname") == "a-name\n"


@must("config.md#domainname", "the domainname is that of the config")
def test_domainname(bundle: Bundle) -> None:
    bundle.config["domainname"] = "a-domain"
    assert bundle.sh("cat /proc/sys/kernel/domainname") == "a-domain\n"


@must("config.md#annotations", "a key must not be empty")
def test_an_empty_annotation_key(bundle: Bundle) -> None:
    bundle.config["annotations"] = {"": "value"}
    refused(bundle, "annotations")


@must("config.md#annotations", "a value is a string")
def test_an_annotation_is_a_string(bundle: Bundle) -> None:
    bundle.config["annotations"] = {"key": 1}
    refused(bundle, "annotations.key")


@must("config.md#annotations", "an empty value and an unknown key are accepted")
def test_unknown_annotations(bundle: Bundle) -> None:
    bundle.config["annotations"] = {"org.opencontainers.unknown": "", "com.example.x": "y"}
    bundle.create("true")
    assert bundle.state()["annotations"] == {"org.opencontainers.unknown": "", "com.example.x": "y"}


@must("config.md#extensibility", "unknown properties are ignored")
@pytest.mark.parametrize("place", ["", "process", "linux", "root"])
def test_unknown_properties(bundle: Bundle, place: str) -> None:
    target: Any = bundle.config[place] if place else bundle.config
    target["com.example.unknown"] = {"any": ["thing"]}
    assert bundle.run("true").code == 0


@must("config.md#valid-values", "a value of the wrong type, or out of its range, is an error")
@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("process.args", "true"),
        ("process.terminal", "yes"),
        ("process.user.uid", -1),
        ("process.oomScoreAdj", 4000),
        ("root.readonly", "yes"),
        ("hostname", 1),
        ("mounts", {}),
        ("linux.namespaces", "all"),
        ("linux.maskedPaths", [1]),
        ("linux.rootfsPropagation", "sideways"),
        ("linux.resources.memory", {"limit": "much"}),
        ("linux.personality", {"domain": "WINDOWS"}),
    ],
)
def test_an_invalid_value(bundle: Bundle, path: str, value: Any) -> None:
    *parents, name = path.split(".")
    target: Any = bundle.config
    for parent in parents:
        target = target[parent]
    target[name] = value
    assert create(bundle).code != 0
    assert bundle.call("state", bundle.id).code != 0


def _nested_tmpfs(tmp_path: Path) -> Path:
    outer = tmp_path / "outer"
    outer.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(outer)], check=True)
    (outer / "inner").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(outer / "inner")], check=True)
    return outer


def _undo_nested_tmpfs(outer: Path) -> None:
    subprocess.run(["umount", "-R", "-l", str(outer)], check=True)
