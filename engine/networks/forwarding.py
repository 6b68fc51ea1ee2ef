"""Kernel switches that a bridge network needs; set when the first container needs them, only then, and told.

Packets between the bridge and the world need `ip_forward`; 127.0.0.1 as the address of a published port needs
`route_localnet` on the bridge (rules.py guards what that opens).

A host whose own firewall drops what it forwards (Docker sets that up, ufw and firewalld do) would drop ours too: an
accept in one table does not overrule another's drop. There each chain that would drop all that it does not know gets an
accept for the bridge, at its head, or in the chain that such hosts keep for this, `DOCKER-USER`; what may reach a
container is still decided by our own rules. Chains that drop only what they name are left alone.
"""

from __future__ import annotations

import os

from ..errors import HostUnfit
from .nfnetlink import NF_DROP, chain_rules, forward_chains
from .nftables import NftError, run
from .rules import TABLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..models import Endpoint
    from .nfnetlink import Chain, Rule

IP_FORWARD = "/proc/sys/net/ipv4/ip_forward"
IP6_FORWARD = "/proc/sys/net/ipv6/conf/all/forwarding"

_IP6_INTERFACES = "/proc/sys/net/ipv6/conf"
_LEGACY = (
    ("iptables-legacy", "/proc/thread-self/net/ip_tables_names"),
    ("ip6tables-legacy", "/proc/thread-self/net/ip6_tables_names"),
)
_USER_CHAIN = "DOCKER-USER"
_FIREWALLD = "firewalld"
_MARK = "pydock"
_DEEPEST = 8


def allow_forwarding(endpoint: Endpoint) -> list[str]:
    """Let packets pass between the bridge, its containers and the host's other interfaces; the settings that had to
    be changed. Raises HostUnfit, NftError."""
    changed = []
    if not endpoint.internal:
        if endpoint.address and _switch_on(IP_FORWARD, "container networks need IP forwarding", "net.ipv4.ip_forward"):
            changed.append("net.ipv4.ip_forward=1")
        if endpoint.address6:
            changed += _forward_ipv6()
    ipv6 = bool(endpoint.address6)
    for chain in forward_chains():
        if not chain.table.startswith(TABLE) and (ipv6 or chain.family != "ip6") and _drops(chain):
            _open_nft(chain, endpoint.bridge)
    for program, tables in _LEGACY[: 2 if ipv6 else 1]:
        if _has_filter(tables):
            _open_legacy(program, endpoint.bridge)
    return changed


def forget_forwarding(bridge: str) -> None:
    """Take the accepts of `allow_forwarding` out of the host's chains."""
    for chain in forward_chains():
        if chain.table.startswith(TABLE):
            continue
        for name in (_USER_CHAIN, chain.name):
            handles = [rule.handle for rule in chain_rules(chain.family, chain.table, name) if _is_ours(rule, bridge)]
            if chain.table == _FIREWALLD and name == chain.name and not handles and _zoned(bridge, "query"):
                _zoned(bridge, "remove")
            for handle in handles:
                try:
                    run(f"delete rule {chain.family} {chain.table} {name} handle {handle}")
                except NftError:  # its owner was faster
                    continue
    for program, tables in _LEGACY:
        if _has_filter(tables):
            for chain_name in (_USER_CHAIN, "FORWARD"):
                present = _iptables(program, "-S", chain_name)
                for words in _matches(bridge):
                    if f"{words[0]} {bridge} " in present:
                        _iptables(program, "-D", chain_name, *words)


def allow_loopback(bridge: str) -> None:
    """Let 127.0.0.1 of the host reach published ports on the bridge. Raises HostUnfit."""
    name = f"net.ipv4.conf.{bridge}.route_localnet"
    _switch_on(f"/proc/sys/net/ipv4/conf/{bridge}/route_localnet", "published ports need it", name)


def _forward_ipv6() -> list[str]:
    """A machine that forwards does not listen to routers any more, unless its interfaces are told to: its own way
    out must not go."""
    try:
        with open(IP6_FORWARD, encoding="ascii") as file:
            if file.read().strip() != "0":
                return []
        listening = []
        for name in os.listdir(_IP6_INTERFACES):
            if name in ("all", "default", "lo"):
                continue
            path = f"{_IP6_INTERFACES}/{name}/accept_ra"
            with open(path, encoding="ascii") as file:
                if file.read().strip() == "1":
                    listening.append(path)
    except OSError as error:
        raise HostUnfit(
            f"this kernel has no IPv6: {(error.strerror or '').lower()}", hint="Use networks without --ipv6 here."
        ) from error
    for path in listening:
        try:
            with open(path, "w", encoding="ascii") as file:
                file.write("2")
        except OSError:  # it has just gone
            continue
    _switch_on(IP6_FORWARD, "container networks need IPv6 forwarding", "net.ipv6.conf.all.forwarding")
    return ["net.ipv6.conf.all.forwarding=1"]


