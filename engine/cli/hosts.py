"""Which engine a command speaks to: this machine's own, or another one over its API.

In this order: --host, --context, PYDOCK_HOST, PYDOCK_CONTEXT, DOCKER_HOST, the context in use. Without any of them it
is the engine of this machine: opened directly with root's rights, else through the socket of `pydock serve` if
this person may use it.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..remote.target import Target, Tls

SOCKET_NAME = "pydock.sock"


class Asked:
    """What the options before the command say of the engine."""

    __slots__ = ("ca", "certificate", "context", "host", "key", "tls", "verify")

    def __init__(self) -> None:
        self.host = ""
        self.context = ""
        self.ca = ""
        self.certificate = ""
        self.key = ""
        self.tls = False
        self.verify = False

    def take(self, name: str, value: str) -> None:
        """One option by its name, as docker has them."""
        if name in ("H", "host"):
            self.host = value
        elif name in ("c", "context"):
            self.context = value
        elif name in ("tls", "tlsverify"):
            wanted = value.lower() not in ("false", "0", "f")
            self.tls = self.tls or wanted
            self.verify = wanted if name == "tlsverify" else self.verify
        else:
            field = {"tlscacert": "ca", "tlscert": "certificate", "tlskey": "key"}[name]
            setattr(self, field, value)


def find_target(asked: Asked | None, run_root: str) -> Target | None:
    """Where the other engine answers; None for the one of this machine."""
    get = os.environ.get
    asked = asked or Asked()
    if asked.host:
        return _target(asked.host, asked)
    if asked.context:
        return _context_target(asked.context)
    if get("PYDOCK_HOST"):
        return _target(get("PYDOCK_HOST", ""), asked)
    if get("PYDOCK_CONTEXT"):
        return _context_target(get("PYDOCK_CONTEXT", ""))
    if get("DOCKER_HOST"):
        target = _target(get("DOCKER_HOST", ""), asked)
        # whoever sends docker's programs to our own socket means this engine
        return None if target.path == f"{run_root}/{SOCKET_NAME}" and os.geteuid() == 0 else target
    from .context_store import DEFAULT, current

    name = current()
    return None if name == DEFAULT else _context_target(name)


def usable_socket(run_root: str) -> Target | None:
    """The socket of this machine's `pydock serve`, if this person may write to it."""
    path = f"{run_root}/{SOCKET_NAME}"
    if not os.access(path, os.R_OK | os.W_OK):
        return None
    from ..remote.target import parse_target

    return parse_target(f"unix://{path}")


def _target(text: str, asked: Asked) -> Target:
    from ..remote.target import parse_target

    return parse_target(text, None if "unix://" in text else _tls(asked))


def _tls(asked: Asked) -> Tls | None:
    """As docker: --tlsverify and DOCKER_TLS_VERIFY check the engine, and the files lie together in one folder."""
    from ..remote.target import Tls

    verify = asked.verify or bool(os.environ.get("DOCKER_TLS_VERIFY"))
    if not (verify or asked.tls or asked.ca or asked.certificate):
        return None
    folder = os.environ.get("DOCKER_CERT_PATH") or os.environ.get("DOCKER_CONFIG") or os.path.expanduser("~/.docker")
    names = {"ca": asked.ca, "cert": asked.certificate, "key": asked.key}
    files = {
        name: path or (f"{folder}/{name}.pem" if os.path.exists(f"{folder}/{name}.pem") else "")
        for name, path in names.items()
    }
    return Tls(ca=files["ca"], certificate=files["cert"], key=files["key"], verify=verify)


def _context_target(name: str) -> Target | None:
    from ..remote.target import Tls, parse_target
    from .context_store import find

    context = find(name)
    if not context.host:
        return None
    tls = (
        Tls(ca=context.ca, certificate=context.certificate, key=context.key, verify=context.verify)
        if context.tls
        else None
    )
    return parse_target(context.host, tls)
