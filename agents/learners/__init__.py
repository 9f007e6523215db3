"""The agents under one interface: learn for one update, answer, be saved and go on."""

from __future__ import annotations

import json
import zipfile
from abc import ABC, abstractmethod
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from gymnasium import spaces
from sb3_contrib.common.recurrent.type_aliases import RNNStates
from stable_baselines3.common.vec_env import DummyVecEnv

from agents.config import PPOOptions, Settings, SupervisedOptions
from agents.learners.recurrent_ppo import SequencePPO
from agents.learners.supervised import SupervisedLearner
from agents.networks import NETWORKS
from seqenvs.adapters.sb3 import make_sb3_env
from seqenvs.task import Task, find_task

SKIPPED_ROWS = 256  # at a time, on the way to where a resumed run goes on


class OtherModelError(Exception):
    """A model file is whole, but of another agent or environment."""


class Learner(ABC):
    """An agent that is being trained, or was.

    Attributes:
        model_file: Name of the file that `save_model` writes.
        model: What learns and predicts.
        task: What it learns.
        steps: Time steps learned from so far, of all episodes together.
        remembers: Whether it can; otherwise the memoryless bound is the best that it can reach.
        sees_future: Whether it answers whole sequences only, by `answer`.
    """

    model_file: ClassVar[str]
    model: Any
    task: Task
    remembers: bool = True
    sees_future: bool = False

    def __init__(self, settings: Settings) -> None:
        # A network this small is slower on two threads, and on another number rounds otherwise.
        torch.set_num_threads(1)
        self.settings = settings
        self.task = find_task(settings.id, settings.kwargs)

    @property
    @abstractmethod
    def steps(self) -> int:
        """Time steps learned from so far."""

    @abstractmethod
    def update(self) -> tuple[list[float], list[bool]]:
        """Learn: the returns, and successes, of the episodes that ended meanwhile."""

    def predict(
        self,
        observation: Any,
        state: Any = None,
        episode_start: Any = None,
        deterministic: bool = True,
    ) -> tuple[Any, Any]:
        """Answer B observations, as Stable-Baselines3's ``predict`` does."""
        answers: tuple[Any, Any] = self.model.predict(
            observation, state, episode_start, deterministic
        )
        return answers

    def answer(self, observations: Any) -> Any:
        """Answer N whole episodes: (N, T, ...) to (N, T) or (N, T, K)."""
        raise TypeError(f"{self.settings.agent} answers step by step: use predict()")

    @abstractmethod
    def predict_with_confidence(
        self, observation: Any, state: Any = None, episode_start: Any = None
    ) -> tuple[Any, Any, Any]:
        """Answer B observations as `predict` does, and say how sure the answers are.

        Returns:
            The likeliest answers; (B,) the probabilities that the agent gives them, of all
            components together, or None for Box answers; and the new state.
        """

    def answer_with_confidence(self, observations: Any) -> tuple[Any, Any]:
        """Answer N whole episodes as `answer` does, with (N, T) probabilities, None for a Box."""
        raise TypeError(
            f"{self.settings.agent} answers step by step: use predict_with_confidence()"
        )

    @abstractmethod
    def save_model(self, path: Path) -> None:
        """Write the model, with what it was trained on."""

    @abstractmethod
    def load_model(self, path: Path) -> None:
        """Read what `save_model` wrote; nothing in it is executed.

        Raises:
            OtherModelError: It is of another agent or environment.
            Exception: It is damaged.
        """

    def checkpoint(self) -> dict[str, Any]:
        """All that `restore` needs, in tensors, numbers, strings, lists and dicts."""
        return {"trained_on": self._trained_on, **self._state()}

    def restore(self, checkpoint: dict[str, Any]) -> None:
        """Go on as the learner went on that gave this; call it before the first update.

        Raises:
            OtherModelError: It is of another agent or environment.
            Exception: It is damaged.
        """
        self._check_origin(checkpoint["trained_on"])
        self._restore(checkpoint)

    @abstractmethod
    def _state(self) -> dict[str, Any]:
        """What a checkpoint holds."""

    @abstractmethod
    def _restore(self, state: dict[str, Any]) -> None:
        """Take on what `_state` gave."""

    @property
    def _trained_on(self) -> dict[str, Any]:
        settings = self.settings
        return {"id": settings.id, "kwargs": settings.kwargs, "agent": settings.agent}

    def _check_origin(self, found: Any) -> None:
        if found != self._trained_on:
            raise OtherModelError(f"was trained on {found}, and this run is of {self._trained_on}")


