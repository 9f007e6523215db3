"""What an agent sees beside the present input, where it asks for more: extras, and past frames.

These are what people wrap memory environments in. Each changes what can be reached without a
memory, which is why none is there unless asked for.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from gymnasium import spaces

from seqenvs.problem import Problem, Symbols, Values
from seqenvs.validation import check_choice, check_int

_LARGEST_TABLE = 1024  # symbols; the table has as many rows as columns
ENCODINGS = ("one_hot", "index", "normalized")


class Encoding:
    """Turns what a problem shows into observations.

    Args:
        shown: What the problem shows.
        name: For symbols ``"one_hot"``, a float32 Box of shape (n,) whose blank is the zero vector;
            ``"index"``, Discrete(n + 1) whose blank is n; or ``"normalized"``, a float32 Box of
            shape (1,) with symbols in [0, 1] and blank -1. Values are a float32 Box of shape (F,)
            whatever the name.

    Attributes:
        space: The space of one observation.
        blank: The observation that shows nothing.
    """

    space: spaces.Discrete | spaces.Box

    def __init__(self, shown: Symbols | Values, name: str = "one_hot") -> None:
        self.name = check_choice("encoding", name, ENCODINGS)
        self.input_spec = shown
        self._table: Any = None
        if isinstance(shown, Values):
            shape, low = (shown.features,), min(shown.low, shown.blank)
            self.space = spaces.Box(low, shown.high, shape, np.float32)
        elif name == "index":
            self.space = spaces.Discrete(shown.n + 1)
        elif name == "one_hot":
            if shown.n <= _LARGEST_TABLE:
                self._table = np.eye(shown.n + 1, shown.n, dtype=np.float32)
            self.space = spaces.Box(0, 1, (shown.n,), np.float32)
        else:
            symbols = np.append(np.arange(shown.n) / max(shown.n - 1, 1), -1)
            self._table = symbols.astype(np.float32)[:, None]
            self.space = spaces.Box(-1, 1, (1,), np.float32)
        width = () if isinstance(shown, Symbols) or shown.features == 1 else (shown.features,)
        self.blank: Any = self(np.full(width, shown.blank, shown.dtype))

    def __call__(self, inputs: Any) -> Any:
        """Encode (...) symbols, or (...) or (..., F) values: a fresh (..., *space.shape) array."""
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
        """Give the symbols, or values, that (..., *space.shape) observations show.

        Of longer ones, see `seqenvs.observations`, these are the last numbers.
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


# Each, and whether it depends on what was answered.
EXTRAS = {
    "previous_action": True,
    "previous_reward": True,
    "time_step": False,
    "episode_start": False,
}


