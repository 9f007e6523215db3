"""Episodes laid end to end, time-major: what environments and data sets read.

`EpisodeStream` is the endless list of episodes that one generator gives. Every reader takes
episodes from it in order, so that the same seed gives the same episodes to a single
environment, to N streams and to a data set. `Tape` lays them end to end in N streams, of which
every one moves by one row a step.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from seqenvs.scoring import answer_parts

if TYPE_CHECKING:
    from seqenvs.problem import EpisodeBatch, Problem

# Steps drawn at once, whoever reads: at first, for a quick reset, and at most, for speed; doubled
# from draw to draw. Part of the data's definition, like the rule itself.
FIRST_DRAW, LARGEST_DRAW = 1 << 12, 1 << 18
_LOOK_AHEAD = 1 << 20  # steps of all streams that a block may lay beyond itself


class Strip(NamedTuple):
    """Episodes side by side, one a column; R is the longest possible episode's steps and one more.

    ``due``, ``worth`` and ``last`` are (R, 1) where all columns agree, which numpy broadcasts.

    Attributes:
        inputs: (R, B) or (R, B, F); blank below an episode's end.
        targets: (R, B) or (R, B, K).
        due: (R, B) or (R, 1) bool, whether an answer is due.
        worth: (R, B) or (R, 1) float64, what a right answer is worth.
        last: (R, B) or (R, 1) bool, whether the episode ends with this step.
        lengths: (B,) int64.
    """

    inputs: Any
    targets: Any
    due: Any
    worth: Any
    last: Any
    lengths: Any

    def columns(self, start: int, stop: int) -> Strip:
        """The episodes start .. stop - 1, as views."""
        inputs, targets, due, worth, last, lengths = self
        if due.shape[1] > 1:
            due, worth = due[:, start:stop], worth[:, start:stop]
        if last.shape[1] > 1:
            last = last[:, start:stop]
        part = lengths[start:stop]
        return Strip(inputs[:, start:stop], targets[:, start:stop], due, worth, last, part)

    def rows(self, start: int, stop: int) -> Strip:
        """The rows start .. stop - 1, as views; the strip itself if these are all."""
        if start == 0 and stop == len(self.inputs):
            return self
        return Strip._make([*(a[start:stop] for a in self[:5]), self.lengths])

    def fold(self, parts: int) -> Strip:
        """Cut the columns into equal parts and lay these below each other."""
        folded = []
        for array in self[:5]:
            if array.shape[1] == 1 < len(self.lengths):
                folded.append(np.concatenate([array] * parts))
                continue
            shape = len(array), parts, array.shape[1] // parts, *array.shape[2:]
            folded.append(array.reshape(shape).swapaxes(0, 1).reshape(-1, *shape[2:]))
        return Strip._make([*folded, self.lengths])

    @staticmethod
    def stack(strips: list[Strip]) -> Strip:
        """Lay strips of the same streams below each other; the lengths are the first one's."""
        stacked = []
        for arrays in zip(*(strip[:5] for strip in strips), strict=True):
            width = max(a.shape[1] for a in arrays)
            wide = (
                np.broadcast_to(a, (len(a), width, *a.shape[2:])) if a.shape[1] < width else a
                for a in arrays
            )
            stacked.append(np.concatenate(list(wide)))
        return Strip._make([*stacked, strips[0].lengths])

    @staticmethod
    def join(strips: list[Strip]) -> Strip:
        """Lay strips of as many rows beside each other."""
        if len(strips) == 1:
            return strips[0]
        joined: list[Any] = []
        for arrays in zip(*(strip[:5] for strip in strips), strict=True):
            # Inputs and targets have every column; of the rest, strips may share their one column.
            if len(joined) > 1 and all(a is arrays[0] and a.shape[1] == 1 for a in arrays):
                joined.append(arrays[0])
                continue
            full = [
                a if a.shape[1] == len(strip.lengths) else np.repeat(a, len(strip.lengths), axis=1)
                for a, strip in zip(arrays, strips, strict=True)
            ]
            joined.append(np.concatenate(full, axis=1))
        return Strip._make([*joined, np.concatenate([strip.lengths for strip in strips])])


