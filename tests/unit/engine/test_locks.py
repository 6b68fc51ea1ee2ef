"""The lock of one container's life cycle, whose folder comes and goes with the container."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from engine.containers.locks import LifecycleLock, shim_alive
from engine.errors import Conflict
from engine.paths import Paths


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    paths = Paths(str(tmp_path / "lib"), str(tmp_path / "run"))
    paths.create()
    return paths


def test_the_folder_stays_with_the_container_and_goes_without_one(paths: Paths) -> None:
    os.mkdir(paths.container("kept"))
    for name in ("kept", "gone"):
        with LifecycleLock(paths, name):
            assert os.path.exists(paths.lifecycle_lock(name))
    assert os.listdir(f"{paths.run_root}/containers") == ["kept"]


def test_one_at_a_time_however_often_the_folder_goes(paths: Paths) -> None:
    """Creators, sweepers and removers of one container that is there and is not, all at once."""
    inside: list[int] = []
    errors: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for turn in range(150):
                with LifecycleLock(paths, "torn"):
                    inside.append(number)
                    assert inside == [number], "somebody else is in here"
                    if turn % 3 == number % 3 and not os.path.exists(paths.container("torn")):
                        os.mkdir(paths.container("torn"))
                    elif os.path.exists(paths.container("torn")):
                        os.rmdir(paths.container("torn"))
                    inside.remove(number)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(100)
    assert errors == []


def test_who_does_not_want_to_wait_is_refused(paths: Paths) -> None:
    with LifecycleLock(paths, "held"), pytest.raises(Conflict, match="being changed"):
        LifecycleLock(paths, "held", wait_s=0).__enter__()
    assert not shim_alive(paths, "held")
