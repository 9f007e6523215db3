"""Record the episodes of an oracle and of an LSTM with Minari, and check that they can be replayed.

A data set stores how its environment was made and the seed of each episode. The recovered
environment plays the same episodes. Prints the mean return of each data set, as read back. Reached
1.000, and 0.864 for the LSTM, which stops training early; 15 seconds, 8 of processor time.
"""

import os
import tempfile

import gymnasium
import minari
import numpy as np
import torch

import seqenvs
from seqenvs.adapters.torch import SequenceDataset


class Agent(torch.nn.LSTM):
    @torch.no_grad()
    def predict(self, observation, state):
        logits, state = self(torch.from_numpy(observation)[None, None], state)
        return logits.argmax().numpy(), state


def play(env, agent, seed):
    (observation, _), state, rows = env.reset(seed=seed), None, []
    for _ in range(10):
        action, state = agent.predict(observation, state)
        rows.append((action, *env.step(action)[:4]))
        observation = rows[-1][1]
    return list(zip(*rows, strict=True))


def main():
    torch.set_num_threads(1)
    torch.manual_seed(0)
    env, lstm = gymnasium.make("SeqEcho-v0", lag=2), Agent(10, 64, proj_size=10, batch_first=True)
    optimizer = torch.optim.Adam(lstm.parameters(), lr=1e-2)
    for x, y, mask in SequenceDataset("SeqEcho-v0", batch_size=128, num_batches=150, lag=2):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(lstm(x)[0][mask], y[mask]).backward()
        optimizer.step()
    with tempfile.TemporaryDirectory() as os.environ["MINARI_DATASETS_PATH"]:
        for name, agent in {"oracle": seqenvs.Oracle.of(env), "LSTM": lstm}.items():
            collector = minari.DataCollector(env)
            played = [play(collector, agent, seed) for seed in range(1000, 1200)]
            collector.create_dataset(f"seqecho/{name}-v0", algorithm_name=name)
            data = minari.load_dataset(f"seqecho/{name}-v0")
            recovered, known = data.recover_environment(), data.storage.get_episode_metadata
            for e, once, its in zip(data, played, known(range(200)), strict=True):
                read = [e.actions, e.observations[1:], e.rewards, e.terminations, e.truncations]
                np.testing.assert_equal([read, play(recovered, agent, its["seed"])], [once, once])
            mean = np.mean([e.rewards.sum() for e in data])
            print(f"data of the {name}, SeqEcho-v0 lag 2: return {mean:.3f}")


if __name__ == "__main__":
    main()
