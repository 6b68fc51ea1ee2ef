"""The log as it is written and read back: every byte, line by line, across rotation."""

from __future__ import annotations

import json
import os
import socket
import struct
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.containers import journal, log_file
from engine.containers.log_options import LogSettings, details_text
from engine.containers.session import Session
from engine.models import Container
from engine.shim import frames
from engine.shim.journal import JournalSink
from engine.shim.log import LINE_BYTES, FileSink, LogWriter
from engine.shim.log_compress import pack
from engine.shim.log_format import CompactFormat, JsonFormat
from engine.shim.log_rotation import RotatingFile
from tests.support.engine import wait_until

if TYPE_CHECKING:
    from pathlib import Path


def writer(
    path: Path | str, *, attributes: dict[str, str] | None = None, compact: bool = False, **options: Any
) -> LogWriter:
    return LogWriter(
        FileSink(RotatingFile(str(path), **options), CompactFormat() if compact else JsonFormat(attributes))
    )


def _read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_lines_are_records_and_an_unfinished_one_waits(tmp_path: Path) -> None:
    log = writer(str(tmp_path / "log.json"))
    log.write("stdout", b"one\ntw")
    log.write("stderr", b"err\n")
    assert [(r["log"], r["stream"]) for r in _read(tmp_path / "log.json")] == [("one\n", "stdout"), ("err\n", "stderr")]
    log.write("stdout", b"o\nrest")
    log.close()
    assert [r["log"] for r in _read(tmp_path / "log.json")] == ["one\n", "err\n", "two\n", "rest"]


@settings(deadline=None)
@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=60), max_size=30), st.integers(1, 50))
def test_any_text_in_any_pieces_comes_back(
    tmp_path_factory: pytest.TempPathFactory, parts: list[str], step: int
) -> None:
    path = tmp_path_factory.mktemp("log") / "log.json"
    data = "".join(parts).encode()
    log = writer(str(path))
    for start in range(0, len(data), step):
        log.write("stdout", data[start : start + step])
    log.close()
    assert "".join(line.text for line in log_file.LogFile(str(path)).lines()).encode() == data


def test_a_line_of_a_megabyte_is_split_between_characters(tmp_path: Path) -> None:
    log = writer(str(tmp_path / "log.json"))
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
    log = writer(path, max_bytes=2000, files=3)
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
    log = writer(path)
    log.write("stdout", b"".join(b"%d\n" % number for number in range(10_000)))
    log.close()
    file = log_file.LogFile(path)
    missing = file.skip_to_tail(count, file.size())
    assert [line.text for line in file.lines()] == [f"{n}\n" for n in range(max(0, 10_000 - count), 10_000)]
    assert missing == max(0, count - 10_000)


def test_a_full_disk_drops_and_counts_and_the_writer_goes_on() -> None:
    sink = FileSink(RotatingFile("/dev/full"), JsonFormat())
    log = LogWriter(sink)
    log.write("stdout", b"lost\n")
    assert sink.dropped_bytes > 0


def test_a_torn_record_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "log.json"
    log = writer(str(path))
    log.write("stdout", b"a\n")
    log.close()
    with path.open("ab") as file:
        file.write(b'{"log":"half\n')
    log = writer(str(path))
    log.write("stdout", b"b\n")
    log.close()
    assert [line.text for line in log_file.LogFile(str(path)).lines()] == ["a\n", "b\n"]


def test_a_tail_ends_where_the_log_ended_when_it_was_asked_for(tmp_path: Path) -> None:
    path = str(tmp_path / "log.json")
    log = writer(path)
    log.write("stdout", b"1\n2\n3\n")
    file = log_file.LogFile(path)
    end = file.size()
    log.write("stdout", b"4\n")
    log.close()
    assert file.skip_to_tail(2, end) == 0
    assert [line.text for line in file.lines(end)] == ["2\n", "3\n"]
    assert [line.text for line in file.lines()] == ["4\n"]


