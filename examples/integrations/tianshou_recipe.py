"""Train a recurrent DQN of Tianshou on SeqEcho-v0 over Tianshou's own vector environments.

In training the buffer gives each step with the nine before it, a whole episode (`stack_num=10`). In
play the collector keeps the state. `gamma=0.0`, because a reward depends only on the action of its
own step. Prints the mean return of 200 new episodes with greedy actions. Reached 1.000 in 30
seconds of processor time.
"""

import gymnasium
import numpy as np
import torch
from tianshou.algorithm import DQN
from tianshou.algorithm.modelfree.dqn import DiscreteQLearningPolicy
from tianshou.algorithm.optim import AdamOptimizerFactory
from tianshou.data import Collector, VectorReplayBuffer
from tianshou.env import DummyVectorEnv
from tianshou.trainer import OffPolicyTrainerParams
from tianshou.utils.net.common import Recurrent


def make():
    return gymnasium.make("seqenvs:SeqEcho-v0", lag=2)


def main():
    torch.set_num_threads(1)
    torch.manual_seed(0)
    np.random.seed(0)  # Tianshou explores and draws batches with NumPy's global generator
    env = make()
    net = Recurrent(
        layer_num=1,
        state_shape=env.observation_space.shape,
        action_shape=env.action_space.n,
        hidden_layer_size=64,
    )
    policy = DiscreteQLearningPolicy(model=net, action_space=env.action_space, eps_training=0.2)
    dqn = DQN(policy=policy, optim=AdamOptimizerFactory(lr=3e-3), gamma=0.0)
    train, fresh = DummyVectorEnv([make] * 32), DummyVectorEnv([make] * 32)
    train.seed(0)
    fresh.seed(1000)
    buffer = VectorReplayBuffer(20_000, 32, stack_num=10, ignore_obs_next=True)
    params = OffPolicyTrainerParams(
        training_collector=Collector(policy, train, buffer, exploration_noise=True),
        max_epochs=1,
        epoch_num_steps=12_800,
        collection_step_num_env_steps=320,
        update_step_num_gradient_steps_per_sample=0.1,
        batch_size=128,
    )
    dqn.run_training(params)
    result = Collector(policy, fresh).collect(n_episode=200, reset_before_collect=True)
    value = result.returns_stat.mean
    print(f"DQN with Recurrent, DummyVectorEnv, SeqEcho-v0 lag 2: return {value:.3f}")


if __name__ == "__main__":
    main()
