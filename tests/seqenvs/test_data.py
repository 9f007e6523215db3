"""The data of every id, by hash: a change of data is a new version of the id.

``python -m tests.seqenvs.test_data`` prints the hashes, for a new id or a new version.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

import seqenvs
from seqenvs.registration import IDS

HASHES = Path(__file__).with_name("data_hashes.json")


def data_hash(id: str) -> str:
    """A hash of the first 5,000 episodes of seed 0, in types that no platform changes."""
    samples = next(seqenvs.batches(id, 5000, seed=0, encoding="index"))
    digest = hashlib.sha256()
    for array in samples:
        dtype = "<f4" if array.dtype.kind == "f" else "<i8"
        digest.update(repr(array.shape).encode())
        digest.update(np.ascontiguousarray(array, dtype).tobytes())
    return digest.hexdigest()[:16]


@pytest.mark.parametrize("id", IDS)
def test_data_is_as_it_was(id: str) -> None:
    assert data_hash(id) == json.loads(HASHES.read_text())[id]


if __name__ == "__main__":
    print(json.dumps({id: data_hash(id) for id in IDS}, indent=2))
