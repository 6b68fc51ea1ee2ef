"""What a registry has under a name, without fetching it; and whether it takes an account."""

from __future__ import annotations

import hashlib
import json

from ..errors import CorruptContent, RegistryError
from .manifest import ACCEPTED, CONFIG_LIMIT, MANIFEST_LIMIT, Manifest, parse_config, parse_manifest
from .reference import Reference
from .registry import Registry

TAGS_LIMIT = 4 << 20

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .auth import Credentials


def look_up(reference: Reference, credentials: Credentials | None) -> dict[str, Any]:
    """Descriptor and platforms, as `GET /distribution/NAME/json` tells them. Raises ImageNotFound, Unauthorized,
    RegistryError, CorruptContent."""
    registry = Registry(reference, credentials=credentials)
    try:
        where = f"manifests/{reference.digest or reference.tag}"
        data, media_type = registry.document(where, ACCEPTED, MANIFEST_LIMIT)
        document = parse_manifest(data, media_type, f"manifest of {reference.familiar}")
        if isinstance(document, Manifest):
            digest = document.config.digest
            config_data, _ = registry.document(f"blobs/{digest}", ("*/*",), CONFIG_LIMIT)
            config = parse_config(config_data, f"configuration {digest}")
            platforms = [_platform(config.architecture, config.os, config.variant)]
        else:
            known = [found.platform for found in document.manifests if found.platform is not None]
            platforms = [_platform(item.architecture, item.os, item.variant) for item in known]
    finally:
        registry.close()
    return {
        "Descriptor": {
            "mediaType": document.media_type or media_type,
            "digest": f"sha256:{hashlib.sha256(data).hexdigest()}",
            "size": len(data),
        },
        "Platforms": platforms,
    }


def tags(reference: Reference, credentials: Credentials | None) -> list[str]:
    """Every tag of a repository. Raises ImageNotFound, Unauthorized, RegistryError."""
    registry = Registry(reference, credentials=credentials)
    try:
        data, _ = registry.document("tags/list?n=10000", ("application/json",), TAGS_LIMIT)
    finally:
        registry.close()
    try:
        return sorted(str(tag) for tag in json.loads(data).get("tags") or ())
    except (ValueError, AttributeError):
        raise RegistryError(f"{reference.domain} answered with no list of tags") from None


def remote_tags(reference: Reference, credentials: Credentials | None) -> list[str]:
    """Every tag of a repository at its registry. Raises as `look_up` does."""
    registry = Registry(reference, credentials=credentials)
    try:
        data, _ = registry.document("tags/list", ("application/json",), MANIFEST_LIMIT)
    finally:
        registry.close()
    try:
        tags = json.loads(data)["tags"] or []
    except (ValueError, KeyError, TypeError) as error:
        raise CorruptContent(f"{reference.domain} does not list the tags of {reference.path}") from error
    return sorted(tag for tag in tags if isinstance(tag, str))


def check_login(domain: str, credentials: Credentials) -> None:
    """Raises Unauthorized when the registry does not take them, RegistryError when it cannot be asked."""
    registry = Registry(Reference(domain=domain, path="login"), credentials=credentials, scope=" ")
    try:
        registry.ping()
    finally:
        registry.close()


def _platform(architecture: str, system: str, variant: str) -> dict[str, str]:
    return {"architecture": architecture, "os": system, **({"variant": variant} if variant else {})}
