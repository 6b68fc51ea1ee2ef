"""`checkpoint [--image-path DIR] [--leave-running] ID`: save a container's processes as files, by criu."""

from __future__ import annotations

from ..container import Container
from ..criu import Images
from .options import NUMBER, SWITCH, VALUE, Options, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .main import Context

# switches that criu knows by the same name
_PASSED = ("auto-dedup", "ext-unix-sk", "file-locks", "lazy-pages", "shell-job", "tcp-established")
SHARED = {
    **dict.fromkeys(_PASSED, SWITCH),
    "empty-ns": VALUE,
    "image-path": VALUE,
    "manage-cgroups-mode": VALUE,
    "work-path": VALUE,
}
OPTIONS = {
    **SHARED,
    "leave-running": SWITCH,
    "page-server": VALUE,
    "parent-path": VALUE,
    "pre-dump": SWITCH,
    "status-fd": NUMBER,
}
USAGE = "ID"


def run(options: Options, context: Context) -> int:
    container = Container.load(context.root, options.one_argument())
    words = passed_on(options)
    before = options.switch("pre-dump")
    running = options.switch("leave-running") or before
    if options.switch("leave-running"):
        words.append("--leave-running")
    if before:
        words.append("--track-mem")
    if options.given("parent-path"):
        words += ["--prev-images-dir", options.text("parent-path"), "--track-mem"]
    if options.given("page-server"):
        address, colon, port = options.text("page-server").rpartition(":")
        if not colon or not port.isdecimal():
            raise UsageError("--page-server: is not ADDRESS:PORT")
        words += ["--page-server", "--address", address, "--port", port]
    if options.given("status-fd"):
        words += ["--status-fd", str(options.number("status-fd"))]
    container.checkpoint(images(options, context, words), before=before)
    if not running:
        container.delete(force=True)
        for warning in container.warnings:
            context.reporter.warning(warning)
    return 0


def images(options: Options, context: Context, words: list[str]) -> Images:
    """Where the options say the images are."""
    return Images(context.criu, options.text("image-path", "checkpoint"), options.text("work-path"), words)


def passed_on(options: Options) -> list[str]:
    """criu's own words for the options that both commands have."""
    words = [f"--{name}" for name in _PASSED if options.switch(name)]
    mode = options.text("manage-cgroups-mode")
    if mode not in ("", "soft", "full", "strict", "ignore"):
        raise UsageError(f'--manage-cgroups-mode: "{mode}" is not soft, full, strict or ignore')
    if mode:
        words.append(f"--manage-cgroups={mode}")
    if options.given("empty-ns"):
        if options.text("empty-ns") != "network":
            raise UsageError("--empty-ns: only network can be left empty")
        words += ["--empty-ns", "net"]
    return words
