"""Names of images as Docker reads them: `[domain/]path[:tag][@digest]`.

Grammar and normalisation follow the distribution project's reference specification: a first part with a dot,
a colon or an upper-case letter (or `localhost`) is a registry, `docker.io` is the default one, and its
one-part names live under `library/`. Only the text is judged here; whether it exists is the registry's word.
"""

from __future__ import annotations

import re

from ..errors import InvalidRequest
from ..record import Record

DEFAULT_DOMAIN = "docker.io"
DEFAULT_TAG = "latest"
MAXIMUM_NAME = 255

_HOST = r"(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\[[a-fA-F0-9:]+\])"
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
# re keeps what it has compiled; done at import it would cost commands that read no reference a millisecond
_DOMAIN = rf"{_HOST}(?::[0-9]+)?"
_PATH = rf"{_COMPONENT}(?:/{_COMPONENT})*"
_TAG = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
_DIGEST = r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}"
_HEX64 = r"[0-9a-f]{64}"


class Reference(Record):
    """A parsed name. `tag` and `digest` are empty when they were not given."""

    domain: str
    path: str
    tag: str = ""
    digest: str = ""

    @property
    def name(self) -> str:
        """Registry and repository: `docker.io/library/alpine`."""
        return f"{self.domain}/{self.path}"

    @property
    def full(self) -> str:
        """The unambiguous form that the store uses; a digest outranks a tag, as a pull by both is by digest."""
        if self.digest:
            return f"{self.name}@{self.digest}"
        return f"{self.name}:{self.tag}"

    @property
    def familiar_name(self) -> str:
        """The repository as people write it: `alpine`, `user/app`, `registry:5000/app`."""
        if self.domain != DEFAULT_DOMAIN:
            return self.name
        return self.path.removeprefix("library/") if self.path.count("/") == 1 else self.path

    @property
    def familiar(self) -> str:
        """`full` in the form that people write: `alpine:latest`."""
        if self.digest:
            return f"{self.familiar_name}@{self.digest}"
        return f"{self.familiar_name}:{self.tag}"


def parse(text: str) -> Reference:
    """Read a name; without tag and digest the tag is `latest`. Raises InvalidRequest in Docker's words."""
    if not text:
        raise InvalidRequest("invalid reference format: empty image name")
    if re.fullmatch(_HEX64, text):
        raise InvalidRequest(f"invalid repository name ({text}), cannot specify 64-byte hexadecimal strings")
    rest, at, digest = text.partition("@")
    if at and not re.fullmatch(_DIGEST, digest):
        raise InvalidRequest(
            f"invalid reference format: {digest!r} is not a digest", hint="A digest is sha256: and 64 hex digits."
        )
    domain, path = _split_domain(rest)
    path, colon, tag = path.partition(":")
    if path != path.lower():
        raise InvalidRequest(f"invalid reference format: repository name ({path}) must be lowercase")
    if colon and not re.fullmatch(_TAG, tag):
        raise InvalidRequest(f"invalid reference format: {tag!r} is not a tag")
    if not re.fullmatch(_PATH, path):
        raise InvalidRequest(f"invalid reference format: {text!r} is not an image name")
    if not re.fullmatch(_DOMAIN, domain):
        raise InvalidRequest(f"invalid reference format: {domain!r} is not a registry address")
    if len(domain) + 1 + len(path) > MAXIMUM_NAME:
        raise InvalidRequest(f"repository name must not be more than {MAXIMUM_NAME} characters")
    return Reference(domain=domain, path=path, tag=tag or ("" if digest else DEFAULT_TAG), digest=digest)


def is_digest(text: str) -> bool:
    """True for a well-formed sha256 or sha512 digest."""
    return re.fullmatch(_DIGEST, text) is not None


def is_id_prefix(text: str) -> bool:
    """True for what may be the beginning of an image id, with or without its `sha256:`."""
    return re.fullmatch(r"[0-9a-f]{1,64}", text.removeprefix("sha256:")) is not None


def _split_domain(name: str) -> tuple[str, str]:
    first, slash, rest = name.partition("/")
    is_domain = "." in first or ":" in first or first == "localhost" or first != first.lower()
    if slash and is_domain:
        domain, path = first, rest
    else:
        domain, path = DEFAULT_DOMAIN, name
    if domain == "index.docker.io":
        domain = DEFAULT_DOMAIN
    if domain == DEFAULT_DOMAIN and "/" not in path:
        path = f"library/{path}"
    return domain, path
