"""Where a registry is, and whether it is spoken to over https: the one name that is not what it says, the loopback,
registries configured as insecure, and certificates of one's own.
"""

from __future__ import annotations

import glob
import ipaddress
import json
import os
import ssl

from ..errors import RegistryError

DOCKER_HUB = "registry-1.docker.io"
CERTIFICATES = "/etc/docker/certs.d"
DAEMON_CONFIG = "/etc/docker/daemon.json"
INSECURE_VARIABLE = "PYDOCK_INSECURE_REGISTRIES"


def base_url(domain: str) -> str:
    """`https://host[:port]` of a reference's registry, or `http://…` for the loopback and insecure ones."""
    if domain == "docker.io":
        return f"https://{DOCKER_HUB}"
    return f"{'http' if is_plain_http(domain) else 'https'}://{domain}"


def is_plain_http(domain: str) -> bool:
    """True for 127.0.0.0/8, ::1 and localhost, and for what the administrator calls insecure: in Docker's
    `daemon.json` (`insecure-registries`) or PYDOCK_INSECURE_REGISTRIES, host names with port or address ranges."""
    host = _host(domain)
    if host == "localhost":
        return True
    address = _address(host)
    if address is not None and address.is_loopback:
        return True
    for insecure in _insecure_registries():
        if insecure in (domain, host):
            return True
        if address is not None and "/" in insecure:
            try:
                if address in ipaddress.ip_network(insecure, strict=False):
                    return True
            except ValueError:
                continue
    return False


def ssl_context(domain: str) -> ssl.SSLContext:
    """The system's certificate authorities, and those in /etc/docker/certs.d/DOMAIN, with a client certificate
    from there. Raises RegistryError when one cannot be read."""
    context = ssl.create_default_context()
    if not context.get_ca_certs():
        try:
            import certifi

            context.load_verify_locations(certifi.where())
        except (ImportError, OSError):
            pass  # the refusal of the first certificate says what is missing
    folder = f"{CERTIFICATES}/{domain}"
    try:
        for path in sorted(glob.glob(f"{glob.escape(folder)}/*.crt")):
            context.load_verify_locations(path)
        for path in sorted(glob.glob(f"{glob.escape(folder)}/*.cert")):
            context.load_cert_chain(path, f"{path.removesuffix('.cert')}.key")
    except (OSError, ssl.SSLError) as error:
        raise RegistryError(f"cannot use the certificates in {folder}: {error}") from error
    return context


def _insecure_registries() -> list[str]:
    names = os.environ.get(INSECURE_VARIABLE, "").replace(",", " ").split()
    try:
        with open(DAEMON_CONFIG, "rb") as file:
            configured = json.loads(file.read()).get("insecure-registries") or []
    except (OSError, ValueError, AttributeError):
        return names
    return names + [str(name) for name in configured]


def _host(domain: str) -> str:
    if domain.startswith("["):
        return domain[1 : domain.index("]")]
    return domain.partition(":")[0]


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
