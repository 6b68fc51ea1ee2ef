"""`pydock explain`: from an inspect document to sentences that are true of it."""

from __future__ import annotations

import time
from typing import Any

import pytest

from engine.cli.explain import Story, signal_name
from engine.containers.inspect import rfc3339

MINUTE_NS = 60 * 10**9


def document(
    *,
    state: dict[str, Any] | None = None,
    last: dict[str, Any] | None = None,
    host: dict[str, Any] | None = None,
    restarts: int = 0,
) -> dict[str, Any]:
    return {
        "Id": "ab" * 32,
        "Name": "/web",
        "Path": "server",
        "Args": ["--port", "80"],
        "RestartCount": restarts,
        "State": {
            "Status": "exited",
            "ExitCode": 0,
            "StartedAt": rfc3339(time.time_ns() - 45 * MINUTE_NS - MINUTE_NS // 2),
            "FinishedAt": rfc3339(time.time_ns() - 40 * MINUTE_NS - MINUTE_NS // 20),
            **(state or {}),
        },
        "HostConfig": host or {},
        "LastExit": last,
    }


def last_exit(code: int, number: int = 0, **more: Any) -> dict[str, Any]:
    return {"ExitCode": code, "Signal": number, "StopRequest": None, "MemoryPeak": 0, "Pressure": {}, **more}


def stop_request(number: int = 15) -> dict[str, Any]:
    return {
        "Signal": number,
        "Time": rfc3339(time.time_ns() - 41 * MINUTE_NS),
        "Pid": 7,
        "Uid": 0,
        "Program": "/usr/bin/python3 /usr/bin/pydock stop web",
    }


def test_when_and_how_long() -> None:
    story = Story(document(), [])
    assert story.headline() == "web (abababababab) stopped 40 minutes ago, after it had run for 5 minutes."


@pytest.mark.parametrize(
    ("code", "number", "words"),
    [
        (0, 0, "exit code 0: it had finished"),
        (1, 0, "exit code 1: the program reports a failure"),
        (77, 0, "exit code 77: what that means is up to the program"),
        (127, 0, "its command was not found"),
        (255, 0, "its end was not seen"),
        (139, 11, "SIGSEGV ended it (exit code 139)"),
        (143, 15, "SIGTERM ended it (exit code 143): it was asked to end, and did"),
        (143, 0, "exit code 143: what"),  # the program's own word, no signal: both look alike to docker
        (160, 32, "ended it (exit code 160): it was ended by a signal"),
    ],
)
def test_codes_and_signals(code: int, number: int, words: str) -> None:
    story = Story(document(state={"ExitCode": code}, last=last_exit(code, number)), [])
    assert words in story.text()


def test_lack_of_memory_with_its_limit_and_the_cure() -> None:
    story = Story(
        document(
            state={"ExitCode": 137, "OOMKilled": True},
            last=last_exit(137, 9, MemoryPeak=64 << 20, Pressure={"Cpu": 3.4, "Memory": 61.2, "Io": -1}),
            host={"Memory": 64 << 20},
        ),
        [],
    )
    text = story.text()
    assert "ran out of memory: the kernel killed it at its limit of 64MiB (exit code 137)" in text
    assert "It used 64MiB of memory at most, of 64MiB." in text
    assert "waited for: CPU 3 %, memory 61 %" in text
    assert "pydock update -m 128m web" in text


def test_who_asked_for_the_end() -> None:
    story = Story(document(state={"ExitCode": 137}, last=last_exit(137, 9, StopRequest=stop_request())), [])
    text = story.text()
    assert "it did not end when asked, so it was killed" in text
    assert "with SIGTERM, by pydock stop web (pid 7, user root)" in text
    assert story.cure() == ""


def test_nobody_asked_for_a_failure() -> None:
    assert "Nobody asked for it" in Story(document(state={"ExitCode": 3}, last=last_exit(3)), []).text()
    assert "Nobody asked for it" not in Story(document(last=last_exit(0)), []).text()


@pytest.mark.parametrize(
    ("policy", "state", "restarts", "asked", "words"),
    [
        ({"Name": "always"}, {"ExitCode": 1}, 0, True, "(always) does not apply to an end that was asked for"),
        (
            {"Name": "on-failure", "MaximumRetryCount": 3},
            {"ExitCode": 1},
            3,
            False,
            "(on-failure:3) has no further try",
        ),
        ({"Name": "on-failure"}, {"ExitCode": 0}, 0, False, "does not apply: it did not fail"),
        ({"Name": "always"}, {"ExitCode": 1, "Status": "restarting"}, 2, False, "started again 2 times by then"),
    ],
)
def test_what_the_restart_policy_makes_of_it(
    policy: dict[str, Any], state: dict[str, Any], restarts: int, asked: bool, words: str
) -> None:
    last = last_exit(int(state["ExitCode"]), StopRequest=stop_request() if asked else None)
    story = Story(document(state=state, last=last, host={"RestartPolicy": policy}, restarts=restarts), [])
    assert words in story.text()


def test_states_without_an_end() -> None:
    fresh = Story(document(state={"Status": "created", "FinishedAt": rfc3339(0), "StartedAt": rfc3339(0)}), [])
    assert "has never run" in fresh.text()
    assert fresh.cure() == "pydock start web"
    failed = Story(
        document(state={"Status": "created", "Error": "no such program", "FinishedAt": rfc3339(0), "ExitCode": 127}), []
    )
    assert "It could not be started: no such program" in failed.text()
    assert "'server --port 80' has to be a program inside the image" in failed.cure()
    health = {"Status": "unhealthy", "Log": [{"ExitCode": 1, "Output": "refused\n"}]}
    running = Story(document(state={"Status": "running", "Health": health}), [])
    assert "is running, since 45 minutes ago" in running.text()
    assert "says: unhealthy." in running.text()
    assert "| refused" in running.text()
    assert running.reason() == ""


def test_the_log_cannot_move_the_cursor() -> None:
    assert "| \\x1b[2Jx" in Story(document(), ["\x1b[2Jx\n"]).text()


def test_another_engine_records_less_and_less_is_said() -> None:
    story = Story(document(state={"ExitCode": 137}), [])
    assert "SIGKILL ended it" in story.text()
    assert "asked" not in story.text().replace("without being asked", "")


def test_signal_names() -> None:
    assert (signal_name(15), signal_name(0), signal_name(64)) == ("SIGTERM", "", "SIGRTMAX")
