"""Encodings of inputs, and observations with extra features and stacked frames.

Extra features and stacks change the score that an agent without memory can reach. The default is
therefore the encoded input alone.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

import numpy as np
from gymnasium import spaces

from seqenvs.problem import Problem, Symbols, Values
from seqenvs.validation import check_choice, check_int

_LARGEST_TABLE = 1024  # symbols; the table has as many rows as columns
ENCODINGS = ("one_hot", "index", "normalized")


class Encoding:
    """Encodes a problem's inputs as observations.

    Args:
        input_spec: The inputs of the problem.
        name: For symbols ``"one_hot"``, a float32 Box of shape (n,) whose blank is the zero vector;
            ``"index"``, Discrete(n + 1) whose blank is n; or ``"normalized"``, a float32 Box of
            shape (1,) with symbols in [0, 1] and the blank -1. Values are a float32 Box of shape
            (F,) with any name.

    Attributes:
        space: The space of one observation.
        blank: The observation of a blank input.
    """

    space: spaces.Discrete | spaces.Box

    def __init__(self, input_spec: Symbols | Values, name: str = "one_hot") -> None:
        self.name = check_choice("encoding", name, ENCODINGS)
        self.input_spec = input_spec
        self._table: Any = None
        if isinstance(input_spec, Values):
            shape, low = (input_spec.features,), min(input_spec.low, input_spec.blank)
            self.space = spaces.Box(low, input_spec.high, shape, np.float32)
        elif name == "index":
            self.space = spaces.Discrete(input_spec.n + 1)
        elif name == "one_hot":
            if input_spec.n <= _LARGEST_TABLE:
                self._table = np.eye(input_spec.n + 1, input_spec.n, dtype=np.float32)
            self.space = spaces.Box(0, 1, (input_spec.n,), np.float32)
        else:
            symbols = np.append(np.arange(input_spec.n) / max(input_spec.n - 1, 1), -1)
            self._table = symbols.astype(np.float32)[:, None]
            self.space = spaces.Box(-1, 1, (1,), np.float32)
        width = (
            ()
            if isinstance(input_spec, Symbols) or input_spec.features == 1
            else (input_spec.features,)
        )
        self.blank: Any = self(np.full(width, input_spec.blank, input_spec.dtype))

    def __call__(self, inputs: Any) -> Any:
        """Encode (...) symbols, or (...) or (..., F) values, as a new (..., *space.shape) array."""
        if self._table is not None:
            return self._table.take(inputs, axis=0)
        if isinstance(self.space, spaces.Discrete):
            return inputs.astype(np.int64)
        features = self.space.shape[0]
        if isinstance(self.input_spec, Symbols):  # one-hot, of too many symbols for a table
            return (inputs[..., None] == np.arange(features)).astype(np.float32)
        return inputs.astype(np.float32).reshape(
            *inputs.shape[: inputs.ndim - (features > 1)], features
        )

    def decode(self, observations: Any) -> Any:
        """Return the symbols or values of (..., *space.shape) observations.

        Longer observations, with extra features or a stack, end with the encoded input.
        """
        observations = np.asarray(observations)
        if isinstance(self.space, spaces.Box):
            observations = observations[..., -self.space.shape[0] :]
        if isinstance(self.input_spec, Values):
            values = observations.astype(np.float32)
            return values[..., 0] if self.input_spec.features == 1 else values
        if self.name == "one_hot":
            symbols = np.where(
                observations.any(axis=-1), observations.argmax(axis=-1), self.input_spec.n
            )
        elif self.name == "normalized":
            scaled = np.rint(observations[..., 0] * max(self.input_spec.n - 1, 1))
            symbols = np.where(observations[..., 0] < 0, self.input_spec.n, scaled)
        else:
            symbols = observations
        return symbols.astype(self.input_spec.dtype)


# Each extra feature, and whether it depends on the actions.
EXTRAS = {
    "previous_action": True,
    "previous_reward": True,
    "time_step": False,
    "episode_start": False,
}


class StackedObservation:
    """Observations of N environments with extra features, and a stack of the last frames.

    A frame is the extra features, then the encoded input. An observation is the stack as one
    vector, the oldest frame first. Its last F numbers are the present input. Frames from before the
    episode's start have a blank input and zeros.

    Args:
        problem: The problem.
        encoding: The encoding of its inputs.
        num_envs: N.
        extras: Names of `EXTRAS`, in the order in which they stand in a frame. ``previous_action``
            is one-hot, for each component of a ``MultiDiscrete`` action, or the values of a ``Box``
            action. ``previous_reward`` is one number. Both are zero at first. ``time_step`` is t
            divided by the number of steps of the longest episode, in [0, 1]. ``episode_start`` is 1
            at first and 0 afterwards.
        stack_size: The number of frames, at least 1.

    Attributes:
        space: The space of one environment's observation.
        open_loop: Whether observations are independent of the actions.
        same_step: Whether the step that ends an episode also begins the next one.
    """

    space: spaces.Box
    same_step = False

    def __init__(
        self,
        problem: Problem,
        encoding: Encoding,
        num_envs: int,
        extras: tuple[str, ...],
        stack_size: int,
    ) -> None:
        base: Any = encoding.space
        self.open_loop = not any(EXTRAS[name] for name in extras)
        self._max_steps = problem.num_steps[1]
        self._action_space: Any = problem.action_space
        ranges = {name: (np.zeros(1), np.ones(1)) for name in extras}
        if "previous_action" in ranges:
            ranges["previous_action"] = self._action_range()
        stops = np.cumsum([0, *(len(low) for low, _ in ranges.values())]).tolist()
        self._slots = dict(zip(ranges, map(slice, stops, stops[1:]), strict=False))
        self._input = slice(stops[-1], None)
        ends = zip(*ranges.values(), (base.low, base.high), strict=True)
        low, high = (np.tile(np.concatenate(end), stack_size).astype(np.float32) for end in ends)
        self.space = spaces.Box(low, high, dtype=np.float32)
        self._blank = np.zeros(len(low) // stack_size, np.float32)
        self._blank[self._input] = encoding.blank
        # The newest frame is last. Frames are written in place, and are never returned.
        self._frames = [np.tile(self._blank, (num_envs, 1)) for _ in range(stack_size)]
        self._time = np.zeros(num_envs, np.int64)

    def step(self, inputs: Any, actions: Any, rewards: Any) -> None:
        """Add a frame in all environments.

        Args:
            inputs: (N, F) encoded inputs.
            actions: (N, ...), the actions before these inputs.
            rewards: (N,), the rewards of these actions.
        """
        self._time += 1
        newest = self._frames.pop(0)
        self._frames.append(newest)
        for name, slot in self._slots.items():
            if name == "previous_action":
                newest[:, slot] = self._as_numbers(actions)
            elif name == "previous_reward":
                newest[:, slot] = np.asarray(rewards)[:, None]
            elif name == "time_step":
                newest[:, slot] = self._time[:, None] / self._max_steps
            else:
                newest[:, slot] = 0
        newest[:, self._input] = inputs

    def begin(self, inputs: Any, envs: Any) -> None:
        """Begin an episode in some environments: their older frames become blank.

        Args:
            inputs: (N, F) encoded inputs, which are read where an episode begins.
            envs: (N,) bool, where an episode begins.
        """
        self._time[envs] = 0
        for frame in self._frames:
            frame[envs] = self._blank
        newest = self._frames[-1]
        newest[envs, self._input] = inputs[envs]
        if "episode_start" in self._slots:
            newest[envs, self._slots["episode_start"]] = 1

    def follow(
        self, inputs: Any, actions: Any, rewards: Any, last: Any, ended: Any
    ) -> tuple[Any, Any]:
        """Add a frame, and begin the episodes that begin with it.

        Args:
            inputs: (N, F) encoded inputs after a step.
            actions: (N, ...), the actions of that step.
            rewards: (N,), its rewards.
            last: (N,) bool, which episodes it ended; None for none.
            ended: (N,) bool, which episodes the step before it ended; None for none.

        Returns:
            The observations; and those at the end of the episodes that the step ended.
        """
        begin = last if self.same_step else ended
        if begin is None:
            self.step(inputs, actions, rewards)
            observations = self.now()
            return observations, observations
        blank = self._blank[self._input]
        self.step(np.where(begin[:, None], blank, inputs), actions, rewards)
        final = self.now()
        self.begin(inputs, begin)
        return self.now(), final

    def follow_block(
        self, inputs: Any, actions: Any, rewards: Any, last: Any, ended: Any
    ) -> tuple[list[Any], list[Any]]:
        """Do what `follow` does for K steps, with a leading axis K in ``inputs`` .. ``last``."""
        observations, finals = [], []
        for k in range(len(inputs)):
            ends = np.broadcast_to(last[k], len(self._time)) if last[k].any() else None
            observation, final = self.follow(inputs[k], actions[k], rewards[k], ends, ended)
            observations.append(observation)
            finals.append(final)
            ended = ends
        return observations, finals

    def now(self) -> Any:
        """Return the present observations, (N, *space.shape) float32, as a new array."""
        return np.concatenate(self._frames, axis=1)

    def copy(self) -> StackedObservation:
        """Return a copy that can be stepped on its own."""
        other = copy.copy(self)
        other._frames = [frame.copy() for frame in self._frames]
        other._time = self._time.copy()
        return other

    def _action_range(self) -> tuple[Any, Any]:
        """Return the least and greatest of the numbers that represent an action."""
        if isinstance(self._action_space, spaces.Box):
            # Zero represents that there was no action yet.
            return np.minimum(self._action_space.low, 0), np.maximum(self._action_space.high, 0)
        width = int(np.sum(self._choices()))
        return np.zeros(width), np.ones(width)

    def _choices(self) -> Any:
        """Return how many choices each component of an action has."""
        space = self._action_space
        return space.nvec if isinstance(space, spaces.MultiDiscrete) else np.array([space.n])

    def _as_numbers(self, actions: Any) -> Any:
        """Return (N, ...) actions as numbers; an integer out of range has no 1 anywhere."""
        actions = np.asarray(actions)
        if isinstance(self._action_space, spaces.Box):
            return actions
        columns = actions.reshape(len(actions), -1).T
        each = zip(columns, self._choices(), strict=True)
        return np.concatenate([column[:, None] == np.arange(n) for column, n in each], axis=1)


def make_stacked_observation(
    problem: Problem, encoding: Encoding, num_envs: int, extras: Iterable[str], stack_size: int
) -> StackedObservation | None:
    """Return the observation of N environments, or None if only the inputs are observed.

    Raises:
        TypeError, ValueError: An unknown extra feature, one that is given twice, a stack size below
            1, or ``Discrete`` observations, which nothing can be added to.
    """
    allowed = f"extras must be a list of {', '.join(map(repr, EXTRAS))}, got {extras!r}"
    if isinstance(extras, str) or not isinstance(extras, Iterable):
        raise TypeError(allowed)
    try:
        given = list(extras)
    except TypeError as error:  # such as a NumPy array without dimensions
        raise TypeError(allowed) from error
    names = tuple(check_choice("extras", name, EXTRAS) for name in given)
    if len(set(names)) < len(names):
        raise ValueError(f"extras must not hold a name twice, got {names!r}")
    stack_size = check_int("stack_size", stack_size, 1)
    if not names and stack_size == 1:
        return None
    if not isinstance(encoding.space, spaces.Box):
        raise ValueError(
            "extras and stack_size need encoding='one_hot' or 'normalized', because nothing can be "
            f"added to a Discrete observation, got encoding={encoding.name!r}"
        )
    return StackedObservation(problem, encoding, num_envs, names, stack_size)
