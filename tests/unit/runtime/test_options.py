"""Mount options and command line options: what words become."""

from __future__ import annotations

import pytest

from runtime.cli.events import parse_duration
from runtime.cli.execute import parse_user
from runtime.cli.kill import parse_signal
from runtime.cli.options import LIST, NUMBER, SWITCH, VALUE, UsageError, parse
from runtime.cli.update import parse_size
from runtime.errors import InvalidConfig
from runtime.kernel import constants as k
from runtime.rootfs.options import names, parse_options

KNOWN = {"bundle": VALUE, "detach": SWITCH, "env": LIST, "count": NUMBER}


def test_later_mount_options_win() -> None:
    options = parse_options(["ro", "rw", "nosuid", "suid", "exec", "noexec"], "mounts[0].options")
    assert options.set == k.MOUNT_ATTR_NOEXEC
    assert options.clear == k.MOUNT_ATTR_RDONLY | k.MOUNT_ATTR_NOSUID


def test_access_time_is_one_field() -> None:
    options = parse_options(["noatime", "strictatime"], "x")
    assert options.set == k.MOUNT_ATTR_STRICTATIME
    assert options.clear & k.MOUNT_ATTR__ATIME == k.MOUNT_ATTR__ATIME


def test_recursive_options_are_kept_apart() -> None:
    options = parse_options(["rbind", "rro", "nodev", "rslave", "private"], "x")
    assert (options.bind, options.recursive) == (True, True)
    assert (options.recursive_set, options.set) == (k.MOUNT_ATTR_RDONLY, k.MOUNT_ATTR_NODEV)
    assert options.propagation == [(k.MS_SLAVE, True), (k.MS_PRIVATE, False)]


def test_the_rest_is_for_the_file_system() -> None:
    assert parse_options(["size=1m", "mode=755", "nosuid", "sync", "defaults"], "x").data == [
        "size=1m",
        "mode=755",
        "sync",
    ]


def test_remount_is_told_apart() -> None:
    assert parse_options(["ro", "remount"], "mounts[3].options").remount
    assert not parse_options(["ro"], "mounts[3].options").remount


def test_idmap_and_ridmap_exclude_each_other_at_their_place() -> None:
    with pytest.raises(InvalidConfig) as caught:
        parse_options(["idmap", "ridmap"], "mounts[3].options")
    assert caught.value.path == "mounts[3].options[1]"


def test_every_named_option_is_understood() -> None:
    for name in names():
        if name not in ("async", "dirsync", "lazytime", "mand", "nolazytime", "nomand", "sync"):
            assert parse_options([name], "x").data == [], name


def test_options_end_at_the_first_argument() -> None:
    options = parse(
        ["-b", "/x", "--detach", "--env=A=1", "--env", "B=2", "--count", "3", "id", "-b", "--not"],
        KNOWN,
        {"b": "bundle"},
    )
    assert options.text("bundle") == "/x"
    assert options.switch("detach")
    assert options.list("env") == ["A=1", "B=2"]
    assert options.number("count") == 3
    assert options.arguments == ["id", "-b", "--not"]


def test_switches_take_true_and_false() -> None:
    assert not parse(["--detach=false"], KNOWN).switch("detach")
    with pytest.raises(UsageError):
        parse(["--detach=maybe"], KNOWN)


@pytest.mark.parametrize(
    "words", [["--nosuch"], ["--bundle"], ["--count", "0x1"], ["--count", "1_0"], ["--count", " 1"]]
)
def test_wrong_options(words: list[str]) -> None:
    with pytest.raises(UsageError):
        parse(words, KNOWN)


def test_sizes_and_durations() -> None:
    assert [parse_size(text, "x") for text in ("1024", "64m", "1g", "10MiB", "2kb", "-1")] == [
        1024,
        64 << 20,
        1 << 30,
        10 << 20,
        2048,
        -1,
    ]
    assert [parse_duration(text) for text in ("5s", "500ms", "1m30s")] == [5.0, 0.5, 90.0]
    for text in ("", "m", "1x", "-2"):
        with pytest.raises(UsageError):
            parse_size(text, "x")
    for text in ("", "5", "0s", "s", "1s2"):
        with pytest.raises(UsageError):
            parse_duration(text)


def test_signals() -> None:
    assert [parse_signal(text) for text in ("9", "KILL", "sigterm", "SIGRTMIN+1", "0")] == [9, 9, 15, 35, 0]
    for text in ("", "65", "NOPE", "SIG_DFL", "-9", "KILL+1x"):
        with pytest.raises(UsageError):
            parse_signal(text)


def test_users() -> None:
    assert [parse_user(text) for text in ("0", "1000", "1:2")] == [(0, None), (1000, None), (1, 2)]
    for text in ("", "1000:", ":1", "-1", "4294967296", "4294967295", "0x1", "1 ", "root"):
        with pytest.raises(UsageError):
            parse_user(text)
