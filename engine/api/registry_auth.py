"""`X-Registry-Auth`: what a client sends along to be used at the registry. It is never written anywhere."""

from __future__ import annotations

import base64
import binascii
import json

from ..images.auth import Credentials


def read_credentials(header: str) -> Credentials | None:
    """From URL-safe base64 of JSON, padded or not; None for what is absent or no such thing, as Docker has it."""
    try:
        data = json.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)))
    except (ValueError, binascii.Error):
        return None
    if not isinstance(data, dict):
        return None
    username, password, token = (str(data.get(key) or "") for key in ("username", "password", "identitytoken"))
    if not username and isinstance(data.get("auth"), str):
        username, password = _pair(data["auth"])
    return Credentials(username, password, token) if username or token else None


def _pair(text: str) -> tuple[str, str]:
    """User and password of `auth`, as in Docker's own file; empty for what is none."""
    try:
        username, _, password = base64.b64decode(text).decode().partition(":")
    except (ValueError, binascii.Error):
        return "", ""
    return username, password
