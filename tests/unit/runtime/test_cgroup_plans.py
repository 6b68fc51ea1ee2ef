"""What is read from /proc, converted, and written in which order; no cgroup is touched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from runtime.cgroups import convert, files, hosts, v1_limits, v2_limits
from runtime.cgroups.fault import CgroupFault
from runtime.cgroups.files import Write

if TYPE_CHECKING:
    from pathlib import Path

V2_MOUNTS = "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
V1_MOUNTS = (
    "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n"
    "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct\n"
    "33 31 0:30 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
    "34 31 0:31 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd\n"
)
HYBRID_MOUNTS = V1_MOUNTS + "35 31 0:32 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"


def test_v2_host() -> None:
    host = hosts.parse(V2_MOUNTS, "0::/user.slice/session-1.scope\n")
    assert host.mode == "v2"
    assert list(host.hierarchies) == ["unified"]
    assert host.hierarchies["unified"].own_path == "/user.slice/session-1.scope"


def test_v1_host_with_controllers_mounted_together() -> None:
    host = hosts.parse(V1_MOUNTS, "4:cpu,cpuacct:/a\n3:memory:/b c\n1:name=systemd:/\n0::/x\n")
    assert host.mode == "v1"
    assert (
        host.hierarchies["cpu"].mount_point == host.hierarchies["cpuacct"].mount_point == "/sys/fs/cgroup/cpu,cpuacct"
    )
    assert host.hierarchies["cpuacct"].own_path == "/a"
    assert host.hierarchies["memory"].own_path == "/b c"
    assert "name=systemd" in host.hierarchies


def test_hybrid_host() -> None:
    host = hosts.parse(HYBRID_MOUNTS, "0::/\n")
    assert host.mode == "hybrid"
    assert host.hierarchies["unified"].mount_point == "/sys/fs/cgroup/unified"


def test_v2_with_systemds_named_hierarchy_beside_it_is_v2() -> None:
    mounts = V2_MOUNTS + "34 31 0:31 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd\n"
    assert hosts.parse(mounts, "0::/\n").mode == "v2"


def test_own_path_is_seen_through_the_root_of_the_mount() -> None:
    """In a container whose cgroup file system is a bind mount of its own part."""
    mounts = "30 23 0:26 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup2 rw\n"
    assert hosts.parse(mounts, "0::/docker/abc\n").hierarchies["unified"].own_path == "/"
    assert hosts.parse(mounts, "0::/docker/abc/inner\n").hierarchies["unified"].own_path == "/inner"
    assert hosts.parse(mounts, "0::/docker/other\n").hierarchies["unified"].own_path == "/"


def test_mount_points_with_spaces() -> None:
    host = hosts.parse("30 23 0:26 / /mnt/my\\040cgroup rw - cgroup2 cgroup2 rw\n", "0::/\n")
    assert host.hierarchies["unified"].mount_point == "/mnt/my cgroup"


def test_shares_to_weight_meets_minimum_default_and_maximum() -> None:
    assert [convert.shares_to_weight(shares) for shares in (0, 1, 2, 1024, 262144, 999999)] == [
        0,
        1,
        1,
        100,
        10000,
        10000,
    ]
    weights = [convert.shares_to_weight(shares) for shares in range(2, 262145, 257)]
    assert weights == sorted(weights)


def test_blkio_weight() -> None:
    assert [convert.blkio_to_io_weight(weight) for weight in (0, 10, 1000)] == [0, 1, 10000]


@pytest.mark.parametrize(
    ("limit", "both", "swap"), [(100, 300, 200), (100, 100, 0), (100, -1, -1), (100, 0, None), (-1, 0, -1), (0, -1, -1)]
)
def test_swap_is_what_remains_after_memory(limit: int, both: int, swap: int | None) -> None:
    assert convert.swap_alone(limit, both) == swap


@pytest.mark.parametrize(("limit", "both"), [(0, 100), (200, 100)])
def test_swap_that_cannot_be_is_refused(limit: int, both: int) -> None:
    with pytest.raises(ValueError, match="memory"):
        convert.swap_alone(limit, both)
    with pytest.raises(CgroupFault) as caught:
        v2_limits.memory("/nonexistent", {"limit": limit, "swap": both})
    assert caught.value.path == "linux.resources.memory.swap"


@pytest.mark.parametrize(("present", "first"), [(100 << 20, "memory.memsw"), (1 << 40, "memory.limit")])
def test_v1_memory_grows_and_shrinks_in_the_order_the_kernel_allows(tmp_path: Path, present: int, first: str) -> None:
    (tmp_path / "memory.memsw.limit_in_bytes").write_text(f"{present}\n")
    writes = v1_limits.memory(str(tmp_path), {"limit": 200 << 20, "swap": 400 << 20})
    assert [write.file.startswith(first) for write in writes] == [True, False]


def test_v1_unlimited_memory_means_unlimited_swap_too(tmp_path: Path) -> None:
    (tmp_path / "memory.memsw.limit_in_bytes").write_text("1000\n")
    writes = v1_limits.memory(str(tmp_path), {"limit": -1})
    assert writes == [Write("memory.memsw.limit_in_bytes", -1), Write("memory.limit_in_bytes", -1)]


def test_v1_period_and_quota_never_pass_through_a_larger_share(tmp_path: Path) -> None:
    (tmp_path / "cpu.cfs_period_us").write_text("100000\n")
    shorter = v1_limits.cpu(str(tmp_path), {"period": 10000, "quota": 5000})
    longer = v1_limits.cpu(str(tmp_path), {"period": 200000, "quota": 100000})
    assert [write.file for write in shorter] == ["cpu.cfs_quota_us", "cpu.cfs_period_us"]
    assert [write.file for write in longer] == ["cpu.cfs_period_us", "cpu.cfs_quota_us"]


def test_v1_burst_is_lifted_before_the_quota_falls(tmp_path: Path) -> None:
    (tmp_path / "cpu.cfs_burst_us").write_text("9000\n")
    writes = v1_limits.cpu(str(tmp_path), {"quota": 5000, "burst": 2000})
    assert [(write.file, write.value) for write in writes] == [
        ("cpu.cfs_burst_us", "0"),
        ("cpu.cfs_quota_us", "5000"),
        ("cpu.cfs_burst_us", "2000"),
    ]


def test_v2_cpu(tmp_path: Path) -> None:
    assert v2_limits.cpu(str(tmp_path), {"shares": 1024, "quota": 5000, "period": 10000}) == [
        Write("cpu.weight", 100),
        Write("cpu.max", "5000 10000"),
    ]
    assert v2_limits.cpu(str(tmp_path), {"quota": -1}) == [Write("cpu.max", "max")]
    (tmp_path / "cpu.max").write_text("7000 100000\n")
    assert v2_limits.cpu(str(tmp_path), {"period": 50000}) == [Write("cpu.max", "7000 50000")]


def test_v2_io(tmp_path: Path) -> None:
    block: dict[str, Any] = {
        "weight": 1000,
        "weightDevice": [{"major": 8, "minor": 0, "weight": 10}],
        "throttleReadBpsDevice": [{"major": 8, "minor": 0, "rate": 4096}],
        "throttleWriteIOPSDevice": [{"major": 8, "minor": 16, "rate": 0}],
    }
    assert v2_limits.io(str(tmp_path), block) == [
        Write("io.weight", "default 10000"),
        Write("io.weight", "8:0 1"),
        Write("io.max", "8:0 rbps=4096"),
        Write("io.max", "8:16 wiops=max"),
    ]
    (tmp_path / "io.bfq.weight").write_text("100\n")
    assert v2_limits.io(str(tmp_path), {"weight": 500}) == [Write("io.bfq.weight", 500)]


def test_unified_takes_file_names_only() -> None:
    assert v2_limits.unified({"memory.high": "100", "io.max": "8:0 rbps=1\n8:16 rbps=2\n"}) == [
        Write("memory.high", "100"),
        Write("io.max", "8:0 rbps=1"),
        Write("io.max", "8:16 rbps=2"),
    ]
    for name in ("../memory.max", "a/b", "", ".."):
        with pytest.raises(CgroupFault, match=r"linux\.resources\.unified"):
            v2_limits.unified({name: "1"})


@pytest.mark.parametrize(("limit", "written"), [(10, "10"), (0, "0"), (-1, "max")])
def test_pids(limit: int, written: str) -> None:
    assert v1_limits.pids("", {"limit": limit}) == [Write("pids.max", written)]


def test_a_refused_value_names_its_json_path_and_file(tmp_path: Path) -> None:
    with pytest.raises(CgroupFault) as caught:
        files.apply(str(tmp_path), [Write("hugetlb.1GB.max", 5, "linux.resources.hugepageLimits[0]")])
    assert caught.value.path == "linux.resources.hugepageLimits[0]"
    assert "this host has no hugetlb.1GB.max" in caught.value.message
    assert caught.value.hint


def test_reading(tmp_path: Path) -> None:
    (tmp_path / "flat").write_text("low 1\noom_kill 3\nnonsense\n")
    (tmp_path / "max").write_text("max\n")
    assert files.read_flat(str(tmp_path / "flat")) == {"low": 1, "oom_kill": 3}
    assert files.read_int(str(tmp_path / "max"), 7) == 7
    assert files.read_int(str(tmp_path / "none"), 8) == 8
    with pytest.raises(FileNotFoundError):
        files.write_text(str(tmp_path / "none"), "1")
    assert not (tmp_path / "none").exists()
