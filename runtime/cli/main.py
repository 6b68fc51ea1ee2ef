"""`pydock-runc`: an OCI runtime with runc's commands, options, output and exit codes.

Dispatch is by table and each verb is its own module, so that a cold start loads only what its verb needs. This is
the border where faults become one line on standard error.
"""

from __future__ import annotations

import os
import sys

from ..errors import RuntimeFault
from .options import SWITCH, VALUE, Options, UsageError, parse
from .report import PROGRAM, Reporter

# verb → (module, one line of help)
VERBS = {
    "checkpoint": ("checkpoint", "save a running container to files, by criu"),
    "create": ("create", "create a container; its program waits for start"),
    "delete": ("delete", "delete a stopped container"),
    "events": ("events", "show statistics and out-of-memory events"),
    "exec": ("execute", "execute a further program in a container"),
    "features": ("features", "show what this runtime and host support, as JSON"),
    "kill": ("kill", "send a signal to a container"),
    "list": ("list", "list the containers of this state root"),
    "pause": ("pause", "freeze all processes of a container"),
    "ps": ("ps", "show the processes of a container"),
    "restore": ("restore", "run a container from a checkpoint, by criu"),
    "resume": ("pause", "let a paused container run on"),
    "run": ("run", "create and start a container"),
    "spec": ("spec", "write a config.json to start from"),
    "start": ("start", "start the program of a created container"),
    "state": ("state", "show the state of a container, as JSON"),
    "update": ("update", "change the limits of a container"),
}
# Verbs that fork processes which enter a container.
_SEALED = frozenset(("create", "run", "exec"))
_GLOBAL = {
    "cgroup-manager": VALUE,
    "criu": VALUE,
    "debug": SWITCH,
    "help": SWITCH,
    "log": VALUE,
    "log-format": VALUE,
    "log-level": VALUE,
    "root": VALUE,
    "rootless": VALUE,
    "systemd-cgroup": SWITCH,
    "version": SWITCH,
}
_ALIASES = {"h": "help", "v": "version"}
_EXEC_FAILURE = 255
_NO_SUCH_COMMAND = 3
# Behind the container's id stands a foreign program's command line.
_FOREIGN_WORDS = frozenset(("exec", "ps"))


class Context:
    """The global options, as a verb needs them."""

    def __init__(self, options: Options, verb: str) -> None:
        manager = options.text("cgroup-manager")
        if manager not in ("", "cgroupfs", "systemd", "disabled"):
            raise UsageError(f'--cgroup-manager: "{manager}" is not cgroupfs, systemd or disabled')
        log_format = options.text("log-format", "text")
        if log_format not in ("text", "json"):
            raise UsageError(f'--log-format: "{log_format}" is not text or json')
        self.verb = verb
        self.root = os.path.abspath(options.text("root") or default_root())
        self.systemd_cgroup = options.switch("systemd-cgroup") or manager == "systemd"
        self.rootless = options.text("rootless", "auto")
        if self.rootless not in ("true", "false", "auto"):
            raise UsageError(f'--rootless: "{self.rootless}" is not true, false or auto')
        may_have_cgroup = os.geteuid() == 0 or self.systemd_cgroup or self.rootless == "false"
        self.use_cgroup = manager != "disabled" and may_have_cgroup
        self.criu = options.text("criu", "criu")
        self.reporter = Reporter(options.text("log"), log_format, debug=options.switch("debug"))


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the exit code."""
    words = sys.argv[1:] if arguments is None else arguments
    reporter = Reporter()
    verb = ""
    try:
        options = parse(words, _GLOBAL, _ALIASES)
        if options.switch("version"):
            return _version()
        verb = options.arguments[0] if options.arguments else ""
        if options.switch("help") or verb in ("", "help", "h"):
            return _help(*options.arguments[1:2])
        if verb not in VERBS:
            reporter.error(f'no such command: "{verb}"', f"See {PROGRAM} --help.")
            return _NO_SUCH_COMMAND
        context = Context(options, verb)
        reporter = context.reporter
        if any(word in ("-h", "--help", "-help") for word in options.arguments[1:2]):
            return _help(verb)
        if verb in _SEALED and arguments is None:
            from ..seal import ensure_sealed

            ensure_sealed(["-IS", f"{os.path.dirname(os.path.abspath(__file__))}/sealed.py", *words])
        return _run_verb(verb, options.arguments[1:], context)
    except UsageError as error:
        reporter.error(str(error), f"See {PROGRAM} --help.")
    except RuntimeFault as error:
        for warning in getattr(error, "warnings", ()):
            reporter.warning(warning)
        reporter.error(str(error), error.hint)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    except OSError as error:
        reporter.error(f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror))
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        # A fault of ours; the place is worth more to a person than a page of frames.
        trace = error.__traceback__
        while trace and trace.tb_next:
            trace = trace.tb_next
        place = f"{os.path.basename(trace.tb_frame.f_code.co_filename)}:{trace.tb_lineno}" if trace else ""
        reporter.error(f"internal error: {type(error).__name__}: {error} ({place})")
    return _EXEC_FAILURE if verb == "exec" else 1


def default_root() -> str:
    """Where containers' state lies when --root is not given."""
    if os.geteuid() == 0:
        return "/run/pydock-runc"
    return f"{os.environ.get('XDG_RUNTIME_DIR') or f'/tmp/pydock-runc-{os.geteuid()}'}/pydock-runc"


def _run_verb(verb: str, words: list[str], context: Context) -> int:
    module = __import__(f"{__package__}.{VERBS[verb][0]}", fromlist=["run"])
    options = parse(words, module.OPTIONS, getattr(module, "ALIASES", None), mixed=verb not in _FOREIGN_WORDS)
    return int(module.run(options, context))


def _version() -> int:
    from ..spec import OCI_VERSION

    print(f"{PROGRAM} version {VERSION}\nspec: {OCI_VERSION}")
    return 0


def _help(verb: str = "") -> int:
    from . import help as texts

    if verb in VERBS:
        module = __import__(f"{__package__}.{VERBS[verb][0]}", fromlist=["run"])
        print(texts.command(verb, VERBS[verb][1], module))
    elif verb:
        raise UsageError(f'no such command: "{verb}"')
    else:
        print(texts.overview(VERBS))
    return 0


VERSION = "0.1.0"


if __name__ == "__main__":
    sys.exit(main())
