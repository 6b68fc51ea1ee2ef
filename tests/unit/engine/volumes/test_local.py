"""Options of the driver local: what of them the kernel gets, and what is mounted is told from what is not."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from engine.volumes import local


def test_options_of_mount_are_sorted_into_flags_and_the_rest() -> None:
    flags, data = local._parse("rw,nosuid,noatime,addr=10.0.0.1,vers=4,_netdev,size=5m")
    assert flags == 2 | 1 << 10
    assert data == ["addr=10.0.0.1", "vers=4", "size=5m"]
    assert local._parse("rbind,ro")[0] == 0x1000 | 0x4000 | 1


def test_the_server_of_an_nfs_volume_may_be_a_name() -> None:
    """The kernel takes numbers only."""
    assert local._with_address(["vers=4", "addr=localhost"])[1] in ("addr=127.0.0.1", "addr=::1")
    assert local._with_address(["addr=192.0.2.7"]) == ["addr=192.0.2.7"]


@pytest.mark.root
def test_a_bind_from_the_same_file_system_counts_as_mounted(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    target.mkdir()
    assert not local.is_mounted(str(target))
    subprocess.run(["mount", "--bind", str(source), str(target)], check=True)
    try:
        assert local.is_mounted(str(target))
    finally:
        subprocess.run(["umount", str(target)], check=True)
    assert not local.is_mounted(str(target))
    assert not local.is_mounted(str(tmp_path / "none"))
