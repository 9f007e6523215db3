"""The torch data set gives the episodes of `seqenvs.batches`, whatever the workers."""

from __future__ import annotations

import pickle

import torch
from torch.utils.data import DataLoader

import seqenvs
from seqenvs.adapters.torch import SequenceDataset


def test_torch_data_set():
    dataset = SequenceDataset("SeqRecall-v0", 4, 3, seed=5)
    batches = seqenvs.batches("SeqRecall-v0", 4, seed=5)
    for _ in range(2):  # every pass gives the same
        passed = list(DataLoader(dataset, batch_size=None))
        assert len(passed) == len(dataset) == 3
    for tensors in passed:
        for tensor, array in zip(tensors, next(batches), strict=True):
            assert torch.equal(tensor, torch.from_numpy(array))
    twin = pickle.loads(pickle.dumps(dataset))
    assert torch.equal(next(iter(twin))[0], passed[0][0])


def test_workers_draw_different_episodes_and_all_of_them():
    dataset = SequenceDataset("SeqEcho-v0", 4, 5, seed=5)
    passes = [list(DataLoader(dataset, batch_size=None, num_workers=2)) for _ in range(2)]
    assert all(torch.equal(one[0], other[0]) for one, other in zip(*passes, strict=True))
    assert len({batch[0].numpy().tobytes() for batch in passes[0]}) == len(passes[0]) == 5
