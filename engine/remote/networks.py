"""Networks of another engine, with the face of `networks.networks.Networks`."""

from __future__ import annotations

from ..errors import Conflict
from .api import only_here, quoted
from .models import network as read_network

TYPE_CHECKING = False
if TYPE_CHECKING:
    import builtins
    from collections.abc import Callable
    from typing import Any

    from ..models import Network
    from .api import Api


class RemoteNetworks:
    def __init__(self, api: Api) -> None:
        self._api = api

    def __getattr__(self, name: str) -> Any:
        raise only_here(name)

    def list(self) -> list[Network]:
        return sorted((read_network(row) for row in self._api.json("GET", "/networks") or ()), key=_by_name)

    def get(self, reference: str) -> Network:
        return read_network(self.inspect(reference))

    def inspect(self, reference: str) -> dict[str, Any]:
        document: dict[str, Any] = self._api.json("GET", f"/networks/{quoted(reference)}")
        return document

    def create(
        self,
        name: str,
        *,
        driver: str = "bridge",
        subnet: str = "",
        gateway: str = "",
        ip_range: str = "",
        internal: bool = False,
        labels: dict[str, str] | None = None,
        options: dict[str, str] | None = None,
        ipv4: bool = True,
        ipv6: bool = False,
        subnet6: str = "",
        gateway6: str = "",
        ip_range6: str = "",
        reserved: dict[str, str] | None = None,
        attachable: bool = False,
    ) -> Network:
        body: dict[str, Any] = {
            "Name": name,
            "CheckDuplicate": True,
            "Driver": driver,
            "Internal": internal,
            "Attachable": attachable,
            "EnableIPv6": ipv6,
            "Labels": labels or {},
            "Options": options or {},
        }
        if not ipv4:
            body["EnableIPv4"] = False
        kept = reserved or {}
        four = _pool(subnet, gateway, ip_range, {key: text for key, text in kept.items() if ":" not in text})
        six = _pool(subnet6, gateway6, ip_range6, {key: text for key, text in kept.items() if ":" in text})
        if four or six:
            body["IPAM"] = {"Config": [pool for pool in (four, six) if pool]}
        return self.get(self._api.json("POST", "/networks/create", None, body)["Id"])

    def remove(self, reference: str) -> None:
        self._api.open("DELETE", f"/networks/{quoted(reference)}").read()

    def used(self) -> set[str]:
        """Names of the networks that containers are on, running or not."""
        rows = self._api.json("GET", "/containers/json", {"all": True}) or ()
        return {name for row in rows for name in (row.get("NetworkSettings") or {}).get("Networks") or ()}

    def prune(self, chosen: Callable[[Network], bool] = lambda _network: True) -> builtins.list[str]:
        """Remove the chosen ones that nobody is on; the other engine refuses those that are in use."""
        removed = []
        used = self.used()
        for network in self.list():
            if network.name in ("bridge", "host", "none", "podman", *used) or not chosen(network):
                continue
            try:
                self.remove(network.id)
            except Conflict:
                continue
            removed.append(network.name)
        return removed


def _pool(subnet: str, gateway: str, ip_range: str, reserved: dict[str, str]) -> dict[str, object]:
    fields = {"Subnet": subnet, "Gateway": gateway, "IPRange": ip_range, "AuxiliaryAddresses": reserved}
    return {key: value for key, value in fields.items() if value}


def _by_name(network: Network) -> str:
    return network.name
