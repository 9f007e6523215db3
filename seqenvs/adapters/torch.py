"""Batches of episodes as a torch data set. Needs torch: ``pip install 'seqenvs[torch]'``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

try:
    import torch
    from torch.utils.data import IterableDataset, get_worker_info
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(f"{__name__} needs torch: pip install 'seqenvs[torch]'") from error

from seqenvs.dataset import batches
from seqenvs.problem import Problem
from seqenvs.registration import find_problem
from seqenvs.validation import check_int


class SequenceDataset(IterableDataset[tuple[torch.Tensor, ...]]):
    """Batches ``(X, y, mask)`` of fresh episodes as tensors, like `seqenvs.dataset.Samples`.

    ``DataLoader(dataset, batch_size=None)`` passes the batches on as they are. Every pass gives the
    same batches. Without workers the episodes are those of ``batches(seed=seed)``, and so those of
    an environment; with w workers, worker k draws every w-th batch from a generator of its own,
    seeded by ``(seed, k)``.

    Args:
        problem: An environment's id, or a `Problem`, its class, or ``"module:Class"``.
        batch_size: Episodes in a batch.
        num_batches: Batches in a pass, over all workers.
        seed: An int from 0.
        encoding: How symbols are shown, see `seqenvs.observations.Encoding`.
        **parameters: Passed to the problem's class.
    """

    def __init__(
        self,
        problem: str | Problem | type[Problem],
        batch_size: int,
        num_batches: int,
        *,
        seed: int = 0,
        encoding: str = "one_hot",
        **parameters: Any,
    ) -> None:
        self.problem = find_problem(problem, parameters)
        self.batch_size = check_int("batch_size", batch_size, 1)
        self.num_batches = check_int("num_batches", num_batches, 1)
        self.seed = check_int("seed", seed, 0)
        self.encoding = encoding
        self._batches(self.seed)  # refuses a bad encoding here rather than at the first pass

    def __len__(self) -> int:
        return self.num_batches

    def __iter__(self) -> Iterator[tuple[torch.Tensor, ...]]:
        worker = get_worker_info()
        first, stride = 0, 1
        seed: int | np.random.Generator = self.seed
        if worker is not None:
            first, stride = worker.id, worker.num_workers
            seed = np.random.default_rng([self.seed, worker.id])
        source = self._batches(seed)
        for _ in range(first, self.num_batches, stride):
            yield tuple(torch.from_numpy(array) for array in next(source))

    def _batches(self, seed: int | np.random.Generator) -> Iterator[Any]:
        return batches(self.problem, self.batch_size, seed=seed, encoding=self.encoding)
