"""Measure steps per second of environments, beside a floor that is measured in the same run.

    python -m benchmarks.stepping

The floor of a vector environment copies N observations, compares N actions with N targets, and
writes N rewards and two flags into arrays that are allocated once. It draws nothing. Gymnasium's
`SyncVectorEnv` over the same environments is measured beside it. The floor of a single environment
is an environment that only ends its episodes after as many steps.

The second table compares variable lengths, SAME_STEP, extra features, stacks and blocks with steps
of fixed lengths in NEXT_STEP mode. Rounds alternate between all candidates. A figure is the median
over the rounds, and a ratio is the median of the rounds' ratios.

With ``--against FOLDER``, another checkout of seqenvs steps in a second process. The rounds then
alternate between the two, and nothing else is measured.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from statistics import median
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

import seqenvs


class DoNothingEnv(gymnasium.Env[Any, Any]):
    """An environment that only counts its steps."""

    def __init__(self, like: str, length: int, **kwargs: Any) -> None:
        env = gymnasium.make(like, **kwargs)
        self.observation_space, self.action_space = env.observation_space, env.action_space
        self._observation = env.observation_space.sample()
        self._length = length

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        """Begin an episode."""
        super().reset(seed=seed)
        self._left = self._length
        return self._observation, {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Count a step."""
        self._left -= 1
        return self._observation, 0.0, self._left == 0, False, {}


Loop = Callable[[int], int]  # runs about that many steps, and returns how many it ran


def single(env: gymnasium.Env[Any, Any]) -> Loop:
    """Return a loop over the steps of one environment, resets included."""
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
    """Return a loop over the steps of a vector environment."""
    env.reset(seed=0)
    actions = env.action_space.sample()

    def run(steps: int) -> int:
        for _ in range(steps):
            env.step(actions)
        return steps * env.num_envs

    return run


