"""Requests that are refused, each with a line that says what is wrong with which value."""

from __future__ import annotations

import os
from typing import Any

import pytest

from engine.bundle.validate import command, name, signal_number, validate, warnings
from engine.errors import InvalidRequest
from engine.models import CreateRequest, DeviceLimit, HealthCheck, Mount, PortMapping, Resources, RestartPolicy, Ulimit

CPUS = os.cpu_count() or 1

REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"name": "a b"}, r'invalid container name "a b"'),
    ({"name": "a"}, "invalid container name"),
    ({"env": ("=x",)}, 'invalid environment variable: "=x"'),
    ({"working_dir": "x"}, "the working directory 'x' is invalid"),
    ({"hostname": "a_b!"}, "invalid hostname format: a_b!"),
    ({"resources": Resources(memory=1 << 20)}, "minimum memory limit allowed is 6MB"),
    ({"resources": Resources(memory=8 << 20, memory_swap=7 << 20)}, "memoryswap limit should be larger"),
    ({"resources": Resources(memory_swap=8 << 20)}, "always set the memory limit"),
    ({"resources": Resources(nano_cpus=(CPUS + 1) * 10**9)}, rf"range of CPUs is from 0.01 to {CPUS}.00"),
    ({"resources": Resources(cpuset_cpus="0-999")}, "requested CPUs are not available - requested 0-999"),
    ({"resources": Resources(cpuset_cpus="x")}, 'invalid value "x" for cpuset'),
    ({"resources": Resources(cpu_quota=10)}, "CPU cfs quota"),
    ({"mounts": (Mount(type="tmpfs", target="x"),)}, "'x' mount path must be absolute"),
    ({"mounts": (Mount(type="tmpfs", target="/"),)}, "destination can't be '/'"),
    ({"mounts": (Mount(type="tmpfs", target="/x/.."),)}, "destination can't be '/'"),
    ({"mounts": (Mount(type="tmpfs", target="/x"), Mount(type="tmpfs", target="/x/"))}, "duplicate mount point: /x"),
    ({"mounts": (Mount(type="volume", target="/x", source="a/b"),)}, '"a/b" includes invalid characters'),
    ({"ulimits": (Ulimit(name="nofiles", soft=1, hard=1),)}, "invalid ulimit type: nofiles"),
    ({"ulimits": (Ulimit(name="nofile", soft=5, hard=3),)}, "hard limit: 5 > 3"),
    ({"ulimits": (Ulimit(name="nofile", soft=-1, hard=3),)}, "hard limit: -1 > 3"),
    ({"restart": RestartPolicy(name="sometimes")}, "invalid restart policy 'sometimes'"),
    ({"restart": RestartPolicy(name="always"), "auto_remove": True}, "'AutoRemove'"),
    ({"restart": RestartPolicy(name="always", maximum_retries=3)}, "not valid with restart policy of 'always'"),
    ({"security_opt": ("apparmour=x",)}, 'invalid --security-opt: "apparmour=x"'),
    ({"cap_add": ("FLY",)}, "FLY"),
    ({"network": "a b"}, 'invalid network mode "a b"'),
    ({"network": "container:"}, "names no container"),
    ({"network": "container:x", "hostname": "h"}, "hostname and the network mode"),
    ({"network": "container:x", "publish_all": True}, "port publishing"),
    ({"ports": (PortMapping(container_port=0),)}, "invalid containerPort: 0"),
    ({"ports": (PortMapping(container_port=1, host_port=65536),)}, "invalid hostPort: 65536"),
    ({"ports": (PortMapping(container_port=1, protocol="icmp"),)}, "invalid proto: icmp"),
    ({"ports": (PortMapping(container_port=1, host_ip="1.2.3"),)}, "invalid IP address: 1.2.3"),
    ({"ports": (PortMapping(container_port=1, host_port=9), PortMapping(container_port=2, host_port=9))}, "twice"),
    ({"dns": ("here",)}, "here is not an ip address"),
    ({"extra_hosts": ("db",)}, 'bad format|invalid IP'),
    ({"extra_hosts": ("db:nowhere",)}, 'invalid IP address in add-host: "nowhere"'),
    ({"sysctls": {"kernel.panic": "1"}}, "sysctl 'kernel.panic' is not allowed"),
    ({"sysctls": {"net.core.somaxconn": "1"}, "network": "host"}, "not allowed in host network"),
    ({"shm_size": -1}, "SHM size"),
    ({"oom_score_adj": 2000}, r"\[-1000, 1000\]"),
    ({"stop_signal": "SIGNOPE"}, "invalid signal: SIGNOPE"),
    ({"pid_mode": "other"}, 'invalid --pid mode "other"'),
    ({"cgroupns_mode": "public"}, "invalid cgroup namespace mode: public"),
    ({"cgroup_parent": "/a/../.."}, 'invalid cgroup parent "/a/../.."'),
    ({"cgroup_parent": "/"}, 'invalid cgroup parent "/"'),
    ({"device_cgroup_rules": ("c 1:3",)}, "invalid device cgroup format 'c 1:3'"),
    ({"device_cgroup_rules": ("x 1:3 rwm",)}, "invalid device cgroup format"),
    ({"stop_timeout_s": -2}, "invalid stop timeout -2"),
    ({"resources": Resources(blkio_weight=5)}, "range of blkio weight is from 10 to 1000"),
    ({"resources": Resources(memory_swappiness=101)}, "valid memory swappiness range is 0-100"),
    ({"resources": Resources(device_read_bps=(DeviceLimit(path="/dev/null", value=1),))}, "not a block device"),
    ({"resources": Resources(device_read_bps=(DeviceLimit(path="/dev/no", value=1),))}, "no such file"),
    ({"health": HealthCheck(test=("SHELL", "x"))}, "unknown type 'SHELL' in healthcheck"),
    ({"health": HealthCheck(test=("CMD-SHELL",))}, "missing command for CMD-SHELL"),
    ({"health": HealthCheck(interval_ns=1000)}, "interval in healthcheck cannot be less than 1ms"),
    ({"health": HealthCheck(retries=-1)}, "cannot be negative"),
    ({"log_driver": "syslog"}, "unknown log driver 'syslog'"),
    ({"log_options": {"max-sizes": "1m"}}, "unknown log opt 'max-sizes' for json-file"),
    ({"log_options": {"max-size": "big"}}, "invalid log opt max-size=big"),
    ({"log_options": {"max-file": "0"}}, "max-file cannot be less than 1"),
    ({"log_options": {"compress": "true"}}, "compress cannot be true when"),
    ({"log_options": {"labels-regex": "("}}, "invalid log opt labels-regex"),
    ({"log_driver": "local", "log_options": {"labels": "a"}}, "unknown log opt 'labels' for local"),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "told"), REFUSED, ids=[next(iter(fields)) + told[:18] for fields, told in REFUSED])
