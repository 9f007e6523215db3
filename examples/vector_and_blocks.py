"""Play 256 environments of SeqEcho-v0 step by step, then in blocks of 22 steps, with equal results.

Observations do not depend on actions. So an agent can see a block of steps of every environment at
once, and answer it at once. The policy here answers with the previous digit. Prints for both ways
the mean return (1: every answer right) and the steps per second, and whether observations, rewards
and ends are equal.
"""

import time

import gymnasium
import numpy as np

import seqenvs  # noqa: F401 - registers the ids

NUM_ENVS, BLOCK, BLOCKS = 256, 22, 200  # an episode takes 11 steps, one of them the reset


def step_by_step(env):
    observation, _ = env.reset(seed=0)
    before = np.zeros_like(observation)
    results = []
    for _ in range(BLOCK * BLOCKS):
        following, reward, terminated, _, _ = env.step(before)
        before, observation = observation, following
        results.append((observation, reward, terminated))
    return [np.stack(part) for part in zip(*results, strict=True)]


def in_blocks(env):
    observation, _ = env.reset(seed=0)
    before = np.zeros_like(observation)[None]
    results = []
    for _ in range(BLOCKS):
        shown = env.observe_block(BLOCK)  # (BLOCK, NUM_ENVS)
        actions = np.concatenate([before, shown[:-1]])
        observation, reward, terminated, _, _ = env.step_block(actions)
        before = shown[-1:]
        results.append((observation, reward, terminated))
    return [np.concatenate(part) for part in zip(*results, strict=True)]


def main():
    env = gymnasium.make_vec("SeqEcho-v0", num_envs=NUM_ENVS, encoding="index")
    bounds, played = env.problem.bounds(), []
    print(f"chance {bounds.chance:.3f}  clock {bounds.clock:.3f}  optimum {bounds.optimum:.3f}")
    for name, play in (("step by step", step_by_step), ("in blocks", in_blocks)):
        begin = time.perf_counter()
        played.append(play(env))
        rate = NUM_ENVS * BLOCK * BLOCKS / (time.perf_counter() - begin)
        _, reward, terminated = played[-1]
        value = reward.sum() / terminated.sum()
        print(f"{name:<12}  return {value:.3f}  {rate / 1e6:.0f} million steps a second")
    equal = all(np.array_equal(one, other) for one, other in zip(*played, strict=True))
    print(f"same results: {equal}")


if __name__ == "__main__":
    main()
