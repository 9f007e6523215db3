"""What every error about a bad argument says."""

from __future__ import annotations

import re

import pytest


def refused(name, value, allowed="", error=(TypeError, ValueError)):
    """Expect an error that names the argument and the value, and says what is allowed."""
    got = re.escape(repr(value))
    return pytest.raises(error, match=rf"(?s)^{name} must (?=.*{re.escape(allowed)}).*got .*{got}")
