"""The three files that every container has of its own: hosts, hostname, resolv.conf.

Written into the bundle when the container is created, so that their mounts have a source, and again at each
start, when its addresses are known. They are written in place: a rename would leave the running container with the
old file.
"""

from __future__ import annotations

import os

from ..networks.redirect import NAME_SERVER, has_names
from .process import host_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..models import Container, CreateRequest
    from ..paths import Paths

# Used when the host's own resolvers cannot be reached from a container, as Docker does.
FALLBACK_NAMESERVERS = ("8.8.8.8", "8.8.4.4")
HOST_GATEWAY = "host-gateway"

_HOSTS = (
    "127.0.0.1\tlocalhost",
    "::1\tlocalhost ip6-localhost ip6-loopback",
    "fe00::\tip6-localnet",
    "ff00::\tip6-mcastprefix",
    "ff02::1\tip6-allnodes",
    "ff02::2\tip6-allrouters",
)
# systemd-resolved's stub says 127.0.0.53; the real upstream is beside it.
_RESOLV_SOURCES = ("/etc/resolv.conf", "/run/systemd/resolve/resolv.conf")


def write_files(request: CreateRequest, container: Container, paths: Paths) -> None:
    """Write all three for what `container.endpoints` says now. Raises OSError.

    A container that joins another's network uses that one's files and has none.
    """
    if request.network.startswith("container:"):
        return
    folder = paths.container(container.id)
    _write(f"{folder}/hosts", hosts(request, container))
    _write(f"{folder}/hostname", host_name(request, container) + "\n")
    _write(f"{folder}/resolv.conf", resolv_conf(request, container))


def hosts(request: CreateRequest, container: Container) -> str:
    """The text of /etc/hosts: with the host's network, the host's own and the extra ones."""
    if request.network == "host":
        lines = _read("/etc/hosts").splitlines() or list(_HOSTS)
    else:
        lines = list(_HOSTS)
    for entry in request.extra_hosts:
        name, address = split_host(entry)
        for one in _gateways(container) if address == HOST_GATEWAY else [address]:
            lines.append(f"{one}\t{name}")
    names = own_names(request, container)
    lines += [f"{address}\t{names}" for address in _addresses(container)]
    return "\n".join(lines) + "\n"


def write_changes(request: CreateRequest, container: Container, paths: Paths, *, gone: tuple[str, ...] = ()) -> None:
    """Bring the files of a running container to what `container.endpoints` says now; lines of its own in /etc/hosts
    remain. `gone`: addresses that it has no more. Raises OSError."""
    path = f"{paths.container(container.id)}/hosts"
    names = own_names(request, container)
    addresses = _addresses(container)
    own = {*gone, *addresses}
    lines = [line for line in _read(path).splitlines() if not own.intersection(line.split()[:1])]
    _write(path, "\n".join([*lines, *(f"{address}\t{names}" for address in addresses)]) + "\n")
    _write(f"{paths.container(container.id)}/resolv.conf", resolv_conf(request, container))


def _addresses(container: Container) -> list[str]:
    return [one for endpoint in container.endpoints for one in (endpoint.address, endpoint.address6) if one]


def _gateways(container: Container) -> list[str]:
    """The addresses by which a container reaches its host."""
    ways = sorted(container.endpoints, key=lambda endpoint: not (endpoint.default_route or endpoint.default_route6))
    found = [
        next((way.gateway for way in ways if way.gateway), ""),
        next((way.gateway6 for way in ways if way.gateway6), ""),
    ]
    return [address for address in found if address] or ["127.0.0.1"]


def own_names(request: CreateRequest, container: Container) -> str:
    """What a container calls itself in its /etc/hosts."""
    name = host_name(request, container)
    return f"{name}.{request.domainname} {name}" if request.domainname else name


def resolv_conf(request: CreateRequest, container: Container) -> str:
    """The text of /etc/resolv.conf: the host's, without resolvers that only the host reaches, and the options
    of the request in place of the host's where given. On a network of one's own the one resolver is the container's
    name service."""
    servers, search, options = _host_resolvers(keep_loopback=request.network == "host")
    if any(has_names(endpoint) for endpoint in container.endpoints):
        servers = [NAME_SERVER]
    else:
        servers = list(request.dns) or servers or list(FALLBACK_NAMESERVERS)
    search = list(request.dns_search) or search
    options = list(request.dns_options) or options
    if servers == [NAME_SERVER] and not any(option.startswith("ndots:") for option in options):
        # A container's name has no dots: it is asked for as it is, before the domains of the host.
        options = [*options, "ndots:0"]
    lines = [f"nameserver {server}" for server in servers]
    if search and search != ["."]:
        lines.append(f"search {' '.join(search)}")
    if options:
        lines.append(f"options {' '.join(options)}")
    return "\n".join(lines) + "\n"


def split_host(entry: str) -> tuple[str, str]:
    """`NAME:ADDRESS` or `NAME=ADDRESS` of --add-host; IPv6 may stand in brackets."""
    cut = min(index for index in (entry.find(":"), entry.find("="), len(entry)) if index >= 0)
    return entry[:cut], entry[cut + 1 :].strip("[]")


def _host_resolvers(*, keep_loopback: bool) -> tuple[list[str], list[str], list[str]]:
    for path in _RESOLV_SOURCES:
        servers: list[str] = []
        search: list[str] = []
        options: list[str] = []
        for line in _read(path).splitlines():
            words = line.split("#")[0].split(";")[0].split()
            if len(words) < 2:
                continue
            if words[0] == "nameserver":
                if keep_loopback or not _is_of_the_host(words[1]):
                    servers.append(words[1])
            elif words[0] in ("search", "domain"):
                search = words[1:]
            elif words[0] == "options":
                options += words[1:]
        if servers:
            return servers, search, options
    return [], [], []


def _is_of_the_host(server: str) -> bool:
    """Loopback, and link-local with the name of a host's interface: both lead elsewhere in a container."""
    return server.startswith("127.") or server in ("::1", "0.0.0.0", "::") or "%" in server


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(1 << 20)
    except OSError:
        return ""


def _write(path: str, text: str) -> None:
    # O_NOFOLLOW: the container can write to the file, though not replace it; the folder is root's alone.
    # Cut to length afterwards and not emptied before: ext4 would send an emptied file to the disk when closed.
    content = text.encode()
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    try:
        if os.read(fd, len(content) + 1) != content:
            os.pwrite(fd, content, 0)
            os.ftruncate(fd, len(content))
        os.fchmod(fd, 0o644)
    finally:
        os.close(fd)
