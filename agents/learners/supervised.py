"""Supervised learning: a network that learns from the right answers, and acts."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agents.config import CLASS_NAMES, Settings, SupervisedOptions
from agents.learners.base import ReferenceAgent
from agents.learners.heads import ObservationEncoder, make_head
from agents.networks import NETWORKS, NetworkOptions
from seqenvs.dataset import Samples
from seqenvs.playing import sample_batches

LEAST_RATE = 0.01  # the last step size of annealing, as a fraction of the first

State = tuple[NDArray[Any], ...]


class SupervisedAgent(ReferenceAgent):
    """A network of `agents.networks` that learns from the right answers.

    Observations may be a Box or Discrete from 0. Actions may be Discrete or MultiDiscrete (K,) from
    0, which are learned by cross-entropy, or a bounded float32 Box (K,), which is learned by
    absolute error.

    Attributes:
        network: The network.
    """

    model_file = "model.pt"

    def _build(self, settings: Settings) -> None:
        assert isinstance(settings.options, SupervisedOptions)
        self._options = options = settings.options
        task, name = self.task, self.name
        if name == "transformer" and task.num_steps is None:
            raise TypeError(
                "transformer must know the largest number of time steps of an episode: register "
                f"{settings.id!r} with max_episode_steps"
            )
        self.encoder = ObservationEncoder(task.observation_space)
        self.head = make_head(task.action_space)
        blank = None
        if name == "encoder_decoder" and task.blank is not None:
            blank = self.encoder(np.asarray(task.blank))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            self.network = NETWORKS[name](
                self.encoder.num_inputs,
                self.head.outputs,
                NetworkOptions(**vars(options), steps=task.num_steps, blank=blank),
            )
        self._generator = torch.Generator().manual_seed(settings.seed)
        self._parameters = list(self.network.parameters())
        self._optimizer = torch.optim.Adam(self._parameters, options.learning_rate, fused=True)
        self._steps = self._updates = 0
        self._samples = sample_batches(
            task, options.batch_size, seed=settings.seed, play_env=options.source == "env"
        )

    @property
    def steps(self) -> int:
        """Number of time steps learned from so far, each episode up to its last due answer."""
        return self._steps

    def _update(self) -> tuple[list[float], list[bool]]:
        returns, successes = self.fit(next(self._samples))
        self._updates += 1
        return returns.tolist(), successes.tolist()

    def fit(self, samples: Samples) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Make one gradient step on the mean loss of all due answers.

        Args:
            samples: N episodes.

        Returns:
            (N,) float64, the return of each episode with the likeliest answers before the step: the
            mean score of its due answers. (N,) bool, whether all of them were right.

        Raises:
            ValueError: No answer is due.
        """
        size, steps = samples.mask.shape
        due = np.flatnonzero(samples.mask)
        if not len(due):
            raise ValueError("samples must have an answer that is due, got a mask all False")
        features = self.network.features(self.encoder(samples.X)).flatten(0, 1)
        if len(due) < size * steps:
            features = features.index_select(0, torch.from_numpy(due))
        outputs = self.network.head(features)
        targets = samples.y.reshape(size * steps, *samples.y.shape[2:])[due]
        if self._options.anneal is not None:
            left = max(LEAST_RATE, 1 - self._steps / self._options.anneal)
            for group in self._optimizer.param_groups:
                group["lr"] = self._options.learning_rate * left
        self._optimizer.zero_grad()
        self.head.loss(outputs, targets).backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self._parameters, self._options.max_grad_norm)
        self._optimizer.step()
        score, right = self.task.judge(self.head.best(outputs.detach()), targets)
        episode = due // steps
        counts = np.bincount(episode, minlength=size)
        wrong = np.bincount(episode[~right], minlength=size)
        last = steps - np.argmax(samples.mask[:, ::-1], axis=1)
        self._steps += int(last[counts > 0].sum())
        return np.bincount(episode, score, size) / np.maximum(counts, 1), wrong == 0

    def _predict(
        self, observation: Any, state: Any, episode_start: Any, deterministic: bool
    ) -> tuple[Any, State]:
        outputs, after = self._step(observation, state, episode_start)
        if deterministic:
            actions = self.head.best(outputs)
        else:
            actions = self.head.sample(outputs, self._generator)
        return actions[0] if np.shape(observation) == self.encoder.shape else actions, after

    def _predict_with_confidence(
        self, observation: Any, state: Any, episode_start: Any
    ) -> tuple[Any, Any, State]:
        outputs, after = self._step(observation, state, episode_start)
        return self.head.best(outputs), self.head.confidence(outputs), after

    def _step(
        self, observation: Any, state: State | None, episode_start: Any
    ) -> tuple[Tensor, State]:
        """Compute (B, outputs) of the network for one time step, and the new state."""
        if self.network.sees_future:
            raise TypeError(
                f"{self.name} sees the future and cannot act step by step: use answer()"
            )
        observation, shape = np.asarray(observation), self.encoder.shape
        batch = observation[None] if observation.shape == shape else observation
        if batch.shape[1:] != shape or not batch.ndim:
            raise ValueError(
                f"observation must be of shape {shape} or (B, *{shape}), got {observation.shape}"
            )
        with torch.inference_mode():
            before = fresh = self.network.initial_state(len(batch))
            if state is not None:
                before = tuple(map(torch.from_numpy, state))
                if episode_start is not None and np.any(episode_start):
                    starts = torch.as_tensor(episode_start, dtype=torch.bool).expand(len(batch))
                    before = tuple(
                        torch.where(starts.view(-1, *[1] * (new.ndim - 1)), new, old)
                        for new, old in zip(fresh, before, strict=True)
                    )
            outputs, after = self.network.step(self.encoder(batch), before)
        return outputs, tuple(part.numpy() for part in after)

    def answer(self, observations: Any) -> NDArray[Any]:
        """Answer N whole episodes: (N, T, ...) to (N, T) or (N, T, K)."""
        return self.head.best(self._read(observations))

    def answer_with_confidence(self, observations: Any) -> tuple[NDArray[Any], Any]:
        """Answer N whole episodes and return (N, T) probabilities, None for Box actions."""
        outputs = self._read(observations)
        return self.head.best(outputs), self.head.confidence(outputs)

    def _read(self, observations: Any) -> Tensor:
        """Compute (N, T, outputs) of the network for whole episodes."""
        self._check_started()
        with torch.inference_mode():
            outputs: Tensor = self.network(self.encoder(np.asarray(observations)))
        return outputs

    def save_model(self, path: Path) -> None:
        """Write the weights in torch's format."""
        weights = dict(self.network.state_dict())
        torch.save({"trained_on": self.trained_on, "network": weights}, path)

    def load_model(self, path: Path) -> None:
        """Read the weights."""
        found = torch.load(path, weights_only=True)
        self._check_origin(found["trained_on"])
        self.network.load_state_dict(found["network"])

    def _state(self) -> dict[str, Any]:
        return {
            "network": dict(self.network.state_dict()),
            "optimizer": self._optimizer.state_dict(),
            "generator": self._generator.get_state(),
            "steps": self._steps,
            "updates": self._updates,
        }

    def _restore(self, state: dict[str, Any]) -> None:
        self.network.load_state_dict(state["network"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._generator.set_state(state["generator"])
        self._steps, self._updates = state["steps"], state["updates"]
        # The seed determines the episodes, so that those learned from can be drawn and skipped.
        for _ in islice(self._samples, self._updates):
            pass


# One class for each network; they differ in nothing else.
SUPERVISED: dict[str, type[SupervisedAgent]] = {
    name: type(
        CLASS_NAMES[name],
        (SupervisedAgent,),
        {
            "__doc__": network.__doc__,
            "name": name,
            "sees_future": network.sees_future,
            "remembers": network.remembers,
        },
    )
    for name, network in NETWORKS.items()
}
