"""What the launcher and the sealed interpreter run: the command, without the start-up of site-packages.

Started as a file with `-IS`, so it says itself where its package lies. It needs nothing that is installed. The
interpreter's own tidying at the end is left out: the kernel does it faster.
"""

import gc
import os
import sys

# Nothing here lives long enough for a collection to be worth its time.
gc.disable()
home = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, home)

from runtime.cli.bundle import Bundle  # noqa: E402

bundle = Bundle(home)
sys.meta_path.insert(0, bundle)

from runtime.cli.main import main  # noqa: E402

code = main()
try:
    sys.stdout.flush()
except OSError:
    code = code or 1
if bundle.is_stale:
    bundle.write()
os._exit(code)
