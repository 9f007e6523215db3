"""Make an environment, play it with three policies, and set their returns beside the bounds.

SeqEcho-v0 shows ten random digits and asks at each step for the one before. Prints the bounds, and
the mean return and memory score of a policy without memory (about 0.1 and 0), one written by hand
that keeps the last digit (1 and 1), and the oracle (1 and 1).
"""

import gymnasium
import numpy as np

import seqenvs


def repeat_this(observation, state):
    """No memory: say the digit in sight."""
    return observation, None


def repeat_last(observation, state):
    """One digit of memory: say the digit that was in sight before."""
    return (0 if state is None else state), observation


def mean_return(env, policy, episodes):
    """Play episodes from the first of seed 0 on."""
    returns = []
    for episode in range(episodes):
        observation, _ = env.reset(seed=0 if episode == 0 else None)
        state, terminated, total = None, False, 0.0
        while not terminated:
            action, state = policy(observation, state)
            observation, reward, terminated, _, _ = env.step(action)
            total += reward
        returns.append(total)
    return float(np.mean(returns))


def main():
    env = gymnasium.make("SeqEcho-v0", lag=1, encoding="index")
    print(f"shows {env.observation_space} (10 is blank), asks for {env.action_space}")
    bounds = env.unwrapped.problem.bounds()
    print(f"chance {bounds.chance:.3f}  clock {bounds.clock:.3f}  optimum {bounds.optimum:.3f}")
    policies = {
        "no memory": repeat_this,
        "last digit": repeat_last,
        "oracle": seqenvs.Oracle.of(env).predict,
    }
    for name, policy in policies.items():
        value = mean_return(env, policy, episodes=1000)
        score = bounds.memory_score(value)
        print(f"{name:<10}  return {value:.3f}  memory score {score:+.3f}")


if __name__ == "__main__":
    main()
