"""Use a problem as a PyTorch data set. Needs torch: ``pip install 'seqenvs[torch]'``."""

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
    """An iterable data set of batches ``(X, y, mask)`` of newly drawn episodes.

    The tensors have the shapes of `seqenvs.dataset.Samples`. Use it directly or with
    ``DataLoader(dataset, batch_size=None)``. Each pass yields the same batches.

    Without workers the episodes are those of ``seqenvs.batches(seed=seed)`` and of an environment
    with this seed. With w workers, worker k yields every w-th batch and has its own generator,
    seeded with ``(seed, k)``.

    Args:
        problem: An environment's id, a `Problem`, a problem class, or ``"module:Class"``.
        batch_size: The number of episodes per batch.
        num_batches: The number of batches per pass, over all workers.
        seed: An int >= 0.
        encoding: The encoding of symbols, see `seqenvs.observations.Encoding`.
        **parameters: Parameters of the problem, such as ``lag=4``.

    Raises:
        TypeError, ValueError: An argument is not allowed. The message names it.
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
        self._batches(self.seed)  # raises for a wrong encoding now, not at the first pass

    def __len__(self) -> int:
        return self.num_batches

    def __iter__(self) -> Iterator[tuple[torch.Tensor, ...]]:
        source, mine = self._batches(self.seed), range(self.num_batches)
        if worker := get_worker_info():
            source = self._batches(np.random.default_rng([self.seed, worker.id]))
            mine = mine[worker.id :: worker.num_workers]
        for _ in mine:
            yield tuple(torch.from_numpy(array) for array in next(source))

    def _batches(self, seed: int | np.random.Generator) -> Iterator[Any]:
        return batches(self.problem, self.batch_size, seed=seed, encoding=self.encoding)