def _drops(chain: Chain) -> bool:
    """Whether the chain drops what none of its rules knows."""
    return chain.policy == NF_DROP or _ends_in_drop(chain, chain.name, _DEEPEST)


def _ends_in_drop(chain: Chain, name: str, depth: int) -> bool:
    for rule in chain_rules(chain.family, chain.table, name):
        if not rule.unconditional:
            continue
        if rule.verdict in ("drop", "reject"):
            return True
        if rule.verdict == "accept":
            return False
        target = rule.verdict.removeprefix("jump ")
        if target != rule.verdict and depth and _ends_in_drop(chain, target, depth - 1):
            return True
    return False


def _open_nft(chain: Chain, bridge: str) -> None:
    docker = chain.name == "FORWARD" and chain_rules(chain.family, chain.table, _USER_CHAIN)
    name = _USER_CHAIN if docker else chain.name
    if any(_is_ours(rule, bridge) for rule in chain_rules(chain.family, chain.table, name)):
        return
    added = [
        f'insert rule {chain.family} {chain.table} {name} {direction} "{bridge}" counter accept comment "{_MARK}"\n'
        for direction in ("iifname", "oifname")
    ]
    if chain.table == _FIREWALLD and _zoned(bridge, "query"):
        return
    try:
        run("".join(added))
    except NftError:
        if chain.table != _FIREWALLD or not _zoned(bridge, "add"):
            raise


def _zoned(bridge: str, verb: str) -> bool:
    """A firewalld that owns its table alone takes an interface into its zone of trust by its own command; False when
    it does not, or is not there. `verb`: add, query, remove."""
    import subprocess

    words = ["firewall-cmd", "--zone=trusted", f"--{verb}-interface={bridge}"]
    try:
        return subprocess.run(words, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def _is_ours(rule: Rule, bridge: str) -> bool:
    return rule.verdict == "accept" and _MARK.encode() + b"\0" in rule.body and os.fsencode(bridge) + b"\0" in rule.body


def _has_filter(tables: str) -> bool:
    """Whether the old iptables of this network namespace has a filter table."""
    try:
        with open(tables, encoding="ascii") as file:
            return "filter" in file.read().split()
    except OSError:
        return False


def _open_legacy(program: str, bridge: str) -> None:
    if not _legacy_drops(_iptables(program, "-S", "FORWARD")):
        return
    chain = _USER_CHAIN if _iptables(program, "-S", _USER_CHAIN) else "FORWARD"
    present = _iptables(program, "-S", chain)
    for words in _matches(bridge):
        if f"{words[0]} {bridge} " not in present:
            _iptables(program, "-I", chain, *words)


def _legacy_drops(listing: str) -> bool:
    ends = ("-P FORWARD DROP", "-A FORWARD -j DROP", "-A FORWARD -j REJECT")
    return any(line.startswith(ends) for line in listing.splitlines())


def _matches(bridge: str) -> list[tuple[str, ...]]:
    return [(way, bridge, "-m", "comment", "--comment", _MARK, "-j", "ACCEPT") for way in ("-i", "-o")]


def _iptables(program: str, *words: str) -> str:
    """What the program prints; empty when it fails, as for a chain that is not there."""
    import subprocess

    try:
        done = subprocess.run([program, "-w", *words], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return done.stdout if done.returncode == 0 else ""


def _switch_on(path: str, why: str, name: str) -> bool:
    """Write 1 where there is none; True when that was needed. Raises HostUnfit."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            if os.read(fd, 2).strip() == b"1":
                return False
        finally:
            os.close(fd)
        fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(fd, b"1")
        finally:
            os.close(fd)
    except OSError as error:
        reason = os.strerror(error.errno or 0).lower()
        raise HostUnfit(f"{path} cannot be set: {reason}; {why}", hint=f"Set it as root: sysctl -w {name}=1") from error
    return True
