"""Kernel switches that a bridge network needs; set when the first container needs them, and only then.

Packets between the bridge and the world need `ip_forward`; 127.0.0.1 as the address of a published port needs
`route_localnet` on the bridge (rules.py guards what that opens).

A host whose own firewall drops what it forwards (Docker sets that up, and ufw) would drop ours too: an accept in
one table does not overrule another's drop. There the chain that such hosts keep for this, `DOCKER-USER`, or else
`FORWARD` itself, gets an accept for the bridge; what may reach a container is still decided by our own rules.
"""

from __future__ import annotations

import os

from ..errors import HostUnfit
from .nfnetlink import chain_policy
from .nftables import NftError, run

IP_FORWARD = "/proc/sys/net/ipv4/ip_forward"

_NF_DROP = 0
_LEGACY_TABLES = "/proc/thread-self/net/ip_tables_names"
_CHAINS = ("DOCKER-USER", "FORWARD")
_MARK = "pydock"


def allow_forwarding(bridge: str) -> None:
    """Let packets pass between the bridge and the host's other interfaces. Raises HostUnfit, NftError."""
    _switch_on(IP_FORWARD, "container networks need IP forwarding", "sysctl -w net.ipv4.ip_forward=1")
    if chain_policy("filter", "FORWARD") == _NF_DROP:
        _open_nft(bridge)
    if _legacy_filter():
        _open_legacy(bridge)


def forget_forwarding(bridge: str) -> None:
    """Take the accepts of `allow_forwarding` out of the host's chains."""
    for chain in _CHAINS:
        if chain_policy("filter", chain) is not None:
            for line in _rules(chain):
                if f'"{bridge}"' in line:
                    run(f"delete rule ip filter {chain} handle {line.rpartition(' ')[2]}")
    if _legacy_filter():
        for chain in _CHAINS:
            for words in _matches(bridge):
                _iptables("-D", chain, *words)


def allow_loopback(bridge: str) -> None:
    """Let 127.0.0.1 of the host reach published ports on the bridge. Raises HostUnfit."""
    path = f"/proc/sys/net/ipv4/conf/{bridge}/route_localnet"
    _switch_on(path, "published ports need it", f"sysctl -w net.ipv4.conf.{bridge}.route_localnet=1")


def _open_nft(bridge: str) -> None:
    chain = next(name for name in _CHAINS if chain_policy("filter", name) is not None)
    if any(f'"{bridge}"' in line for line in _rules(chain)):
        return
    for direction in ("iifname", "oifname"):
        run(f'insert rule ip filter {chain} {direction} "{bridge}" counter accept comment "{_MARK}"')


def _rules(chain: str) -> list[str]:
    """The chain's rules that bear our mark, as nft prints them with their handles."""
    try:
        listing = run(f"list chain ip filter {chain}", handles=True)
    except NftError:
        return []
    return [line for line in listing.splitlines() if f'comment "{_MARK}"' in line]


def _legacy_filter() -> bool:
    """Whether the old iptables of this network namespace has a filter table."""
    try:
        with open(_LEGACY_TABLES, encoding="ascii") as file:
            return "filter" in file.read().split()
    except OSError:
        return False


def _open_legacy(bridge: str) -> None:
    if "-P FORWARD DROP" not in _iptables("-S", "FORWARD"):
        return
    chain = "DOCKER-USER" if _iptables("-S", "DOCKER-USER") else "FORWARD"
    present = _iptables("-S", chain)
    for words in _matches(bridge):
        if f"{words[0]} {bridge} " not in present:
            _iptables("-I", chain, *words)


def _matches(bridge: str) -> list[tuple[str, ...]]:
    return [(way, bridge, "-m", "comment", "--comment", _MARK, "-j", "ACCEPT") for way in ("-i", "-o")]


def _iptables(*words: str) -> str:
    """What iptables-legacy prints; empty when it fails, as for a chain that is not there."""
    import subprocess

    try:
        done = subprocess.run(["iptables-legacy", "-w", *words], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return done.stdout if done.returncode == 0 else ""


def _switch_on(path: str, why: str, cure: str) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if os.read(fd, 2).strip() == b"1":
            return
    finally:
        os.close(fd)
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(fd, b"1")
        finally:
            os.close(fd)
    except OSError as error:
        reason = os.strerror(error.errno or 0).lower()
        raise HostUnfit(f"{path} cannot be set: {reason}; {why}", hint=f"Set it as root: {cure}") from error
