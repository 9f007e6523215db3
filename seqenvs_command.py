"""The console script ``seqenvs``: outside the package, to catch Ctrl-C while that is imported."""

import sys


def main() -> int:
    """Run the command line and return its exit code."""
    try:
        from seqenvs.cli import main as run

        return run()
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return 130