class Observation:
    """Frames of N streams, each the extras and then the encoded input, and a stack of the last.

    An observation is the stack laid flat, the oldest frame first: the present input is always the
    last F numbers. Where the stack reaches back beyond the episode's start, its frames show the
    blank and zeros.

    Args:
        problem: The problem.
        encoding: How its inputs are shown.
        num_envs: N.
        extras: Names of `EXTRAS`, in the order in which they stand in a frame. ``previous_action``
            is one-hot, for each component of a MultiDiscrete answer, or the values themselves;
            ``previous_reward`` is one number, and both are zero at first. ``time_step`` is t
            divided by the number of steps of the longest episode, in [0, 1]. ``episode_start`` is 1
            at first and 0 afterwards.
        stack_size: Number of frames, from 1.

    Attributes:
        space: The space of one stream's observation.
        open_loop: Whether observations don't depend on what is answered.
    """

    space: spaces.Box

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
        self._most_steps = problem.num_steps[1]
        self._answers: Any = problem.action_space
        ranges = {name: (np.zeros(1), np.ones(1)) for name in extras}
        if "previous_action" in ranges:
            ranges["previous_action"] = self._answer_range()
        stops = np.cumsum([0, *(len(low) for low, _ in ranges.values())]).tolist()
        self._slots = dict(zip(ranges, map(slice, stops, stops[1:]), strict=False))
        self._shown = slice(stops[-1], None)
        ends = zip(*ranges.values(), (base.low, base.high), strict=True)
        low, high = (np.tile(np.concatenate(end), stack_size).astype(np.float32) for end in ends)
        self.space = spaces.Box(low, high, dtype=np.float32)
        self._blank = np.zeros(len(low) // stack_size, np.float32)
        self._blank[self._shown] = encoding.blank
        self._frames = np.tile(self._blank, (num_envs, stack_size, 1))
        self._time = np.zeros(num_envs, np.int64)

    def step(self, shown: Any, actions: Any, rewards: Any) -> Any:
        """See the next inputs, one a stream.

        Args:
            shown: (N, F) encoded inputs.
            actions: (N, ...) that were answered before these.
            rewards: (N,) that were paid for them.

        Returns:
            What `now` returns.
        """
        self._time = self._time + 1
        self._frames = np.roll(self._frames, -1, axis=1)
        newest = self._frames[:, -1]
        for name, slot in self._slots.items():
            if name == "previous_action":
                newest[:, slot] = self._as_numbers(actions)
            elif name == "previous_reward":
                newest[:, slot] = np.asarray(rewards)[:, None]
            elif name == "time_step":
                newest[:, slot] = self._time[:, None] / self._most_steps
            else:
                newest[:, slot] = 0
        newest[:, self._shown] = shown
        return self.now()

    def begin(self, shown: Any, streams: Any) -> Any:
        """Begin an episode in some streams, and see all: those of the others as they were.

        Args:
            shown: (N, F) encoded inputs, read where an episode begins.
            streams: (N,) bool, where that is.

        Returns:
            What `now` returns.
        """
        self._time = np.where(streams, 0, self._time)
        self._frames = np.where(streams[:, None, None], self._blank, self._frames)
        newest = self._frames[:, -1]
        newest[streams, self._shown] = shown[streams]
        if "episode_start" in self._slots:
            newest[streams, self._slots["episode_start"]] = 1
        return self.now()

    def now(self) -> Any:
        """(N, *space.shape) float32, a fresh array: what is seen now."""
        return self._frames.reshape(len(self._frames), -1).copy()

    def _answer_range(self) -> tuple[Any, Any]:
        """The least and greatest of the numbers that stand for an answer."""
        if isinstance(self._answers, spaces.Box):
            # Zero stands for none, too.
            return np.minimum(self._answers.low, 0), np.maximum(self._answers.high, 0)
        width = int(np.sum(self._choices()))
        return np.zeros(width), np.ones(width)

    def _choices(self) -> Any:
        """How many answers each component has."""
        space = self._answers
        return space.nvec if isinstance(space, spaces.MultiDiscrete) else np.array([space.n])

    def _as_numbers(self, actions: Any) -> Any:
        """(N, ...) answers as numbers; an integer that is no answer is one-hot nowhere."""
        actions = np.asarray(actions)
        if isinstance(self._answers, spaces.Box):
            return actions
        columns = actions.reshape(len(actions), -1).T
        each = zip(columns, self._choices(), strict=True)
        return np.concatenate([column[:, None] == np.arange(n) for column, n in each], axis=1)


def make_observation(
    problem: Problem, encoding: Encoding, num_envs: int, extras: Iterable[str], stack_size: int
) -> Observation | None:
    """The observation of N streams; None if inputs alone are observed, as they are.

    Raises:
        TypeError, ValueError: An unknown extra, one given twice, a stack size below 1, or Discrete
            observations, to which nothing can be added.
    """
    if isinstance(extras, str) or not isinstance(extras, Iterable):
        raise TypeError(f"extras must be a list of {', '.join(EXTRAS)}, got {extras!r}")
    names = tuple(check_choice("extras", name, EXTRAS) for name in extras)
    if len(set(names)) < len(names):
        raise ValueError(f"extras must not hold a name twice, got {names!r}")
    stack_size = check_int("stack_size", stack_size, 1)
    if not names and stack_size == 1:
        return None
    if not isinstance(encoding.space, spaces.Box):
        raise ValueError(
            "extras and stack_size need encoding='one_hot' or 'normalized', as nothing can be "
            f"added to a Discrete observation, got encoding={encoding.name!r}"
        )
    return Observation(problem, encoding, num_envs, names, stack_size)
