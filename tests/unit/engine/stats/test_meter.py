"""The meter against real cgroups and a real network namespace."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.stats.meter import Meter, _io_v1, _io_v2
from runtime.cgroups import Cgroup, open_cgroup

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = [pytest.mark.root, pytest.mark.skipif(os.geteuid() != 0, reason="needs root")]

PROGRAM = """
import os, socket, sys, time
sys.stdin.readline()
block = bytearray(os.urandom(1 << 20)) * 24
end = time.process_time() + 0.3
while time.process_time() < end: pass
with open(sys.argv[1], "wb") as file:
    file.write(block[:8 << 20])
    os.fsync(file.fileno())
print("done", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def cgroup() -> Iterator[Cgroup]:
    group = open_cgroup(f"/pydock-test-{os.getpid()}/meter", "meter")
    group.create({"memory": {"limit": 96 << 20}, "pids": {"limit": 17}})
    yield group
    group.kill()
    group.remove()
    for directory in group.directories():
        os.rmdir(os.path.dirname(directory))


def test_figures_move_when_the_container_works(cgroup: Cgroup, tmp_path: Path) -> None:
    """One process burns 0.3 s of CPU, fills 24 MB and writes 8 MB: the samples before and after show it."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "out")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin
    assert process.stdout
    with process:
        cgroup.add(process.pid)
        meter = Meter(cgroup.paths(), process.pid)
        before = meter.sample()
        process.stdin.write("go\n")
        process.stdin.flush()
        assert process.stdout.readline() == "done\n"
        after = meter.sample()
        process.kill()
    meter.close()
    assert before.pids == after.pids == 1
    assert after.pids_limit == 17
    assert after.memory_limit == 96 << 20
    assert 0.25e9 < after.cpu_ns - before.cpu_ns < 3e9
    assert after.cpu_user_ns > before.cpu_user_ns
    assert after.cpu_user_ns + after.cpu_system_ns == pytest.approx(after.cpu_ns, rel=0.05)
    assert 20 << 20 < after.memory < 96 << 20
    assert after.memory_cache >= before.memory_cache
    assert after.memory <= after.memory_total <= after.memory_peak <= 96 << 20
    assert sum(device.written for device in after.devices) == after.blk_write
    assert (after.net_rx, after.net_tx) == (0, 0), "the host's interfaces are not the container's"
    assert after.time_ns > before.time_ns
    if Path("/proc/pressure/cpu").exists() and "unified" in cgroup.paths():
        assert after.psi_cpu >= 0
    # tmp_path may be in memory, which is no block device
    assert after.blk_write - before.blk_write in (0, *range(8 << 20, 64 << 20))


def test_network_of_another_namespace_is_counted_without_lo(cgroup: Cgroup) -> None:
    script = (
        "ip link set lo up && ip link add a0 type veth peer name b0 && ip addr add 10.9.8.7/24 dev a0 "
        "&& ip link set a0 up && ip link set b0 up && bash -c 'echo > /dev/udp/10.9.8.8/9'; echo up; exec cat"
    )
    process = subprocess.Popen(
        ["unshare", "-n", "sh", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    with process:
        assert process.stdout.readline() == "up\n"
        meter = Meter(cgroup.paths(), process.pid)
        sample = meter.sample()
        expected = {}
        for line in Path(f"/proc/{process.pid}/net/dev").read_text().splitlines()[2:]:
            name, _, numbers = line.partition(":")
            expected[name.strip()] = [int(number) for number in numbers.split()]
        process.kill()
    meter.close()
    if "a0" not in expected:
        pytest.skip("needs veth interfaces")
    received = expected["a0"][0] + expected["b0"][0]
    assert 0 < sample.net_rx <= received
    assert sample.net_tx > 0
    assert {each.name for each in sample.interfaces} == set(expected) - {"lo"}
    assert sum(each.sent for each in sample.interfaces) == sample.net_tx


def test_the_files_of_either_version_are_read_by_device() -> None:
    v1 = b"8:0 Read 512\n8:0 Write 1024\n8:0 Sync 1\n8:0 Total 1536\n259:1 Read 7\nTotal 1543\n"
    v2 = b"8:0 rbytes=512 wbytes=1024 rios=1 wios=2 dbytes=0 dios=0\n259:1 rbytes=7 wbytes=0\n"
    assert _io_v1(v1) == _io_v2(v2) == {b"8:0": [512, 1024], b"259:1": [7, 0]}
    assert _io_v1(b"Total 0\n") == _io_v2(b"") == {}


def test_a_removed_cgroup_reads_as_nothing() -> None:
    group = open_cgroup(f"/pydock-test-{os.getpid()}-gone", "gone")
    group.create({})
    meter = Meter(group.paths(), os.getpid())
    group.remove()
    sample = meter.sample()
    meter.close()
    assert sample.memory == sample.pids == 0
    assert meter.sample().cpu_ns == 0


def test_a_sample_is_cheap(cgroup: Cgroup, record_property: Callable[[str, object], None]) -> None:
    """No assertion on time: the figure goes to the report."""
    meter = Meter(cgroup.paths(), os.getpid())
    meter.sample()
    begin = time.process_time()
    for _ in range(100):
        meter.sample()
    record_property("cpu_us_per_sample", (time.process_time() - begin) * 1e4)
    meter.close()
