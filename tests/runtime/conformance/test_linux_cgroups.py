"""config-linux.md: control groups, on whichever hierarchy the host has."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from .spec import cgroup_file, must, on_v2, refused

if TYPE_CHECKING:
    from tests.runtime.bundle import Bundle

pytestmark = pytest.mark.root

MEBIBYTE = 1 << 20


def limited(bundle: Bundle, **resources: Any) -> int:
    """A running container with these resources; its pid."""
    bundle.linux["resources"] = resources
    bundle.start_running()
    return int(bundle.state()["pid"])


def only(v2: bool) -> None:
    if on_v2() is not v2:
        pytest.skip("needs a host with cgroup v2" if v2 else "needs a host with cgroup v1")


@must("config-linux.md#cgroups-path", "an absolute path counts from the mount of the hierarchies")
def test_an_absolute_path(bundle: Bundle) -> None:
    pid = limited(bundle)
    assert str(cgroup_file(pid, "pids", "pids.max").parent).endswith(bundle.linux["cgroupsPath"])


@must("config-linux.md#cgroups-path", "the same value leads to the same place each time")
def test_a_path_is_consistent(bundle: Bundle) -> None:
    places = []
    for _ in range(2):
        pid = limited(bundle)
        places.append(cgroup_file(pid, "pids", "pids.max"))
        bundle.clean()
    assert places[0] == places[1]


@must("config-linux.md#cgroups-path", "a relative path, or none, is a place that the runtime chooses")
@pytest.mark.parametrize("relative", [True, False])
def test_a_relative_path(bundle: Bundle, relative: bool) -> None:
    if relative:
        bundle.linux["cgroupsPath"] = f"pydock-test-{os.getpid()}/{bundle.id}"
    else:
        del bundle.linux["cgroupsPath"]
    pid = limited(bundle, pids={"limit": 50})
    assert cgroup_file(pid, "pids", "pids.max").read_text() == "50\n"


@must("config-linux.md#cgroups-path", "a path that climbs out stays below the mount")
def test_a_path_that_climbs(bundle: Bundle) -> None:
    bundle.linux["cgroupsPath"] = f"/../../pydock-test-{os.getpid()}/{bundle.id}"
    pid = limited(bundle)
    assert str(cgroup_file(pid, "pids", "pids.max").parent).endswith(f"/pydock-test-{os.getpid()}/{bundle.id}")


@must("config-linux.md#control-groups", "a cgroup that is not there is made, and the container is in it everywhere")
def test_the_container_is_in_its_cgroup_everywhere(bundle: Bundle) -> None:
    pid = limited(bundle)
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        assert line.endswith(bundle.linux["cgroupsPath"]), line


@must("config-linux.md#memory", "limit, reservation and swap")
def test_memory(bundle: Bundle) -> None:
    pid = limited(bundle, memory={"limit": 64 * MEBIBYTE, "reservation": 32 * MEBIBYTE})
    for v1, v2, size in (
        ("memory.limit_in_bytes", "memory.max", 64 * MEBIBYTE),
        ("memory.soft_limit_in_bytes", "memory.low", 32 * MEBIBYTE),
    ):
        assert int(cgroup_file(pid, "memory", v1, v2).read_text()) == size


@must("config-linux.md#memory", "swap is memory and swap together on v1, swap alone on v2")
def test_swap(bundle: Bundle) -> None:
    pid = limited(bundle, memory={"limit": 64 * MEBIBYTE, "swap": 96 * MEBIBYTE})
    file = cgroup_file(pid, "memory", "memory.memsw.limit_in_bytes", "memory.swap.max")
    assert int(file.read_text()) == (32 if on_v2() else 96) * MEBIBYTE


@must("config-linux.md#memory", "-1 is no limit")
def test_unlimited_memory(bundle: Bundle) -> None:
    pid = limited(bundle, memory={"limit": -1})
    text = cgroup_file(pid, "memory", "memory.limit_in_bytes", "memory.max").read_text().strip()
    assert text == "max" or int(text) > 1 << 60


@must("config-linux.md#memory", "a container that needs more memory than its limit is killed")
def test_the_memory_limit_holds(bundle: Bundle) -> None:
    bundle.linux["resources"] = {"memory": {"limit": 16 * MEBIBYTE, "swap": 16 * MEBIBYTE}}
    script = "x=$(head -c 60000000 /dev/zero | tr '\\0' x); echo still here"
    result = bundle.run("sh", "-c", script)
    assert result.code != 0
    assert "still here" not in result.out


@must("config-linux.md#memory", "swappiness (v1), 0 to 100")
def test_swappiness(bundle: Bundle) -> None:
    only(v2=False)
    pid = limited(bundle, memory={"swappiness": 17})
    assert cgroup_file(pid, "memory", "memory.swappiness").read_text() == "17\n"


@must("config-linux.md#memory", "a swappiness above 100 is an error")
def test_swappiness_out_of_range(bundle: Bundle) -> None:
    bundle.linux["resources"] = {"memory": {"swappiness": 200}}
    refused(bundle, "linux.resources.memory.swappiness")


@must("config-linux.md#memory", "disableOOMKiller (v1)")
def test_oom_killer(bundle: Bundle) -> None:
    only(v2=False)
    pid = limited(bundle, memory={"limit": 64 * MEBIBYTE, "disableOOMKiller": True})
    assert "oom_kill_disable 1" in cgroup_file(pid, "memory", "memory.oom_control").read_text()


@must("config-linux.md#memory", "with checkBeforeUpdate a limit below what is in use is refused")
def test_check_before_update(bundle: Bundle, tmp_path: Path) -> None:
    limited(bundle, memory={"limit": 64 * MEBIBYTE})
    update = tmp_path / "update.json"
    update.write_text(json.dumps({"memory": {"limit": 4096, "checkBeforeUpdate": True}}))
    assert bundle.call("update", "--resources", str(update), bundle.id).code != 0
    assert bundle.state()["status"] == "running"


@must("config-linux.md#cpu", "shares: the number itself on v1, a weight on v2 that is 100 for 1024")
@pytest.mark.parametrize(("shares", "weight"), [(1024, 100), (2, 1), (262144, 10000)])
def test_cpu_shares(bundle: Bundle, shares: int, weight: int) -> None:
    pid = limited(bundle, cpu={"shares": shares})
    assert int(cgroup_file(pid, "cpu", "cpu.shares", "cpu.weight").read_text()) == (weight if on_v2() else shares)


@must("config-linux.md#cpu", "quota and period")
def test_cpu_quota(bundle: Bundle) -> None:
    pid = limited(bundle, cpu={"quota": 25000, "period": 50000})
    if on_v2():
        assert cgroup_file(pid, "cpu", "", "cpu.max").read_text() == "25000 50000\n"
    else:
        assert cgroup_file(pid, "cpu", "cpu.cfs_quota_us").read_text() == "25000\n"
        assert cgroup_file(pid, "cpu", "cpu.cfs_period_us").read_text() == "50000\n"


@must("config-linux.md#cpu", "burst, not above the quota")
def test_cpu_burst(bundle: Bundle) -> None:
    pid = limited(bundle, cpu={"quota": 25000, "period": 50000, "burst": 20000})
    assert cgroup_file(pid, "cpu", "cpu.cfs_burst_us", "cpu.max.burst").read_text() == "20000\n"


@must("config-linux.md#cpu", "a burst above the quota is an error")
def test_cpu_burst_above_the_quota(bundle: Bundle) -> None:
    bundle.linux["resources"] = {"cpu": {"quota": 25000, "period": 50000, "burst": 30000}}
    refused(bundle, "linux.resources.cpu.burst")


@must("config-linux.md#cpu", "cpus and mems")
def test_cpuset(bundle: Bundle) -> None:
    pid = limited(bundle, cpu={"cpus": "0", "mems": "0"})
    assert cgroup_file(pid, "cpuset", "cpuset.cpus").read_text() == "0\n"
    assert cgroup_file(pid, "cpuset", "cpuset.mems").read_text() == "0\n"


@must("config-linux.md#cpu", "idle")
def test_cpu_idle(bundle: Bundle) -> None:
    pid = limited(bundle, cpu={"idle": 1})
    assert cgroup_file(pid, "cpu", "cpu.idle").read_text() == "1\n"


@must("config-linux.md#block-io", "a throttle for a device")
@pytest.mark.parametrize(
    ("key", "v1", "v2"),
    [
        ("throttleReadBpsDevice", "read_bps_device", "rbps"),
        ("throttleWriteBpsDevice", "write_bps_device", "wbps"),
        ("throttleReadIOPSDevice", "read_iops_device", "riops"),
        ("throttleWriteIOPSDevice", "write_iops_device", "wiops"),
    ],
)
def test_block_io_throttle(bundle: Bundle, key: str, v1: str, v2: str) -> None:
    major, minor = _a_disk()
    pid = limited(bundle, blockIO={key: [{"major": major, "minor": minor, "rate": 100000}]})
    text = cgroup_file(pid, "blkio", f"blkio.throttle.{v1}", "io.max").read_text()
    assert f"{major}:{minor}" in text
    assert (f"{v2}=100000" if on_v2() else f"{major}:{minor} 100000") in text


@must("config-linux.md#block-io", "an entry of weightDevice has weight or leafWeight")
def test_a_weight_device_without_weight(bundle: Bundle) -> None:
    major, minor = _a_disk()
    bundle.linux["resources"] = {"blockIO": {"weightDevice": [{"major": major, "minor": minor}]}}
    refused(bundle, "linux.resources.blockIO.weightDevice[0]")


@must("config-linux.md#huge-page-limits", "a limit for a page size, or an error where the host has no such limit")
def test_huge_pages(bundle: Bundle) -> None:
    resources = {"hugepageLimits": [{"pageSize": "2MB", "limit": 4 * MEBIBYTE}]}
    if on_v2() and "hugetlb" in Path("/sys/fs/cgroup/cgroup.controllers").read_text():
        pid = limited(bundle, **resources)
        assert int(cgroup_file(pid, "hugetlb", "", "hugetlb.2MB.max").read_text()) == 4 * MEBIBYTE
    elif list(Path("/sys/fs/cgroup").glob("*/hugetlb.2MB.limit_in_bytes")):
        pid = limited(bundle, **resources)
        file = cgroup_file(pid, "hugetlb", "hugetlb.2MB.limit_in_bytes")
        assert int(file.read_text()) == 4 * MEBIBYTE
    else:
        bundle.linux["resources"] = resources
        refused(bundle, "linux.resources.hugepageLimits[0]")


@must("config-linux.md#network", "a class that the host cannot set is an error")
def test_network_class(bundle: Bundle) -> None:
    if not on_v2() and any("net_cls" in path.name for path in Path("/sys/fs/cgroup").iterdir()):
        pid = limited(bundle, network={"classID": 0x100001})
        assert int(cgroup_file(pid, "net_cls", "net_cls.classid").read_text()) == 0x100001
    else:
        bundle.linux["resources"] = {"network": {"classID": 0x100001}}
        refused(bundle, "linux.resources.network.classID")


@must("config-linux.md#pids", "the limit")
@pytest.mark.parametrize(("limit", "text"), [(77, "77"), (-1, "max"), (0, "0")])
def test_pids(bundle: Bundle, limit: int, text: str) -> None:
    pid = limited(bundle, pids={"limit": limit})
    assert cgroup_file(pid, "pids", "pids.max").read_text().strip() == text


@must("config-linux.md#rdma", "an entry has hcaHandles or hcaObjects")
def test_rdma_without_a_limit(bundle: Bundle) -> None:
    bundle.linux["resources"] = {"rdma": {"mlx5_1": {}}}
    refused(bundle, "linux.resources.rdma.mlx5_1")


@must("config-linux.md#rdma", "a limit that the host cannot set is an error")
def test_rdma_on_a_host_without_the_device(bundle: Bundle) -> None:
    bundle.linux["resources"] = {"rdma": {"mlx5_1": {"hcaHandles": 3}}}
    refused(bundle, "linux.resources.rdma.mlx5_1")


@must("config-linux.md#unified", "every file of the map is written, also those the runtime does not know")
def test_unified(bundle: Bundle) -> None:
    only(v2=True)
    pid = limited(bundle, unified={"memory.high": "50000000", "pids.max": "33", "cpu.weight": "77"})
    assert int(cgroup_file(pid, "", "", "memory.high").read_text()) // 4096 == 50000000 // 4096
    assert cgroup_file(pid, "", "", "pids.max").read_text() == "33\n"
    assert cgroup_file(pid, "", "", "cpu.weight").read_text() == "77\n"


@must("config-linux.md#unified", "a controller that is not there is an error")
def test_unified_with_an_unknown_controller(bundle: Bundle) -> None:
    bundle.linux["resources"] = {"unified": {"nocontroller.max": "1"}}
    refused(bundle, "linux.resources.unified")


@must("config-linux.md#unified", "a v1 limit that v2 has nothing for is an error")
@pytest.mark.parametrize(
    ("resources", "place"),
    [
        ({"memory": {"swappiness": 10}}, "memory.swappiness"),
        ({"memory": {"disableOOMKiller": True}}, "memory.disableOOMKiller"),
        ({"cpu": {"realtimeRuntime": 1000}}, "cpu.realtimeRuntime"),
        ({"blockIO": {"leafWeight": 100}}, "blockIO.leafWeight"),
    ],
)
def test_what_v2_has_not(bundle: Bundle, resources: dict[str, Any], place: str) -> None:
    only(v2=True)
    bundle.linux["resources"] = resources
    refused(bundle, f"linux.resources.{place}")


@must("config-linux.md#allowed-device-list", "entries are applied in their order: the last that matches decides")
@pytest.mark.parametrize("allowed", [True, False])
def test_device_rules_in_their_order(bundle: Bundle, allowed: bool) -> None:
    device = {"type": "c", "major": 60, "minor": 7, "access": "rwm"}
    bundle.linux["resources"] = {
        "devices": [
            {"allow": False, "access": "rwm"},
            {"allow": not allowed, **device},
            {"allow": allowed, **device},
        ]
    }
    # a number that no driver may have: what the cgroup lets through ends with another error
    error = bundle.sh("mknod /dev/probe c 60 7; cat /dev/probe 2>&1; true")
    assert ("Operation not permitted" not in error) is allowed, error


@must("config-linux.md#allowed-device-list", "access is r, w and m, each by itself")
def test_device_access(bundle: Bundle) -> None:
    bundle.linux["resources"] = {
        "devices": [
            {"allow": False, "access": "rwm"},
            {"allow": True, "type": "c", "major": 60, "minor": 7, "access": "rm"},
        ]
    }
    out = bundle.sh("mknod /dev/probe c 60 7; (: < /dev/probe) 2>&1; echo; (: > /dev/probe) 2>&1; true")
    reading, _newline, writing = out.partition("\n\n") if "\n\n" in out else out.partition("\n")
    assert "not permitted" not in reading
    assert "not permitted" in writing


@must("config-linux.md#allowed-device-list", "without entries for it, a device of the host cannot be opened")
def test_devices_are_denied(bundle: Bundle) -> None:
    bundle.linux["resources"] = {"devices": [{"allow": False, "access": "rwm"}]}
    assert "not permitted" in bundle.sh("mknod /dev/kmsg c 1 11; cat /dev/kmsg 2>&1; true")


@must("config-linux.md#cgroup-ownership", "on v2 with its own namespace and a writable mount the cgroup is the user's")
def test_cgroup_ownership(bundle: Bundle) -> None:
    only(v2=True)
    _with_user_namespace(bundle)
    bundle.mount("/sys/fs/cgroup", "cgroup", "cgroup", "rw")
    out = bundle.sh(
        "stat -c %u /sys/fs/cgroup /sys/fs/cgroup/cgroup.procs /sys/fs/cgroup/memory.max; mkdir /sys/fs/cgroup/x"
    )
    assert out.split()[:2] == ["0", "0"]
    # what could raise the container's own limits stays with the host
    assert out.split()[2] != "0"


@must("config-linux.md#cgroup-ownership", "without a writable mount the owner is not changed")
@pytest.mark.parametrize("options", [["ro"], None])
def test_cgroup_ownership_without_a_writable_mount(bundle: Bundle, options: list[str] | None) -> None:
    _with_user_namespace(bundle)
    if options:
        bundle.mount("/sys/fs/cgroup", "cgroup", "cgroup", *options)
    pid = limited(bundle)
    assert cgroup_file(pid, "pids", "cgroup.procs").stat().st_uid == 0


def _with_user_namespace(bundle: Bundle) -> None:
    bundle.linux["namespaces"].append({"type": "user"})
    for key in ("uidMappings", "gidMappings"):
        bundle.linux[key] = [{"containerID": 0, "hostID": 100000, "size": 65536}]
    for path in (bundle.rootfs, *bundle.rootfs.rglob("*")):
        os.chown(path, 100000, 100000, follow_symlinks=False)
    for parent in bundle.path.parents:
        if parent.is_relative_to("/tmp") and parent != Path("/tmp"):
            parent.chmod(0o755)


def _a_disk() -> tuple[int, int]:
    for path in sorted(Path("/sys/block").iterdir()):
        if not path.name.startswith(("loop", "ram", "zram")):
            major, minor = (path / "dev").read_text().split(":")
            return int(major), int(minor)
    pytest.skip("needs a disk")