class EpisodeStream:
    """The endless list of a problem's episodes that a generator gives.

    Args:
        problem: The problem.
        rng: The generator, used by nobody else from here on.
    """

    def __init__(self, problem: Problem, rng: np.random.Generator) -> None:
        self.problem = problem
        self.rng = rng
        self.rows = problem.num_steps[1] + 1
        self.fixed = problem.num_steps[0] == problem.num_steps[1]
        self._strip: Strip | None = None
        self._next = 0
        self._draw_steps = FIRST_DRAW

    def take(self, size: int) -> Strip:
        """Take the next ``size`` episodes."""
        strips = []
        while size > 0:
            if self._strip is None or self._next == len(self._strip.lengths):
                self._strip, self._next = self._draw(), 0
            stop = min(self._next + size, len(self._strip.lengths))
            strips.append(self._strip.columns(self._next, stop))
            size -= stop - self._next
            self._next = stop
        return Strip.join(strips)

    def give_back(self, strip: Strip) -> None:
        """Put episodes back that were taken and not played, to be taken next."""
        if self._strip is None or self._next == len(self._strip.lengths):
            self._strip = strip
        else:
            rest = self._strip.columns(self._next, len(self._strip.lengths))
            self._strip = Strip.join([strip, rest])
        self._next = 0

    def _draw(self) -> Strip:
        size = max(1, self._draw_steps // (self.rows - 1))
        self._draw_steps = min(2 * self._draw_steps, LARGEST_DRAW)
        batch = self.problem.batch(self.rng, size, self.rows)
        return lay_out(batch, self.fixed, self._strip)


def lay_out(batch: EpisodeBatch, fixed: bool = False, like: Strip | None = None) -> Strip:
    """Turn a batch, padded to the longest possible episode and one blank row, into a strip.

    Args:
        batch: The batch.
        fixed: Whether its episodes are known to have as many steps all.
        like: Another strip, of the same problem. Where the episodes ask and end as its own do, the
            two share arrays.
    """
    inputs, targets, due, lengths = batch
    if due.strides[1] == 0 or (due == due[:, :1]).all():
        due = due[:, :1]
    ends = lengths[:1] if fixed or (lengths == lengths[0]).all() else lengths
    last = np.arange(len(inputs))[:, None] == ends - 1
    if like and np.array_equal(due, like.due) and np.array_equal(last, like.last):
        return Strip(inputs, targets, like.due, like.worth, like.last, lengths)
    return Strip(inputs, targets, due, answer_parts(due), last, lengths)


class Tape:
    """N streams of episodes laid end to end; one cursor moves by one row a step in all of them.

    `restart` begins it.

    Args:
        stream: Where episodes come from.
        num_streams: N.
        gap: Blank rows between an episode and the next; None if the next is laid only when asked.

    Attributes:
        window: The rows from some way above the cursor to some way below it.
        row: The cursor, an index into the window's rows; its reader moves it, and calls `advance`.
        ends: The window's rows with which an episode may end.
    """

    window: Strip
    row: int
    ends: set[int]

    def __init__(self, stream: EpisodeStream, num_streams: int, gap: int | None) -> None:
        self.stream = stream
        self.num_streams = num_streams
        self.gap = gap
        self._starts: Any = None  # (N,), the row at which each stream's next episode begins
        self._next_start = 0
        self._unplayed: list[tuple[int, Strip]] = []  # laid below the cursor, and at which row
        self._writable = False  # the window is no view of the stream's episodes
        self.row = 0

    def restart(self, given: Strip | None = None) -> None:
        """Begin all streams anew, with the given episodes or the next N; the next ones follow."""
        for row, strip in reversed(self._unplayed):
            if row > self.row:
                self.stream.give_back(strip)
        self._begin(self.stream.take(self.num_streams) if given is None else given)

    def _begin(self, strip: Strip) -> None:
        """Make these episodes, one a stream, the window."""
        self._unplayed = []
        self._writable = False
        self._aligned = self.stream.fixed
        self.row = 0
        self.window = strip
        self.ends = _ends(strip)
        self._next_start = sys.maxsize
        if self.gap is None:
            return
        if self._aligned:
            self._next_start = self.stream.rows - 1 + self.gap
            self.window = strip.rows(0, self._next_start)
        else:
            self._starts = strip.lengths + self.gap
            self._next_start = int(self._starts.min())

    def restart_some(self, streams: Any) -> None:
        """Lay fresh episodes into some streams, (N,) bool, from the cursor's row on."""
        if streams.all():
            self.restart()
        else:
            self._aligned = False
            self._lay(np.flatnonzero(streams), self.row)

    def peek(self, rows: int) -> Strip:
        """The ``rows`` rows from the cursor on, as views; lays what is missing."""
        while self._next_start < self.row + rows:
            self._lay_next(rows)
        return self.window.rows(self.row, self.row + rows)

    @property
    def laid(self) -> int:
        """The rows before this one are laid in every stream, and won't change but by a restart."""
        return min(self._next_start, len(self.window.inputs))

    def advance(self) -> None:
        """Lay what is missing at the cursor's row, once it has been moved down over laid rows."""
        while self._next_start <= self.row:
            self._lay_next(1)

    def _lay_next(self, rows: int) -> None:
        """Lay the episodes that begin soonest; if all are in step, several rounds at once."""
        if not self._aligned:
            self._lay(np.flatnonzero(self._starts == self._next_start), self._next_start)
            return
        if self.row >= self._next_start:
            self._begin(self.stream.take(self.num_streams))
            return
        assert self.gap is not None
        period = self.stream.rows - 1 + self.gap
        missing = self.row + rows - self._next_start
        ahead = min(7 * rows, _LOOK_AHEAD // self.num_streams)  # for the next blocks
        rounds = -(-(missing + ahead) // period)
        strip = self.stream.take(rounds * self.num_streams)
        kept = self.window.rows(self.row, self._next_start)
        self.window = Strip.stack([kept, strip.rows(0, period).fold(rounds)])
        self._shift(self.row)
        for k in range(rounds):
            part = strip.columns(k * self.num_streams, (k + 1) * self.num_streams)
            self._unplayed.append((self._next_start, part))
            self._next_start += period
            self.ends.add(self._next_start - self.gap - 1)

    def _lay(self, streams: Any, row: int) -> None:
        """Lay the next episodes into these streams, in their order, from this row on."""
        depth = self.stream.rows
        if row + depth > len(self.window.inputs) or not self._writable:
            row = self._make_room(row)
        strip = self.stream.take(len(streams))
        for array, fresh in zip(self.window[:5], strip[:5], strict=True):
            array[row : row + depth, streams] = fresh
        self._unplayed.append((row, strip))
        self.ends.update(row + end for end in _ends(strip))
        if self.gap is not None:
            self._starts[streams] = row + strip.lengths + self.gap
            self._next_start = int(self._starts.min())

    def _make_room(self, row: int) -> int:
        """Drop the rows above the cursor and append blank ones; gives the row's new index."""
        kept = self.window.rows(self.row, len(self.window.inputs))
        size = max(4 * self.stream.rows, row - self.row + 2 * self.stream.rows)
        arrays = []
        for index, array in enumerate(kept[:5]):
            shape = (size, self.num_streams, *array.shape[2:])
            fill = self.stream.problem.input_spec.blank if index == 0 else 0
            arrays.append(np.full(shape, fill, array.dtype))
            arrays[-1][: len(array)] = array
        shift = self.row
        self._shift(shift)
        self.window = Strip._make([*arrays, kept.lengths])
        self._writable = True
        return row - shift

    def _shift(self, rows: int) -> None:
        """Count rows from the cursor's on."""
        self.row -= rows
        self.ends = {end - rows for end in self.ends if end >= rows}
        self._unplayed = [(at - rows, strip) for at, strip in self._unplayed if at > rows]
        if self.gap is not None:
            self._next_start -= rows
            if not self._aligned:
                self._starts = self._starts - rows


def _ends(strip: Strip) -> set[int]:
    """The rows with which the strip's episodes end."""
    if strip.last.shape[1] == 1:
        return {int(strip.last[:, 0].argmax())}
    return set((np.unique(strip.lengths) - 1).tolist())
