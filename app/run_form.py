"""What the run dialog's fields mean: typed text to a create request, and to the equivalent command line. Pure.

The fields take what the flags of `pydock run` take; several values of one field are separated by spaces, quoted as
in a shell. Every error names the field and what was typed.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

from engine.errors import InvalidRequest
from engine.models import CreateRequest, Mount, PortMapping, Resources, RestartPolicy

RESTART_NAMES = ("no", "on-failure", "always", "unless-stopped")
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([bkmgt]?)i?b?", re.IGNORECASE)
_VARIABLE = re.compile(r"[^=\s][^=]*(=.*)?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class RunForm:
    """The fields as they are typed."""

    image: str = ""
    name: str = ""
    command: str = ""
    tty: bool = True
    auto_remove: bool = False
    ports: str = ""
    volumes: str = ""
    env: str = ""
    memory: str = ""
    cpus: str = ""
    pids: str = ""
    network: str = "bridge"
    restart: str = "no"

    def request(self) -> CreateRequest:
        """The request. Raises InvalidRequest for the first field that is wrong."""
        image = self.image.strip()
        if not image:
            raise InvalidRequest("image: no image given", hint="for example toolbox or alpine:latest")
        name = self.name.strip()
        if name and not _NAME.fullmatch(name):
            raise InvalidRequest(
                f"name: {name} is no container name", hint="letters, digits, _ . - and at least two of them"
            )
        if self.auto_remove and self.restart != "no":
            raise InvalidRequest("restart: a container that is removed when it ends cannot be restarted")
        command = _words("command", self.command)
        env = _words("env", self.env)
        for variable in env:
            if not _VARIABLE.fullmatch(variable):
                raise InvalidRequest(f"env: {variable} is no variable", hint="write NAME=value")
        return CreateRequest(
            image=image,
            name=name,
            command=tuple(command) or None,
            tty=self.tty,
            open_stdin=self.tty,
            auto_remove=self.auto_remove,
            ports=tuple(parse_port(word) for word in _words("ports", self.ports)),
            mounts=tuple(parse_volume(word) for word in _words("volumes", self.volumes)),
            env=tuple(env),
            resources=Resources(
                memory=parse_size("memory", self.memory),
                nano_cpus=_cpus(self.cpus),
                pids_limit=_number("pids", self.pids),
            ),
            network=self.network.strip() or "bridge",
            restart=RestartPolicy(name=self.restart),
        )

    def command_line(self) -> str:
        """The `pydock run …` that does the same; also for a form that is not complete yet."""
        words = ["pydock", "run"]
        words += ["-it"] if self.tty else ["-d"]
        if self.auto_remove:
            words.append("--rm")
        if self.name.strip():
            words += ["--name", self.name.strip()]
        for flag, text in (("-p", self.ports), ("-v", self.volumes), ("-e", self.env)):
            for word in _loose_words(text):
                words += [flag, word]
        for flag, text in (("--memory", self.memory), ("--cpus", self.cpus), ("--pids-limit", self.pids)):
            if text.strip():
                words += [flag, text.strip()]
        if self.network.strip() not in ("", "bridge"):
            words += ["--network", self.network.strip()]
        if self.restart != "no":
            words += ["--restart", self.restart]
        words.append(self.image.strip() or "IMAGE")
        return " ".join(shlex.quote(word) for word in words + _loose_words(self.command))


def parse_port(text: str) -> PortMapping:
    """`[[address:]host-port:]container-port[/protocol]`, as -p takes it; ports are 1 to 65535."""
    body, _, protocol = text.partition("/")
    protocol = protocol or "tcp"
    if protocol not in ("tcp", "udp", "sctp"):
        raise InvalidRequest(f"ports: {text}: no protocol {protocol}", hint="tcp, udp or sctp")
    head, _, container = body.rpartition(":")
    address = ""
    if head.startswith("["):
        address, _, host = head[1:].partition("]")
        host = host.removeprefix(":")
    elif ":" in head:
        address, _, host = head.rpartition(":")
    else:
        host = head
    return PortMapping(
        container_port=_port(text, container),
        protocol=protocol,
        host_ip=address,
        host_port=_port(text, host) if host else 0,
    )


def parse_volume(text: str) -> Mount:
    """`[source:]target[:options]`, as -v takes it: a source with a slash is a path of the host, else a volume."""
    parts = text.split(":")
    options: tuple[str, ...] = ()
    if len(parts) > 1 and not parts[-1].startswith("/"):
        options = tuple(parts.pop().split(","))
    if len(parts) > 2 or not parts[-1].startswith("/"):
        raise InvalidRequest(f"volumes: {text} is no mount", hint="write /host/path:/path, name:/path or /path")
    source = parts[0] if len(parts) == 2 else ""
    return Mount(
        type="bind" if source.startswith(("/", ".", "~")) else "volume",
        source=source,
        target=parts[-1],
        read_only="ro" in options,
        options=tuple(option for option in options if option not in ("ro", "rw")),
    )


def parse_size(field: str, text: str) -> int:
    """Bytes of "64m", "1.5g", "1048576" (units of 1024); 0 for nothing."""
    text = text.strip()
    if not text:
        return 0
    match = _SIZE.fullmatch(text)
    if match is None:
        raise InvalidRequest(f"{field}: {text} is no size", hint="write 64m, 1.5g or a number of bytes")
    number, unit = match.groups()
    return int(float(number) * 1024 ** "bkmgt".index(unit.lower() or "b"))


def _words(field: str, text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        raise InvalidRequest(f"{field}: {str(error).lower()}", hint="close the quote") from None


def _loose_words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:
        return text.split()


def _port(text: str, number: str) -> int:
    if not number.isascii() or not number.isdigit() or not 1 <= int(number) <= 65535:
        raise InvalidRequest(f"ports: {text}: {number or 'nothing'} is no port", hint="write 8080:80 or 80/udp")
    return int(number)


def _cpus(text: str) -> int:
    if not text.strip():
        return 0
    try:
        value = float(text)
    except ValueError:
        value = -1
    if not 0 < value < 10_000:
        raise InvalidRequest(f"cpus: {text.strip()} is no number of CPUs", hint="write 0.5 or 2")
    return round(value * 1e9)


def _number(field: str, text: str) -> int:
    text = text.strip()
    if not text:
        return 0
    if not text.isascii() or not text.isdigit():
        raise InvalidRequest(f"{field}: {text} is no number")
    return int(text)
