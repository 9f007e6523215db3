"""Make an environment, play it with three policies, and compare their returns with the bounds.

SeqEcho-v0 shows ten random digits. At each step the previous digit is due. Prints the bounds, and
the mean return and memory score of three policies: one without memory (about 0.1 and 0), one that
stores the last digit (1 and 1), and the oracle (1 and 1).
"""

import gymnasium
import numpy as np

import seqenvs


def repeat_this(observation, state):
    """Answer with the current digit, without memory."""
    return observation, None


def repeat_last(observation, state):
    """Answer with the previous digit, which is the state."""
    return (0 if state is None else state), observation


def mean_return(env, policy, episodes):
    """Play the first episodes of seed 0."""
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
    print(f"observations {env.observation_space} (10 is blank), actions {env.action_space}")
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