class PPOLearner(Learner):
    """`agents.learners.recurrent_ppo.SequencePPO` on the native vector environment."""

    model_file = "model.zip"
    model: SequencePPO

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        options = settings.options
        assert isinstance(options, PPOOptions)
        task = self.task
        self.env = env = (
            DummyVecEnv([task.env] * options.num_envs)
            if task.problem is None
            else make_sb3_env(settings.id, options.num_envs, **settings.kwargs)
        )
        longest = task.usual_steps
        # Long enough for an episode to end in each stream, and where all are as long, whole ones:
        # an update then sees each from its start, with no stale state to begin from.
        rollout = longest * -(-options.rollout // longest)
        advantage = options.advantage
        if advantage == "auto":
            # What another environment pays is not known, and the outcome is read off the pay.
            outcome = task.problem is not None and isinstance(env.action_space, spaces.Discrete)
            advantage = "outcome" if outcome else "gae"
        self.model = SequencePPO(
            "MlpLstmPolicy",
            env,
            n_steps=rollout,
            batch_size=-(-rollout * options.num_envs // options.minibatches),
            n_epochs=options.epochs,
            learning_rate=options.learning_rate,
            gamma=options.gamma,
            advantage=advantage,
            normalize_advantage=advantage == "gae",
            ent_coef=options.entropy,
            clip_range=options.clip_range,
            max_grad_norm=options.max_grad_norm,
            policy_kwargs={
                "cell": options.cell,
                "gates": options.gates,
                "lstm_hidden_size": options.hidden,
                "net_arch": [options.head] if options.head else [],
                "shared_lstm": not options.critic_lstm,
                "enable_critic_lstm": options.critic_lstm,
                "log_std_init": options.log_std,
            },
            stats_window_size=rollout * options.num_envs,
            seed=settings.seed,
            device="cpu",
        )
        self.model.__dict__["trained_on"] = self._trained_on  # which is saved with it

    @property
    def steps(self) -> int:
        """Time steps learned from so far."""
        return self.model.num_timesteps

    def update(self) -> tuple[list[float], list[bool]]:
        """Play a rollout and learn from it."""
        model = self.model
        for kept in (model.ep_info_buffer, model.ep_success_buffer):
            if kept is not None:
                kept.clear()
        model.learn(model.n_steps * self.env.num_envs, reset_num_timesteps=False)
        returns = [float(each["r"]) for each in model.ep_info_buffer or ()]
        return returns, [bool(each) for each in model.ep_success_buffer or ()]

    def predict_with_confidence(
        self, observation: Any, state: Any = None, episode_start: Any = None
    ) -> tuple[Any, Any, Any]:
        """Answer B observations, with the policy's probabilities of the answers."""
        answers, after = self.predict(observation, state, episode_start)
        if isinstance(self.task.action_space, spaces.Box):
            return answers, None, after
        policy: Any = self.model.policy
        if state is None:
            layers, _, units = policy.lstm_hidden_state_shape
            state = (np.zeros((layers, len(answers), units), np.float32),) * 2
        if episode_start is None:
            episode_start = np.zeros(len(answers), bool)
        with torch.no_grad():
            distribution, _ = policy.get_distribution(
                policy.obs_to_tensor(observation)[0],
                tuple(torch.from_numpy(part) for part in state),
                torch.as_tensor(episode_start, dtype=torch.float32),
            )
            confidence = distribution.log_prob(torch.as_tensor(answers)).exp().numpy()
        return answers, confidence, after

    def save_model(self, path: Path) -> None:
        """Write SB3's zip file."""
        self.model.save(path)

    def load_model(self, path: Path) -> None:
        """Take the weights out of SB3's zip file. ``SequencePPO.load`` would unpickle its rest."""
        with zipfile.ZipFile(path) as archive:
            self._check_origin(json.loads(archive.read("data")).get("trained_on"))
        self.model.set_parameters(str(path), device="cpu")

    def _state(self) -> dict[str, Any]:
        model = self.model
        name, keys, *rest = np.random.get_state()
        actions = model.rollout_buffer.actions
        if model.rollout_buffer.generator_ready:  # laid out stream by stream, to be learned from
            actions = actions.reshape(self.env.num_envs, model.n_steps, -1).swapaxes(0, 1)
        states = model._last_lstm_states
        assert states is not None
        return {
            "parameters": model.get_parameters(),
            "steps": model.num_timesteps,
            "updates": model._n_updates,
            "states": [*states.pi, *states.vf],
            "actions": torch.from_numpy(actions.copy()),
            "torch": torch.get_rng_state(),
            "numpy": [name, torch.from_numpy(np.asarray(keys, np.int64)), *rest],
        }

    def _restore(self, state: dict[str, Any]) -> None:
        # The episodes played are those of the seed, so they need not be kept.
        model, env = self.model, self.env
        model.set_parameters(state["parameters"], device="cpu")
        model.num_timesteps, model._n_updates = state["steps"], state["updates"]
        observations = env.reset()
        ended = np.ones(env.num_envs, bool)
        # What was answered matters only in the episodes under way, which are not longer than a
        # rollout.
        self._skip(model.num_timesteps // env.num_envs - model.n_steps)
        if model.num_timesteps:
            for row in state["actions"].numpy():
                row = row.reshape(env.num_envs, *(env.action_space.shape or ()))
                if isinstance(env.action_space, spaces.Box):
                    row = row.clip(env.action_space.low, env.action_space.high)
                observations, _, ended, _ = env.step(row)
        kept = model.rollout_buffer.actions  # for a checkpoint before the next update
        kept[:] = state["actions"].numpy().reshape(kept.shape)
        model._last_obs, model._last_episode_starts = observations, ended  # type: ignore[assignment]
        pi, vf = state["states"][:2], state["states"][2:]
        model._last_lstm_states = RNNStates(tuple(pi), tuple(vf))
        torch.set_rng_state(state["torch"])
        name, keys, *rest = state["numpy"]
        np.random.set_state((name, keys.numpy().astype(np.uint32), *rest))

    def _skip(self, rows: int) -> None:
        if self.task.problem is None:
            # Where answers change what is shown, what follows is not what would have followed.
            answer = np.stack([self.env.action_space.sample()] * self.env.num_envs)
            for _ in range(rows):
                self.env.step(answer)
            return
        streams = self.env.get_attr("unwrapped")[0]
        idle = np.zeros((SKIPPED_ROWS, *streams.action_space.shape), streams.action_space.dtype)
        while rows > 0:
            streams.step_block(idle[:rows])
            rows -= SKIPPED_ROWS


class Supervised(Learner):
    """A network of `agents.networks` that learns from the right answers."""

    model_file = "model.pt"
    model: SupervisedLearner

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        options = settings.options
        assert isinstance(options, SupervisedOptions)
        task = self.task
        network = NETWORKS[settings.agent]
        self.remembers, self.sees_future = network.remembers, network.sees_future
        if settings.agent == "transformer" and task.num_steps is None:
            raise TypeError(
                "transformer must know the most time steps of an episode: register "
                f"{settings.id!r} with max_episode_steps"
            )
        self.model = SupervisedLearner(
            task.observation_space,
            task.action_space,
            settings.agent,
            blank=task.blank if settings.agent == "encoder_decoder" else None,
            learning_rate=options.learning_rate,
            anneal=options.anneal,
            max_grad_norm=options.max_grad_norm,
            tolerance=task.tolerance,
            seed=settings.seed,
            steps=task.num_steps,
            hidden=options.hidden,
            layers=options.layers,
            window=options.window,
            **options.gates,
        )
        self._samples = task.samples(
            options.batch_size, seed=settings.seed, play=options.source == "env"
        )
        self._updates = 0

    @property
    def steps(self) -> int:
        """Time steps learned from so far."""
        return self.model.steps_learned

    def update(self) -> tuple[list[float], list[bool]]:
        """Learn from the next episodes; they are judged by the answers before."""
        returns, successes = self.model.learn(next(self._samples))
        self._updates += 1
        return returns.tolist(), successes.tolist()

    def answer(self, observations: Any) -> Any:
        """Answer N whole episodes."""
        return self.model.answer(observations)

    def predict_with_confidence(
        self, observation: Any, state: Any = None, episode_start: Any = None
    ) -> tuple[Any, Any, Any]:
        """Answer B observations, with the network's probabilities of the answers."""
        return self.model.predict_with_confidence(observation, state, episode_start)

    def answer_with_confidence(self, observations: Any) -> tuple[Any, Any]:
        """Answer N whole episodes, with the network's probabilities of the answers."""
        return self.model.answer_with_confidence(observations)

    def save_model(self, path: Path) -> None:
        """Write the weights, as torch does."""
        weights = self.model.network.state_dict()
        torch.save({"trained_on": self._trained_on, "network": dict(weights)}, path)

    def load_model(self, path: Path) -> None:
        """Read the weights."""
        found = torch.load(path, weights_only=True)
        self._check_origin(found["trained_on"])
        self.model.network.load_state_dict(found["network"])

    def _state(self) -> dict[str, Any]:
        return {"learner": self.model.state_dict(), "updates": self._updates}

    def _restore(self, state: dict[str, Any]) -> None:
        # The episodes seen are those of the seed, so they are drawn anew and passed by.
        self.model.load_state_dict(state["learner"])
        self._updates = state["updates"]
        for _ in islice(self._samples, self._updates):
            pass


def make_learner(settings: Settings) -> Learner:
    """Make an agent that has learned nothing yet.

    Raises:
        TypeError, ValueError, gymnasium.error.Error: An environment that can't be made, or an
            agent that it can't have.
    """
    made = PPOLearner if isinstance(settings.options, PPOOptions) else Supervised
    return made(settings)
