"""Names of images, as people type them and as Docker reads them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InvalidRequest
from engine.images.reference import parse

DIGEST = "sha256:" + "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("typed", "full", "familiar"),
    [
        ("alpine", "docker.io/library/alpine:latest", "alpine:latest"),
        ("alpine:3.20", "docker.io/library/alpine:3.20", "alpine:3.20"),
        ("user/app", "docker.io/user/app:latest", "user/app:latest"),
        ("docker.io/alpine", "docker.io/library/alpine:latest", "alpine:latest"),
        ("index.docker.io/library/alpine", "docker.io/library/alpine:latest", "alpine:latest"),
        ("library/alpine", "docker.io/library/alpine:latest", "alpine:latest"),
        ("docker.io/library/a/b", "docker.io/library/a/b:latest", "library/a/b:latest"),
        ("localhost/app", "localhost/app:latest", "localhost/app:latest"),
        ("localhost:5000/app:1", "localhost:5000/app:1", "localhost:5000/app:1"),
        (
            "127.0.0.1:5000/library/alpine",
            "127.0.0.1:5000/library/alpine:latest",
            "127.0.0.1:5000/library/alpine:latest",
        ),
        ("[::1]:5000/app", "[::1]:5000/app:latest", "[::1]:5000/app:latest"),
        ("UPPER/app", "UPPER/app:latest", "UPPER/app:latest"),
        ("ghcr.io/a/b-c__d.e:v1_2.3-X", "ghcr.io/a/b-c__d.e:v1_2.3-X", "ghcr.io/a/b-c__d.e:v1_2.3-X"),
        (f"alpine@{DIGEST}", f"docker.io/library/alpine@{DIGEST}", f"alpine@{DIGEST}"),
        (f"alpine:3@{DIGEST}", f"docker.io/library/alpine@{DIGEST}", f"alpine@{DIGEST}"),
    ],
)
def test_names_are_completed_as_docker_does(typed: str, full: str, familiar: str) -> None:
    reference = parse(typed)
    assert (reference.full, reference.familiar) == (full, familiar)


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("Alpine", "invalid reference format: repository name (library/Alpine) must be lowercase"),
        ("docker.io/Foo/bar", "invalid reference format: repository name (Foo/bar) must be lowercase"),
        ("", "invalid reference format: empty image name"),
        ("alpine:", "invalid reference format"),
        ("alpine:a b", "invalid reference format"),
        ("alpine:" + "x" * 129, "invalid reference format"),
        ("alpine@sha256:123", "invalid reference format"),
        ("-x", "invalid reference format"),
        ("a//b", "invalid reference format"),
        ("../x", "invalid reference format"),
        ("a..b", "invalid reference format"),
        ("https://example.com/x", "invalid reference format"),
        ("exa mple.com/x", "invalid reference format"),
        ("alpine\n", "invalid reference format"),
        ("f" * 64, "cannot specify 64-byte hexadecimal strings"),
        ("example.com/" + "a" * 250, "must not be more than 255 characters"),
    ],
)
def test_bad_names_are_refused_in_docker_s_words(typed: str, message: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse(typed)
    assert message in refused.value.message


@given(st.text(max_size=80))
def test_any_text_is_a_name_or_refused(typed: str) -> None:
    try:
        reference = parse(typed)
    except InvalidRequest:
        return
    assert parse(reference.full).full == reference.full
    assert parse(reference.familiar).full == reference.full
