"""Train TorchRL's LSTMModule with ClipPPOLoss on SeqEcho-v0 with the vector environment of seqenvs.

InitTracker marks where the LSTM resets its state, and the primer keeps it in the tensordict. gamma
is 0, because a reward depends only on the action of its own step. Then plays a single environment
and both autoreset modes greedily, and compares the rewards with those computed from observations
and actions. Prints the mean returns. Reached 0.995 to 0.996 in 14 seconds of processor time.
"""

import gymnasium
import torch
from tensordict.nn import TensorDictModule, TensorDictSequential
from torch import nn
from torchrl import collectors, envs, modules, objectives

ID, LAG, LENGTH = "seqenvs:SeqEcho-v0", 1, 10


def wrap(env, lstm, seed):
    env = envs.GymWrapper(env, categorical_action_encoding=True)
    for transform in (envs.InitTracker(), envs.RewardSum(), lstm.make_tensordict_primer()):
        env = env.append_transform(transform)
    envs.check_env_specs(env)
    env.set_seed(seed)  # last, because wrapping and checking play some steps
    return env


def main():
    torch.set_num_threads(1)
    torch.manual_seed(0)
    lstm = modules.LSTMModule(input_size=10, hidden_size=64, in_key="observation", out_key="hidden")
    body = TensorDictSequential(lstm, TensorDictModule(nn.Linear(64, 10), ["hidden"], ["logits"]))
    options = {"distribution_class": torch.distributions.Categorical, "return_log_prob": True}
    actor = modules.ProbabilisticActor(body, in_keys=["logits"], **options)
    critic = TensorDictSequential(lstm, modules.ValueOperator(nn.Linear(64, 1), ["hidden"]))
    loss = objectives.ClipPPOLoss(actor, critic, normalize_advantage=True)
    gae = objectives.value.GAE(gamma=0.0, lmbda=0.0, value_network=critic, shifted=True)
    optimizer = torch.optim.Adam(loss.parameters(), lr=5e-3)
    modes = ("Disabled", "SameStep")
    vector = {m: gymnasium.make_vec(ID, 64, lag=LAG, autoreset_mode=m) for m in modes}
    env = wrap(vector["Disabled"], lstm, seed=0)
    for batch in collectors.Collector(env, actor, frames_per_batch=640, total_frames=80 * 640):
        with modules.set_recurrent_mode(True):  # whole sequences
            gae(batch)
            for _ in range(8):
                losses = loss(batch)
                optimizer.zero_grad()
                sum(losses[f"loss_{key}"] for key in ("objective", "critic", "entropy")).backward()
                optimizer.step()
    for name, env in {"one environment": gymnasium.make(ID, lag=LAG), **vector}.items():
        with envs.set_exploration_type(envs.ExplorationType.DETERMINISTIC), torch.no_grad():
            played = wrap(env, lstm, seed=1).rollout(1000, actor, break_when_any_done=False)
        shown = played["observation"].argmax(-1).view(-1, LENGTH)
        right = played["action"].view(-1, LENGTH)[:, LAG:] == shown[:, :-LAG]
        paid = played["next", "episode_reward"][played["next", "done"]]
        torch.testing.assert_close(paid, right.float().mean(1))
        print(f"ClipPPOLoss, LSTMModule, {name}, SeqEcho-v0 lag 1: return {paid.mean():.3f}")


if __name__ == "__main__":
    main()
