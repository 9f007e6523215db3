"""Make an environment, evaluate three agents, and compare their returns with the bounds.

SeqEcho-v0 shows ten random digits. At each step the previous digit is due. Prints the bounds, and
the mean return and memory score of three agents: one without memory (about 0.1 and 0), one that
stores the last digit (1 and 1), and the oracle (1 and 1).
"""

import gymnasium
import numpy as np

import seqenvs

ID, PARAMETERS = "SeqEcho-v0", {"lag": 1, "encoding": "index"}


class NoMemory:
    """Answers with the current digit."""

    def predict(self, observation, state=None, episode_start=None, deterministic=True):
        return np.minimum(observation, 9), None  # 10 is blank


class LastDigit:
    """Answers with the previous digit, which is the state."""

    def predict(self, observation, state=None, episode_start=None, deterministic=True):
        return (np.zeros_like(observation) if state is None else state), observation


def main():
    env = gymnasium.make(ID, **PARAMETERS)
    print(f"observations {env.observation_space} (10 is blank), actions {env.action_space}")
    bounds = env.unwrapped.problem.bounds()
    print(f"chance {bounds.chance:.3f}  clock {bounds.clock:.3f}  optimum {bounds.optimum:.3f}")
    agents = {"no memory": NoMemory(), "last digit": LastDigit(), "oracle": seqenvs.Oracle.of(env)}
    for name, agent in agents.items():
        found = seqenvs.evaluate(agent, ID, **PARAMETERS)
        print(f"{name:<10}  return {found.mean_return:.3f}  memory score {found.memory_score:+.3f}")


if __name__ == "__main__":
    main()
