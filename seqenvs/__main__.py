"""``python -m seqenvs``."""

import sys

from seqenvs.cli import main

sys.exit(main())
