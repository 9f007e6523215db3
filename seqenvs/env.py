"""The Gymnasium environment of a sequence problem."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.error import ResetNeeded

from seqenvs.actions import as_array, as_int, check_options, given_episode
from seqenvs.episodes import Episodes, EpisodeStream
from seqenvs.observations import Encoding, make_stacked_observation
from seqenvs.problem import Problem
from seqenvs.registration import make_problem
from seqenvs.rendering import RENDER_MODES, Trace, render
from seqenvs.validation import check_choice, check_int

if TYPE_CHECKING:
    from typing_extensions import Self

_PREFETCHED_STEPS = 1 << 10
OWN_KEYWORDS = ("encoding", "extras", "stack_size", "render_mode")


class SequenceEnv(gymnasium.Env[Any, Any]):
    """A sequence problem as a Gymnasium environment.

    ``reset`` returns the first input. The t-th ``step(action)`` judges the action as the answer to
    the inputs up to t. It gives a reward if an answer is due and right, and returns input t + 1.
    After the last answer the episode is terminated and the observation is blank. The reward of a
    right answer is one divided by the number of answers due in the episode, so the return is the
    accuracy.

    The ``info`` of ``step`` holds ``target`` (int, or (K,) array), ``due`` (bool) and, at the last
    step, ``is_success`` (bool), whether every due answer was right. The ``info`` of ``reset`` is
    empty.

    Args:
        problem: A `Problem`, its class, or ``"module:Class"``.
        encoding: The encoding of symbols, see `seqenvs.observations.Encoding`.
        extras: Extra features of the observation: ``"previous_action"``, ``"previous_reward"``,
            ``"time_step"``, ``"episode_start"``; see `seqenvs.observations.StackedObservation`.
        stack_size: The number of past frames in an observation.
        render_mode: ``"ansi"``, ``"rgb_array"`` or None.
        **parameters: Passed to the problem's class.
    """

    metadata: dict[str, Any] = {"render_modes": list(RENDER_MODES), "render_fps": 4}  # noqa: RUF012

    def __init__(
        self,
        problem: Problem | type[Problem] | str,
        *,
        encoding: str = "one_hot",
        extras: Iterable[str] = (),
        stack_size: int = 1,
        render_mode: str | None = None,
        **parameters: Any,
    ) -> None:
        self.problem = make_problem(problem, parameters, OWN_KEYWORDS)
        self.encode = Encoding(self.problem.input_spec, encoding)
        self._stacked = make_stacked_observation(self.problem, self.encode, 1, extras, stack_size)
        self.render_mode = check_choice("render_mode", render_mode, (None, *RENDER_MODES))
        self.observation_space = (self._stacked or self.encode).space
        self.action_space = copy.deepcopy(self.problem.action_space)  # with a seed of its own
        self._num_answers: int | None = None
        self._limits: list[tuple[Any, Any]] = []  # of an action's components
        if isinstance(self.action_space, spaces.Discrete):
            self._num_answers = int(self.action_space.n)
        elif isinstance(self.action_space, spaces.MultiDiscrete):
            self._limits = [(0, count - 1) for count in self.action_space.nvec.tolist()]
        else:
            low, high = self.action_space.low.tolist(), self.action_space.high.tolist()  # type: ignore[attr-defined]
            self._limits = list(zip(low, high, strict=True))
        self._stream: EpisodeStream | None = None
        self._source: Any = None  # the generator that the stream is a copy of
        self._episodes: list[tuple[Any, ...]] = []  # taken from the stream; the next one is last
        self._targets: Any = ()
        self._time = 0

    @property
    def unwrapped(self) -> Self:
        """This environment, as its own type."""
        return self

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin an episode.

        Args:
            seed: The seed of the episodes that follow. Without a seed the next episode is played.
            options: ``{"inputs": [...]}`` plays a given sequence. Trailing blanks may be left out.

        Returns:
            The first observation, and an empty dict.
        """
        inputs = check_options(options, ("inputs",)).get("inputs")
        if seed is not None:
            seed = check_int("seed", seed, 0)
        given: Any = None
        if inputs is not None:
            given = self._unroll(given_episode(self.problem, inputs))[0]
        super().reset(seed=seed)
        if self._stream is None or self._source is not self._np_random:
            self._source = self.np_random
            # A copy, as wrappers such as StickyAction draw from the environment's own.
            self._stream = EpisodeStream(self.problem, copy.deepcopy(self._source))
            self._episodes = []
            self._prefetch = max(1, _PREFETCHED_STEPS // self.problem.num_steps[1])
        if given is None:
            if not self._episodes:
                self._episodes = self._unroll(self._stream.take(self._prefetch))[::-1]
            given = self._episodes.pop()
        self._inputs, self._observations, self._targets, self._due, self._reward_weight = given
        self._time = 0
        self._all_correct = True
        self._answers: list[Any] = []
        observation = self._observations[0]
        if self._stacked is not None:
            self._stacked.begin(observation[None], np.ones(1, bool))
            observation = self._stacked.now()[0]
        return observation, {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Judge the action, and return the next input.

        Raises:
            TypeError, ValueError: The action is not in the action space. Nothing has changed.
            gymnasium.error.ResetNeeded: No episode is in progress.
        """
        time = self._time
        try:
            target = self._targets[time]
        except IndexError:
            raise ResetNeeded("no episode is in progress: call reset() before step()") from None
        if self._num_answers is not None:
            if action.__class__ is not int:
                action = as_int(self._num_answers, action)
            if not 0 <= action < self._num_answers:
                raise ValueError(
                    f"action must be an int in 0 .. {self._num_answers - 1}, got {action}"
                )
            right = action == target
            reward = self._reward_weight[time] if right else 0.0
        else:
            action = as_array(self.action_space, self._limits, action)
            target = target.copy()
            score, right = self.problem.judge(action, target)
            reward = float(score * self._reward_weight[time])
        due = self._due[time]
        if due and not right:
            self._all_correct = False
        if self.render_mode is not None:
            self._answers.append(action)
        self._time = time = time + 1
        info = {"target": target, "due": due}
        observation = self._observations[time]
        if self._stacked is not None:
            self._stacked.step(observation, [action], [reward])
            observation = self._stacked.now()[0]
        if time < len(self._targets):
            return observation, reward, False, False, info
        info["is_success"] = self._all_correct
        return observation, reward, True, False, info

    def due_target(self) -> tuple[bool, Any]:
        """Return whether an answer is due now, and the right answer. Agents must not use it."""
        if self._time >= len(self._targets):
            return False, None
        return self._due[self._time], self._targets[self._time]

    def read_from(self, stream: EpisodeStream) -> None:
        """Take episodes from a stream that is shared with other environments, one at each reset.

        The next ``reset`` with a seed ends this.
        """
        self._source = self._np_random = stream.rng
        self._stream, self._episodes = stream, []
        self._prefetch = 1

    def render(self) -> Any:
        """Render the episode so far: a string for ``ansi``, (H, W, 3) uint8 for ``rgb_array``."""
        if self.render_mode is None:
            gymnasium.logger.warn(
                "render() needs a render_mode: pass render_mode='ansi' or 'rgb_array' to make()"
            )
            return None
        return render(self.trace(), self.render_mode)

    def trace(self) -> Trace:
        """Return the episode so far. Its answers are kept only with a ``render_mode``.

        Raises:
            gymnasium.error.ResetNeeded: There is no episode yet.
        """
        if not len(self._targets):
            raise ResetNeeded("there is no episode to render yet: call reset() before render()")
        name = self.spec.id if self.spec else type(self.problem).__name__
        steps = slice(len(self._targets))
        return Trace(
            name,
            self.problem,
            self._inputs[steps],
            self._targets,
            self._due[steps],
            self._reward_weight[steps],
            self._answers,
        )

    def _unroll(self, episodes: Episodes) -> list[tuple[Any, ...]]:
        """Return each episode's inputs, observations, targets, due and reward weights."""
        encoded = np.swapaxes(self.encode(episodes.inputs), 0, 1)
        observations = encoded.tolist() if encoded.ndim == 2 else map(list, encoded)
        targets = np.swapaxes(episodes.targets.astype(self.action_space.dtype), 0, 1)
        answers = targets.tolist() if self._num_answers is not None else targets
        weight = episodes.reward_weight.T
        due, weight = (weight > 0).tolist(), weight.tolist()
        return [
            (inputs, observed, answer[:steps], due[which], weight[which])
            for inputs, observed, answer, which, steps in zip(
                episodes.inputs.swapaxes(0, 1),
                observations,
                answers,
                episodes.pattern.tolist(),
                episodes.lengths.tolist(),
                strict=True,
            )
        ]
