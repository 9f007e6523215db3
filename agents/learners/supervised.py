"""Learn from right answers, and act with what was learned.

The samples come from `seqenvs.batches`, or from an environment that is played: `samples_from_env`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from agents.networks import NetworkOptions, make_network
from seqenvs.dataset import Samples
from seqenvs.scoring import judge
from seqenvs.validation import check_int

LEAST_RATE = 0.01  # where annealing ends, as a part of the first step size


class _Choices:
    """Answers that are chosen: K components, of which `Discrete` has one."""

    def __init__(self, space: spaces.Discrete | spaces.MultiDiscrete) -> None:
        single = isinstance(space, spaces.Discrete)
        counts = np.atleast_1d(space.n if isinstance(space, spaces.Discrete) else space.nvec)
        self.shape = len(counts), int(counts.max())
        self.outputs = self.shape[0] * self.shape[1]
        self._squeeze = single
        # All components have as many logits; those beyond a component's own choices are barred.
        beyond = np.arange(self.shape[1]) >= counts[:, None]
        self._bar = torch.zeros(self.shape).masked_fill(torch.from_numpy(beyond), -torch.inf)

    def _logits(self, outputs: Tensor) -> Tensor:
        return outputs.view(*outputs.shape[:-1], *self.shape) + self._bar

    def loss(self, outputs: Tensor, targets: NDArray[Any]) -> Tensor:
        """Mean cross-entropy."""
        logits = self._logits(outputs).flatten(0, 1)
        return functional.cross_entropy(logits, torch.from_numpy(targets.ravel()))

    def answer(self, outputs: Tensor, generator: torch.Generator | None = None) -> NDArray[Any]:
        """The likeliest answers, or with a generator, drawn ones."""
        logits = self._logits(outputs)
        if generator is None:
            chosen = logits.argmax(-1)
        else:
            flat = logits.softmax(-1).flatten(0, -2)
            chosen = flat.multinomial(1, generator=generator).view(logits.shape[:-1])
        return (chosen[..., 0] if self._squeeze else chosen).numpy()

    def confidence(self, outputs: Tensor) -> NDArray[Any]:
        """The probabilities of the likeliest answers, of all components together."""
        found: NDArray[Any] = self._logits(outputs).softmax(-1).amax(-1).prod(-1).numpy()
        return found


class _Levels:
    """Answers that are numbers in a box; a network's output 0 is the low end and 1 the high one."""

    def __init__(self, space: spaces.Box) -> None:
        (self.outputs,) = space.shape
        self._low, self._high = space.low, space.high
        self._width = space.high - space.low

    def loss(self, outputs: Tensor, targets: NDArray[Any]) -> Tensor:
        """Mean distance, as a fraction of the box."""
        return functional.l1_loss(outputs, torch.from_numpy((targets - self._low) / self._width))

    def answer(self, outputs: Tensor, generator: torch.Generator | None = None) -> NDArray[Any]:
        """The outputs, clipped to the box."""
        levels: NDArray[Any] = self._low + outputs.numpy() * self._width
        return levels.clip(self._low, self._high)

    def confidence(self, outputs: Tensor) -> None:
        """Numbers have no probabilities."""


def _answers_of(space: gymnasium.Space[Any]) -> _Choices | _Levels:
    if isinstance(space, spaces.Discrete) and space.start == 0:
        return _Choices(space)
    if isinstance(space, spaces.MultiDiscrete) and len(space.shape) == 1 and not space.start.any():
        return _Choices(space)
    if (
        isinstance(space, spaces.Box)
        and len(space.shape) == 1
        and space.dtype == np.float32
        and space.is_bounded()
        and (space.low < space.high).all()
    ):
        return _Levels(space)
    raise TypeError(
        "action_space must be Discrete or MultiDiscrete (K,) from 0, or a bounded float32 Box of "
        f"shape (K,), got {space}"
    )


