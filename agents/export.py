"""A trained agent as an ONNX file: one step of it, with its recurrent state as input and output.

Whatever runs ONNX can then play, without torch and without this package. Needs onnx, onnxscript
and onnxruntime: ``pip install -e '.[onnx]'``.
"""

from __future__ import annotations

import json
import logging
import warnings
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.preprocessing import preprocess_obs
from torch import Tensor, nn

from agents.config import versions
from agents.learners import Learner, PPOLearner, Supervised

# Why these can't be written.
REFUSED = {
    "mlp": "it has no state, and needs nothing of this",
    "bilstm": "it reads an episode to its end before it answers, and so has no step",
    "transformer": "it writes into its cache where the time says, which ONNX has no steps for",
    "lru": "its state is complex, which ONNX has no operators for",
}
COMPARED_STREAMS, COMPARED_EPISODES = 32, 4
TOLERANCE = 1e-4


class _Step(nn.Module):
    """One time step of B episodes.

    ``forward(observation, episode_start, *state)`` gives ``(action, scores, *next_state)``.
    """

    def __init__(self, space: spaces.Space[Any]) -> None:
        super().__init__()
        self.space = space

    def initial_state(self, size: int) -> tuple[Tensor, ...]:
        """The state before the first step of ``size`` episodes."""
        raise NotImplementedError

    def scores(self, observation: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, Any]:
        """Logits of each component's choices, or values; and the next state."""
        raise NotImplementedError

    def forward(self, observation: Tensor, episode_start: Tensor, *state: Tensor) -> Any:
        before = tuple(
            part * (1 - episode_start.view(-1, *[1] * (part.ndim - 1))) for part in state
        )
        scores, after = self.scores(observation, before)
        return self._answer(scores), scores, *after

    def _answer(self, scores: Tensor) -> Tensor:
        space: Any = self.space
        if isinstance(space, spaces.Discrete):
            return scores.argmax(-1)
        if isinstance(space, spaces.MultiDiscrete):
            components = torch.split(scores, space.nvec.tolist(), -1)
            return torch.stack([one.argmax(-1) for one in components], -1)
        low, high = torch.from_numpy(space.low), torch.from_numpy(space.high)
        return torch.minimum(torch.maximum(scores, low), high)


class _PPOStep(_Step):
    """The actor of recurrent PPO."""

    def __init__(self, learner: PPOLearner) -> None:
        super().__init__(learner.model.action_space)
        self.policy: Any = learner.model.policy
        self.observed = learner.model.observation_space

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

    def __init__(self, learner: Supervised, env: gymnasium.Env[Any, Any]) -> None:
        super().__init__(env.action_space)
        self.network = learner.model.network
        self.observed = env.observation_space

    def initial_state(self, size: int) -> tuple[Tensor, ...]:
        return self.network.initial_state(size)

    def scores(self, observation: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, Any]:
        shown = preprocess_obs(observation, self.observed)
        assert isinstance(shown, Tensor)
        outputs, after = self.network.step(shown.flatten(1), state)
        space: Any = self.space
        if isinstance(space, spaces.Box):
            low, width = torch.from_numpy(space.low), torch.from_numpy(space.high - space.low)
            return low + outputs * width, after
        if isinstance(space, spaces.Discrete):
            return outputs, after
        rows = outputs.chunk(len(space.nvec), -1)
        chosen = [row[:, :n] for row, n in zip(rows, space.nvec.tolist(), strict=True)]
        return torch.cat(chosen, -1), after


class OnnxAgent:
    """An exported agent, with the ``predict`` of Stable-Baselines3.

    Args:
        path: What `export` wrote.

    Attributes:
        trained_on: The id, parameters and agent.
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
        """Actions, the scores that they have, and the next state, of B episodes."""
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
        """Answer B observations; always the best answer, as nothing is drawn."""
        actions, _, after = self.scores(observation, state, episode_start)
        return actions, after


def export(learner: Learner, path: Path) -> None:
    """Write one step of a trained agent as an ONNX model.

    Its inputs are ``observation`` (B, ...), ``episode_start`` (B,) float32, 1 where an episode
    begins with this observation, and ``state_0``, ...: (B, ...) float32, zeros at first. Its
    outputs are ``action``, ``scores`` (logits, for each component of an answer one after the other,
    or values) and ``next_state_0``, ... The metadata say what it was trained on, and with what.

    Args:
        learner: The agent.
        path: The file.

    Raises:
        TypeError: An agent that can't be written.
        ExportError: onnxruntime doesn't make of it what torch does.
    """
    import onnx

    step, env = _step_of(learner)
    state = [part.clone() for part in step.initial_state(2)]  # one tensor twice is one input
    observation = torch.as_tensor(np.stack([env.reset(seed=0)[0]] * 2))
    batch = torch.export.Dim("batch")
    names = [f"state_{k}" for k in range(len(state))]
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)  # it misses torchvision, and torch warns of torch's own code
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
    about = {"trained_on": json.dumps(learner._trained_on), "versions": json.dumps(versions())}
    onnx.helper.set_model_props(model, about)
    onnx.checker.check_model(model)
    onnx.save(model, path)
    difference = largest_difference(learner, path)
    if difference > TOLERANCE:
        raise ExportError(
            f"onnxruntime's scores differ from torch's by {difference:.1e}, and may by {TOLERANCE}"
        )


class ExportError(Exception):
    """What was written doesn't play as the agent does."""


def largest_difference(learner: Learner, path: Path) -> float:
    """How far the scores of an exported agent are from those of the agent, in some episodes."""
    step, _ = _step_of(learner)
    agent, steps = OnnxAgent(path), COMPARED_EPISODES * (learner.task.usual_steps + 1)
    settings = learner.settings
    streams = gymnasium.make_vec(settings.id, num_envs=COMPARED_STREAMS, **settings.kwargs)
    observations, _ = streams.reset(seed=0)
    starts, ended = np.ones(COMPARED_STREAMS, np.float32), np.zeros(COMPARED_STREAMS, np.float32)
    states: Any = step.initial_state(COMPARED_STREAMS)
    onnx_states, difference = None, 0.0
    for _ in range(steps):
        with torch.inference_mode():
            shown = torch.as_tensor(observations)
            _, scores, *states = step(shown, torch.from_numpy(starts), *states)
        actions, onnx_scores, onnx_states = agent.scores(observations, onnx_states, starts)
        difference = max(difference, float(np.abs(scores.numpy() - onnx_scores).max()))
        observations, _, terminated, _, _ = streams.step(actions)
        starts, ended = ended, terminated.astype(np.float32)
    return difference


def _step_of(learner: Learner) -> tuple[_Step, gymnasium.Env[Any, Any]]:
    settings = learner.settings
    if settings.agent in REFUSED:
        raise TypeError(f"{settings.agent} can't be exported: {REFUSED[settings.agent]}")
    env = gymnasium.make(settings.id, **settings.kwargs)
    if isinstance(learner, PPOLearner):
        return _PPOStep(learner), env
    assert isinstance(learner, Supervised)
    return _SupervisedStep(learner, env), env
