"""The two small encoders against the kernel, with `nft` and pyroute2 to read what they wrote."""

from __future__ import annotations

import re
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from pyroute2 import IPRoute  # type: ignore[import-untyped]

from engine.models import Endpoint, PortMapping
from engine.networks import links, netlink, nfnetlink, nftables, rules
from engine.networks.address import mac_of
from engine.networks.netlink import Netlink, NetlinkError
from runtime.kernel import calls, constants

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.root


def apart(story: Callable[[], None]) -> None:
    """Run in a network namespace of its own, which goes with its thread."""

    def there() -> None:
        calls.unshare(constants.CLONE_NEWNET)
        story()

    with ThreadPoolExecutor(1) as pool:
        pool.submit(there).result(timeout=60)


def endpoint(*ports: PortMapping, **changes: Any) -> Endpoint:
    values: dict[str, Any] = {
        "network": "bridge",
        "bridge": "br-test",
        "address": "10.1.0.2",
        "prefix_length": 24,
        "gateway": "10.1.0.1",
        "mac": mac_of("10.1.0.2"),
        "ports": ports,
    }
    return Endpoint(**{**values, **changes})


def table() -> str:
    return subprocess.run(["nft", "list", "table", "inet", "pydock"], capture_output=True, text=True, check=True).stdout


def test_a_bridge_as_pyroute2_sees_it() -> None:
    def story() -> None:
        with Netlink() as host, IPRoute() as route:
            index = links.add_bridge(host, "br-test", (("10.1.0.1", 24),), "pydock someone")
            assert links.add_bridge(host, "br-test", (("10.1.0.1", 24),), "pydock someone") == index
            link = route.link("get", index=index)[0]
            assert link.get_attr("IFLA_IFALIAS") == "pydock someone"
            assert link.get_attr("IFLA_ADDRESS") == "02:42:0a:01:00:01"
            assert link["state"] == "up"
            (address,) = route.get_addr(index=index)
            assert (address.get_attr("IFA_LOCAL"), address["prefixlen"]) == ("10.1.0.1", 24)
            assert address.get_attr("IFA_BROADCAST") == "10.1.0.255"
            assert ("10.1.0.0", 24, index) in host.routes()
            assert (index, "10.1.0.1", 24) in host.addresses()
            assert host.link("br-test") in host.links()
            assert links.delete(host, "br-test")
            assert not links.delete(host, "br-test")

    apart(story)


def test_refusals_name_what_was_wanted() -> None:
    def story() -> None:
        with Netlink() as host:
            links.add_address(host, 1, "10.1.0.1", 24, "lo")
            links.add_address(host, 1, "10.1.0.1", 24, "lo")
            with pytest.raises(NetlinkError, match=r"give lo the address 10\.1\.0\.1/24: \S+") as told:
                host.commit()
            assert isinstance(told.value, OSError)
            host.queue(netlink.RTM_DELLINK, 0, netlink.link_header(99), "delete nothing")
            with pytest.raises(NetlinkError, match="delete nothing: no such device"):
                host.commit()
            assert host.link("lo")

    apart(story)


def test_hundreds_of_links_come_in_one_dump() -> None:
    def story() -> None:
        with Netlink() as host:
            for number in range(200):
                payload = netlink.link_header() + netlink.text(netlink.IFLA_IFNAME, f"br{number}")
                kind = netlink.nested(netlink.IFLA_LINKINFO, netlink.text(netlink.IFLA_INFO_KIND, "bridge"))
                host.queue(netlink.RTM_NEWLINK, 0x600, payload + kind, f"make br{number}")
            host.commit()
            assert {f"br{number}" for number in range(200)} <= {link.name for link in host.links()}

    apart(story)


def test_ports_in_the_maps_as_nft_sees_them() -> None:
    def story() -> None:
        ports = (
            PortMapping(container_port=80, host_port=8080),
            PortMapping(container_port=53, host_port=5353, protocol="udp"),
            PortMapping(container_port=443, host_port=8443, host_ip="127.0.0.1"),
        )
        assert rules.ensure(endpoint())
        assert not rules.ensure(endpoint())
        rules.publish(endpoint(*ports))
        rules.publish(endpoint(*ports))
        shown = table()
        for element in (
            "tcp . 8080 : 10.1.0.2 . 80",
            "udp . 5353 : 10.1.0.2 . 53",
            "127.0.0.1 . tcp . 8443 : 10.1.0.2 . 443",
        ):
            assert element in shown
        # What a container left that died with its shim gives way to the port's new owner.
        rules.publish(endpoint(ports[0], address="10.1.0.3"))
        assert "tcp . 8080 : 10.1.0.3 . 80" in table()
        rules.withdraw(endpoint(*ports))
        rules.withdraw(endpoint(*ports))
        assert not [line for line in table().splitlines() if "10.1.0.2 ." in line]
        rules.remove("pydock")
        rules.remove("pydock")
        rules.withdraw(endpoint(*ports))
        assert not nfnetlink.table_exists("pydock")

    apart(story)


def test_many_starts_at_once_make_one_table() -> None:
    def story() -> None:
        own = threading.get_native_id()

        def start(_index: int) -> bool:
            with open(f"/proc/self/task/{own}/ns/net", "rb") as there:
                calls.setns(there.fileno(), constants.CLONE_NEWNET)
            return rules.ensure(endpoint())

        with ThreadPoolExecutor(6) as pool:
            assert any(pool.map(start, range(6)))
        assert not rules.ensure(endpoint())
        assert table().count("chain forward") == 1

    apart(story)


def test_an_internal_network_has_no_way_out() -> None:
    def story() -> None:
        rules.ensure(endpoint(internal=True))
        shown = table()
        assert re.search(r'set inner \{\s+type ifname\s+elements = \{ "br-test" \}', shown)
        assert re.search(r"set masked4 \{\s+type ipv4_addr\s+flags interval\s+\}", shown)

    apart(story)


def test_a_transaction_that_is_refused_changes_nothing() -> None:
    def story() -> None:
        with pytest.raises(nftables.NftError, match=r"nftables: .*no such file or directory"):
            nftables.run("add table inet fresh\nadd rule inet fresh nosuch accept\n")
        assert not nfnetlink.table_exists("fresh")
        with pytest.raises(nftables.NftError, match="syntax error"):
            nftables.run("nonsense\n")

    apart(story)


def test_the_nft_program_does_where_the_library_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def story() -> None:
        monkeypatch.setattr(nftables, "load", lambda: False)
        assert rules.ensure(endpoint())
        assert "# handle" in nftables.run("list chain inet pydock forward", handles=True)
        with pytest.raises(nftables.NftError, match="syntax error"):
            nftables.run("nonsense\n")

    apart(story)