@settings(deadline=None)
@given(st.lists(st.binary(max_size=80), max_size=30), st.integers(1, 50))
def test_any_bytes_come_back_from_the_compact_form(
    tmp_path_factory: pytest.TempPathFactory, parts: list[bytes], step: int
) -> None:
    path = tmp_path_factory.mktemp("log") / "log.json"
    data = b"".join(parts)
    log = writer(path, compact=True)
    for start in range(0, len(data), step):
        log.write("stderr", data[start : start + step])
    log.close()
    lines = list(log_file.LogFile(str(path)).lines())
    assert b"".join(line.text.encode("utf-8", "surrogateescape") for line in lines) == data
    assert {line.stream for line in lines} <= {"stderr"}


def test_a_long_line_of_the_compact_form_is_one_line_again(tmp_path: Path) -> None:
    log = writer(tmp_path / "log.json", compact=True)
    log.write("stdout", b"y" * 50_000 + b"\nend\n")
    log.close()
    assert (
        "".join(line.text for line in log_file.LogFile(str(tmp_path / "log.json")).lines()) == "y" * 50_000 + "\nend\n"
    )


@pytest.mark.parametrize("compact", [False, True])
@pytest.mark.parametrize("files", [1, 2, 4])
def test_no_file_is_larger_and_no_record_is_cut_or_lost(tmp_path: Path, compact: bool, files: int) -> None:
    path = str(tmp_path / "log.json")
    log = writer(path, compact=compact, max_bytes=3000, files=files)
    text = b"".join(b"line %d %s\n" % (number, b"x" * (number % 97)) for number in range(3000))
    for start in range(0, len(text), 7001):  # each piece holds several files' worth
        log.write("stdout", text[start : start + 7001])
    log.close()
    sizes = [entry.stat().st_size for entry in sorted(tmp_path.iterdir())]
    assert len(sizes) == files
    assert max(sizes) <= 3000
    assert min(sizes[1:], default=3000) > 2700  # and each one is filled up
    kept = [line.text for file in log_file.files(path) for line in file.lines()]
    assert "".join(kept).encode() == text[-len("".join(kept)) :]


def test_a_record_larger_than_a_file_has_one_of_its_own(tmp_path: Path) -> None:
    path = str(tmp_path / "log.json")
    log = writer(path, max_bytes=100, files=4)
    log.write("stdout", b"a\n" + b"b" * 500 + b"\nc\n")
    log.close()
    assert [[line.text[:1] for line in file.lines()] for file in log_file.files(path)] == [["a"], ["b"], ["c"]]


def test_a_follower_loses_nothing_through_any_rotations(tmp_path: Path) -> None:
    path = str(tmp_path / "log.json")
    log = writer(path, max_bytes=2000, files=30, compress=True)
    log.write("stdout", b"0\n")
    file = log_file.files(path)[-1]
    seen = [line.text for line in file.lines()]
    for number in range(1, 400):  # some twenty files, while the reader looks away
        log.write("stdout", b"%d\n" % number)
    while file.inode != os.stat(path).st_ino:
        seen += [line.text for line in file.lines()]
        file = log_file.successor(path, file)
    seen += [line.text for line in file.lines()]
    log.close()
    assert seen == [f"{number}\n" for number in range(400)]


def test_rotated_files_are_compressed_beside_the_writer(tmp_path: Path) -> None:
    path = str(tmp_path / "log.json")
    log = writer(path, max_bytes=50_000, files=3, compress=True, compact=True)
    for number in range(9000):
        log.write("stdout", b"line %d\n" % number)
    packed = tmp_path / "log.json.1.gz"
    wait_until("the last file is packed", lambda: packed.exists() and not (tmp_path / "log.json.1").exists())
    log.close()
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["log.json", "log.json.1.gz", "log.json.2.gz"]
    assert packed.stat().st_size < 15_000
    kept = [line.text for file in log_file.files(path) for line in file.lines()]
    assert kept == [f"line {number}\n" for number in range(9000 - len(kept), 9000)]
    assert len(kept) > 4000
    tail = log_file.files(path)[-2]
    assert tail.skip_to_tail(3, tail.size()) == 0
    assert len(list(tail.lines())) == 3


def test_packing_that_was_cut_off_is_done_again(tmp_path: Path) -> None:
    path = tmp_path / "log.json"
    log = writer(path, max_bytes=100, files=3, compact=True)
    log.write("stdout", b"first %s\nsecond\n" % (b"x" * 60))
    log.close()
    rotated = tmp_path / "log.json.1"
    content = rotated.read_bytes()
    pack(str(rotated))
    rotated.write_bytes(content)  # as after a kill between the new file and the end of the old one
    assert [len(list(file.lines())) for file in log_file.files(str(path))] == [1, 1]
    log = writer(path, max_bytes=100, files=3, compress=True, compact=True)
    wait_until("packed", lambda: not rotated.exists())
    log.close()
    assert [len(list(file.lines())) for file in log_file.files(str(path))] == [1, 1]


