"""Train RLlib's PPO with an LSTM (new API stack) on SeqEcho-v0, vectorized in two ways.

What matters: the id with its module, so that Ray's workers can make it; sequences of an episode and
the step that RLlib appends; the mode NextStep; and gamma 0, because a reward depends only on the
action of its own step. Prints the greedy return of 256 new episodes for Gymnasium's vector
environment and that of seqenvs. Reached 0.998 and 0.997 in 77 seconds on two busy cores.
"""

import os

import gymnasium
import ray
import torch
from ray.rllib.algorithms.ppo import PPOConfig
from ray.rllib.core.rl_module.default_model_config import DefaultModelConfig

ID, PARAMETERS = "seqenvs:SeqEcho-v0", {"lag": 2}  # "module:id" makes Ray's workers import seqenvs
ENVS, ITERATIONS = 128, 35


def make_config(mode, steps):
    sequence = steps + 1  # RLlib appends a masked step to each episode
    model = DefaultModelConfig(
        fcnet_hiddens=[32], use_lstm=True, lstm_cell_size=64, max_seq_len=sequence
    )
    return (
        PPOConfig()
        .environment(ID, env_config=PARAMETERS)
        .env_runners(num_env_runners=1, num_envs_per_env_runner=ENVS, gym_env_vectorize_mode=mode)
        .rl_module(model_config=model)
        .training(lr=3e-3, gamma=0.0, entropy_coeff=0.01, use_kl_loss=False, num_epochs=6)
        .training(train_batch_size_per_learner=ENVS * steps, minibatch_size=16 * sequence)
        .evaluation(evaluation_interval=ITERATIONS, evaluation_duration=2 * ENVS)
        .evaluation(evaluation_config=PPOConfig.overrides(explore=False))
        .reporting(metrics_num_episodes_for_smoothing=2 * ENVS)  # the default is 100
        .debugging(seed=0)
    )


def main():
    torch.set_num_threads(1)
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray.init(num_cpus=2, include_dashboard=False)
    steps = gymnasium.make(ID, **PARAMETERS).unwrapped.problem.num_steps[1]
    for mode in ("sync", "vector_entry_point"):
        algo = make_config(mode, steps).build_algo()
        workers = algo.env_runner_group
        print(workers.foreach_env_runner(lambda w: str(w.env.unwrapped), local_env_runner=False))
        for _ in range(ITERATIONS):
            results = algo.train()  # the last iteration also evaluates
        stats = results["evaluation"]["env_runners"]
        value = stats["episode_return_mean"]
        assert stats["episode_len_min"] == stats["episode_len_max"] == steps  # no blank steps
        print(f'PPO with an LSTM, vectorized "{mode}", SeqEcho-v0 lag 2: return {value:.3f}')
        algo.stop()
    ray.shutdown()


if __name__ == "__main__":
    main()
