"""`pydock port`: where a container's ports are published."""

from __future__ import annotations

import json

from ..errors import EngineError
from .options import Command, flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .context import Context
    from .options import Parsed


def port(context: Context, options: Parsed) -> int:
    container = context.engine.containers.get(options.arguments[0])
    lines = []
    for endpoint in container.endpoints:
        for mapping in endpoint.ports:
            address = mapping.host_ip or "0.0.0.0"
            address = f"[{address}]" if ":" in address else address
            inside = f"{mapping.container_port}/{mapping.protocol}"
            lines.append((mapping.container_port, inside, f"{address}:{mapping.host_port}"))
    if options.flag("json"):
        found_by: dict[str, list[dict[str, str]]] = {}
        for _, inside, outside in sorted(lines):
            address, _, number = outside.rpartition(":")
            found_by.setdefault(inside, []).append({"HostIp": address.strip("[]"), "HostPort": number})
        print(json.dumps(found_by))
        return 0
    if len(options.arguments) == 1:
        for _, inside, outside in sorted(lines):
            print(f"{inside} -> {outside}")
        return 0
    wanted = options.arguments[1]
    wanted = wanted if "/" in wanted else f"{wanted}/tcp"
    found = [outside for _, inside, outside in lines if inside == wanted]
    if not found:
        raise EngineError(f"no public port '{wanted}' published for {container.name}")
    print("\n".join(found))
    return 0


COMMANDS = {
    "port": Command(
        "port",
        "CONTAINER [PRIVATE_PORT[/PROTO]]",
        "List port mappings or a specific mapping for the container",
        port,
        (flag("--json", "All of them as JSON, in the shape of docker inspect"),),
        minimum=1,
        maximum=2,
        aliases=("container port",),
    )
}
