"""Log the return, memory score and bounds as one chart in TensorBoard and (offline) W&B.

Prints the greedy return of 500 episodes, as read back from both: 1.000 in 14 seconds.
"""

import os
import tempfile

import torch
import wandb
from sb3_contrib import RecurrentPPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.evaluation import evaluate_policy
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from seqenvs.adapters.sb3 import make_sb3_env

LINES = [f"memory/{x}" for x in ("return", "score", "chance", "memoryless", "clock", "optimum")]


class MemoryCurve(BaseCallback):
    def _on_rollout_end(self):
        bounds = self.training_env.get_attr("problem")[0].bounds()
        mean = sum(e["r"] for e in self.model.ep_info_buffer) / len(self.model.ep_info_buffer)
        self.last = [mean, bounds.memory_score(mean), *vars(bounds).values()]
        for tag, value in zip(LINES, self.last, strict=True):
            self.logger.record(tag, value)  # SB3 writes it with its own values
        wandb.log(dict(zip(LINES, self.last, strict=True)), self.num_timesteps)

    def _on_step(self):
        return True


def main():
    torch.set_num_threads(1)
    env = make_sb3_env("SeqRecall-v0", num_envs=64, framing="many_to_one", num_values=4)
    kwargs = {"n_steps": 16, "batch_size": 256, "n_epochs": 4, "gamma": 0.0, "ent_coef": 0.01}
    kwargs |= {"learning_rate": 3e-3, "policy_kwargs": {"lstm_hidden_size": 32}, "seed": 0}
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= dict.fromkeys(["WANDB_DIR", "WANDB_CACHE_DIR", "WANDB_DATA_DIR"], folder)
        run = wandb.init(mode="offline", settings={"silent": True})
        model = RecurrentPPO("MlpLstmPolicy", env, tensorboard_log=folder, **kwargs)
        model.learn(40_000, curve := MemoryCurve())
        writer = model.logger.output_formats[0].writer
        writer.add_custom_scalars({"memory": {"return and bounds": ["Multiline", LINES]}})
        model.logger.record("greedy", greedy := evaluate_policy(model, env, n_eval_episodes=500)[0])
        model.logger.dump(model.num_timesteps)
        events = EventAccumulator(model.logger.dir).Reload()
        steps = [event.step for event in events.Scalars(LINES[0])]
        lines = [[event.value for event in events.Scalars(tag)] for tag in LINES]
        run.log({"greedy": greedy, "memory": wandb.plot.line_series(steps, lines, LINES)})
        in_tensorboard = {tag: events.Scalars(tag)[-1].value for tag in [*LINES, "greedy"]}
        for tool, said in (("TensorBoard", in_tensorboard), ("W&B offline", dict(run.summary))):
            torch.testing.assert_close([float(said[tag]) for tag in LINES], curve.last)
            print(f"{tool}, memory score and bounds in one chart: return {said['greedy']:.3f}")
        wandb.teardown()  # waits until the file is complete


if __name__ == "__main__":
    main()
