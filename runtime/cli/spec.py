"""`spec [--bundle DIR] [--rootless]`: write a config.json to start from; never over an existing one."""

from __future__ import annotations

import json
import os

from ..errors import RuntimeFault
from ..spec import default_config
from .options import SWITCH, VALUE, Options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .main import Context

OPTIONS = {"bundle": VALUE, "file": VALUE, "rootless": SWITCH}
ALIASES = {"b": "bundle", "f": "file"}
USAGE = ""


def run(options: Options, context: Context) -> int:
    path = os.path.join(options.text("bundle") or ".", options.text("file", "config.json"))
    text = json.dumps(default_config(rootless=options.switch("rootless")), indent=4)
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    except FileExistsError:
        raise RuntimeFault(f"{path} exists already", hint="Remove it first.") from None
    with open(fd, "w") as file:
        file.write(text + "\n")
    return 0
