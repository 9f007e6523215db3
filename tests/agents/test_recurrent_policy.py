"""The policy computes what sb3-contrib's computes, with an LSTM or a GRU."""

from __future__ import annotations

import pytest
import torch
from gymnasium import spaces
from sb3_contrib.common.recurrent.policies import RecurrentActorCriticPolicy
from sb3_contrib.common.recurrent.type_aliases import RNNStates

from agents.learners.recurrent_ppo import SequencePolicy
from tests.agents.ppo import (
    CRITICS,
    assert_close,
    every_critic,
    flat,
    make_env,
    make_model,
)


def stock_policy(critic, observations, answers, **kwargs):
    arguments = {"lstm_hidden_size": 8, "net_arch": [8], **CRITICS[critic], **kwargs}
    made = []
    for policy in (RecurrentActorCriticPolicy, SequencePolicy):
        torch.manual_seed(0)
        made.append(policy(observations, answers, lambda _: 1e-3, **arguments))
    stock, ours = made
    for name, value in stock.state_dict().items():
        assert torch.equal(value, ours.state_dict()[name])  # nothing else is drawn
    return stock, ours


def random_states(sequences, layers=1):
    return RNNStates(*(tuple(torch.randn(2, layers, sequences, 8)) for _ in range(2)))


@every_critic
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("starts", ["none", "first", "anywhere"])
def test_the_policy_is_sb3_contribs(critic, layers, starts):
    space = spaces.Box(-1, 1, (5,))
    stock, ours = stock_policy(critic, space, spaces.Discrete(4), n_lstm_layers=layers)
    torch.manual_seed(1)
    sequences, steps = 6, 9
    obs = torch.randn(sequences * steps, 5)
    begins = torch.zeros(sequences, steps)
    begins[:, 0] = starts != "none"
    if starts == "anywhere":
        begins = (torch.rand(sequences, steps) < 0.2).float()
    begins, states = begins.flatten(), random_states(sequences, layers)
    actions = torch.randint(4, (sequences * steps,))

    results = []
    for policy in (stock, ours):
        values, log_probs, entropy = policy.evaluate_actions(obs, actions, states, begins)
        policy.zero_grad()
        (values.square().mean() + log_probs.mean() + entropy.mean()).backward()
        gradients = [p.grad for p in policy.parameters()]
        torch.manual_seed(2)
        with torch.no_grad():
            *forward, after = policy(obs, states, begins)
            predicted = policy.predict_values(obs, states.vf, begins)
            one_step = policy(obs[:sequences], states, begins[:sequences], deterministic=True)
        results.append(
            [
                *(values, log_probs, entropy, predicted),
                *(*forward, *flat(after)),
                *(*one_step[:3], *flat(one_step[3])),
                *gradients,
            ]
        )
    for mine, its in zip(*results, strict=True):
        assert_close(mine, its)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@every_critic
def test_gates_are_initialised(cell, critic):
    model = make_model(
        make_env(), policy={"cell": cell, "gates": {"forget_bias": 3.0}, **CRITICS[critic]}
    )
    rnns = [model.policy.lstm_actor, model.policy.lstm_critic]
    assert (rnns[1] is not None) == (critic == "separate")
    for rnn in rnns[: 1 + (critic == "separate")]:
        assert isinstance(rnn, torch.nn.GRU if cell == "gru" else torch.nn.LSTM)
        assert bool((rnn.bias_ih_l0[8:16] + rnn.bias_hh_l0[8:16] == 3).all())
    optimized = {id(p) for group in model.policy.optimizer.param_groups for p in group["params"]}
    assert optimized == {id(p) for p in model.policy.parameters()}


def test_a_gru_forgets_where_an_episode_begins():
    space = spaces.Box(-1, 1, (5,))
    policy = SequencePolicy(
        space, spaces.Discrete(4), lambda _: 1e-3, cell="gru", lstm_hidden_size=8
    )
    torch.manual_seed(0)
    obs, begins = torch.randn(3 * 6, 5), torch.zeros(3, 6)
    begins[1, 4] = begins[2, 0] = 1
    actions, states = torch.randint(4, (18,)), random_states(3)
    whole = policy.evaluate_actions(obs, actions, states, begins.flatten())
    stepped = []
    for step in range(6):
        part = [x.reshape(3, 6, *x.shape[1:])[:, step] for x in (obs, actions)]
        values, log_probs, entropy = policy.evaluate_actions(*part, states, begins[:, step])
        stepped.append((values, log_probs, entropy))
        states = policy(part[0], states, begins[:, step])[3]
    for mine, its in zip(whole, zip(*stepped, strict=True), strict=True):
        assert_close(mine, torch.stack(its, dim=1).flatten(0, 1))
