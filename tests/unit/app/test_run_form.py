"""The run dialog's fields: what they ask for, what they refuse, and the same thing as a command line."""

from __future__ import annotations

import shlex
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.run_form import RunForm, parse_port, parse_size, parse_volume
from engine.errors import InvalidRequest
from engine.models import Mount, PortMapping


def test_a_full_form_becomes_a_request() -> None:
    request = RunForm(
        image="toolbox",
        name="web",
        command="sh -c 'echo a b'",
        ports="8080:80 127.0.0.1:53:53/udp",
        volumes="data:/data /src:/src:ro /cache",
        env="A=1 B='two words'",
        memory="64m",
        cpus="1.5",
        pids="100",
        restart="always",
    ).request()
    assert request.command == ("sh", "-c", "echo a b")
    assert request.ports == (
        PortMapping(container_port=80, host_port=8080),
        PortMapping(container_port=53, host_port=53, host_ip="127.0.0.1", protocol="udp"),
    )
    assert request.mounts == (
        Mount(type="volume", source="data", target="/data"),
        Mount(type="bind", source="/src", target="/src", read_only=True),
        Mount(type="volume", source="", target="/cache"),
    )
    assert request.env == ("A=1", "B=two words")
    assert (request.resources.memory, request.resources.nano_cpus) == (64 << 20, 1_500_000_000)
    assert (request.tty, request.open_stdin, request.restart.name) == (True, True, "always")


def test_an_empty_command_is_the_images_own() -> None:
    assert RunForm(image="toolbox").request().command is None


@pytest.mark.parametrize(
    ("form", "field"),
    [
        (RunForm(), "image"),
        (RunForm(image="a", name="-x"), "name"),
        (RunForm(image="a", ports="80:"), "ports"),
        (RunForm(image="a", ports="0:80"), "ports"),
        (RunForm(image="a", ports="80/http"), "ports"),
        (RunForm(image="a", volumes="relative"), "volumes"),
        (RunForm(image="a", env="=x"), "env"),
        (RunForm(image="a", env="'open"), "env"),
        (RunForm(image="a", memory="lots"), "memory"),
        (RunForm(image="a", cpus="-1"), "cpus"),
        (RunForm(image="a", cpus="nan"), "cpus"),
        (RunForm(image="a", pids="many"), "pids"),
        (RunForm(image="a", command="'open"), "command"),
        (RunForm(image="a", auto_remove=True, restart="always"), "restart"),
    ],
)
def test_a_wrong_field_is_named(form: RunForm, field: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        form.request()
    assert caught.value.message.startswith(f"{field}:")


def test_the_command_line_says_the_same() -> None:
    form = RunForm(image="toolbox", name="w", ports="8080:80", env="A='x y'", memory="64m", command="sh -c 'a b'")
    words = shlex.split(form.command_line())
    before = ["pydock", "run", "-it", "--name", "w", "-p", "8080:80", "-e", "A=x y", "--memory", "64m"]
    assert words == [*before, "toolbox", "sh", "-c", "a b"]


@given(st.text(max_size=40))
def test_any_text_in_any_field_is_taken_or_refused(text: str) -> None:
    for field in ("name", "command", "ports", "volumes", "env", "memory", "cpus", "pids"):
        form = replace(RunForm(image="toolbox"), **{field: text})  # type: ignore[arg-type]
        form.command_line()
        assert _refused_field(form) in ("", field)


def test_sizes_are_in_units_of_1024() -> None:
    assert [parse_size("memory", text) for text in ("", "5", "1k", "1.5G", "2mb")] == [0, 5, 1024, 3 << 29, 2 << 20]


def test_ports_take_ipv6_addresses() -> None:
    assert parse_port("[::1]:8080:80") == PortMapping(host_ip="::1", host_port=8080, container_port=80)


def test_a_volume_with_options() -> None:
    assert parse_volume("data:/d:ro,nocopy") == Mount(
        type="volume", source="data", target="/d", read_only=True, options=("nocopy",)
    )


def _refused_field(form: RunForm) -> str:
    try:
        form.request()
    except InvalidRequest as error:
        return error.message.partition(":")[0]
    return ""
