"""`pydock-tui`: options, the log file, and the only place where engine and interface are put together.

Everything heavy is imported late: a wrong option or a missing right is answered before Textual is loaded, and the
engine's objects are read in a thread while it loads, so that the first frame is a complete one.
"""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

VERSION = "0.1.0"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the dashboard; the exit status is 0, or 1 with one line on stderr."""
    options = _parse(arguments)
    if not sys.stdin.isatty() or not sys.stdout.isatty():
        return _refuse("pydock-tui draws on a terminal, and this is none", "for scripts there is pydock")
    if os.geteuid() != 0:
        return _refuse("pydock-tui makes namespaces, mounts and cgroups, which needs root", "run it with sudo")
    for name in ("COLUMNS", "LINES"):  # a shell may export the size it had once; the terminal knows the one it has
        os.environ.pop(name, None)
    # Both borders of this function answer with one line what they know how to say; anything else is a defect, and
    # its traceback goes to the log file.
    from engine.errors import EngineError

    from .errors import ConfigurationError

    try:
        return _run(options)
    except (EngineError, ConfigurationError) as error:
        return _refuse(error.message, error.hint)
    except KeyboardInterrupt:
        return 130
    except OSError as error:
        name = f": {error.filename}" if error.filename else ""
        return _refuse(f"{(error.strerror or str(error)).lower()}{name}")
    except Exception as error:
        import logging

        logging.getLogger(__name__).exception("cannot start")
        return _refuse(f"internal error: {error or type(error).__name__}", "--debug FILE writes down the details")


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="pydock-tui", description="Containers in your terminal, no daemon.", allow_abbrev=False
    )
    parser.add_argument("--root", metavar="DIR", help="data root (PYDOCK_ROOT, else /var/lib/pydock)")
    parser.add_argument("--run-root", metavar="DIR", help="run root (PYDOCK_RUN_ROOT, else /run/pydock)")
    parser.add_argument("--theme", metavar="NAME", help="pydock-dark, pydock-light, or one of your own or Textual's")
    parser.add_argument("--ascii", action="store_true", default=None, help="draw states with ASCII letters")
    parser.add_argument("--keymap", metavar="PRESET", help="pydock, lazydocker, k9s or vim")
    parser.add_argument("--debug", metavar="FILE", help="write a detailed log to this file; SIGUSR1 adds all stacks")
    parser.add_argument("--version", action="version", version=f"pydock-tui {VERSION}")
    return parser.parse_args(arguments)


def _run(options: argparse.Namespace) -> int:
    import threading

    from engine.engine import Engine

    from . import locations
    from .model import Snapshot, take_snapshot

    engine = Engine(options.root, options.run_root)
    try:
        found: list[Snapshot | BaseException] = []

        def read() -> None:
            try:
                found.append(take_snapshot(engine))
            except BaseException as error:
                found.append(error)

        reader = threading.Thread(target=read, name="snapshot")
        reader.start()
        from .app import PydockApp
        from .keymap import read_keymap
        from .settings import read_remembered, read_settings
        from .theming import read_themes

        config = locations.config_path()
        settings = read_settings(
            config / "settings.toml", theme=options.theme, ascii=options.ascii, keymap=options.keymap
        )
        keymap = read_keymap(config / "keymap.toml", settings.keymap)
        themes = read_themes(locations.theme_paths())
        _log_to(options.debug)
        reader.join()
        if isinstance(found[0], BaseException):
            raise found[0]
        state_file = locations.state_path() / f"view-{_digest(engine.paths.root)}.json"
        app = PydockApp(
            engine,
            settings=settings,
            keymap=keymap,
            themes=themes,
            snapshot=found[0],
            remembered=read_remembered(state_file),
            state_file=state_file,
        )
        app.run()
        return app.return_code or 0
    finally:
        engine.close()


def _log_to(debug_file: str | None) -> None:
    """Log to a file: the terminal belongs to the interface. Without --debug warnings and worse are kept."""
    import logging
    from pathlib import Path

    from . import locations

    path = Path(debug_file) if debug_file else locations.state_path() / "pydock-tui.log"
    handler: logging.Handler
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handler = logging.FileHandler(path, encoding="utf-8", delay=not debug_file)
    except OSError:
        if debug_file:
            raise
        handler = logging.NullHandler()
    logging.basicConfig(
        handlers=[handler],
        level=logging.DEBUG if debug_file else logging.WARNING,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    logging.getLogger("asyncio").setLevel(logging.WARNING)
    if isinstance(handler, logging.FileHandler) and handler.stream is not None:
        import faulthandler
        import signal

        # `kill -USR1` writes where every thread stands into the log.
        faulthandler.register(signal.SIGUSR1, file=handler.stream, all_threads=True)


def _digest(text: str) -> str:
    import hashlib

    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _refuse(message: str, hint: str = "") -> int:
    print(f"pydock-tui: {message}" + (f" ({hint})" if hint else ""), file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
