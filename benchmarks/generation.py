"""Measure how many time steps per second supervised batches provide.

    python -m benchmarks.generation

Each batch has N episodes of T time steps. All candidates except the floor give the same batches:

- batches: `seqenvs.batches`.
- floor: the least work that any such batch needs. It copies X, y and mask from one fixed batch.
  Between the first and the last time step at which episodes differ, it draws one random number per
  step and episode and writes it into X. These are no steps on SeqNext-v0, the first step on
  SeqRecall-v0, half of the steps on SeqCopy-v0, and all steps elsewhere. Symbols are drawn with
  ``rng.integers(n)`` in the smallest type, real values with float32 ``rng.random``. It computes no
  answers.
- vector: the vector environment. It is reset for each batch and steps T times with the same random
  actions. Observations and infos are copied into new arrays.
- played: `seqenvs.evaluation.sample_batches`, which plays the vector environment and would work
  with any environment that reports its targets.
- torch: the torch data set, read through a ``DataLoader`` without workers.

All N * T time steps count. The candidates alternate in each round. Each rate is the median over the
rounds. Each ratio is the median of the ratios within the rounds.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from functools import partial
from itertools import islice
from statistics import median
from typing import Any

import gymnasium
import numpy as np
from torch.utils.data import DataLoader

import seqenvs
from benchmarks.stepping import Loop, measure, ratio
from seqenvs.adapters.torch import SequenceDataset
from seqenvs.arguments import int_from, run_command, usage_errors
from seqenvs.files import machine, versions
from seqenvs.playing import sample_batches
from seqenvs.task import find_task

IDS = ("SeqNext-v0", "SeqRecall-v0", "SeqEcho-v0", "SeqCopy-v0", "SeqClassify-v0")
Source = Iterator[Any]  # endless batches of X, y and mask


def floor(problem: seqenvs.Problem, size: int, encoding: str) -> Source:
    """Yield arrays made with the least work that any such batch needs."""
    X, y, mask = next(seqenvs.batches(problem, size, seed=0, encoding=encoding))  # noqa: N806
    many = next(
        seqenvs.batches(problem, 100, seed=0, encoding=encoding)
    ).X  # a batch may have size 1
    differ = np.flatnonzero((many != many[0]).reshape(*many.shape[:2], -1).any(axis=(0, 2)))
    drawn = slice(differ[0], differ[-1] + 1) if len(differ) else slice(0)
    X[:, drawn] = 0
    spec, shape, rng = problem.input_spec, X[:, drawn].shape, np.random.default_rng(0)
    starts = np.arange(0, X.size, X[0, 0].size).reshape(X.shape[:2])[:, drawn]
    while True:
        fresh = X.copy()
        if isinstance(spec, seqenvs.Symbols) and encoding == "one_hot":
            symbols = rng.integers(spec.n, size=starts.shape, dtype=spec.dtype)
            fresh.reshape(-1)[starts + symbols] = 1
        elif isinstance(spec, seqenvs.Symbols):
            fresh[:, drawn] = rng.integers(spec.n, size=shape, dtype=spec.dtype)
        elif len(differ):
            fresh[:, drawn] = rng.random(shape, np.float32)
        yield fresh, y.copy(), mask.copy()


def vector(env: gymnasium.vector.VectorEnv[Any, Any, Any]) -> Source:
    """Yield batches of one episode of each sub-environment."""
    inputs, answers = env.single_observation_space, env.single_action_space
    shape = env.num_envs, env.unwrapped.problem.num_steps[1]  # type: ignore[attr-defined]
    actions = env.action_space.sample()
    observations, _ = env.reset(seed=0)
    while True:
        X = np.empty((*shape, *(inputs.shape or ())), inputs.dtype)  # noqa: N806
        y = np.empty((*shape, *(answers.shape or ())), answers.dtype)
        mask = np.empty(shape, bool)
        for time in range(shape[1]):
            X[:, time] = observations
            observations, _, _, _, info = env.step(actions)
            y[:, time], mask[:, time] = info["target"], info["due"]
        yield X, y, mask
        observations, _ = env.reset()


def sources(id: str, size: int, encoding: str) -> dict[str, Source]:
    """Return all candidates by name, for batches of ``size`` episodes."""
    env = gymnasium.make(id, encoding=encoding)
    data = SequenceDataset(id, size, sys.maxsize, encoding=encoding)
    return {
        "batches": seqenvs.batches(id, size, seed=0, encoding=encoding),
        "floor": floor(env.unwrapped.problem, size, encoding),  # type: ignore[attr-defined]
        "vector": vector(gymnasium.make_vec(id, size, encoding=encoding)),
        "played": sample_batches(
            find_task(id, {"encoding": encoding}), size, seed=0, play_env=True
        ),
        "torch": iter(DataLoader(data, batch_size=None)),
    }


def draw(source: Source, batches: int) -> int:
    """Draw ``batches`` batches and return their number of time steps."""
    return sum(len(mask) * mask.shape[1] for _, _, mask in islice(source, batches))


def main(arguments: list[str] | None = None) -> int:
    """Measure and print the table; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.generation", description=(__doc__ or "").split("\n")[0]
    )
    add = parser.add_argument
    add("--ids", nargs="+", default=IDS, metavar="ID")
    add("--batch", type=int, default=256, help="episodes in a batch; default: %(default)s")
    add("--encoding", default="one_hot", help="default: %(default)s")
    add("--rounds", type=int_from(1), default=9)
    add("--seconds", type=float, default=0.1, help="time per candidate and round")
    parser.set_defaults(run=_run)
    return run_command(parser, arguments)


def _run(args: argparse.Namespace) -> None:
    with usage_errors():
        made = {id: sources(id, args.batch, args.encoding) for id in args.ids}
    about = ", ".join(f"{name} {version}" for name, version in list(versions().items())[:-1])
    print(f"batches of {args.batch}, encoding={args.encoding!r}; median of {args.rounds} rounds")
    print(f"{about}; {machine()}")
    width = max(map(len, made))
    print(f"\n{'':{width}}  steps/s  /floor /vector /played  /torch  episodes/s", flush=True)
    for id, candidates in made.items():
        length = next(candidates["batches"]).mask.shape[1]
        loops: dict[str, Loop] = {name: partial(draw, candidates[name]) for name in candidates}
        rates = measure(loops, args.rounds, args.seconds)
        steps = median(rates["batches"])
        ratios = "".join(f"{ratio(rates, 'batches', name):8.2f}" for name in list(loops)[1:])
        figures = f"{steps / 1e6:8.2f}M{ratios}   {steps / length / 1e6:8.2f}M"
        print(f"{id:{width}}{figures}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
