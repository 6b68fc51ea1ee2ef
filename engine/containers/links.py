"""`--link` on the first network, where there are no names: lines in /etc/hosts for the containers linked to, and
Docker's variables with their ports and environment. As both say addresses, they are made anew at each start.

On a network of one's own a link is a name in its name service (`networks/`), known to the linking container alone.
"""

from __future__ import annotations

from ..bundle.process import host_name
from ..errors import WrongState
from . import rows

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..models import Container, CreateRequest
    from ..store import Store

_NOT_PASSED = ("HOME", "PATH")


def split_link(text: str) -> tuple[str, str]:
    """`CONTAINER[:ALIAS]`; the container's own name where there is no alias."""
    name, _, alias = text.partition(":")
    return name.removeprefix("/"), alias or name.removeprefix("/")


def with_links(store: Store, container: Container, request: CreateRequest) -> CreateRequest:
    """The request as this start makes the container from it. Raises ContainerNotFound, and WrongState for a link to
    one that does not run."""
    hosts: list[str] = []
    env: list[str] = []
    for link in request.links:
        name, alias = split_link(link)
        target = rows.find(store, name)
        address = next((one.address for one in target.endpoints if one.network == "bridge"), "")
        if target.state not in ("running", "paused") or not address:
            raise WrongState(
                f"cannot link to a non running container: /{target.name} AS /{container.name}/{alias}",
                hint=f"pydock start {target.name}",
            )
        theirs = rows.request(store, target.id)
        names = dict.fromkeys((alias, host_name(theirs, target), target.name))
        hosts.append(f"{' '.join(names)}:{address}")
        env += _variables(container.name, alias, target, theirs, address)
    return request.replace(env=(*env, *request.env), extra_hosts=(*request.extra_hosts, *hosts))


def _variables(own: str, alias: str, target: Container, request: CreateRequest, address: str) -> list[str]:
    """In the words of Docker's old links, on which programs rely."""
    prefix = alias.replace("-", "_").upper()
    found = []
    ports = sorted((_port(entry) for entry in target.exposed_ports), key=lambda port: (port[1] != "tcp", port[0]))
    for index, (number, protocol) in enumerate(ports):
        url = f"{protocol}://{address}:{number}"
        if index == 0:
            found.append(f"{prefix}_PORT={url}")
        name = f"{prefix}_PORT_{number}_{protocol.upper()}"
        found += [f"{name}={url}", f"{name}_ADDR={address}", f"{name}_PORT={number}", f"{name}_PROTO={protocol}"]
    found.append(f"{prefix}_NAME=/{own}/{alias}")
    for entry in request.env:
        name, equals, _ = entry.partition("=")
        if equals and name not in _NOT_PASSED:
            found.append(f"{prefix}_ENV_{entry}")
    return found


def _port(entry: str) -> tuple[int, str]:
    number, _, protocol = entry.partition("/")
    return int(number), protocol or "tcp"
