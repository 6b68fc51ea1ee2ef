"""The unpacker's program: one layer, from a descriptor of its blob into a directory, then gone.

Started as a file under `python -SI` with one argument, a JSON object:

    {"blob": fd, "target": fd, "result": fd, "budget": bytes, "path": [folders]}

It answers on `result` with lines of JSON: `{"read": n}` now and then, at last `{"size", "entries", "diff_id",
"implied"}` or `{"refused": text}` or `{"errno": number}`. Standard input is its life line: when that ends,
whoever asked is gone or has cancelled, and so does it. Everything is imported before `confine`: afterwards
there is no library on disk.
"""

from __future__ import annotations

import errno
import json
import os
import select
import sys

PROGRESS_BYTES = 2 << 20
RECURSION_FOR_DEEP_NAMES = 20_000


def main() -> int:
    task = json.loads(sys.argv[1])
    sys.path += task["path"]
    from engine.images.unpack.apply import apply_layer
    from engine.images.unpack.confine import confine
    from engine.images.unpack.errors import BadLayer, Stopped
    from engine.images.unpack.source import Source, opener, read_pieces

    result_fd = task["result"]
    lifeline = select.poll()
    lifeline.register(0, select.POLLIN | select.POLLHUP)
    told = 0

    def answer(message: dict[str, object]) -> None:
        os.write(result_fd, json.dumps(message).encode() + b"\n")

    def advance(done: int) -> None:
        nonlocal told
        if lifeline.poll(0):
            raise Stopped
        if done - told >= PROGRESS_BYTES:
            told = done
            answer({"read": done})

    sys.setrecursionlimit(RECURSION_FOR_DEEP_NAMES)
    try:
        decompress = opener(os.pread(task["blob"], 4, 0))
        b"".decode("latin-1")  # loads the codec while there still is a library
        confine(task["target"])
        source = Source(decompress(read_pieces(task["blob"], advance)))
        applied = apply_layer(source, task["budget"])
        source.drain()
        answer(
            {
                "size": applied.size,
                "entries": applied.entries,
                "diff_id": source.digest(),
                "implied": [name.decode("latin-1") for name in sorted(applied.implied)],
            }
        )
    except BadLayer as error:
        answer({"refused": str(error)})
        return 1
    except OSError as error:
        answer({"errno": error.errno or errno.EIO})
        return 1
    except (Stopped, BrokenPipeError):
        return 1
    return 0


if __name__ == "__main__":
    # Leaving by _exit spares the interpreter's clean-up, which could import what is out of reach now.
    os._exit(main())
