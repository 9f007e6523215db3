"""Steps per second, each figure beside a floor measured in the same run.

    python -m benchmarks.stepping

For N streams the floor copies N observations, compares N actions with N targets and writes N
rewards (a right answer's part of one) and two flags into arrays made beforehand: what no
environment can do without, in the fastest way that numpy has. Gymnasium's
`SyncVectorEnv` over the same environments stands beside it. For one environment the floor is an
environment that does nothing but end its episodes after as many steps, made by `gymnasium.make`
too. Rounds alternate between all
candidates; a figure is the median over the rounds, a ratio the median of the rounds' ratios.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

import seqenvs


class DoNothingEnv(gymnasium.Env[Any, Any]):
    """The least that an environment can do: end its episodes after some steps."""

    def __init__(self, like: str, length: int, **kwargs: Any) -> None:
        env = gymnasium.make(like, **kwargs)
        self.observation_space, self.action_space = env.observation_space, env.action_space
        self._observation = env.observation_space.sample()
        self._length = length

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        """Begin."""
        super().reset(seed=seed)
        self._left = self._length
        return self._observation, {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Count."""
        self._left -= 1
        return self._observation, 0.0, self._left == 0, False, {}


Loop = Callable[[int], int]  # runs about that many steps of the whole, and says how many it ran


def single(env: gymnasium.Env[Any, Any]) -> Loop:
    """Steps of one environment, resets included."""
    env.action_space.seed(0)
    actions = [env.action_space.sample() for _ in range(1000)]
    if isinstance(env.action_space, spaces.Discrete):
        actions = [int(action) for action in actions]  # as agents give them
    env.reset(seed=0)

    def run(steps: int) -> int:
        for k in range(steps):
            if env.step(actions[k % 1000])[2]:
                env.reset()
        return steps

    return run


def vector(env: gymnasium.vector.VectorEnv[Any, Any, Any]) -> Loop:
    """Steps of N environments."""
    env.reset(seed=0)
    actions = env.action_space.sample()

    def run(steps: int) -> int:
        for _ in range(steps):
            env.step(actions)
        return steps * env.num_envs

    return run


def blocks(env: seqenvs.SequenceVectorEnv, size: int) -> Loop:
    """Steps of N environments, a block of steps at a time: shown, then judged."""
    env.reset(seed=0)
    actions = np.stack([env.action_space.sample() for _ in range(size)])

    def run(steps: int) -> int:
        for _ in range(max(1, steps // size)):
            env.observe_block(size)
            env.step_block(actions)
        return max(1, steps // size) * size * env.num_envs

    return run


def floor(num_envs: int, observation_space: spaces.Space[Any]) -> Loop:
    """What no vector environment can do without."""
    shape = (num_envs, *(observation_space.shape or ()))
    source = np.zeros(shape, observation_space.dtype)
    observations = np.empty_like(source)
    actions, targets = np.zeros(num_envs, np.int64), np.zeros(num_envs, np.int64)
    right, terminated, truncated = (np.empty(num_envs, bool) for _ in range(3))
    rewards, part = np.empty(num_envs), np.array(0.1)

    def run(steps: int) -> int:
        for _ in range(steps):
            np.copyto(observations, source)
            np.equal(actions, targets, out=right)
            np.copyto(rewards, right)
            np.multiply(rewards, part, out=rewards)
            terminated.fill(False)
            truncated.fill(False)
        return steps * num_envs

    return run


def measure(loops: dict[str, Loop], rounds: int, seconds: float) -> dict[str, list[float]]:
    """Steps per second of each loop in each round, the loops taking turns."""
    steps = {}
    for name, loop in loops.items():
        loop(2)
        count, spent = 8, 0.0
        while spent < seconds / 4:
            begin = time.perf_counter()
            loop(count)
            spent = time.perf_counter() - begin
            count *= 2
        steps[name] = max(1, int(count / 2 * seconds / spent))
    rates: dict[str, list[float]] = {name: [] for name in loops}
    for _ in range(rounds):
        for name, loop in loops.items():
            begin = time.perf_counter()
            done = loop(steps[name])
            rates[name].append(done / (time.perf_counter() - begin))
    return rates


def rate(value: float) -> str:
    """Steps per second, in millions."""
    return f"{value / 1e6:8.2f}M"


def ratio(rates: dict[str, list[float]], one: str, other: str) -> str:
    """The median of the rounds' ratios."""
    return f"{median(a / b for a, b in zip(rates[one], rates[other], strict=True)):8.2f}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.stepping", description=__doc__.split("\n")[0]
    )
    parser.add_argument("--id", default="SeqEcho-v0")
    parser.add_argument("--encoding", default="index", help="default: %(default)s, integers")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument(
        "--seconds", type=float, default=0.1, help="of each candidate in each round"
    )
    parser.add_argument("--streams", type=int, nargs="*", default=[1, 16, 256, 1024, 4096, 16384])
    parser.add_argument("--block", type=int, default=128, help="steps in a block")
    args = parser.parse_args()

    make: dict[str, Any] = {"encoding": args.encoding}
    env = gymnasium.make(args.id, **make)
    length = env.unwrapped.problem.num_steps[1]  # type: ignore[attr-defined]
    gymnasium.register("DoNothing-v0", entry_point="benchmarks.stepping:DoNothingEnv")
    nothing = gymnasium.make("DoNothing-v0", like=args.id, length=length, **make)
    print(
        f"{args.id}, encoding={args.encoding!r}; seqenvs {seqenvs.__version__}, gymnasium "
        f"{gymnasium.__version__}, numpy {np.__version__}, Python {platform.python_version()}, "
        f"{platform.machine()}, {os.cpu_count()} cores; median of {args.rounds} rounds"
    )
    rates = measure({"one": single(env), "nothing": single(nothing)}, args.rounds, args.seconds)
    print(f"\none environment    {rate(median(rates['one']))} steps/s")
    print(f"do-nothing         {rate(median(rates['nothing']))} steps/s")
    print(f"cost in do-nothings{ratio(rates, 'nothing', 'one')}")
    print("\n streams      step    /floor    block     /step    floor      Sync   step/Sync")
    for size in args.streams:
        loops = {
            "step": vector(gymnasium.make_vec(args.id, size, **make)),
            "block": blocks(gymnasium.make_vec(args.id, size, **make), args.block),  # type: ignore[arg-type]
            "floor": floor(size, env.observation_space),
            "sync": vector(gymnasium.make_vec(args.id, size, vectorization_mode="sync", **make)),
        }
        rates = measure(loops, args.rounds, args.seconds)
        print(
            f"{size:8d} {rate(median(rates['step']))}{ratio(rates, 'step', 'floor')}"
            f" {rate(median(rates['block']))}{ratio(rates, 'block', 'step')}"
            f" {rate(median(rates['floor']))} {rate(median(rates['sync']))}"
            f"{ratio(rates, 'step', 'sync')}",
            flush=True,
        )


if __name__ == "__main__":
    main()
