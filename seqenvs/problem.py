"""The contract of a problem: its inputs and its right answers.

A sequence problem is *open loop*: its inputs do not depend on the agent's answers. Therefore two
functions define it: ``draw``, the only source of randomness, and ``answer``, the rule, which is
pure and causal. Environments, supervised batches, the oracle, the bounds and the rendering all use
these two functions. Arrays are time-major: axis 0 is the time step and axis 1 is the episode.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import numpy as np
from gymnasium import spaces

from seqenvs.bounds import Bounds, enumerated_bounds
from seqenvs.scoring import judge
from seqenvs.specs import EpisodeBatch, Symbols, Values

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

Length = int | tuple[int, int]
__all__ = ["EpisodeBatch", "Length", "Problem", "Symbols", "Values", "known_bounds"]


class Problem(ABC):
    """The base class of sequence problems.

    A subclass sets the attributes below in its constructor and defines ``draw`` and ``answer``. The
    other methods are optional.

    The constructor should raise a ``TypeError`` or ``ValueError`` that names the parameter if a
    parameter makes no sense. The functions of ``seqenvs.validation``, such as ``check_int``, do
    this in one line.

    Attributes:
        input_spec: What the inputs are: ``Symbols(n)`` or ``Values(low, high, features)``.
        action_space: The space of answers: ``Discrete`` or ``MultiDiscrete`` from 0, or a bounded
            float32 ``Box`` of shape (K,).
        num_inputs: The least and the greatest number of inputs in an episode.
        tolerance: Only for ``Box`` answers: an answer is right if every component is nearer to the
            target than this.
    """

    input_spec: Symbols | Values
    action_space: spaces.Discrete | spaces.MultiDiscrete | spaces.Box
    num_inputs: tuple[int, int]
    tolerance: float = 0.0

    @abstractmethod
    def draw(self, rng: np.random.Generator, num_inputs: NDArray[np.int64]) -> NDArray[Any]:
        """Draw the inputs of B episodes.

        Args:
            rng: The only source of randomness.
            num_inputs: (B,) int64, the number of inputs of each episode.

        Returns:
            (max(num_inputs), B) or (max(num_inputs), B, F): symbols of an integer type that can
            hold the blank, or values of a float type. Entries after an episode's last input are
            ignored; `complete` replaces them by blanks.
        """

    @abstractmethod
    def answer(
        self, inputs: NDArray[Any], lengths: NDArray[np.int64]
    ) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Return the right answers to given inputs. This is the rule of the problem.

        The rule is pure: it draws nothing and changes no argument. It is causal: where an answer is
        due, ``targets[t]`` depends only on ``inputs[: t + 1]``. It may use ``lengths`` only to tell
        whether an episode ends at step t.

        We recommend to write the rule without in-place changes and without shapes that depend on
        the data, with functions of the array API standard (https://data-apis.org/array-api). Then
        it can run on arrays of other libraries later. This is not checked yet.

        Args:
            inputs: (T, B) or (T, B, F); blank after each episode's last input.
            lengths: (B,) int64, the number of steps of each episode.

        Returns:
            A pair ``(targets, due)``. ``targets`` is (T, B), or (T, B, K) for ``MultiDiscrete`` and
            ``Box`` answers of K components; it may hold any number where no answer is due. ``due``
            is (T, B) bool, True where an answer is due, or (T, 1) if this is the same in all
            episodes. Every episode must have at least one due answer.
        """

    def draw_num_inputs(self, rng: np.random.Generator, size: int) -> NDArray[np.int64]:
        """Draw the number of inputs of each of ``size`` episodes: (size,) int64."""
        low, high = self.num_inputs
        return np.full(size, low) if low == high else rng.integers(low, high, size, endpoint=True)

    def delay(self, num_inputs: Any) -> Any:
        """Return the number of blank steps after the inputs, for answers that are due there.

        Args:
            num_inputs: An int, or (B,) int64, the number of inputs of each episode.

        Returns:
            An int, or (B,) integers.
        """
        return 0

    def check_inputs(self, inputs: NDArray[Any]) -> None:  # noqa: B027 - a hook
        """Raise ``ValueError`` if ``draw`` can never return this sequence, (T,) or (T, F)."""

    def support(self) -> tuple[EpisodeBatch, NDArray[np.float64]] | None:
        """Return all possible episodes and their probabilities, (B,), or None if too many."""
        return None

    def bounds(self) -> Bounds:
        """Return the exact chance, memoryless and clock bounds.

        The default computes them from `support`. Override it if there is a formula.

        Raises:
            NotImplementedError: The problem defines neither this method nor `support`.
        """
        support = self.support()
        if support is None:
            raise NotImplementedError(
                f"the bounds of {type(self).__name__} are not known: define bounds() or support() "
                "in this class"
            )
        return enumerated_bounds(self.action_space, *support)

    # The methods below follow from those above. Subclasses do not override them.

    @property
    def num_steps(self) -> tuple[int, int]:
        """The least and the greatest number of steps in an episode."""
        low, high = self.num_inputs
        return low + int(self.delay(low)), high + int(self.delay(high))

    def shared(self, lengths: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return ``lengths``, shortened to (1,) if all are equal, which is faster to compare."""
        low, high = self.num_steps
        return lengths[:1] if low == high else lengths

    def batch(self, rng: np.random.Generator, size: int, steps: int | None = None) -> EpisodeBatch:
        """Draw ``size`` episodes from ``rng``.

        Args:
            rng: The generator.
            size: B, the number of episodes.
            steps: T, the number of steps to pad to. Default: the length of the longest episode.
        """
        count = self.draw_num_inputs(rng, size)
        return self.complete(self.draw(rng, count), count, steps)

    def episode(self, inputs: ArrayLike, steps: int | None = None) -> EpisodeBatch:
        """Make a batch of one given sequence.

        Args:
            inputs: The inputs, (T,) or (T, F). Trailing blanks are ignored.
            steps: The number of steps to pad to. Default: the length of the episode.

        Raises:
            TypeError, ValueError: The problem can never show this sequence.
        """
        sequence = self._sequence(inputs)
        low, high = self.num_inputs
        if not low <= len(sequence) <= high:
            allowed = f"{low}" if low == high else f"{low} to {high}"
            raise ValueError(
                f"inputs must have {allowed} time steps for {self}, without trailing blanks "
                f"({self.input_spec.blank}), got {len(sequence)} in "
                f"{np.asarray(inputs).tolist()!r}"
            )
        self.check_inputs(sequence)
        return self.complete(sequence[:, None], np.array([len(sequence)]), steps)

    def judge(
        self, answers: NDArray[Any], targets: NDArray[Any]
    ) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Score answers against targets of the same shape; see `seqenvs.scoring.judge`."""
        return judge(self.action_space, answers, targets, self.tolerance)

    def complete(
        self, inputs: NDArray[Any], num_inputs: NDArray[np.int64], steps: int | None = None
    ) -> EpisodeBatch:
        """Pad drawn inputs, add the targets, and return the batch.

        Args:
            inputs: What ``draw`` returned.
            num_inputs: (B,) int64, the number of inputs of each episode.
            steps: T, the number of steps to pad to. Default: the length of the longest episode.
        """
        lengths = num_inputs + self.delay(num_inputs)
        low, high = self.num_inputs
        steps = steps or int(lengths.max())
        if steps > low:
            padded = np.empty((steps, *inputs.shape[1:]), inputs.dtype)
            padded[: len(inputs)] = inputs[:steps]
            if low == high:
                padded[low:] = self.input_spec.blank
            else:
                past = np.arange(low, steps)[:, None] >= num_inputs
                padded[low:] = _select(past, self.input_spec.blank, padded[low:])
            inputs = padded
        targets, due = self.answer(inputs, lengths)
        targets = _zero_where_not_due(np.asarray(targets), np.asarray(due))
        return EpisodeBatch(inputs, targets, np.broadcast_to(due, inputs.shape[:2]), lengths)

    def _sequence(self, inputs: ArrayLike) -> NDArray[Any]:
        """Check the type, shape and range of a given sequence, and drop its trailing blanks."""
        what = f"inputs must be {self._allowed_inputs()}, got {inputs!r}"
        try:
            sequence = np.asarray(inputs)
        except ValueError as error:  # ragged
            raise TypeError(what) from error
        if sequence.dtype.kind in "USO" and sequence.ndim == 0:  # a string, a dict, a generator
            raise TypeError(what)
        wide = self.input_spec.features > 1
        if sequence.ndim != 1 + wide or (wide and sequence.shape[1] != self.input_spec.features):
            raise ValueError(what)
        kinds = "iu" if isinstance(self.input_spec, Symbols) else "iuf"
        if sequence.size and sequence.dtype.kind not in kinds:
            raise TypeError(what)
        if isinstance(self.input_spec, Values):
            with np.errstate(over="ignore"):  # the range check below finds infinity
                sequence = sequence.astype(self.input_spec.dtype)  # the range is that of float32
        blank = (sequence == self.input_spec.blank).reshape(len(sequence), self.input_spec.features)
        blank = blank.all(axis=1)
        sequence = sequence[
            : len(sequence) - int(np.argmin(blank[::-1]) if not blank.all() else len(blank))
        ]
        low, high = (
            (0, self.input_spec.n - 1)
            if isinstance(self.input_spec, Symbols)
            else (self.input_spec.low, self.input_spec.high)
        )
        if not ((sequence >= low) & (sequence <= high)).all():  # NaN fails this too
            raise ValueError(what)
        return sequence.astype(self.input_spec.dtype)

    def _allowed_inputs(self) -> str:
        if isinstance(self.input_spec, Symbols):
            return f"a sequence of integers in 0 .. {self.input_spec.n - 1}"
        spec = self.input_spec
        each = "numbers" if spec.features == 1 else f"rows of {spec.features} numbers"
        return f"a sequence of {each} in [{spec.low}, {spec.high}]"


def known_bounds(problem: Problem) -> Bounds | None:
    """Return the problem's bounds, or None if it does not define them."""
    try:
        return problem.bounds()
    except NotImplementedError:
        return None


def _zero_where_not_due(targets: NDArray[Any], due: NDArray[np.bool_]) -> NDArray[Any]:
    """Return a copy of (T, B) or (T, B, K) targets that is 0 where ``due`` is False."""
    if due.shape[1] > 1:
        return _select(~due, 0, targets)
    copied = np.array(targets)
    copied[~due[:, 0]] = 0
    return copied


def _select(chosen: NDArray[np.bool_], number: float, array: NDArray[Any]) -> NDArray[Any]:
    """Return a copy of the array with this number where (T, B) ``chosen`` is True."""
    chosen = chosen.reshape(*chosen.shape, *[1] * (array.ndim - 2))
    if array.dtype.kind in "iu":  # a tenth of the time of np.where
        number = array.dtype.type(number)
        product: NDArray[Any] = np.multiply(array, ~chosen, dtype=array.dtype)
        return product + chosen * number if number else product
    return np.where(chosen, array.dtype.type(number), array)
