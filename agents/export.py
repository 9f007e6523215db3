"""Export one step of a trained agent as an ONNX model; its recurrent state is input and output.

Any ONNX runtime can then run the agent, without torch and without this package. This needs onnx,
onnxscript and onnxruntime: ``pip install -e '.[onnx]'``.
"""

from __future__ import annotations

import json
import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.preprocessing import preprocess_obs
from torch import Tensor, nn

from agents.learners import RecurrentPPO, ReferenceAgent, SupervisedAgent
from agents.learners.heads import best_actions
from seqenvs.evaluation import play
from seqenvs.files import versions

# The agents that cannot be exported, and why.
REFUSED = {
    "mlp": "it has no state",
    "bilstm": "it reads a whole episode before it answers, and so has no step",
    "transformer": "it writes into its cache at an index that depends on the time step, which ONNX "
    "does not support",
    "lru": "its state is complex, which ONNX does not support",
}
COMPARED_ENVS, COMPARED_EPISODES = 32, 128
TOLERANCE = 1e-4


class ExportError(Exception):
    """The exported model does not compute what the agent computes."""


class _Step(nn.Module):
    """One time step of B episodes.

    ``forward(observation, episode_start, *state)`` returns ``(action, scores, *next_state)``.
    """

    def __init__(self, space: spaces.Space[Any]) -> None:
        super().__init__()
        self.space = space

    def initial_state(self, size: int) -> tuple[Tensor, ...]:
        """Return the state before the first step of ``size`` episodes."""
        raise NotImplementedError

    def scores(self, observation: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, Any]:
        """Compute what `best_actions` takes, and the next state."""
        raise NotImplementedError

    def forward(self, observation: Tensor, episode_start: Tensor, *state: Tensor) -> Any:
        before = tuple(
            part * (1 - episode_start.view(-1, *[1] * (part.ndim - 1))) for part in state
        )
        scores, after = self.scores(observation, before)
        return best_actions(self.space, scores), scores, *after


class _PPOStep(_Step):
    """The actor of recurrent PPO."""

    def __init__(self, agent: RecurrentPPO) -> None:
        super().__init__(agent.model.action_space)
        self.policy: Any = agent.model.policy
        self.observed = agent.model.observation_space

    def initial_state(self, size: int) -> tuple[Tensor, ...]:
        lstm = self.policy.lstm_actor
        return (torch.zeros(size, lstm.num_layers, lstm.hidden_size),) * 2

    def scores(self, observation: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, Any]:
        features = self.policy.pi_features_extractor(preprocess_obs(observation, self.observed))
        before = tuple(part.transpose(0, 1) for part in state)
        hidden, after = self.policy.lstm_actor(features[None], before)
        latent = self.policy.mlp_extractor.forward_actor(hidden[0])
        return self.policy.action_net(latent), (part.transpose(0, 1) for part in after)


class _SupervisedStep(_Step):
    """A network of `agents.networks`."""

    def __init__(self, agent: SupervisedAgent) -> None:
        super().__init__(agent.task.action_space)
        self.network, self.encoder, self.head = agent.network, agent.encoder, agent.head

    def initial_state(self, size: int) -> tuple[Tensor, ...]:
        return self.network.initial_state(size)

    def scores(self, observation: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, Any]:
        outputs, after = self.network.step(self.encoder.encode(observation), state)
        return self.head.scores(outputs), after