class SupervisedLearner:
    """A network, what it learns with, and ``predict`` as Stable-Baselines3 has it.

    Args:
        observation_space: A Box, which is flattened, or Discrete from 0, which is made one-hot.
        action_space: Discrete or MultiDiscrete (K,) from 0, learned by cross-entropy; or a bounded
            float32 Box (K,), learned by absolute error.
        network: A name of `agents.networks.NETWORKS`.
        blank: The observation that shows nothing; for ``encoder_decoder`` only.
        learning_rate: Step size of Adam, at first.
        anneal: Time steps over which the step size falls evenly to a hundredth; None if it stays.
        max_grad_norm: A longer gradient is shortened to this.
        tolerance: For a Box, how close (strictly, in every component) counts as right.
        seed: Of the weights, and of the answers that `predict` draws.
        **options: The other fields of `agents.networks.NetworkOptions`.

    Attributes:
        network: The network.
        steps_learned: Time steps learned from, counted as `learn` says.

    Raises:
        TypeError, ValueError: An argument that makes no sense.
    """

    def __init__(
        self,
        observation_space: gymnasium.Space[Any],
        action_space: gymnasium.Space[Any],
        network: str = "lstm",
        *,
        blank: Any = None,
        learning_rate: float = 1e-2,
        anneal: int | None = None,
        max_grad_norm: float = 1.0,
        tolerance: float = 0.0,
        seed: int = 0,
        **options: Any,
    ) -> None:
        self._shape = observation_space.shape or ()
        self._one_hot: Tensor | None = None
        if isinstance(observation_space, spaces.Discrete) and observation_space.start == 0:
            self._one_hot = torch.eye(int(observation_space.n))
            num_inputs = int(observation_space.n)
        elif isinstance(observation_space, spaces.Box):
            num_inputs = int(np.prod(observation_space.shape))
        else:
            raise TypeError(
                f"observation_space must be a Box or Discrete from 0, got {observation_space}"
            )
        for name, value in (("learning_rate", learning_rate), ("max_grad_norm", max_grad_norm)):
            if not value > 0:
                raise ValueError(f"{name} must be above 0, got {value!r}")
        if not tolerance >= 0:
            raise ValueError(f"tolerance must be at least 0, got {tolerance!r}")
        self._answers = _answers_of(action_space)
        self._space, self._tolerance = action_space, tolerance
        if blank is not None:
            given = np.asarray(blank, observation_space.dtype)
            if given not in observation_space:
                raise ValueError(f"blank must be in {observation_space}, got {blank!r}")
            options["blank"] = self._encode(given)
        check_int("seed", seed, 0)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.network = make_network(
                network, num_inputs, self._answers.outputs, NetworkOptions(**options)
            )
        self._name = network
        self._generator = torch.Generator().manual_seed(seed)
        self._parameters = list(self.network.parameters())
        self._optimizer = torch.optim.Adam(self._parameters, learning_rate, fused=True)
        self._max_grad_norm, self._learning_rate = max_grad_norm, learning_rate
        self._anneal = None if anneal is None else check_int("anneal", anneal, 1)
        self.steps_learned = 0

    def learn(self, samples: Samples) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Take one gradient step.

        The loss is the mean over all answers that are due. `steps_learned` counts each episode up
        to its last due answer.

        Args:
            samples: N episodes.

        Returns:
            What the likeliest answers were worth before the step: (N,) float64, the mean score of
            an episode's due answers, as an environment would pay; and (N,) bool, whether all of
            them were right.

        Raises:
            ValueError: No answer is due.
        """
        size, steps = samples.mask.shape
        due = np.flatnonzero(samples.mask)
        if not len(due):
            raise ValueError("samples must have an answer that is due, got a mask all False")
        features = self.network.features(self._encode(samples.X)).flatten(0, 1)
        if len(due) < size * steps:
            features = features.index_select(0, torch.from_numpy(due))
        outputs = self.network.head(features)
        targets = samples.y.reshape(size * steps, *samples.y.shape[2:])[due]
        if self._anneal is not None:
            left = max(LEAST_RATE, 1 - self.steps_learned / self._anneal)
            for group in self._optimizer.param_groups:
                group["lr"] = self._learning_rate * left
        self._optimizer.zero_grad()
        self._answers.loss(outputs, targets).backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self._parameters, self._max_grad_norm)
        self._optimizer.step()
        answers = self._answers.answer(outputs.detach())
        score, right = judge(self._space, answers, targets, self._tolerance)
        episode = due // steps
        counts = np.bincount(episode, minlength=size)
        wrong = np.bincount(episode[~right], minlength=size)
        last = steps - np.argmax(samples.mask[:, ::-1], axis=1)
        self.steps_learned += int(last[counts > 0].sum())
        return np.bincount(episode, score, size) / np.maximum(counts, 1), wrong == 0

    def predict(
        self,
        observation: Any,
        state: tuple[NDArray[Any], ...] | None = None,
        episode_start: Any = None,
        deterministic: bool = True,
    ) -> tuple[Any, tuple[NDArray[Any], ...]]:
        """Answer one observation, or one of each of B episodes; the interface of Stable-Baselines3.

        Args:
            observation: (*space.shape) or (B, *space.shape).
            state: What the last call returned; None begins new episodes.
            episode_start: bool or (B,) bool, whether an episode begins with this observation.
            deterministic: Give the likeliest answer rather than draw one; a Box has one answer.

        Returns:
            The answer in the action space's dtype, or (B, ...) of them; and the new state, of
            which axis 0 is the episode.

        Raises:
            TypeError: The network sees the future.
            ValueError: An observation of another shape, or past the transformer's ``steps``.
        """
        outputs, after = self._step(observation, state, episode_start)
        answers = self._answers.answer(outputs, None if deterministic else self._generator)
        return answers[0] if np.shape(observation) == self._shape else answers, after

    def predict_with_confidence(
        self, observation: Any, state: tuple[NDArray[Any], ...] | None, episode_start: Any
    ) -> tuple[Any, Any, tuple[NDArray[Any], ...]]:
        """The likeliest answers to B observations, (B,) their probabilities, and the new state.

        Of a Box the probabilities are None.
        """
        outputs, after = self._step(observation, state, episode_start)
        return self._answers.answer(outputs), self._answers.confidence(outputs), after

    def _step(
        self, observation: Any, state: tuple[NDArray[Any], ...] | None, episode_start: Any
    ) -> tuple[Tensor, tuple[NDArray[Any], ...]]:
        """What the network gives at a time step, (B, outputs), and the new state."""
        if self.network.sees_future:
            raise TypeError(f"{self._name} sees the future and can't act by steps: use answer()")
        observation = np.asarray(observation)
        single = observation.shape == self._shape
        seen = observation[None] if single else observation
        if seen.shape[1:] != self._shape or not seen.ndim:
            raise ValueError(
                f"observation must be of shape {self._shape} or (B, *{self._shape}), got "
                f"{observation.shape}"
            )
        with torch.inference_mode():
            before = fresh = self.network.initial_state(len(seen))
            if state is not None:
                before = tuple(map(torch.from_numpy, state))
                if episode_start is not None and np.any(episode_start):
                    starts = torch.as_tensor(episode_start, dtype=torch.bool).expand(len(seen))
                    before = tuple(
                        torch.where(starts.view(-1, *[1] * (new.ndim - 1)), new, old)
                        for new, old in zip(fresh, before, strict=True)
                    )
            outputs, after = self.network.step(self._encode(seen), before)
        return outputs, tuple(part.numpy() for part in after)

    def answer(self, observations: Any) -> NDArray[Any]:
        """Give the likeliest answers to whole episodes: (N, T, ...) to (N, T) or (N, T, K)."""
        return self._answers.answer(self._read(observations))

    def answer_with_confidence(self, observations: Any) -> tuple[NDArray[Any], Any]:
        """`answer`, and (N, T) the probabilities of the answers; None of a Box."""
        outputs = self._read(observations)
        return self._answers.answer(outputs), self._answers.confidence(outputs)

    def _read(self, observations: Any) -> Tensor:
        """What the network gives for whole episodes, (N, T, outputs)."""
        with torch.inference_mode():
            outputs: Tensor = self.network(self._encode(np.asarray(observations)))
        return outputs

    def state_dict(self) -> dict[str, Any]:
        """All that learning goes on from; shares its tensors with the learner, as torch's do."""
        return {
            "network": dict(self.network.state_dict()),
            "optimizer": self._optimizer.state_dict(),
            "generator": self._generator.get_state(),
            "steps_learned": self.steps_learned,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take on what `state_dict` gave, of a learner that was made alike.

        Raises:
            KeyError, RuntimeError, ValueError: It is of another network, or something else.
        """
        self.network.load_state_dict(state["network"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._generator.set_state(state["generator"])
        self.steps_learned = state["steps_learned"]

    def _encode(self, observations: NDArray[Any]) -> Tensor:
        """(..., *space.shape) to (..., F) float32."""
        dtype = np.float32 if self._one_hot is None else np.int64
        # torch shares the array's memory, and takes only what is writable and runs forwards.
        tensor = torch.from_numpy(np.require(observations, dtype, ["C", "W"]))
        if self._one_hot is not None:
            return self._one_hot[tensor]
        return tensor.reshape(*tensor.shape[: tensor.ndim - len(self._shape)], -1)


def samples_from_env(
    env: gymnasium.Env[Any, Any], batch_size: int, *, seed: int
) -> Iterator[Samples]:
    """Play an environment with random actions, and collect what it shows and what is right.

    For an open-loop problem the actions do not matter: a seqenvs environment gives the batches of
    `seqenvs.batches` with the same seed. Truncated episodes count as ended.

    Args:
        env: A single environment whose ``step`` reports ``target`` and ``due`` in its info.
        batch_size: N.
        seed: Of the first ``reset``, and of the actions.

    Yields:
        `Samples`, padded to the most steps that ``env.unwrapped.problem.num_steps`` allows, or
        without one, to the longest episode of the batch. Past an episode's end the final
        observation is repeated.

    Raises:
        TypeError, ValueError: An argument that makes no sense, at the call.
        KeyError: The environment does not report what is needed, at the first step.
    """
    check_int("batch_size", batch_size, 1)
    env.action_space.seed(check_int("seed", seed, 0))
    problem = getattr(env.unwrapped, "problem", None)
    return _collect(env, batch_size, seed, getattr(problem, "num_steps", (0, 0))[1])


def _collect(
    env: gymnasium.Env[Any, Any], batch_size: int, seed: int | None, steps: int
) -> Iterator[Samples]:
    shown, asked = env.observation_space, env.action_space
    while True:
        episodes = []
        for _ in range(batch_size):
            episodes.append(_play(env, seed))
            seed = None
        longest = max(steps, *(len(targets) for _, targets in episodes))
        X = np.empty((batch_size, longest, *(shown.shape or ())), shown.dtype)  # noqa: N806
        y = np.zeros((batch_size, longest, *(asked.shape or ())), asked.dtype)
        mask = np.zeros((batch_size, longest), bool)
        for k, (observations, targets) in enumerate(episodes):
            X[k, : len(targets)] = observations[:-1]
            X[k, len(targets) :] = observations[-1]
            for time, target in enumerate(targets):
                if target is not None:
                    y[k, time], mask[k, time] = target, True
        yield Samples(X, y, mask)


def _play(env: gymnasium.Env[Any, Any], seed: int | None) -> tuple[list[Any], list[Any]]:
    """An episode's observations, with the final one, and its targets, None where none is due."""
    observation, _ = env.reset(seed=seed)
    observations, targets, ended = [np.array(observation)], [], False
    while not ended:
        observation, _, terminated, truncated, info = env.step(env.action_space.sample())
        target = answer_of(info)
        observations.append(np.array(observation))  # a copy: the environment may reuse its array
        targets.append(None if target is None else np.array(target))
        ended = terminated or truncated
    return observations, targets


def answer_of(info: dict[str, Any]) -> Any:
    """The right answer to the step that an environment reports on; None if none was due.

    Raises:
        KeyError: It does not report what is needed.
    """
    for name in ("target", "due"):
        if name not in info:
            raise KeyError(f"env must report {name!r} in the info of each step, got {info!r}")
    return info["target"] if info["due"] else None
