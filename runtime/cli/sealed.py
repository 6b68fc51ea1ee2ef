"""What the sealed interpreter runs: the same command again, without the start-up of site-packages.

Started as a file with `-IS`, so it says itself where its package lies. It needs nothing that is installed, and the
20 ms of looking through a virtual environment would be paid twice otherwise.
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

from runtime.cli.main import main

sys.exit(main())
