"""The reference agents, with the interface that `seqenvs.evaluate` and the benchmark take.

Use them by their names in `agents`, such as ``agents.LSTM``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from agents.config import OtherModelError, Settings, make_options
from agents.learners import Learner
from agents.presets import preset_settings
from agents.training.loop import Training, resume, start


class ReferenceAgent:
    """An agent that learns an environment by its id, and then acts in it.

    Args:
        **options: ``target``, the mean return at which learning stops; and the options of the
            agent, which are the fields of `agents.config.PPOOptions` for `RecurrentPPO` and of
            `agents.config.SupervisedOptions` for the others. Options that are not given have their
            defaults. If no option is given at all, the agent takes those of its preset for the
            environment that it learns. A ``target`` that is not given is that of the preset.

    Attributes:
        name: Name of the agent on the command line of ``python -m agents``.
        learns_from: ``"rewards"`` or ``"answers"``.
        sees_future: Whether the agent only answers whole episodes, by ``answer``.

    Raises:
        TypeError, ValueError: An unknown option, or a value out of range.
    """

    name: ClassVar[str]
    learns_from: ClassVar[str] = "answers"
    sees_future: ClassVar[bool] = False

    def __init__(self, **options: Any) -> None:
        self._target = {"target": options.pop("target")} if "target" in options else {}
        make_options(self.name, options)
        self._options = options
        self._training: Training | None = None
        self._loaded = False

    def learn(self, id: str, *, kwargs: dict[str, Any], steps: int, seed: int) -> Iterator[int]:
        """Learn until the target is reached or the steps are used up.

        After `load`, the learning that was saved continues, and its result is the same as without
        the interruption. Otherwise the agent starts anew.

        Args:
            id: Id of the environment.
            kwargs: Parameters of the environment.
            steps: Largest number of time steps, summed over all episodes.
            seed: Seed of the episodes, the network and the exploration.

        Yields:
            The number of time steps so far: before the first update, and after each update.

        Raises:
            TypeError, ValueError, gymnasium.error.Error: The environment cannot be made, the agent
                cannot learn it, or another one was loaded.
        """
        settings = preset_settings(id, kwargs, self.name, seed=seed, steps=steps, **self._target)
        if self._options:
            settings = replace(settings, options=make_options(self.name, self._options))
        training, self._training = self._training, None
        if training is None or not self._loaded:
            training = start(settings)
        else:
            before = training.settings
            if replace(before, steps=settings.steps, target=settings.target) != settings:
                raise ValueError(f"the agent that was loaded learned with {before}, got {settings}")
            training.learner.settings = settings
        self._training, self._loaded = training, False
        yield training.learner.steps
        for row in training.run():
            yield row.steps

    @property
    def curve(self) -> list[tuple[int, float]]:
        """The learning curve: (steps, mean return of the episodes since the last point)."""
        return [(row.steps, row.mean_return) for row in self._trained.curve]

    def predict(
        self,
        observation: Any,
        state: Any = None,
        episode_start: Any = None,
        deterministic: bool = True,
    ) -> tuple[Any, Any]:
        """Act on B observations; the interface of Stable-Baselines3's ``predict``.

        Args:
            observation: (B, ...) observations.
            state: The state that the last call returned; None at the beginning.
            episode_start: (B,) bool, whether an episode begins with this observation.
            deterministic: Take the likeliest action instead of sampling one.

        Returns:
            (B, ...) actions and the new state.
        """
        return self._learner.predict(observation, state, episode_start, deterministic)

    def predict_with_confidence(
        self, observation: Any, state: Any = None, episode_start: Any = None
    ) -> tuple[Any, Any, Any]:
        """Act on B observations as `predict` does, and return the probabilities of the actions.

        Returns:
            The likeliest actions; their probabilities, (B,), each of all components together, or
            None for Box actions; and the new state.
        """
        return self._learner.predict_with_confidence(observation, state, episode_start)

    def save(self, path: str | Path) -> None:
        """Write a checkpoint, from which `load` and `learn` continue exactly.

        Raises:
            OSError: The file cannot be written.
        """
        self._trained.save(Path(path))

    def load(self, path: str | Path) -> None:
        """Read a checkpoint that `save`, or ``python -m agents train``, wrote.

        No code in the file is executed.

        Raises:
            agents.training.run_folder.RunFolderError: The file is missing or damaged.
            OtherModelError: The file belongs to another agent.
        """
        training = resume(Path(path))
        if training.settings.agent != self.name:
            raise OtherModelError(
                f"{path} belongs to the agent {training.settings.agent}, and this is {self.name}"
            )
        self._training, self._loaded = training, True

    @property
    def settings(self) -> Settings:
        """The settings with which the agent learned."""
        return self._trained.settings

    @property
    def _trained(self) -> Training:
        if self._training is None:
            raise RuntimeError(f"{type(self).__name__} must learn() or load() first")
        return self._training

    @property
    def _learner(self) -> Learner:
        return self._trained.learner


class RecurrentPPO(ReferenceAgent):
    """Recurrent PPO with an LSTM or a GRU. It learns from rewards."""

    name = "recurrent_ppo"
    learns_from = "rewards"


class MLP(ReferenceAgent):
    """A multi-layer perceptron that sees the present observation only."""

    name = "mlp"


class WindowMLP(ReferenceAgent):
    """A multi-layer perceptron that sees the last few observations."""

    name = "window_mlp"


class RNN(ReferenceAgent):
    """A plain recurrent network with tanh units."""

    name = "rnn"


class GRU(ReferenceAgent):
    """A gated recurrent unit."""

    name = "gru"


class LSTM(ReferenceAgent):
    """A long short-term memory network."""

    name = "lstm"


class BiLSTM(ReferenceAgent):
    """A bidirectional LSTM. It sees whole episodes before it answers, so it cannot act."""

    name = "bilstm"
    sees_future = True

    def answer(self, observations: Any) -> Any:
        """Answer N whole episodes: (N, T, ...) to (N, T) or (N, T, K)."""
        return self._learner.answer(observations)

    def answer_with_confidence(self, observations: Any) -> tuple[Any, Any]:
        """Answer N whole episodes and return (N, T) probabilities, None for Box actions."""
        return self._learner.answer_with_confidence(observations)


class EncoderDecoder(ReferenceAgent):
    """An encoder LSTM that reads, and a decoder LSTM that answers in the blank steps after it."""

    name = "encoder_decoder"


class Transformer(ReferenceAgent):
    """A causal transformer."""

    name = "transformer"


class LRU(ReferenceAgent):
    """A linear recurrent unit, which trains in parallel over time."""

    name = "lru"
