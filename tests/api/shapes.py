"""The shapes of Docker's answers, by its published description of API 1.47, and a check against them.

A shape is a kind ("string", "integer", "number", "boolean", "time"), a list of one shape, a map `{"*": shape}`, an
object whose keys are names, or the name of another shape with a capital letter. A name that ends in `?` may be absent;
a shape in `Maybe` may be null. Names that the description does not have are errors: nobody looks for them.
"""

from __future__ import annotations

import re
from typing import Any

Shape = Any


class Maybe:
    """Null is an answer too."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape


S, N, B, T = "string", "integer", "boolean", "time"
ANY = "any"
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)")
_STRINGS = Maybe([S])
_MAP = Maybe({"*": S})

# fmt: off
SHAPES: dict[str, Shape] = {
    "Error": {"message": S},
    "Id": {"Id": S},
    "Created": {"Id": S, "Warnings": [S]},
    "Port": {"IP?": S, "PrivatePort": N, "PublicPort?": N, "Type": S},
    "Mount": {
        "Type": S, "Name?": S, "Source": S, "Destination": S, "Driver?": S, "Mode": S, "RW": B, "Propagation": S,
    },
    "Endpoint": {
        "IPAMConfig": Maybe({"IPv4Address?": S, "IPv6Address?": S, "LinkLocalIPs?": [S]}), "Links": _STRINGS,
        "MacAddress": S, "Aliases": _STRINGS, "DriverOpts": _MAP, "NetworkID": S, "EndpointID": S, "Gateway": S,
        "IPAddress": S, "IPPrefixLen": N, "IPv6Gateway": S, "GlobalIPv6Address": S, "GlobalIPv6PrefixLen": N,
        "DNSNames": _STRINGS,
    },
    "ContainerSummary": {
        "Id": S, "Names": [S], "Image": S, "ImageID": S, "Command": S, "Created": N, "Ports": ["Port"],
        "SizeRw?": N, "SizeRootFs?": N, "Labels": {"*": S}, "State": S, "Status": S,
        "HostConfig": {"NetworkMode": S, "Annotations?": _MAP},
        "NetworkSettings": {"Networks": {"*": "Endpoint"}},
        "Mounts": ["Mount"],
    },
    "Health": {"Status": S, "FailingStreak": N, "Log": Maybe([{"Start": T, "End": T, "ExitCode": N, "Output": S}])},
    "State": {
        "Status": S, "Running": B, "Paused": B, "Restarting": B, "OOMKilled": B, "Dead": B, "Pid": N, "ExitCode": N,
        "Error": S, "StartedAt": T, "FinishedAt": T, "Health?": Maybe("Health"),
    },
    "Container": {
        "Id": S, "Created": T, "Path": S, "Args": [S], "State": "State", "Image": S, "ResolvConfPath": S,
        "HostnamePath": S, "HostsPath": S, "LogPath": S, "Name": S, "RestartCount": N, "Driver": S, "Platform": S,
        "MountLabel": S, "ProcessLabel": S, "AppArmorProfile": S, "ExecIDs": _STRINGS, "HostConfig": "HostConfig",
        "GraphDriver": {"Name": S, "Data": _MAP}, "SizeRw?": N, "SizeRootFs?": N, "Mounts": ["Mount"],
        "Config": "Config", "NetworkSettings": "NetworkSettings",
    },
    "Healthcheck": {
        "Test?": [S], "Interval?": N, "Timeout?": N, "Retries?": N, "StartPeriod?": N, "StartInterval?": N,
    },
    "Config": {
        "Hostname": S, "Domainname": S, "User": S, "AttachStdin": B, "AttachStdout": B, "AttachStderr": B,
        "ExposedPorts?": Maybe({"*": {}}), "Tty": B, "OpenStdin": B, "StdinOnce": B, "Env": _STRINGS,
        "Cmd": _STRINGS, "Healthcheck?": Maybe("Healthcheck"), "ArgsEscaped?": B, "Image": S,
        "Volumes": Maybe({"*": {}}), "WorkingDir": S, "Entrypoint": _STRINGS, "NetworkDisabled?": B,
        "MacAddress?": S, "OnBuild": _STRINGS, "Labels": _MAP, "StopSignal?": S, "StopTimeout?": Maybe(N),
        "Shell?": _STRINGS,
    },
    "DeviceLimit": {"Path": S, "Rate?": N, "Weight?": N},
    "HostConfig": {
        "CpuShares": N, "Memory": N, "CgroupParent": S, "BlkioWeight": N, "CpuPeriod": N, "CpuQuota": N,
        "BlkioWeightDevice": Maybe(["DeviceLimit"]), "BlkioDeviceReadBps": Maybe(["DeviceLimit"]),
        "BlkioDeviceWriteBps": Maybe(["DeviceLimit"]), "BlkioDeviceReadIOps": Maybe(["DeviceLimit"]),
        "BlkioDeviceWriteIOps": Maybe(["DeviceLimit"]), "CpuRealtimePeriod": N, "CpuRealtimeRuntime": N,
        "CpusetCpus": S, "CpusetMems": S, "DeviceCgroupRules": _STRINGS, "DeviceRequests": Maybe([ANY]),
        "Devices": Maybe([{"PathOnHost": S, "PathInContainer": S, "CgroupPermissions": S}]), "NanoCpus": N,
        "KernelMemory?": N, "KernelMemoryTCP?": N, "MemoryReservation": N, "MemorySwap": N,
        "MemorySwappiness": Maybe(N), "OomKillDisable": Maybe(B), "Init?": Maybe(B), "PidsLimit": Maybe(N),
        "Ulimits": Maybe([{"Name": S, "Soft": N, "Hard": N}]), "CpuCount": N, "CpuPercent": N,
        "IOMaximumIOps": N, "IOMaximumBandwidth": N, "Binds": _STRINGS, "ContainerIDFile": S,
        "LogConfig": {"Type": S, "Config": _MAP}, "NetworkMode": S, "AutoRemove": B, "VolumeDriver": S,
        "PortBindings": Maybe({"*": Maybe([{"HostIp": S, "HostPort": S}])}), "VolumesFrom": _STRINGS,
        "RestartPolicy": {"Name": S, "MaximumRetryCount": N}, "Mounts?": Maybe(["MountRequest"]),
        "ConsoleSize": Maybe([N]), "Annotations?": _MAP, "CapAdd": _STRINGS, "CapDrop": _STRINGS,
        "CgroupnsMode": S, "Dns": _STRINGS, "DnsOptions": _STRINGS, "DnsSearch": _STRINGS, "ExtraHosts": _STRINGS,
        "GroupAdd": _STRINGS, "IpcMode": S, "Cgroup": S, "Links": _STRINGS, "OomScoreAdj": N, "PidMode": S,
        "Privileged": B, "PublishAllPorts": B, "ReadonlyRootfs": B, "SecurityOpt": _STRINGS, "StorageOpt?": _MAP,
        "Tmpfs?": _MAP, "UTSMode": S, "UsernsMode": S, "ShmSize": N, "Sysctls?": _MAP, "Runtime": S, "Isolation": S,
        "MaskedPaths": _STRINGS, "ReadonlyPaths": _STRINGS,
    },
    "MountRequest": {
        "Type": S, "Source?": S, "Target": S, "ReadOnly?": B, "Consistency?": S, "BindOptions?": ANY,
        "VolumeOptions?": ANY, "TmpfsOptions?": ANY, "ClusterOptions?": ANY,
    },
    "NetworkSettings": {
        "Bridge": S, "SandboxID": S, "HairpinMode?": B, "LinkLocalIPv6Address?": S, "LinkLocalIPv6PrefixLen?": N,
        "Ports": Maybe({"*": Maybe([{"HostIp": S, "HostPort": S}])}), "SandboxKey": S, "EndpointID": S,
        "SecondaryIPAddresses?": Maybe([ANY]), "SecondaryIPv6Addresses?": Maybe([ANY]), "Gateway": S,
        "GlobalIPv6Address": S, "GlobalIPv6PrefixLen": N, "IPAddress": S, "IPPrefixLen": N, "IPv6Gateway": S,
        "MacAddress": S, "Networks": {"*": "Endpoint"},
    },
    "Top": {"Titles": [S], "Processes": [[S]]},
    "Wait": {"StatusCode": N, "Error?": Maybe({"Message": S})},
    "Changes": Maybe([{"Path": S, "Kind": N}]),
    "Update": {"Warnings": _STRINGS},
    "Cpu": {
        "cpu_usage": {
            "total_usage": N, "percpu_usage?": Maybe([N]), "usage_in_kernelmode": N, "usage_in_usermode": N,
        },
        "system_cpu_usage?": N, "online_cpus?": N,
        "throttling_data": {"periods": N, "throttled_periods": N, "throttled_time": N},
    },
    "BlockEntry": {"major": N, "minor": N, "op": S, "value": N},
    "Stats": {
        "name": S, "id": S, "read": T, "preread": T, "num_procs": N, "storage_stats": ANY, "cpu_stats": "Cpu",
        "precpu_stats": "Cpu", "pids_stats": {"current?": N, "limit?": N},
        "memory_stats": {
            "usage?": N, "max_usage?": N, "stats?": {"*": N}, "failcnt?": N, "limit?": N, "commitbytes?": N,
            "commitpeakbytes?": N, "privateworkingset?": N,
        },
        "blkio_stats": {
            f"io_{name}?": Maybe(["BlockEntry"])
            for name in (
                *("service_bytes_recursive", "serviced_recursive", "queue_recursive", "service_time_recursive"),
                *("wait_time_recursive", "merged_recursive", "time_recursive"),
            )
        }
        | {"sectors_recursive?": Maybe(["BlockEntry"])},
        "networks?": {
            "*": {f"{way}_{what}": N for way in ("rx", "tx") for what in ("bytes", "packets", "errors", "dropped")}
        },
    },
    "Exec": {
        "ID": S, "Running": B, "ExitCode": Maybe(N), "OpenStdin": B, "OpenStderr": B, "OpenStdout": B,
        "CanRemove": B, "ContainerID": S, "DetachKeys": S, "Pid": N,
        "ProcessConfig": {"tty": B, "entrypoint": S, "arguments": [S], "privileged": B, "user?": S},
    },
    "PrunedContainers": {"ContainersDeleted": _STRINGS, "SpaceReclaimed": N},
    "ImageSummary": {
        "Id": S, "ParentId": S, "RepoTags": [S], "RepoDigests": [S], "Created": N, "Size": N, "SharedSize": N,
        "VirtualSize?": N, "Labels": _MAP, "Containers": N, "Manifests?": ANY,
    },
    "ImageConfig": {
        "Hostname?": S, "Domainname?": S, "User?": S, "AttachStdin?": B, "AttachStdout?": B, "AttachStderr?": B,
        "ExposedPorts?": Maybe({"*": {}}), "Tty?": B, "OpenStdin?": B, "StdinOnce?": B, "Env?": _STRINGS,
        "Cmd?": _STRINGS, "Healthcheck?": Maybe("Healthcheck"), "ArgsEscaped?": B, "Image?": S,
        "Volumes?": Maybe({"*": {}}), "WorkingDir?": S, "Entrypoint?": _STRINGS, "OnBuild?": _STRINGS,
        "Labels?": _MAP, "StopSignal?": S, "StopTimeout?": Maybe(N), "Shell?": _STRINGS,
    },
    "Image": {
        "Id": S, "RepoTags": [S], "RepoDigests": [S], "Parent": S, "Comment": S, "Created": T, "DockerVersion": S,
        "Author": S, "Config": Maybe("ImageConfig"), "Architecture": S, "Variant?": S, "Os": S, "OsVersion?": S,
        "Size": N, "VirtualSize?": N, "GraphDriver": {"Name": S, "Data": _MAP}, "Container?": S,
        "ContainerConfig?": ANY, "RootFS": {"Type": S, "Layers?": [S]}, "Metadata": {"LastTagTime?": T},
    },
    "History": [{"Id": S, "Created": N, "CreatedBy": S, "Tags": _STRINGS, "Size": N, "Comment": S}],
    "Removed": [{"Untagged?": S, "Deleted?": S}],
    "PrunedImages": {"ImagesDeleted": Maybe([{"Untagged?": S, "Deleted?": S}]), "SpaceReclaimed": N},
    "PrunedBuild": {"CachesDeleted?": _STRINGS, "SpaceReclaimed": N},
    "Distribution": {
        "Descriptor": {"mediaType": S, "digest": S, "size": N, "urls?": [S], "annotations?": _MAP},
        "Platforms": [{"architecture": S, "os": S, "os.version?": S, "os.features?": [S], "variant?": S}],
    },
    "NetworkContainer": {"Name": S, "EndpointID": S, "MacAddress": S, "IPv4Address": S, "IPv6Address": S},
    "Network": {
        "Name": S, "Id": S, "Created": T, "Scope": S, "Driver": S, "EnableIPv4?": B, "EnableIPv6": B,
        "IPAM": {
            "Driver": S, "Options": _MAP,
            "Config": Maybe([{"Subnet?": S, "IPRange?": S, "Gateway?": S, "AuxiliaryAddresses?": _MAP}]),
        },
        "Internal": B, "Attachable": B, "Ingress": B, "ConfigFrom": {"Network": S}, "ConfigOnly": B,
        "Containers": {"*": "NetworkContainer"}, "Options": _MAP, "Labels": _MAP, "Peers?": ANY,
    },
    "NetworkCreated": {"Id": S, "Warning": S},
    "PrunedNetworks": {"NetworksDeleted": _STRINGS},
    "Volume": {
        "Name": S, "Driver": S, "Mountpoint": S, "CreatedAt?": T, "Status?": ANY, "Labels": _MAP, "Scope": S,
        "Options": _MAP, "UsageData?": Maybe({"Size": N, "RefCount": N}), "ClusterVolume?": ANY,
    },
    "Volumes": {"Volumes": Maybe(["Volume"]), "Warnings": _STRINGS},
    "PrunedVolumes": {"VolumesDeleted": _STRINGS, "SpaceReclaimed": N},
    "Version": {
        "Platform": {"Name": S}, "Components": [{"Name": S, "Version": S, "Details?": _MAP}], "Version": S,
        "ApiVersion": S, "MinAPIVersion": S, "GitCommit": S, "GoVersion": S, "Os": S, "Arch": S,
        "KernelVersion": S, "Experimental?": B, "BuildTime": S,
    },
    "Commit": {"ID": S, "Expected?": S},
    "Info": {
        "ID": S, "Containers": N, "ContainersRunning": N, "ContainersPaused": N, "ContainersStopped": N,
        "Images": N, "Driver": S, "DriverStatus": [[S]], "DockerRootDir": S, "MemoryLimit": B, "SwapLimit": B,
        "Plugins": {"Volume": [S], "Network": [S], "Authorization": _STRINGS, "Log": [S]},
        "KernelMemoryTCP?": B, "CpuCfsPeriod": B, "CpuCfsQuota": B, "CPUShares": B, "CPUSet": B, "PidsLimit": B,
        "OomKillDisable": B, "IPv4Forwarding": B, "BridgeNfIptables?": B, "BridgeNfIp6tables?": B, "Debug": B,
        "NFd": N, "NGoroutines": N, "SystemTime": T, "LoggingDriver": S, "CgroupDriver": S, "CgroupVersion": S,
        "NEventsListener": N, "KernelVersion": S, "OperatingSystem": S, "OSVersion": S, "OSType": S,
        "Architecture": S, "NCPU": N, "MemTotal": N, "IndexServerAddress": S, "GenericResources": Maybe([ANY]),
        "RegistryConfig": {
            "InsecureRegistryCIDRs": [S], "IndexConfigs": {"*": ANY}, "Mirrors": _STRINGS,
            "AllowNondistributableArtifactsCIDRs?": _STRINGS, "AllowNondistributableArtifactsHostnames?": _STRINGS,
        },
        "HttpProxy": S, "HttpsProxy": S, "NoProxy": S, "Name": S, "Labels": [S], "ExperimentalBuild": B,
        "ServerVersion": S, "Runtimes": {"*": {"path": S, "runtimeArgs?": [S], "status?": _MAP}},
        "DefaultRuntime": S, "LiveRestoreEnabled": B, "Isolation": S, "InitBinary": S, "SecurityOptions": [S],
        "Swarm": {
            "NodeID": S, "NodeAddr": S, "LocalNodeState": S, "ControlAvailable": B, "Error": S,
            "RemoteManagers": Maybe([ANY]),
        },
        "ContainerdCommit": "Commit", "RuncCommit": "Commit", "InitCommit": "Commit", "ProductLicense?": S,
        "DefaultAddressPools?": Maybe([{"Base": S, "Size": N}]), "Warnings": _STRINGS, "CDISpecDirs?": _STRINGS,
        "Containerd?": ANY,
    },
    "DiskUsage": {
        "LayersSize": N, "Images?": Maybe(["ImageSummary"]), "Containers?": Maybe(["ContainerSummary"]),
        "Volumes?": Maybe(["Volume"]), "BuildCache?": Maybe([ANY]), "BuilderSize?": N,
    },
    "Auth": {"Status": S, "IdentityToken?": S},
    "Event": {
        "Type": S, "Action": S, "Actor": {"ID": S, "Attributes": {"*": S}}, "scope": S, "time": N, "timeNano": N,
        "status?": S, "id?": S, "from?": S,
    },
    "Progress": {
        "status?": S, "id?": S, "progressDetail?": {"current?": N, "total?": N}, "progress?": S, "stream?": S,
        "aux?": ANY, "error?": S, "errorDetail?": {"message": S, "code?": N},
    },
}
# fmt: on


def faults(data: object, shape: Shape, path: str = "") -> list[str]:
    """What is wrong with an answer; each a line with its place."""
    if isinstance(shape, Maybe):
        return [] if data is None else faults(data, shape.shape, path)
    if isinstance(shape, str) and shape in SHAPES:
        return faults(data, SHAPES[shape], path)
    if isinstance(shape, list):
        if not isinstance(data, list):
            return [f"{path}: {data!r} is no list"]
        return [fault for place, item in enumerate(data) for fault in faults(item, shape[0], f"{path}[{place}]")]
    if isinstance(shape, dict):
        return _object_faults(data, shape, path)
    return _value_faults(data, shape, path)


def _object_faults(data: object, shape: dict[str, Shape], path: str) -> list[str]:
    if not isinstance(data, dict):
        return [f"{path}: {data!r} is no object"]
    if "*" in shape:
        return [fault for key, value in data.items() for fault in faults(value, shape["*"], f"{path}.{key}")]
    known = {name.rstrip("?"): (name.endswith("?"), inner) for name, inner in shape.items()}
    found = [f"{path}.{name}: not in the description" for name in data.keys() - known.keys()]
    for name, (optional, inner) in known.items():
        if name in data:
            found += faults(data[name], inner, f"{path}.{name}")
        elif not optional:
            found.append(f"{path}.{name}: absent")
    return found


def _value_faults(data: object, kind: str, path: str) -> list[str]:
    fits = {
        "string": isinstance(data, str),
        "integer": isinstance(data, int) and not isinstance(data, bool),
        "number": isinstance(data, (int, float)) and not isinstance(data, bool),
        "boolean": isinstance(data, bool),
        "time": isinstance(data, str) and bool(_TIME.fullmatch(data)),
        "any": True,
    }
    assert kind in fits, f"no such kind: {kind}"
    return [] if fits[kind] else [f"{path}: {data!r} is no {kind}"]
