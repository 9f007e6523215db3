"""Train sb3-contrib's RecurrentPPO on SeqRecall-v0 with the vector environment of seqenvs.

The first of five values is due at the end, so the LSTM has to hold it for three steps. Three
settings matter: many environments, rollouts of whole episodes, and gamma 0, because a reward
depends only on the action of its own step. Prints the mean return of 500 episodes before and after
training, beside the bounds. Reached 0.000 before and 1.000 after, with each seed from 0 to 6, in 10
seconds on one core.
"""

import torch
from sb3_contrib import RecurrentPPO
from stable_baselines3.common.evaluation import evaluate_policy

from seqenvs.adapters.sb3 import make_sb3_env

ID, PARAMETERS = "SeqRecall-v0", {"framing": "many_to_one", "num_values": 4}


def main():
    torch.set_num_threads(1)
    env = make_sb3_env(ID, num_envs=64, **PARAMETERS)
    fresh = make_sb3_env(ID, num_envs=50, seed=1, **PARAMETERS)
    problem = env.get_attr("problem")[0]
    bounds = problem.bounds()
    print(f"chance {bounds.chance:.3f}  clock {bounds.clock:.3f}  optimum {bounds.optimum:.3f}")
    model = RecurrentPPO(
        "MlpLstmPolicy",
        env,
        n_steps=4 * problem.num_steps[1],
        batch_size=256,
        n_epochs=4,
        learning_rate=3e-3,
        gamma=0.0,
        ent_coef=0.01,
        policy_kwargs={"lstm_hidden_size": 32, "shared_lstm": True, "enable_critic_lstm": False},
        seed=0,
        device="cpu",
    )
    for steps in (0, 30_000):
        if steps:
            model.learn(steps)
        value, _ = evaluate_policy(model, fresh, n_eval_episodes=500)  # keeps the LSTM's state
        score = bounds.memory_score(value)
        print(f"after {steps:>6,} steps  return {value:.3f}  memory score {score:+.3f}")


if __name__ == "__main__":
    main()
