"""Finds images in the index by what people type, and describes them. Import-light: a cold `run` comes here."""

from __future__ import annotations

import re

from ..errors import CorruptContent, ImageNotFound, InvalidRequest
from ..models import Image
from .config import load_document, parse_config
from .reference import is_digest, is_id_prefix, parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..paths import Paths
    from .index import IndexEntry
    from .layers import LayerStore

_HEX64 = r"(?:sha256:)?[0-9a-f]{64}"


def find(entries: list[IndexEntry], text: str) -> IndexEntry:
    """The entry meant by a full id or digest, a name, or the unique beginning of an id, in this order.

    Raises ImageNotFound, and InvalidRequest for what cannot be any of these.
    """
    if re.fullmatch(_HEX64, text):
        digest = f"sha256:{text.removeprefix('sha256:')}"
        for entry in entries:
            if digest in (entry.config, entry.digest):
                return entry
        raise ImageNotFound(f"no such image: {text}")
    try:
        reference = parse(text)
    except InvalidRequest:
        if not text.startswith("sha256:"):
            raise
    else:
        for entry in entries:
            if entry.reference == reference.full:
                return entry
        for entry in entries:
            if reference.digest and entry.repo_digest == f"{reference.name}@{reference.digest}":
                return entry
    if is_id_prefix(text):
        prefix = f"sha256:{text.removeprefix('sha256:')}"
        found = {entry.config: entry for entry in entries if entry.config.startswith(prefix)}
        if len(found) > 1:
            raise ImageNotFound(f"no such image: {text}: {len(found)} image ids begin so", hint="Give more digits.")
        for entry in found.values():
            return entry
    raise ImageNotFound(f"no such image: {text}", hint=f"pydock pull {text} fetches it.")


def describe(paths: Paths, layers: LayerStore, group: list[IndexEntry]) -> Image:
    """The image of these entries, which share a configuration. Raises CorruptContent."""
    first = group[0]
    document = document_of(paths, first.config)
    config = parse_config(document, first.config)
    names = [parse(entry.reference) for entry in group if entry.reference]
    repo_digests = {familiar_digest(entry.repo_digest) for entry in group if entry.repo_digest}
    return Image(
        id=first.config,
        digest=first.digest,
        references=tuple(sorted(name.familiar for name in names if not name.digest)),
        repo_digests=tuple(sorted(repo_digests)),
        created_ns=time_ns(document.get("created")),
        size=sum(layers.size(chain_id) for chain_id in config.chain_ids),
        architecture=config.architecture,
        os=config.os,
        labels=config.labels,
        layers=len(config.chain_ids),
    )


def describe_all(paths: Paths, layers: LayerStore, entries: list[IndexEntry]) -> list[Image]:
    """Every image, newest first. One whose configuration is damaged is left out, as others must stay usable."""
    groups: dict[str, list[IndexEntry]] = {}
    for entry in entries:
        groups.setdefault(entry.config, []).append(entry)
    images = []
    for group in groups.values():
        try:
            images.append(describe(paths, layers, group))
        except (CorruptContent, InvalidRequest):
            continue
    return sorted(images, key=lambda image: (-image.created_ns, image.references, image.id))


def document_of(paths: Paths, image_id: str) -> dict[str, Any]:
    """The configuration document of an image. Raises CorruptContent when it is missing."""
    if not is_digest(image_id):
        raise CorruptContent(f"image configuration {image_id[:80]!r} is not a digest")
    try:
        return load_document(paths.blob(image_id), image_id)
    except FileNotFoundError as error:
        raise CorruptContent(
            f"the configuration of image {image_id} is missing", hint="Pull the image again."
        ) from error


def familiar_digest(repo_digest: str) -> str:
    """`docker.io/library/alpine@sha256:…` as people write it."""
    return parse(repo_digest).familiar


def time_ns(text: object) -> int:
    """RFC 3339 to nanoseconds since the epoch; 0 for what is not a time, or before the epoch."""
    match = re.fullmatch(
        r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9})\d*)?([Zz]|([+-])(\d\d):(\d\d))",
        text if isinstance(text, str) else "",
    )
    if match is None:
        return 0
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    seconds = _days(year, month, day) * 86400 + hour * 3600 + minute * 60 + second
    if match[9]:
        offset = int(match[10]) * 3600 + int(match[11]) * 60
        seconds += offset if match[9] == "-" else -offset
    return max(0, seconds * 1_000_000_000 + int((match[7] or "").ljust(9, "0") or "0"))


def _days(year: int, month: int, day: int) -> int:
    """Days from the epoch to a date; datetime would cost a cold command more than all the rest here."""
    year -= month <= 2
    era, of_era = divmod(year, 400)
    of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return era * 146097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719468
