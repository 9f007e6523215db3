"""The problems, one a file. Add yours with one file here, or in a package of your own."""

from seqenvs.problems.classify import Classify
from seqenvs.problems.copy import Copy
from seqenvs.problems.echo import Echo
from seqenvs.problems.next_value import NextValue
from seqenvs.problems.recall import Recall
from seqenvs.problems.recorded import Recorded

__all__ = ["Classify", "Copy", "Echo", "NextValue", "Recall", "Recorded"]
