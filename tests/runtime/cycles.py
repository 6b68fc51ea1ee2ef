"""Creates, starts and deletes a container again and again in one process; started as a file, reports as JSON.

    cycles.py HOME STATE_ROOT BUNDLE ID COUNT

Reported are the descriptors and the memory of the process after a few cycles and at the end.
"""

from __future__ import annotations

import gc
import json
import os
import sys

WARM_UP = 10


def used() -> dict[str, int]:
    """What this process holds now."""
    gc.collect()
    with open("/proc/self/status") as file:
        lines = dict(line.split(":", 1) for line in file if ":" in line)
    return {"fds": len(os.listdir("/proc/self/fd")), "kilobytes": int(lines["VmRSS"].split()[0])}


def main() -> None:
    home, state_root, bundle, container_id, count = sys.argv[1:]
    sys.path.insert(0, home)
    from runtime.container import Container
    from runtime.spec import load_config

    before: dict[str, int] = {}
    for cycle in range(int(count)):
        if cycle == WARM_UP:
            before = used()
        container = Container.create(state_root, container_id, bundle, spec=load_config(bundle), check_program=True)
        container.start()
        if cycle % 2:
            process = container.exec({"args": ["true"], "cwd": "/", "env": ["PATH=/bin"]})
            os.waitpid(process.pid, 0)
        container.kill(9)
        os.waitpid(container.pid, 0)
        container.delete(force=True)
    print(json.dumps({"before": before, "after": used()}))


if __name__ == "__main__":
    main()
