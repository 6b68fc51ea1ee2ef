"""Documents from outside: what is understood, chosen and refused."""

from __future__ import annotations

import json

import pytest

from engine.errors import CorruptContent, ImageNotFound, InvalidRequest
from engine.images.config import chain_ids
from engine.images.manifest import (
    DOCKER_LIST,
    DOCKER_MANIFEST,
    OCI_INDEX,
    OCI_MANIFEST,
    Manifest,
    ManifestIndex,
    as_oci,
    choose,
    parse_config,
    parse_manifest,
    parse_platform,
)

D = "sha256:" + "a" * 64
PART = {"mediaType": "x", "digest": D, "size": 1}


def _index(*platforms: tuple[str, str, str]) -> ManifestIndex:
    entries = [
        {**PART, "digest": f"sha256:{number:064x}", "platform": {"os": os, "architecture": arch, "variant": variant}}
        for number, (os, arch, variant) in enumerate(platforms)
    ]
    document = parse_manifest(json.dumps({"schemaVersion": 2, "manifests": entries}).encode(), OCI_INDEX, "test")
    assert isinstance(document, ManifestIndex)
    return document


@pytest.mark.parametrize(
    ("wanted", "number"),
    [
        ("linux/amd64", 0),
        ("amd64", 0),
        ("x86_64", 0),
        ("linux/arm64", 1),
        ("aarch64", 1),
        ("linux/arm/v7", 3),
        ("linux/arm/v8", 3),
        ("linux/arm/v6", 2),
        ("linux/arm", 2),
    ],
)
def test_the_platform_and_nearest_variant_are_chosen(wanted: str, number: int) -> None:
    index = _index(
        ("linux", "amd64", ""),
        ("linux", "arm64", "v8"),
        ("linux", "arm", "v6"),
        ("linux", "arm", "v7"),
        ("windows", "amd64", ""),
    )
    assert choose(index, parse_platform(wanted), "x").digest == f"sha256:{number:064x}"


def test_a_platform_that_is_not_there_names_those_that_are() -> None:
    with pytest.raises(ImageNotFound, match="no matching manifest for linux/s390x") as refused:
        choose(_index(("linux", "amd64", ""), ("unknown", "unknown", "")), parse_platform("linux/s390x"), "x")
    assert refused.value.hint == "It exists for linux/amd64."


def test_a_platform_that_is_none() -> None:
    with pytest.raises(InvalidRequest, match="invalid platform"):
        parse_platform("a/b/c/d")


@pytest.mark.parametrize("media_type", [OCI_MANIFEST, DOCKER_MANIFEST, ""])
def test_manifests_are_read(media_type: str) -> None:
    data = json.dumps({"schemaVersion": 2, "config": PART, "layers": [PART], "new": 1}).encode()
    assert isinstance(parse_manifest(data, media_type, "test"), Manifest)


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"nonsense",
        b"[]",
        b'{"schemaVersion":2}',
        b"[" * 100_000,
        json.dumps({"schemaVersion": 2, "config": {**PART, "digest": "sha256:../../x"}, "layers": []}).encode(),
        json.dumps({"schemaVersion": 2, "config": {**PART, "size": -1}, "layers": []}).encode(),
        json.dumps({"schemaVersion": 2, "config": PART, "layers": [PART] * 1001}).encode(),
        json.dumps({"schemaVersion": 2, "config": PART, "layers": [], "manifests": []}).encode(),
        json.dumps({"schemaVersion": 1, "fsLayers": []}).encode(),
        json.dumps({"schemaVersion": 2, "config": PART, "layers": [{**PART, "size": "1"}]}).encode(),
    ],
)
def test_bad_manifests_are_refused_with_their_place(document: bytes) -> None:
    with pytest.raises(CorruptContent, match=r"^here: "):
        parse_manifest(document, OCI_MANIFEST, "here")


def test_a_list_of_docker_is_an_index() -> None:
    data = json.dumps({"schemaVersion": 2, "mediaType": DOCKER_LIST, "manifests": []}).encode()
    assert isinstance(parse_manifest(data, "text/plain", "test"), ManifestIndex)


@pytest.mark.parametrize(
    "document",
    [{}, {"rootfs": {}}, {"rootfs": {"diff_ids": ["x"]}}, {"rootfs": {"diff_ids": []}, "config": {"Env": "A=B"}}],
)
def test_bad_configurations_are_refused(document: dict[str, object]) -> None:
    with pytest.raises(CorruptContent, match=r"^here: "):
        parse_config(json.dumps(document).encode(), "here")


def test_docker_s_manifest_becomes_oci_s() -> None:
    docker = {
        "schemaVersion": 2,
        "mediaType": DOCKER_MANIFEST,
        "config": {**PART, "mediaType": "application/vnd.docker.container.image.v1+json"},
        "layers": [{**PART, "mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip"}],
    }
    manifest = parse_manifest(json.dumps(docker).encode(), DOCKER_MANIFEST, "test")
    assert isinstance(manifest, Manifest)
    oci = json.loads(as_oci(manifest))
    assert oci["mediaType"] == OCI_MANIFEST
    assert oci["layers"][0]["mediaType"] == "application/vnd.oci.image.layer.v1.tar+gzip"
    assert oci["layers"][0]["digest"] == D


def test_chain_ids_of_the_specification() -> None:
    import hashlib

    first, second = f"sha256:{'1' * 64}", f"sha256:{'2' * 64}"
    expected = f"sha256:{hashlib.sha256(f'{first} {second}'.encode()).hexdigest()}"
    assert chain_ids([first, second]) == (first, expected)
