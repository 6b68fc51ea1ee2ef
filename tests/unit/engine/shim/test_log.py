"""The log as it is written and read back: every byte, line by line, across rotation."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.containers import log_file
from engine.shim.log import LINE_BYTES, LogWriter

if TYPE_CHECKING:
    from pathlib import Path


def _read(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_lines_are_records_and_an_unfinished_one_waits(tmp_path: Path) -> None:
    log = LogWriter(str(tmp_path / "log.json"))
    log.write("stdout", b"one\ntw")
    log.write("stderr", b"err\n")
    assert [(r["log"], r["stream"]) for r in _read(tmp_path / "log.json")] == [("one\n", "stdout"), ("err\n", "stderr")]
    log.write("stdout", b"o\nrest")
    log.close()
    assert [r["log"] for r in _read(tmp_path / "log.json")] == ["one\n", "err\n", "two\n", "rest"]


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=60), max_size=30), st.integers(1, 50))
def test_any_text_in_any_pieces_comes_back(
    tmp_path_factory: pytest.TempPathFactory, parts: list[str], step: int
) -> None:
    path = tmp_path_factory.mktemp("log") / "log.json"
    data = "".join(parts).encode()
    log = LogWriter(str(path))
    for start in range(0, len(data), step):
        log.write("stdout", data[start : start + step])
    log.close()
    assert "".join(line.text for line in log_file.LogFile(str(path)).lines()).encode() == data


def test_a_line_of_a_megabyte_is_split_between_characters(tmp_path: Path) -> None:
    log = LogWriter(str(tmp_path / "log.json"))
    text = "ä€𝄞x" * 100_000
    data = text.encode()
    for start in range(0, len(data), 4099):
        log.write("stdout", data[start : start + 4099])
    log.write("stdout", b"\n")
    log.close()
    records = _read(tmp_path / "log.json")
    assert "".join(r["log"] for r in records) == text + "\n"
    assert max(len(r["log"].encode()) for r in records) <= LINE_BYTES + 1


def test_rotation_keeps_the_newest_and_the_reader_takes_all_files(tmp_path: Path) -> None:
    path = str(tmp_path / "log.json")
    log = LogWriter(path, max_bytes=2000, files=3)
    for number in range(200):
        log.write("stdout", b"line %d\n" % number)
    log.close()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["log.json", "log.json.1", "log.json.2"]
    texts = [line.text for file in log_file.files(path) for line in file.lines()]
    first = int(texts[0].split()[1])
    assert texts == [f"line {number}\n" for number in range(first, 200)]
    assert all(p.stat().st_size <= 2000 for p in tmp_path.iterdir())


@pytest.mark.parametrize("count", [0, 1, 7, 5000, 20_000])
def test_tail_is_exact(tmp_path: Path, count: int) -> None:
    path = str(tmp_path / "log.json")
    log = LogWriter(path)
    log.write("stdout", b"".join(b"%d\n" % number for number in range(10_000)))
    log.close()
    file = log_file.LogFile(path)
    missing = file.skip_to_tail(count, file.size())
    assert [line.text for line in file.lines()] == [f"{n}\n" for n in range(max(0, 10_000 - count), 10_000)]
    assert missing == max(0, count - 10_000)


def test_a_full_disk_drops_and_counts_and_the_writer_goes_on() -> None:
    log = LogWriter("/dev/full")
    log.write("stdout", b"lost\n")
    assert log.dropped_bytes > 0


def test_a_torn_record_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "log.json"
    log = LogWriter(str(path))
    log.write("stdout", b"a\n")
    log.close()
    with path.open("ab") as file:
        file.write(b'{"log":"half\n')
    log = LogWriter(str(path))
    log.write("stdout", b"b\n")
    log.close()
    assert [line.text for line in log_file.LogFile(str(path)).lines()] == ["a\n", "b\n"]


def test_a_tail_ends_where_the_log_ended_when_it_was_asked_for(tmp_path: Path) -> None:
    path = str(tmp_path / "log.json")
    log = LogWriter(path)
    log.write("stdout", b"1\n2\n3\n")
    file = log_file.LogFile(path)
    end = file.size()
    log.write("stdout", b"4\n")
    log.close()
    assert file.skip_to_tail(2, end) == 0
    assert [line.text for line in file.lines(end)] == ["2\n", "3\n"]
    assert [line.text for line in file.lines()] == ["4\n"]
