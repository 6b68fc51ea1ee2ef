"""Run a function in a forked child and get its answer: filters and capabilities cannot be taken off again."""

from __future__ import annotations

import json
import os
import traceback
from collections.abc import Callable
from typing import Any


def in_child(work: Callable[[], Any]) -> Any:
    """The JSON-able result of `work`; AssertionError with the child's traceback or signal when it failed."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            answer = {"result": work()}
        except BaseException:
            answer = {"error": traceback.format_exc()}
        os.write(writer, json.dumps(answer).encode())
        os._exit(0)
    os.close(writer)
    with open(reader, "rb") as stream:
        text = stream.read()
    _pid, status = os.waitpid(pid, 0)
    assert text, f"the child ended with status {status:#x}"
    answer = json.loads(text)
    assert "error" not in answer, answer["error"]
    return answer["result"]
