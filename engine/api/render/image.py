"""Images in Docker's shapes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ...models import Image

NONE = "<none>"
ZERO_TIME = "0001-01-01T00:00:00Z"
#: Docker's document of an image has the fields of a container's; clients before 1.50 read them.
_EMPTY_CONFIG: dict[str, Any] = {
    **dict.fromkeys(("Hostname", "Domainname", "User", "Image", "WorkingDir"), ""),
    **dict.fromkeys(("AttachStdin", "AttachStdout", "AttachStderr", "Tty", "OpenStdin", "StdinOnce"), False),
    **dict.fromkeys(("Env", "Cmd", "Volumes", "Entrypoint", "OnBuild", "Labels")),
}


def summary(image: Image, *, containers: int, shared_size: int, version: tuple[int, int]) -> dict[str, Any]:
    """One entry of `GET /images/json`; -1 for numbers that were not asked for."""
    tags, digests = list(image.references), list(image.repo_digests)
    if version < (1, 43):
        digests = digests or [f"{NONE}@{NONE}"]
        tags = tags or [f"{NONE}:{NONE}"]
    line = {
        "Id": image.id,
        "ParentId": "",
        "RepoTags": tags,
        "RepoDigests": digests,
        "Created": image.created_ns // 10**9,
        "Size": image.size,
        "SharedSize": shared_size,
        "Labels": dict(image.labels) or None,
        "Containers": containers,
    }
    if version < (1, 44):
        line["VirtualSize"] = image.size
    return line


def document(data: dict[str, Any], version: tuple[int, int]) -> dict[str, Any]:
    """`GET /images/{name}/json` from the engine's own document."""
    if version < (1, 45):
        data |= {"Container": "", "ContainerConfig": None}
    if version >= (1, 44):
        data.pop("VirtualSize", None)
    data["Config"] = {**_EMPTY_CONFIG, **(data.get("Config") or {})}
    data.pop("Descriptor", None)  # of 1.48
    # clients read these as times; an empty string is none to them
    data["Created"] = data["Created"] or ZERO_TIME
    data["Metadata"] = {"LastTagTime": ZERO_TIME}
    return data
