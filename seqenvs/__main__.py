"""``python -m seqenvs``: the command line."""

import sys

from seqenvs.cli import main

sys.exit(main())
