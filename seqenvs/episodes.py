"""The episodes of one seed, in order, and the rows of time steps that environments play.

`EpisodeStream` gives the episodes of one generator. Single environments, vector environments and
data sets all take episodes from such a stream, in order, so the same seed gives them the same
episodes. `RowBuffer` arranges the episodes for N sub-environments that step together. It prepares
rows before they are played, which is possible because observations do not depend on actions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from seqenvs.scoring import reward_weights

if TYPE_CHECKING:
    from seqenvs.problem import EpisodeBatch, Problem

# The number of time steps drawn at once doubles from the first draw, which keeps a reset quick, to
# the largest. These numbers are part of the definition of the data: they decide which episodes a
# seed gives.
FIRST_DRAW, LARGEST_DRAW = 1 << 12, 1 << 18
_MOST_COPIED = 1 << 14  # inputs that are copied to prepare more than one episode at once
_MOST_AT_ONCE = 1 << 8  # rows that are prepared beyond those that are needed
_FEW_PATTERNS = 1 << 8
_ROUNDS_TAKEN = 4  # episodes of each sub-environment that `RowBuffer` takes at once


class Episodes(NamedTuple):
    """B episodes side by side. R is the most steps of an episode plus one blank row.

    Attributes:
        inputs: (R, B) or (R, B, F); blank past an episode's end.
        targets: (R, B) or (R, B, K); 0 where no answer is due.
        reward_weight: (R, P) float64, the reward of a right answer in each of P patterns; 0 where
            no answer is due. Episodes with answers due at the same steps share a pattern.
        pattern: (B,) int64, each episode's column of ``reward_weight``.
        lengths: (B,) int64, the number of steps.
    """

    inputs: Any
    targets: Any
    reward_weight: Any
    pattern: Any
    lengths: Any

    def columns(self, start: int, stop: int) -> Episodes:
        """Return the episodes start .. stop - 1, as views."""
        inputs, targets, weight, pattern, lengths = self
        part = slice(start, stop)
        return Episodes(inputs[:, part], targets[:, part], weight, pattern[part], lengths[part])

    def select(self, columns: Any) -> Episodes:
        """Return the episodes of these columns, an array of int64."""
        return self._replace(
            inputs=self.inputs.take(columns, axis=1),
            targets=self.targets.take(columns, axis=1),
            pattern=self.pattern[columns],
            lengths=self.lengths[columns],
        )

    def with_fewest_patterns(self) -> Episodes:
        """Return the same episodes without patterns that are unused or twice there, if many."""
        if self.reward_weight.shape[1] <= _FEW_PATTERNS:
            return self
        number: dict[bytes, int] = {}
        kept: list[int] = []
        replacement = np.zeros(self.reward_weight.shape[1], np.int64)
        for index in np.flatnonzero(np.bincount(self.pattern)).tolist():
            key = self.reward_weight[:, index].tobytes()
            if key not in number:
                number[key] = len(kept)
                kept.append(index)
            replacement[index] = number[key]
        weight = self.reward_weight[:, kept]
        return self._replace(reward_weight=weight, pattern=replacement[self.pattern])

    @staticmethod
    def from_batch(batch: EpisodeBatch) -> Episodes:
        """Prepare a batch that is padded to the most steps of an episode and one blank row."""
        due, pattern = _due_patterns(batch.due, batch.lengths)
        return Episodes(batch.inputs, batch.targets, reward_weights(due), pattern, batch.lengths)

    @staticmethod
    def concatenate(parts: list[Episodes]) -> Episodes:
        """Join episodes of the same problem side by side."""
        if len(parts) == 1:
            return parts[0]
        inputs, targets, weights, patterns, lengths = zip(*parts, strict=True)
        pattern: Any
        weight, pattern = weights[0], np.broadcast_to(np.int64(0), sum(map(len, lengths)))
        if weight.shape[1] > 1 or not all(np.array_equal(each, weight) for each in weights):
            first = np.cumsum([0, *(each.shape[1] for each in weights)]).tolist()
            pattern = np.concatenate(list(map(np.add, patterns, first)))
            weight = np.concatenate(weights, axis=1)
        return Episodes(
            np.concatenate(inputs, axis=1),
            np.concatenate(targets, axis=1),
            weight,
            pattern,
            np.concatenate(lengths),
        )


def _due_patterns(due: Any, lengths: Any) -> tuple[Any, Any]:
    """Return the different columns of ``due``, (R, P), and which of them each episode has, (B,).

    Columns are compared as a whole, then for each length. If columns of one length differ, each
    episode keeps its own.
    """
    first = due[:, :1]
    differs = np.zeros(len(due), bool) if due.strides[1] == 0 else (due != first).any(axis=1)
    if not differs.any():
        return first, np.broadcast_to(np.int64(0), len(lengths))  # which takes no memory
    different = np.flatnonzero(np.bincount(lengths))
    number = np.zeros(different[-1] + 1, np.int64)
    number[different] = np.arange(len(different))
    pattern = number[lengths]
    example = np.zeros(len(different), np.int64)
    example[pattern] = np.arange(len(lengths))
    columns = due[:, example]
    if np.array_equal(columns[differs].take(pattern, axis=1), due[differs]):
        return columns, pattern
    return due, np.arange(len(lengths))


class EpisodeStream:
    """The endless sequence of episodes that a generator gives.

    Args:
        problem: The problem.
        rng: The generator. Nothing else may draw from it afterwards.

    Attributes:
        max_steps: The most steps of an episode.
        fixed_length: Whether all episodes have this number of steps.
    """

    def __init__(self, problem: Problem, rng: np.random.Generator) -> None:
        self.problem = problem
        self.rng = rng
        shortest, self.max_steps = problem.num_steps
        self.fixed_length = shortest == self.max_steps
        self._drawn: list[Episodes] = []  # in order
        self._taken = 0  # how many of the first were taken
        self._draw_steps = FIRST_DRAW

    def take(self, size: int) -> Episodes:
        """Take the next ``size`` episodes."""
        return Episodes.concatenate(self.take_parts(size))

    def take_parts(self, size: int) -> list[Episodes]:
        """Take the next ``size`` episodes, in parts that share memory with what was drawn."""
        parts = []
        while size > 0:
            if not self._drawn:
                self._drawn.append(self._draw())
            first, start = self._drawn[0], self._taken
            stop = min(start + size, len(first.lengths))
            parts.append(first.columns(start, stop))
            size -= stop - start
            self._taken = stop
            if stop == len(first.lengths):
                del self._drawn[0]
                self._taken = 0
        return parts

    def give_back(self, episodes: Episodes) -> None:
        """Return episodes that were taken last and not played: they are taken next."""
        if len(episodes.lengths):
            if self._taken:
                first = self._drawn[0]
                self._drawn[0] = first.columns(self._taken, len(first.lengths))
            self._drawn.insert(0, episodes)
            self._taken = 0

    def _draw(self) -> Episodes:
        size = max(1, self._draw_steps // self.max_steps)
        self._draw_steps = min(2 * self._draw_steps, LARGEST_DRAW)
        return Episodes.from_batch(self.problem.batch(self.rng, size, self.max_steps + 1))


class Rows(NamedTuple):
    """R time steps of N sub-environments.

    ``reward_weight`` and ``last`` are (R, 1) where all sub-environments agree.

    Attributes:
        inputs: (R, N) or (R, N, F); blank after an episode's end.
        targets: (R, N) or (R, N, K); 0 where no answer is due.
        reward_weight: (R, N) or (R, 1) float64, the reward of a right answer; 0 where no answer is
            due.
        last: (R, N) or (R, 1) bool, whether the episode ends with this step.
    """

    inputs: Any
    targets: Any
    reward_weight: Any
    last: Any

    @property
    def due(self) -> Any:
        """(R, N) or (R, 1) bool, whether an answer is due."""
        return self.reward_weight > 0

    def part(self, start: int, stop: int) -> Rows:
        """Return the rows start .. stop - 1, as views."""
        if start == 0 and stop >= len(self.last):
            return self
        return Rows._make([array[start:stop] for array in self])

    @staticmethod
    def concatenate(parts: list[Rows]) -> Rows:
        """Append rows of the same sub-environments."""
        joined = []
        for arrays in zip(*parts, strict=True):
            width = max(array.shape[1] for array in arrays)
            wide = [
                np.broadcast_to(a, (len(a), width, *a.shape[2:])) if a.shape[1] < width else a
                for a in arrays
            ]
            joined.append(np.concatenate(wide))
        return Rows._make(joined)


class RowBuffer:
    """The rows that N sub-environments play next.

    While all sub-environments begin and end their episodes together, rows are those of the
    episodes. Otherwise rows are gathered from the episode that each sub-environment plays. Episodes
    are taken from the stream in the order in which they begin, lowest sub-environment first.

    Args:
        stream: The episodes.
        num_envs: N.
        gap: The number of blank rows between two episodes: 1 where the step after the end only
            resets, 0 where the last step resets. With None the next episode begins when
            `restart_some` or `restart` is called, and rows stay blank until then.
        given: N episodes to begin with, instead of the next ones of the stream.

    Attributes:
        rows: The rows that are prepared.
        cursor: The index of the present row in ``rows``. It is moved by its user.
    """

    rows: Rows
    cursor: int
    _places: Any
    _places_row: int
    _move: Any

    def __init__(
        self,
        stream: EpisodeStream,
        num_envs: int,
        gap: int | None,
        given: Episodes | None = None,
    ) -> None:
        self.stream = stream
        self.num_envs = num_envs
        self.gap = gap
        self._begins: list[tuple[int, Episodes, int, int]] = []  # row, and columns of episodes
        self._begin_all(given)

    def restart(self, given: Episodes | None = None) -> None:
        """Begin an episode in all sub-environments: the given ones, or the next of the stream."""
        self.stream.give_back(self._episodes.columns(self._next, len(self._episodes.lengths)))
        for row, episodes, start, stop in reversed(self._begins):
            if row > self._present:
                self.stream.give_back(episodes.columns(start, stop))
        self._begin_all(given)

    def restart_some(self, envs: Any) -> None:
        """Begin the next episodes in some sub-environments, (N,) bool, at the present row.

        This is for a ``gap`` of None.
        """
        if envs.all():
            self.restart()
            return
        present = self._present
        self._places += (present - self._places_row) * self._move
        self._row = self._places_row = present
        self.rows, self.cursor, self._in_step = self.rows.part(0, 0), 0, False
        self._gather(1, np.flatnonzero(envs))

    def peek(self, steps: int) -> Rows:
        """Return the next ``steps`` rows as views; fewer if all are blank from there on."""
        missing = self.cursor + steps - len(self.rows.last)
        if missing > 0 and not (self._in_step and self.gap is None):
            present = self._present
            self._begins = [entry for entry in self._begins if entry[0] > present]
            kept = self.rows.part(self.cursor, len(self.rows.last))
            self.cursor = 0
            if self._in_step:
                self._take_rounds(kept, missing)
            else:
                self.rows = kept
                self._gather(missing)
        return self.rows.part(self.cursor, self.cursor + steps)

    def peek_up_to(self, steps: int) -> Rows:
        """Return up to ``steps`` next rows as views, as many as take the least time."""
        ready = len(self.rows.last) - self.cursor
        if self._in_step and not ready and self.gap is not None:
            period = self.stream.max_steps + self.gap
            ready = period * max(1, min(steps, _MOST_COPIED // self.num_envs) // period)
        return self.peek(min(steps, ready) if self._in_step else steps)

    def steps_to_end(self) -> int:
        """Return the number of steps until an episode ends. This is for a ``gap`` of None."""
        return int(self._places[2].min()) + self._places_row - self._present

    @property
    def _present(self) -> int:
        """The number of the present row, counted from the last restart."""
        return self._row - len(self.rows.last) + self.cursor

    def _begin_all(self, given: Episodes | None) -> None:
        episodes = self.stream.take(self.num_envs) if given is None else given
        self._begins = []
        self._episodes, self._next = episodes, self.num_envs
        self.cursor = 0
        self._in_step = self.stream.fixed_length
        if self._in_step:
            period = self.stream.max_steps + (1 if self.gap is None else self.gap)
            self.rows = _rows_of(episodes, period, 1)
            self._row = period
        else:
            self.rows, self._row = _rows_of(episodes, 0, 1), 0
        # For each sub-environment in the row that is gathered next: its place in the flattened
        # inputs, its place in the flattened reward weights, and the steps left in its episode.
        self._places = np.stack([np.arange(self.num_envs), episodes.pattern, episodes.lengths])
        self._places_row = 0
        self._move = self._move_of(episodes)

    @staticmethod
    def _move_of(episodes: Episodes) -> Any:
        """Return by how much the places change from a row to the next."""
        return np.array([[len(episodes.lengths)], [episodes.reward_weight.shape[1]], [-1]])

    def _take_rounds(self, kept: Rows, missing: int) -> None:
        """Append rows for one or more further episodes in all sub-environments."""
        assert self.gap is not None
        period = self.stream.max_steps + self.gap
        at_once = min(_MOST_COPIED // self.num_envs, _MOST_AT_ONCE)
        rounds = max(-(-missing // period), at_once // period)
        episodes = self.stream.take(rounds * self.num_envs)
        fresh = _rows_of(episodes, period, rounds)
        self.rows = Rows.concatenate([kept, fresh]) if len(kept.last) else fresh
        for start in range(0, rounds * self.num_envs, self.num_envs):
            self._begins.append((self._row, episodes, start, start + self.num_envs))
            self._row += period

    def _gather(self, steps: int, begin: Any = None) -> None:
        """Append rows; in the first of them, episodes begin in the sub-environments ``begin``."""
        self._reserve(steps)
        episodes, size = self._episodes, self.num_envs
        place, pattern_place, left = self._places
        inputs, targets = (
            array.reshape(-1, *array.shape[2:]) for array in (episodes.inputs, episodes.targets)
        )
        weights = episodes.reward_weight.ravel()
        fresh = Rows(
            np.empty((steps, size, *inputs.shape[1:]), inputs.dtype),
            np.empty((steps, size, *targets.shape[1:]), targets.dtype),
            np.empty((steps, size)),
            np.empty((steps, size), bool),
        )
        for k in range(steps):
            if begin is None and self.gap is not None:
                begin = (left == -self.gap).nonzero()[0]
            if begin is not None and len(begin):
                start, self._next = self._next, self._next + len(begin)
                self._begins.append((self._row, episodes, start, self._next))
                columns = slice(start, self._next)
                place[begin] = np.arange(start, self._next)
                pattern_place[begin] = episodes.pattern[columns]
                left[begin] = episodes.lengths[columns]
            begin = None
            shown, weighed = place, pattern_place
            if self.gap is None:  # after the end, the last row of the episodes, which is blank
                blank = self.stream.max_steps * self._move
                shown = np.where(left < 0, blank[0], place)
                weighed = np.where(left < 0, blank[1], pattern_place)
            inputs.take(shown, axis=0, out=fresh.inputs[k], mode="clip")
            targets.take(shown, axis=0, out=fresh.targets[k], mode="clip")
            weights.take(weighed, out=fresh.reward_weight[k], mode="clip")
            np.equal(left, 1, out=fresh.last[k])
            self._places += self._move
            self._row += 1
        self._places_row = self._row
        self.rows = Rows.concatenate([self.rows, fresh]) if len(self.rows.last) else fresh

    def _reserve(self, steps: int) -> None:
        """Make sure that there are enough episodes for so many rows, and drop those played."""
        shortest = self.stream.problem.num_steps[0] + (self.gap or 0)
        needed = self.num_envs * (steps // shortest + 1)
        episodes = self._episodes
        num_columns = len(episodes.lengths)
        if num_columns - self._next >= needed and episodes.inputs.flags.c_contiguous:
            return
        time, playing = np.divmod(self._places[0], num_columns)
        left = episodes.columns(self._next, num_columns)
        fresh = self.stream.take_parts(max(needed, _ROUNDS_TAKEN * self.num_envs))
        joined = Episodes.concatenate([episodes.select(playing), left, *fresh])
        self._episodes = joined = joined.with_fewest_patterns()
        self._next = self.num_envs
        self._move = self._move_of(joined)
        self._places[0] = np.arange(self.num_envs) + time * self._move[0]
        self._places[1] = joined.pattern[: self.num_envs] + time * self._move[1]


def _rows_of(episodes: Episodes, steps: int, rounds: int) -> Rows:
    """Return the rows of episodes of equal length that are played in rounds, one after the other.

    Args:
        episodes: ``rounds`` times N episodes.
        steps: The rows of a round.
        rounds: The number of rounds.
    """
    inputs, targets, weight, pattern, lengths = episodes
    if weight.shape[1] > 1:
        weight = weight.take(pattern, axis=1)
    last = np.zeros((steps, 1), bool)
    last[lengths[0] - 1 : lengths[0]] = True
    rows = Rows(inputs[:steps], targets[:steps], weight[:steps], last)
    if rounds == 1:
        return rows

    def below(array: Any) -> Any:
        if array.shape[1] == 1:
            return np.tile(array, (rounds, 1))
        side_by_side = array.reshape(steps, rounds, -1, *array.shape[2:])
        return side_by_side.swapaxes(0, 1).reshape(rounds * steps, -1, *array.shape[2:])

    return Rows._make(map(below, rows))
