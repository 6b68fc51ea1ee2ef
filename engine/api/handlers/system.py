"""The engine itself: ping, version, info, disk usage."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import time
from typing import TYPE_CHECKING, Any

from ... import __version__
from ...cli.units import rfc3339
from ...disk import tree_size
from ..call import Answer, Call, json_answer
from ..errors import ApiError
from ..layer_sizes import LayerSizes
from ..render import container as render_container
from ..render import image as render_image
from ..router import API_VERSION, MIN_API_VERSION, text_of

if TYPE_CHECKING:
    from ...engine import Engine

PING_HEADERS = (
    ("Builder-Version", "1"),
    ("Cache-Control", "no-cache, no-store, must-revalidate"),
    ("Content-Type", "text/plain; charset=utf-8"),
    ("Pragma", "no-cache"),
    ("Swarm", "inactive"),
)
OTHER_RUNTIMES = ("runc", "crun", "youki")
DF_TYPES = ("container", "image", "volume", "build-cache")


async def ping(call: Call) -> Answer:
    return Answer(200, b"OK", PING_HEADERS)


async def version(call: Call) -> Answer:
    system = os.uname()
    details = {
        "ApiVersion": text_of(API_VERSION),
        "MinAPIVersion": text_of(MIN_API_VERSION),
        "Os": "linux",
        "Arch": _go_architecture(system.machine),
        "KernelVersion": system.release,
        "GoVersion": f"python{sys.version.split()[0]}",
        "GitCommit": "",
        "Experimental": "false",
        "BuildTime": "",
    }
    return json_answer(
        {
            "Platform": {"Name": "pydock"},
            "Components": [
                {"Name": "Engine", "Version": __version__, "Details": details},
                {"Name": "pydock-runc", "Version": __version__, "Details": {"GitCommit": ""}},
            ],
            "Version": __version__,
            **{key: value for key, value in details.items() if key != "Experimental"},
        }
    )


async def info(call: Call) -> Answer:
    facts = await call.threads.call(call.engine.info)
    facts.pop("RunRoot", None)
    return json_answer(
        {
            "ID": await call.threads.call(_identity),
            **facts,
            "DriverStatus": [["Backing Filesystem", "overlay"]],
            "Plugins": {
                "Volume": ["local"],
                "Network": ["bridge", "host", "null"],
                "Authorization": None,
                "Log": ["json-file", "none"],
            },
            "MemoryLimit": True,
            "SwapLimit": True,
            "CpuCfsPeriod": True,
            "CpuCfsQuota": True,
            "CPUShares": True,
            "CPUSet": True,
            "PidsLimit": True,
            "OomKillDisable": False,
            "IPv4Forwarding": True,
            "Debug": False,
            "NFd": len(os.listdir("/proc/self/fd")),
            "NGoroutines": 1,
            "NEventsListener": 0,
            "SystemTime": rfc3339(time.time_ns()),
            "OSVersion": _release("VERSION_ID"),
            "IndexServerAddress": "https://index.docker.io/v1/",
            "RegistryConfig": {"InsecureRegistryCIDRs": ["127.0.0.0/8"], "IndexConfigs": {}, "Mirrors": None},
            "GenericResources": None,
            "HttpProxy": os.environ.get("HTTP_PROXY", ""),
            "HttpsProxy": os.environ.get("HTTPS_PROXY", ""),
            "NoProxy": os.environ.get("NO_PROXY", ""),
            "Labels": [],
            "ExperimentalBuild": False,
            "Runtimes": await call.threads.call(_runtimes),
            "Swarm": {
                "NodeID": "",
                "NodeAddr": "",
                "LocalNodeState": "inactive",
                "ControlAvailable": False,
                "Error": "",
                "RemoteManagers": None,
            },
            "LiveRestoreEnabled": True,
            "Isolation": "",
            "InitBinary": "",
            "ContainerdCommit": {"ID": ""},
            "RuncCommit": {"ID": ""},
            "InitCommit": {"ID": ""},
            "Warnings": None,
        }
    )


async def disk_usage(call: Call) -> Answer:
    """`type` (repeated) limits it to some kinds."""
    types = call.texts("type")
    for kind in types:
        if kind not in DF_TYPES:
            raise ApiError(400, f"unknown object type: {kind}")
    return json_answer(await call.threads.call_long(_disk_usage, call.engine, tuple(types) or DF_TYPES))


def _disk_usage(engine: Engine, types: tuple[str, ...]) -> dict[str, Any]:
    containers = engine.containers.list(all=True)
    images = engine.images.list()
    layers = LayerSizes(engine, images)
    data: dict[str, Any] = {"LayersSize": layers.total}
    if "image" in types:
        counts = {image.id: sum(item.image_id == image.id for item in containers) for image in images}
        data["Images"] = [
            render_image.summary(
                image, containers=counts[image.id], shared_size=layers.shared.get(image.id, 0), version=API_VERSION
            )
            for image in images
        ]
    if "container" in types:
        sizes = {image.id: image.size for image in images}
        data["Containers"] = []
        for item in containers:
            written = tree_size(f"{engine.paths.container(item.id)}/upper")
            total = written + sizes.get(item.image_id, 0)
            data["Containers"].append(render_container.summary(item, engine, item.image, (written, total)))
    if "volume" in types:
        used = [mount.source for item in containers for mount in item.mounts if mount.type == "volume"]
        data["Volumes"] = [
            {
                **engine.volumes.inspect(volume.name),
                "UsageData": {"Size": tree_size(volume.path), "RefCount": used.count(volume.name)},
            }
            for volume in engine.volumes.list()
        ]
    if "build-cache" in types:
        data["BuildCache"] = []
    return data


def _runtimes() -> dict[str, dict[str, str]]:
    """Our own, and those of the programs known for it that are here."""
    found = {"pydock-runc": {"path": "pydock-runc"}}
    for name in OTHER_RUNTIMES:
        path = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
        if path:
            found[name] = {"path": path}
    return found


def _identity() -> str:
    """This machine's own id; a made-up one would change with each start."""
    try:
        with open("/etc/machine-id", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return os.uname().nodename


def _release(name: str) -> str:
    try:
        return platform.freedesktop_os_release().get(name, "")
    except OSError:
        return ""


def _go_architecture(machine: str) -> str:
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)