def test_wrong_requests_are_refused(fields: dict[str, Any], told: str) -> None:
    with pytest.raises(InvalidRequest, match=told):
        validate(CreateRequest(image="toolbox", **fields))


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "web_1.x-y", "env": ("A=b", "PATH"), "working_dir": "/srv", "hostname": "web.example.org"},
        {"resources": Resources(memory=6 << 20, memory_swap=-1, nano_cpus=10**9, cpuset_cpus="0", pids_limit=-1)},
        {"ports": tuple(PortMapping(container_port=80, host_port=9, protocol=name) for name in ("tcp", "udp"))},
        {"extra_hosts": ("db:10.0.0.1", "gw:host-gateway", "six:[::1]", "seven=fe80::1")},
        {"sysctls": {"net.core.somaxconn": "1", "kernel.shmmax": "1"}, "stop_signal": "RTMIN+3"},
        {"network": "container:x"},
        {"network": "host", "pid_mode": "host", "ipc_mode": "none"},
        {"security_opt": ("seccomp=unconfined", "no-new-privileges", "label=disable", "apparmor=unconfined")},
    ],
)  # fmt: skip
def test_good_requests_pass(fields: dict[str, Any]) -> None:
    validate(CreateRequest(image="toolbox", **fields))


def test_signals_by_name_and_number() -> None:
    assert [signal_number(text) for text in ("SIGTERM", "term", "9", "SIGRTMIN+3", "SIGRTMAX-1")] == [15, 15, 9, 37, 63]
    for wrong in ("0", "65", "SIGTERM+", "-1", "RTMIN+99", ""):
        with pytest.raises(InvalidRequest):
            signal_number(wrong)


def test_command_and_name() -> None:
    command(("sh",), "toolbox")
    name("web")
    for vector in ((), ("",), ("a\0b",)):
        with pytest.raises(InvalidRequest):
            command(vector, "toolbox")


def test_what_is_left_out_is_told() -> None:
    told = warnings(CreateRequest(image="x", network="host", ports=(PortMapping(container_port=1),)))
    assert "published ports are discarded when using host network mode" in told