def blocks(env: Any, size: int) -> Loop:
    """Return a loop over blocks of steps, as an agent plays them: it observes, then it acts."""
    env.reset(seed=0)
    actions = np.stack([env.action_space.sample() for _ in range(size)])

    def run(steps: int) -> int:
        for _ in range(max(1, steps // size)):
            env.observe_block(size)
            env.step_block(actions, all_observations=False)
        return max(1, steps // size) * size * int(env.num_envs)

    return run


def floor(num_envs: int, observation_space: spaces.Space[Any]) -> Loop:
    """Return a loop over the least work of a vector environment."""
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


def steps_in(loop: Loop, seconds: float) -> int:
    """Return how many steps a loop runs in about this time."""
    loop(2)
    count, spent = 8, 0.0
    while spent < seconds / 4:
        begin = time.perf_counter()
        loop(count)
        spent = time.perf_counter() - begin
        count *= 2
    return max(1, int(count / 2 * seconds / spent))


def measure(loops: dict[str, Loop], rounds: int, seconds: float) -> dict[str, list[float]]:
    """Return the steps per second of each loop in each round. The loops take turns."""
    steps = {name: steps_in(loop, seconds) for name, loop in loops.items()}
    rates: dict[str, list[float]] = {name: [] for name in loops}
    for _ in range(rounds):
        for name, loop in loops.items():
            begin = time.perf_counter()
            done = loop(steps[name])
            rates[name].append(done / (time.perf_counter() - begin))
    return rates


def ratio(rates: dict[str, list[float]], one: str, other: str) -> float:
    """Return the median of the rounds' ratios."""
    return median(a / b for a, b in zip(rates[one], rates[other], strict=True))


def cases(args: argparse.Namespace) -> dict[str, tuple[dict[str, Any], int]]:
    """Return the candidates of the second table: keyword arguments, and the steps of a block."""
    plain = {"encoding": args.encoding}
    variable = {"length": tuple(args.lengths)}
    same_step = {"autoreset_mode": "SameStep"}
    return {
        "fixed": (plain, 0),
        "variable": ({**plain, **variable}, 0),
        "SAME_STEP": ({**plain, **same_step}, 0),
        "SAME_STEP, variable": ({**plain, **same_step, **variable}, 0),
        **{f"blocks of {steps}": (plain, steps) for steps in args.blocks},
        "one_hot": ({}, 0),
        "one_hot, variable": (variable, 0),
        "one_hot, SAME_STEP": (same_step, 0),
        "one_hot, time_step, previous_action": ({"extras": ["time_step", "previous_action"]}, 0),
        "one_hot, stack_size=4": ({"stack_size": 4}, 0),
    }


def serve(args: argparse.Namespace) -> None:
    """Run the rounds that the other process asks for, and write how long they took."""
    if not args.fresh_heap:
        # Freeing an array of this size raises the limit at which glibc returns memory to the
        # system. Most programs do that, and so did the environment in earlier checkouts.
        np.empty(1 << 22, np.uint8)
    made = {"encoding": args.encoding} if args.serve[1] == "index" else {}
    loop = vector(gymnasium.make_vec(args.id, int(args.serve[0]), **made))
    steps = steps_in(loop, args.seconds)
    loop(4 * steps)
    for line in sys.stdin:
        begin = time.process_time()
        loop(int(line))
        print(json.dumps({"seconds": time.process_time() - begin, "steps": steps}), flush=True)


def against(args: argparse.Namespace) -> Iterator[str]:
    """Compare with another checkout: the lines of the table."""
    yield "processor time of a step, this checkout / the other"
    yield "sub-environments  encoding      here     there   ratio"
    for size in (1024, 16384):
        for encoding in ("index", "one_hot"):
            command = [sys.executable, os.path.abspath(__file__), "--id", args.id]
            command += ["--seconds", str(args.seconds), "--serve", str(size), encoding]
            command += ["--fresh-heap"] * args.fresh_heap
            sides = [
                subprocess.Popen(
                    command,
                    env={**os.environ, "PYTHONPATH": folder},
                    cwd=folder,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
                for folder in (os.getcwd(), os.path.abspath(args.against))
            ]

            def run(side: Any, steps: int) -> dict[str, float]:
                side.stdin.write(f"{steps}\n")
                side.stdin.flush()
                answer: dict[str, float] = json.loads(side.stdout.readline())
                return answer

            steps = int(run(sides[0], 1)["steps"])
            run(sides[1], 1)
            rounds = [
                [run(side, steps)["seconds"] / steps * 1e6 for side in sides]
                for _ in range(args.rounds)
            ]
            for side in sides:
                side.communicate()
            here, there = (median(column) for column in zip(*rounds, strict=True))
            ratios = median(one / other for one, other in rounds)
            yield f"{size:16,d}  {encoding:8s}  {here:6.1f} µs {there:6.1f} µs  {ratios:6.2f}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.stepping", description=__doc__.split("\n")[0]
    )
    add = parser.add_argument
    add("--id", default="SeqEcho-v0")
    add("--encoding", default="index", help="default: %(default)s, integers")
    add("--rounds", type=int, default=9)
    add("--seconds", type=float, default=0.1, help="of a candidate in a round")
    add("--num-envs", type=int, nargs="*", default=[1, 16, 256, 1024, 4096, 16384])
    add("--lengths", type=int, nargs=2, default=[8, 12], help="variable lengths, low and high")
    add("--blocks", type=int, nargs="*", default=[10, 128], help="steps in a block")
    add("--against", metavar="FOLDER", help="another checkout to compare with")
    add("--fresh-heap", action="store_true", help="with --against: no large array is freed before")
    add("--serve", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        serve(args)
        return
    print(
        f"{args.id}, encoding={args.encoding!r}; seqenvs {seqenvs.__version__}, gymnasium "
        f"{gymnasium.__version__}, numpy {np.__version__}, Python {platform.python_version()}, "
        f"{platform.machine()}, {os.cpu_count()} cores; median of {args.rounds} rounds"
    )
    if args.against:
        for line in against(args):
            print(line, flush=True)
        return

    make: dict[str, Any] = {"encoding": args.encoding}
    env = gymnasium.make(args.id, **make)
    length = env.unwrapped.problem.num_steps[1]  # type: ignore[attr-defined]
    gymnasium.register("DoNothing-v0", entry_point="benchmarks.stepping:DoNothingEnv")
    nothing = gymnasium.make("DoNothing-v0", like=args.id, length=length, **make)
    rates = measure({"one": single(env), "nothing": single(nothing)}, args.rounds, args.seconds)
    print(f"\none environment          {median(rates['one']) / 1e6:8.2f}M steps/s")
    print(f"do-nothing environment   {median(rates['nothing']) / 1e6:8.2f}M steps/s")
    print(f"do-nothing / one         {ratio(rates, 'nothing', 'one'):8.2f}")
    print("\nfixed lengths, millions of steps/s")
    print("sub-envs      step     floor      Sync   step/floor  step/Sync")
    for size in args.num_envs:
        loops = {
            "step": vector(gymnasium.make_vec(args.id, size, **make)),
            "floor": floor(size, env.observation_space),
            "sync": vector(gymnasium.make_vec(args.id, size, vectorization_mode="sync", **make)),
        }
        rates = measure(loops, args.rounds, args.seconds)
        figures = "".join(f"{median(rates[name]) / 1e6:10.2f}" for name in loops)
        ratios = ratio(rates, "step", "floor"), ratio(rates, "step", "sync")
        print(f"{size:8d}{figures}   {ratios[0]:10.2f} {ratios[1]:10.2f}", flush=True)
    print("\ntime of a step / time of a fixed-length NEXT_STEP step with the same encoding")
    print(f"variable: length=({args.lengths[0]}, {args.lengths[1]})")
    sizes = [size for size in args.num_envs if size in (16, 1024, 16384)] or args.num_envs
    print(" " * 40 + "".join(f"{size:>10,d}" for size in sizes))
    columns = []
    for size in sizes:
        loops = {}
        for name, (kwargs, steps) in cases(args).items():
            envs = gymnasium.make_vec(args.id, size, **kwargs)
            loops[name] = blocks(envs, steps) if steps else vector(envs)
        rates = measure(loops, args.rounds, args.seconds)
        base = {name: "one_hot" if name.startswith("one_hot") else "fixed" for name in loops}
        columns.append({name: ratio(rates, base[name], name) for name in loops})
    for name in columns[0]:
        print(f"{name:40s}" + "".join(f"{column[name]:10.2f}" for column in columns))


if __name__ == "__main__":
    main()
