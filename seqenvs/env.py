"""One environment: a problem, one time step a step."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.error import ResetNeeded

from seqenvs.episodes import Episodes, EpisodeStream
from seqenvs.observations import Encoding, make_stacked_observation
from seqenvs.problem import Problem
from seqenvs.registration import make_problem
from seqenvs.rendering import RENDER_MODES, Trace, render
from seqenvs.validation import check_choice, check_int

if TYPE_CHECKING:
    from typing_extensions import Self

_STEPS_AHEAD = 1 << 10
OWN_KEYWORDS = ("encoding", "extras", "stack_size", "render_mode")


def span(low: Any, high: Any) -> str:
    """A range as messages say it: one for all components, or one of vectors where they differ."""
    each = [np.asarray(end) for end in (low, high)]
    return " .. ".join(str(end.flat[0] if (end == end.flat[0]).all() else end) for end in each)


def given_inputs(options: dict[str, Any] | None, allowed: tuple[str, ...] = ("inputs",)) -> Any:
    """The ``inputs`` of reset's options, or None; raises ValueError for an unknown option."""
    if options is not None and not isinstance(options, dict):
        raise TypeError(f"options must be a dict or None, got {options!r}")
    for key in options or {}:
        if key not in allowed:
            raise ValueError(f"unknown option {key!r}; reset's options are {', '.join(allowed)}")
    return (options or {}).get("inputs")


class SequenceEnv(gymnasium.Env[Any, Any]):
    """A sequence problem as an environment: shows one time step a step, pays for right answers.

    ``reset`` shows the first input. The t-th ``step(action)`` judges ``action`` as the answer to
    what has been shown up to input t, pays only where one is due, and shows input t + 1. After the
    last input has been answered the episode is terminated and the observation is blank. A right
    answer pays one divided by the number of answers due, so that the return is the accuracy.

    ``step``'s ``info`` holds ``target`` (int, or (K,) array), ``due`` (bool) and, with the last
    step, ``is_success`` (bool): every due answer was right. ``reset``'s is empty.

    Args:
        problem: A `Problem`, its class, or ``"module:Class"``.
        encoding: How symbols are shown, see `seqenvs.observations.Encoding`.
        extras: What is observed beside the input: ``"previous_action"``, ``"previous_reward"``,
            ``"time_step"``, ``"episode_start"``; see `seqenvs.observations.Observation`.
        stack_size: How many of the last observations are observed at once.
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
        self._limits: list[tuple[Any, Any]] = []  # of the answer's components, where it has any
        if isinstance(self.action_space, spaces.Discrete):
            self._num_answers = int(self.action_space.n)
        elif isinstance(self.action_space, spaces.MultiDiscrete):
            self._limits = [(0, count - 1) for count in self.action_space.nvec.tolist()]
        else:
            low, high = self.action_space.low.tolist(), self.action_space.high.tolist()  # type: ignore[attr-defined]
            self._limits = list(zip(low, high, strict=True))
        self._stream: EpisodeStream | None = None
        self._source: Any = None  # the generator that the stream began from
        self._episodes: list[tuple[Any, ...]] = []  # those taken from the stream, next one last
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
            seed: Begin a new list of episodes; without one the next of the list is played.
            options: ``{"inputs": [...]}`` plays a given sequence; trailing blanks are not counted,
                and may be left out.

        Returns:
            The first observation, and an empty dict.
        """
        inputs = None if options is None else given_inputs(options)
        if seed is not None:
            seed = check_int("seed", seed, 0)
        given = inputs
        if inputs is not None:
            steps = self.problem.num_steps[1] + 1
            given = self._unroll(Episodes.from_batch(self.problem.episode(inputs, steps)))[0]
        super().reset(seed=seed)
        if self._stream is None or self._source is not self._np_random:
            self._source = self.np_random
            # A copy, as wrappers such as StickyAction draw from the environment's own.
            self._stream = EpisodeStream(self.problem, copy.deepcopy(self._source))
            self._episodes = []
            self._ahead = max(1, _STEPS_AHEAD // self.problem.num_steps[1])
        if given is None:
            if not self._episodes:
                self._episodes = self._unroll(self._stream.take(self._ahead))[::-1]
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
        """Answer, and see the next input.

        Raises:
            TypeError, ValueError: The action is not one of the action space; nothing has happened.
            gymnasium.error.ResetNeeded: No episode is under way.
        """
        time = self._time
        try:
            target = self._targets[time]
        except IndexError:
            raise ResetNeeded("no episode is under way: call reset() before step()") from None
        if self._num_answers is not None:
            if action.__class__ is not int:
                action = self._as_int(action)
            if not 0 <= action < self._num_answers:
                raise ValueError(
                    f"action must be an int in 0 .. {self._num_answers - 1}, got {action}"
                )
            right = action == target
            reward = self._reward_weight[time] if right else 0.0
        else:
            action = self._as_array(action)
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

    def asked(self) -> tuple[bool, Any]:
        """Whether an answer is due now, and the right one: for teachers and tests, not agents."""
        if self._time >= len(self._targets):
            return False, None
        return self._due[self._time], self._targets[self._time]

    def read_from(self, stream: EpisodeStream) -> None:
        """Take episodes from a stream that other environments read too, one at each reset.

        Holds until a ``reset`` with a seed.
        """
        self._source = self._np_random = stream.rng
        self._stream, self._episodes = stream, []
        self._ahead = 1

    def render(self) -> Any:
        """Draw the episode so far: a string for ``ansi``, (H, W, 3) uint8 for ``rgb_array``."""
        if self.render_mode is None:
            gymnasium.logger.warn(
                "render() needs a render_mode: pass render_mode='ansi' or 'rgb_array' to make()"
            )
            return None
        return render(self.trace(), self.render_mode)

    def trace(self) -> Trace:
        """The episode so far, to be drawn; answers are kept where there is a ``render_mode``.

        Raises:
            gymnasium.error.ResetNeeded: There is none yet.
        """
        if not len(self._targets):
            raise ResetNeeded("there is no episode to draw yet: call reset() before render()")
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
        due, weight = episodes.due.T.tolist(), episodes.reward_weight.T.tolist()
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

    def _as_int(self, action: Any) -> int:
        if isinstance(action, np.ndarray) and action.shape == () and action.dtype.kind in "iu":
            return int(action)
        if isinstance(action, (int, np.integer)):
            return int(action)
        raise TypeError(f"action must be an int in 0 .. {self._num_answers - 1}, got {action!r}")  # type: ignore[operator]

    def _as_array(self, action: Any) -> Any:
        space: Any = self.action_space
        whole = space.dtype.kind == "i"

        def said() -> str:
            what = "integers" if whole else "numbers"
            low, high = zip(*self._limits, strict=True)
            return f"action must be {len(low)} {what} in {span(low, high)}, got {action!r}"

        try:
            array = np.asarray(action)
        except ValueError as error:
            raise TypeError(said()) from error
        if array.dtype.kind not in ("iu" if whole else "iuf"):
            raise TypeError(said())
        if array.shape != space.shape:
            raise ValueError(said())
        # Of few numbers, Python's own comparisons are several times as fast as numpy's.
        for value, (low, high) in zip(array.tolist(), self._limits, strict=True):
            if not low <= value <= high:  # nor is NaN
                raise ValueError(said())
        return array.astype(space.dtype)
