"""The sequence problems, one per file.

"The tutorial" in their docstrings is Jason Brownlee's "5 Examples of Simple Sequence Prediction
Problems for LSTMs".
"""

from seqenvs.problems.classify import Classify
from seqenvs.problems.copy import Copy
from seqenvs.problems.echo import Echo
from seqenvs.problems.next_value import NextValue
from seqenvs.problems.recall import Recall
from seqenvs.problems.recorded import Recorded

__all__ = ["Classify", "Copy", "Echo", "NextValue", "Recall", "Recorded"]