class OnnxAgent:
    """An exported agent with the ``predict`` of Stable-Baselines3.

    Args:
        path: A file that `export` wrote.

    Attributes:
        trained_on: The environment, its parameters and the name of the agent.
    """

    def __init__(self, path: Path) -> None:
        import onnxruntime

        self._session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        described = self._session.get_modelmeta().custom_metadata_map
        self.trained_on = json.loads(described["trained_on"])
        _, _, *states = self._session.get_inputs()
        self._states = {each.name: each.shape[1:] for each in states}

    def scores(
        self, observation: Any, state: tuple[Any, ...] | None, episode_start: Any = None
    ) -> tuple[Any, Any, tuple[Any, ...]]:
        """Compute the actions of B episodes, their scores, and the next state."""
        size = len(observation)
        starts = np.zeros(size) if episode_start is None else np.asarray(episode_start)
        if state is None:
            state = tuple(np.zeros((size, *shape), np.float32) for shape in self._states.values())
        given = {"observation": observation, "episode_start": starts.astype(np.float32)}
        given.update(zip(self._states, state, strict=True))
        actions, scores, *after = self._session.run(None, given)
        return actions, scores, tuple(after)

    def predict(
        self,
        observation: Any,
        state: tuple[Any, ...] | None = None,
        episode_start: Any = None,
        deterministic: bool = True,
    ) -> tuple[Any, tuple[Any, ...]]:
        """Act on B observations. The likeliest action is taken in any case, nothing is sampled."""
        actions, _, after = self.scores(observation, state, episode_start)
        return actions, after


def export(agent: ReferenceAgent, path: Path) -> None:
    """Write one step of a trained agent as an ONNX model.

    The inputs are ``observation`` (B, ...); ``episode_start`` (B,) float32, 1 where an episode
    begins with this observation; and ``state_0``, ...: (B, ...) float32, zeros at first. The
    outputs are ``action``; ``scores``, the logits of each component one after the other, or the
    values of a Box before clipping; and ``next_state_0``, ... The metadata contain what the agent
    was trained on and the versions of the packages.

    Args:
        agent: The agent.
        path: The file to write.

    Raises:
        TypeError: This agent cannot be exported.
        ModuleNotFoundError: onnx, onnxscript or onnxruntime is not installed.
        ExportError: onnxruntime does not compute what torch computes.
    """
    import onnx

    step = _step_of(agent)
    state = [part.clone() for part in step.initial_state(2)]  # each tensor becomes one input
    env = agent.task.env()
    observation = torch.as_tensor(np.stack([env.reset(seed=0)[0]] * 2))
    batch = torch.export.Dim("batch")
    names = [f"state_{k}" for k in range(len(state))]
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)  # the exporter warns that torchvision is missing
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                step.eval(),
                (observation, torch.zeros(2), *state),
                input_names=["observation", "episode_start", *names],
                output_names=["action", "scores", *(f"next_{name}" for name in names)],
                dynamic_shapes=({0: batch}, {0: batch}, tuple({0: batch} for _ in state)),
                dynamo=True,
                verbose=False,
            )
    finally:
        log.setLevel(level)
    assert program is not None
    model = program.model_proto
    about = {"trained_on": json.dumps(agent.trained_on), "versions": json.dumps(versions())}
    onnx.helper.set_model_props(model, about)
    onnx.checker.check_model(model)
    onnx.save(model, path)
    difference = largest_difference(agent, path)
    if difference > TOLERANCE:
        raise ExportError(
            f"the scores of onnxruntime and torch differ by {difference:.1e}, which is more than "
            f"{TOLERANCE}"
        )


def largest_difference(agent: ReferenceAgent, path: Path) -> float:
    """Play episodes with an exported agent, and compare its scores with those of the agent."""
    step, exported, largest = _step_of(agent), OnnxAgent(path), 0.0
    ours, its = step.initial_state(COMPARED_ENVS), None
    starts = np.ones(COMPARED_ENVS, bool)
    env = agent.task.vector_env(COMPARED_ENVS)
    with torch.inference_mode():
        for played in play(exported, env, episodes=COMPARED_EPISODES, seed=0):
            start = torch.as_tensor(starts, dtype=torch.float32)
            _, expected, *ours = step(torch.as_tensor(played.observation), start, *ours)
            _, scores, its = exported.scores(played.observation, its, starts)
            largest = max(largest, float(np.abs(expected.numpy() - scores).max()))
            starts = played.ended
    return largest


def _step_of(agent: ReferenceAgent) -> _Step:
    name = agent.settings.agent
    if name in REFUSED:
        raise TypeError(f"{name} cannot be exported: {REFUSED[name]}")
    if isinstance(agent, RecurrentPPO):
        return _PPOStep(agent)
    assert isinstance(agent, SupervisedAgent)
    return _SupervisedStep(agent)
