"""Small agents, and the comparison of their states."""

from __future__ import annotations

import torch

import agents
from agents.config import CLASS_NAMES, RECURRENT_PPO, Settings, make_options
from agents.learners import make_agent
from agents.networks import NETWORKS
from agents.training import run_folder
from agents.training.train import save

SMALL = {RECURRENT_PPO: {"num_envs": 4, "hidden": 8, "head": 0}}
SMALL |= {name: {"hidden": 8, "batch_size": 8} for name in NETWORKS}
VARIABLE = {"length": [3, 9]}
ACTORS = [name for name, network in NETWORKS.items() if not network.sees_future]


def settings_of(agent, id="SeqEcho-v0", kwargs=None, steps=10**6, target=2.0, seed=3, **options):
    """Settings of a small agent, without a preset."""
    return Settings(
        id=id,
        kwargs=VARIABLE if kwargs is None else kwargs,
        agent=agent,
        options=make_options(agent, {**SMALL[agent], **options}),
        seed=seed,
        steps=steps,
        target=target,
    )


def new(name, **options):
    """A small agent that has learned nothing."""
    return getattr(agents, CLASS_NAMES[name])(**{**SMALL[name], **options})


def learn(agent, steps=600, id="SeqCopy-v0", kwargs=VARIABLE, seed=3):
    """Let an agent learn, and return the steps that it reports."""
    return list(agent.learn(id, kwargs=kwargs, steps=steps, seed=seed))


def updated(settings, updates=1):
    """An agent after some updates."""
    agent = make_agent(settings)
    for _ in range(updates):
        agent.update()
    return agent


def folder_of(settings, path, updates=1):
    """A run folder, complete after some updates."""
    run_folder.create(path, settings)
    save(updated(settings, updates), path)
    return path


def assert_same(one, other):
    """Compare trees of tensors and numbers exactly."""
    assert type(one) is type(other)
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            assert_same(one[key], other[key])
    elif isinstance(one, (list, tuple)):
        for pair in zip(one, other, strict=True):
            assert_same(*pair)
    elif isinstance(one, torch.Tensor):
        assert one.dtype == other.dtype
        assert torch.equal(one, other)
    else:
        assert one == other
