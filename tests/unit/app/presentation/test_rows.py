"""What a container says in the list."""

import math

import pytest

from app.presentation import rows
from app.presentation.cells import Cell, Row, Spark
from app.presentation.ports import first_url, port_list
from app.presentation.readings import Reading
from app.presentation.sort import matches, sort_containers
from app.presentation.state import container_look, exit_text
from engine.models import Container, Image, PortMapping, Resources

NOW = 1_000_000 * 1_000_000_000


def container(name: str = "web", **changes: object) -> Container:
    values: dict[str, object] = {
        "id": name * 4,
        "name": name,
        "image": "nginx:1.27",
        "image_id": "sha256:1",
        "command": ("sh",),
        "created_ns": NOW - 10_000_000_000,
        "started_ns": NOW - 7_200_000_000_000,
        "state": "running",
    }
    return Container(**(values | changes))  # type: ignore[arg-type]


def reading(**changes: float) -> Reading:
    values = dict.fromkeys(Reading._fields, 0.0) | {"memory": 180 << 20, "memory_limit": 0, "pids": 5} | changes
    return Reading(**values)  # type: ignore[arg-type]


def text(row: Row, column: str) -> str:
    value = row.cells.get(column, "")
    return value.text if isinstance(value, Cell) else str(value)


def test_a_running_container_shows_its_use() -> None:
    one = container(resources=Resources(memory=512 << 20))
    row = rows.container_row(one, now_ns=NOW, reading=reading(cpu=12.4, rx=1_258_291.0), trend=[1.0, 2.0])
    assert text(row, "state") == "running"
    assert text(row, "uptime") == "2h"
    assert text(row, "cpu") == "12.4%"
    assert (text(row, "memory"), text(row, "limit")) == ("180M", "/512M")
    assert text(row, "net").split() == ["↓", "1.2M", "↑", "0"]
    assert isinstance(row.cells["trend"], Spark)


def test_numbers_of_a_running_container_wait_for_the_first_sample() -> None:
    row = rows.container_row(container(), now_ns=NOW)
    assert text(row, "cpu") == ""


def test_the_first_sample_has_no_rates_yet() -> None:
    row = rows.container_row(container(), now_ns=NOW, reading=reading(cpu=math.nan, rx=math.nan, tx=math.nan))
    assert text(row, "cpu") == "–"
    assert text(row, "net").split() == ["↓", "–", "↑", "–"]


@pytest.mark.parametrize(
    ("changes", "glyph", "word", "role"),
    [
        ({"state": "exited", "exit_code": 137, "oom_killed": True}, "✖", "oom 137", "error"),
        ({"state": "exited", "exit_code": 1}, "✖", "exit 1", "error"),
        ({"state": "exited", "exit_code": 0}, "◼", "exit 0", "muted"),
        ({"state": "exited", "exit_code": 143, "stop_requested": True}, "◼", "exit 143", "muted"),
        ({"state": "paused"}, "◐", "paused", "warning"),
        ({"state": "created"}, "○", "created", "secondary"),
        ({"state": "restarting"}, "↻", "restarting", "warning"),
    ],
)
def test_state_is_glyph_word_and_role(changes: dict[str, object], glyph: str, word: str, role: str) -> None:
    row = rows.container_row(container().replace(**changes), now_ns=NOW)
    assert row.cells["glyph"] == Cell(glyph, role)  # type: ignore[arg-type]
    assert text(row, "state") == word


def test_an_action_under_way_goes_before_the_state() -> None:
    look = container_look(container(), busy="stopping")
    assert (look.glyph, look.word) == ("◌", "stopping")
    assert container_look(container(), ascii_only=True).glyph == "*"


def test_the_signal_is_named() -> None:
    assert exit_text(container(state="exited", exit_code=137)) == "exit 137 (SIGKILL)"
    assert exit_text(container(state="exited", exit_code=200)) == "exit 200"
    assert exit_text(container()) == ""


def test_use_near_the_limit_is_coloured() -> None:
    one = container(resources=Resources(memory=100, nano_cpus=500_000_000))
    row = rows.container_row(one, now_ns=NOW, reading=reading(memory=95, cpu=36.0))
    assert row.cells["memory"] == Cell("95B", "error")
    assert row.cells["cpu"] == Cell("36.0%", "warning")


def test_markup_and_control_characters_in_names_stay_text() -> None:
    row = rows.container_row(container(image="[red]x\x1b[31m"), now_ns=NOW)
    assert text(row, "image") == "[red]x"


def test_ports_have_one_order_and_families_appear_once() -> None:
    ports = (
        PortMapping(container_port=443, host_port=8443, host_ip="127.0.0.1"),
        PortMapping(container_port=80, host_port=8080, host_ip="::"),
        PortMapping(container_port=80, host_port=8080, host_ip="0.0.0.0"),
        PortMapping(container_port=53, host_port=53, protocol="udp"),
    )
    assert port_list(ports) == "53→53/udp 8080→80 127.0.0.1:8443→443"
    assert port_list(reversed(ports)) == port_list(ports)
    assert first_url(ports) == "http://127.0.0.1:8080/"
    assert first_url(()) == ""


def test_an_image_without_a_name_shows_its_id() -> None:
    row = rows.image_row(Image(id="sha256:0123456789abcdef", digest="", references=()), now_ns=NOW)
    assert text(row, "name") == "<none> 0123456789ab"


def test_sorting_by_use_puts_the_largest_first_and_ties_by_name() -> None:
    group = [container("b"), container("a"), container("c"), container("d", state="exited")]
    known = {"b" * 4: reading(cpu=1.0), "a" * 4: reading(cpu=1.0), "c" * 4: reading(cpu=9.0)}
    assert [one.name for one in sort_containers(group, "cpu", readings=known)] == ["c", "a", "b", "d"]
    assert [one.name for one in sort_containers(group, "name", reverse=True)] == ["d", "c", "b", "a"]
    assert [one.name for one in sort_containers(group, "state")][-1] == "d"


def test_a_filter_wants_every_word_and_no_excluded_one() -> None:
    assert matches("web nginx:1.27 running", "ngi run")
    assert not matches("web nginx:1.27 running", "ngi paused")
    assert not matches("web nginx:1.27 running", "web !running")
    assert matches("anything", "")