def test_attributes_are_kept_with_each_line(tmp_path: Path) -> None:
    log = writer(tmp_path / "log.json", attributes={"b": "2,=", "a": '"'})
    log.write("stdout", b"one\ntwo\n")
    log.close()
    assert _read(tmp_path / "log.json")[0]["attrs"] == {"a": '"', "b": "2,="}
    for line in log_file.LogFile(str(tmp_path / "log.json")).lines():
        assert details_text(line.attributes) == "a=%22,b=2%2C%3D"


def _fields(datagram: bytes) -> dict[str, bytes]:
    """Reads systemd's native protocol."""
    found = {}
    while datagram:
        head, _, datagram = datagram.partition(b"\n")
        name, equals, value = head.partition(b"=")
        if not equals:
            (length,) = struct.unpack("<Q", datagram[:8])
            value, datagram = datagram[8 : 8 + length], datagram[9 + length :]
        found[name.decode()] = value
    return found


def test_the_journal_gets_an_entry_for_each_line(tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(path)
        listener.settimeout(20)
        settings = LogSettings(
            driver="journald", attributes={"com.example.x": "1", "9": "n"}, journal_fields={"CONTAINER_NAME": "web"}
        )
        log = LogWriter(JournalSink(settings, path))
        log.write("stdout", b"one\ntwo\n")
        log.write("stderr", b"z" * (LINE_BYTES + 10) + b"\nrest")
        log.close()
        entries = [_fields(listener.recv(1 << 18)) for _ in range(5)]
    assert [len(entry["MESSAGE"]) for entry in entries] == [3, 3, LINE_BYTES, 10, 4]
    assert [entry["PRIORITY"] for entry in entries] == [b"6", b"6", b"3", b"3", b"3"]
    assert [entry.get("CONTAINER_PARTIAL_MESSAGE") for entry in entries] == [None, None, b"true", None, b"true"]
    assert entries[0]["CONTAINER_NAME"] == b"web"
    assert (entries[0]["COM_EXAMPLE_X"], entries[0]["FIELD_9"]) == (b"1", b"n")


def test_a_journal_that_went_away_costs_entries_and_no_more(tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listener.bind(path)
    sink = JournalSink(LogSettings(driver="journald"), path)
    listener.close()
    os.unlink(path)
    sink.lines("stdout", b"lost")
    assert sink.lost == 1
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as again:
        again.bind(path)
        sink.lines("stdout", b"kept")
        assert _fields(again.recv(4096))["MESSAGE"] == b"kept"
    sink.close()


def test_what_journalctl_tells_is_a_line() -> None:
    raw = b'{"MESSAGE":[255,97],"PRIORITY":"3","__REALTIME_TIMESTAMP":"1700000000000001","TEAM":"x","_PID":"1"}'
    line = journal.parse(raw)
    assert line is not None
    assert (line.text.encode("utf-8", "surrogateescape"), line.stream) == (b"\xffa\n", "stderr")
    assert (line.time_ns, line.attributes) == (1700000000000001000, {"TEAM": "x"})
    assert journal.parse(b"no json") is None


def test_a_follower_of_the_journal_ends_with_the_container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = json.dumps({"MESSAGE": "one", "PRIORITY": "6", "__REALTIME_TIMESTAMP": "1700000000000001"})
    program = tmp_path / "journalctl"
    program.write_text(f"#!/bin/sh\necho '{entry}'\nexec sleep 1000\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    shim, client = socket.socketpair()
    row = Container(id="1", name="web", image="x", image_id="y", command=(), created_ns=0)
    lines = journal.read(row, follow=True, tail=None, since_ns=0, until_ns=0, cancelled=None, ending=Session(client))
    assert next(lines).text == "one\n"
    shim.sendall(frames.json_frame(frames.EXIT, {"code": 0}))
    assert list(lines) == []
    assert client.fileno() == -1
    shim.close()
