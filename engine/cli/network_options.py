"""`--network` of `run` and `create`, with what belongs to it: `--ip`, `--ip6`, `--mac-address`, `--network-alias`,
`--link`."""

from __future__ import annotations

from ..models import NetworkAttachment
from .errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .options import Parsed

_MODES = ("host", "none")
_KEYS = ("name", "alias", "ip", "ip6", "mac-address", "link", "gw-priority")
_REPEATED = ("alias", "link")


def read_networks(options: Parsed) -> tuple[str, tuple[NetworkAttachment, ...] | None]:
    """The mode or first network, and all networks if more than one is asked for or anything of one.

    A network is written as its name, or as `name=NAME,alias=…,ip=…,ip6=…,mac-address=…,link=…,gw-priority=…`. The
    options beside it mean the first.
    """
    given = (*options.many("network"), *options.many("net"))
    attached = [_read(text, options.command.name) for text in given] or [NetworkAttachment(network="bridge")]
    first = attached[0]
    own_links = first.network != "bridge"  # on that one they are lines in /etc/hosts
    for name, field in (
        ("ip", first.address),
        ("ip6", first.address6),
        ("mac-address", first.mac),
        ("network-alias", first.aliases),
        ("link", first.links),
    ):
        if field and options.given(name):
            raise UsageError(
                f"conflicting options: cannot specify both --{name} and the same of a network", options.command.name
            )
    attached[0] = first = first.replace(
        address=first.address or options.text("ip"),
        mac=first.mac or options.text("mac-address"),
        aliases=first.aliases or options.many("network-alias"),
        address6=first.address6 or options.text("ip6"),
        links=first.links or (options.many("link") if own_links and first.network not in _MODES else ()),
    )
    if first == NetworkAttachment(network=first.network) and len(attached) == 1:
        return first.network, None
    for attachment in attached:
        if attachment.network in _MODES or attachment.network.startswith("container:"):
            what = "multiple networks" if len(attached) > 1 else "a network with an address or alias"
            raise UsageError(
                f"conflicting options: {what} and the network mode {attachment.network}", options.command.name
            )
    return first.network, tuple(attached)


def _read(text: str, command: str) -> NetworkAttachment:
    if "=" not in text:
        return NetworkAttachment(network=text)
    values: dict[str, list[str]] = {}
    for word in text.split(","):
        key, equals, value = word.partition("=")
        if key not in _KEYS or not equals or not value or (key not in _REPEATED and key in values):
            raise UsageError(
                f'invalid argument "{text}" for "--network" flag: written as NAME or '
                f"name=NAME[,{'=…,'.join(_KEYS[1:])}=…]",
                command,
            )
        values.setdefault(key, []).append(value)
    if "name" not in values:
        raise UsageError(f'invalid argument "{text}" for "--network" flag: no name', command)
    return NetworkAttachment(
        network=values["name"][0],
        address="".join(values.get("ip", ())),
        mac="".join(values.get("mac-address", ())),
        aliases=tuple(values.get("alias", ())),
        address6="".join(values.get("ip6", ())),
        links=tuple(values.get("link", ())),
        priority=read_priority("".join(values.get("gw-priority", ())), command),
    )


def read_priority(text: str, command: str) -> int:
    """Docker's `gw-priority`, which may be negative."""
    if not text:
        return 0
    try:
        return int(text)
    except ValueError:
        raise UsageError(f'invalid argument "{text}" for "gw-priority": not a number', command) from None
