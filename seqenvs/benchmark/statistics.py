"""Statistics over seeds: interquartile mean, stratified bootstrap intervals, memory horizon.

They are the estimates of Agarwal et al., "Deep Reinforcement Learning at the Edge of the
Statistical Precipice" (NeurIPS 2021), https://arxiv.org/abs/2108.13264, computed with SciPy.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import bootstrap, trim_mean

from seqenvs.benchmark.results import HORIZON_SCORE

MIN_SEEDS = 3  # for an interval
CONFIDENCE, RESAMPLES = 0.95, 2000
METHOD = (
    "interquartile mean (scipy.stats.trim_mean, a quarter cut off at each end) with a "
    f"{CONFIDENCE:.0%} percentile bootstrap interval over seeds, stratified by environment "
    f"(scipy.stats.bootstrap, {RESAMPLES:,} resamples)"
)


def interquartile_mean(values: Any, axis: int = -1) -> Any:
    """Return the mean without the lowest and the highest quarter of the values.

    Of fewer than four values, none is left out.
    """
    return trim_mean(values, 0.25, axis=axis)


def interval(*strata: Sequence[float]) -> tuple[float, float] | None:
    """Return the bootstrap interval of the interquartile mean of all values.

    Each stratum is resampled by itself. The result is the same at every call.

    Args:
        *strata: For each environment, one value for each seed.

    Returns:
        The lower and the upper end; None if a stratum has fewer than `MIN_SEEDS` values.
    """
    if not strata or min(map(len, strata)) < MIN_SEEDS:
        return None
    if all(min(values) == max(values) for values in strata):
        known = float(interquartile_mean(np.concatenate(strata)))
        return known, known
    found = bootstrap(
        [np.asarray(values, float) for values in strata],
        lambda *samples, axis: interquartile_mean(np.concatenate(samples, axis=axis), axis),
        n_resamples=RESAMPLES,
        confidence_level=CONFIDENCE,
        method="percentile",
        vectorized=True,
        rng=np.random.default_rng(0),
    ).confidence_interval
    return float(found.low), float(found.high)


def estimate(name: str, *strata: Sequence[float]) -> dict[str, float | None]:
    """Return the interquartile mean and its interval as three columns of a table.

    Args:
        name: Of the first column; the others are ``name_low`` and ``name_high``.
        *strata: See `interval`. Without a value, all three columns are None.
    """
    values = np.concatenate([[], *strata])
    low, high = interval(*strata) or (None, None)
    middle = float(interquartile_mean(values)) if len(values) else None
    return {name: middle, f"{name}_low": low, f"{name}_high": high}


def memory_horizon(scores: Mapping[int, float], sizes: Iterable[int]) -> int | None:
    """Return the largest size up to which everything is remembered.

    A size counts as remembered with a memory score of at least `HORIZON_SCORE`.

    Args:
        scores: The memory score for each size that was measured.
        sizes: All sizes of the sweep.

    Returns:
        The size; 0 if the smallest is not remembered; None if a score that decides is missing.
    """
    reached = 0
    for size in sorted(sizes):
        if size not in scores:
            return None
        if scores[size] < HORIZON_SCORE:
            return reached
        reached = size
    return reached
