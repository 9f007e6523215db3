"""N streams of episodes as one vector environment, and blocks of steps at once."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.error import ResetNeeded
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from seqenvs.env import OWN_KEYWORDS, SequenceEnv, given_inputs, span
from seqenvs.episodes import EpisodeStream, Strip, Tape, lay_out
from seqenvs.observations import Encoding, Observation, make_observation
from seqenvs.problem import Problem
from seqenvs.registration import make_problem
from seqenvs.rendering import RENDER_MODES, Trace, render
from seqenvs.validation import check_choice, check_int

_INT64 = np.dtype(np.int64)
_FLOAT64 = np.dtype(np.float64)
_PAGE_BYTES = 1 << 19
_HEAP_BYTES = 1 << 22
_GAPS = {AutoresetMode.NEXT_STEP: 1, AutoresetMode.SAME_STEP: 0, AutoresetMode.DISABLED: None}


def _depth(inputs: Any) -> int:
    """How deep lists are nested, by their first elements: the rest may be ragged."""
    if isinstance(inputs, (list, tuple)):
        return 1 + (_depth(inputs[0]) if inputs else 0)
    return inputs.ndim if isinstance(inputs, np.ndarray) else 0


def _keep_heap() -> None:
    """Have malloc keep a few megabytes that are free, for the next page.

    At first glibc returns the top of its heap to the system whenever 128 KiB of it are free, and
    each page would be faulted in anew. Freeing one larger block raises the limit for good; see
    M_TRIM_THRESHOLD in mallopt(3). Nothing is touched, and elsewhere this does nothing.
    """
    np.empty(_HEAP_BYTES, np.uint8)


class SequenceVectorEnv(VectorEnv[Any, Any, Any]):
    """N streams of a problem's episodes, one row of the tape a step; equal to N `SequenceEnv`.

    The streams take their episodes in order from one list, that of the seed: at every step, those
    that begin an episode take the next ones, lowest stream first. Returned arrays are never
    written again by the environment. Shapes and dtypes of actions are checked at each step, and
    the range of ``Box`` actions; an integer out of range is simply a wrong answer.

    Beside ``reset`` and ``step`` there are blocks, since what is shown does not depend on what is
    answered: ``observe_block(k)`` shows k steps at once, ``step_block(actions)`` judges them.

    Args:
        problem: A `Problem`, its class, or ``"module:Class"``.
        num_envs: Number of streams.
        encoding: How symbols are shown, see `seqenvs.observations.Encoding`.
        extras: What is observed beside the input, as for `seqenvs.SequenceEnv`.
        stack_size: How many of the last observations are observed at once.
        autoreset_mode: Gymnasium's, as the enum or its value: ``"NextStep"``, ``"SameStep"`` or
            ``"Disabled"``, which takes ``reset(options={"reset_mask": ...})``.
        render_mode: ``"ansi"``, ``"rgb_array"`` or None; ``render`` gives one frame a stream.
        **parameters: Passed to the problem's class.

    Attributes:
        open_loop: Whether observations don't depend on what is answered: always, but for the extras
            that say what that was.
    """

    metadata: dict[str, Any] = SequenceEnv.metadata

    def __init__(
        self,
        problem: Problem | type[Problem] | str,
        num_envs: int = 1,
        *,
        encoding: str = "one_hot",
        extras: Iterable[str] = (),
        stack_size: int = 1,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        render_mode: str | None = None,
        **parameters: Any,
    ) -> None:
        own = ("num_envs", *OWN_KEYWORDS, "autoreset_mode")
        self.problem = make_problem(problem, parameters, own)
        self.num_envs = check_int("num_envs", num_envs, 1)
        self.encode = Encoding(self.problem.input_spec, encoding)
        self.render_mode = check_choice("render_mode", render_mode, (None, *RENDER_MODES))
        if not isinstance(autoreset_mode, AutoresetMode):
            modes = [mode.value for mode in AutoresetMode]
            autoreset_mode = AutoresetMode(check_choice("autoreset_mode", autoreset_mode, modes))
        self.autoreset_mode = autoreset_mode
        self.metadata = {**SequenceEnv.metadata, "autoreset_mode": autoreset_mode}
        self._observation = make_observation(
            self.problem, self.encode, self.num_envs, extras, stack_size
        )
        self.open_loop = self._observation is None or self._observation.open_loop
        self.single_observation_space = (self._observation or self.encode).space
        self.single_action_space = copy.deepcopy(
            self.problem.action_space
        )  # with a seed of its own
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self._action_dtype = self.action_space.dtype
        self._action_shape = self.action_space.shape
        self._box = isinstance(self.single_action_space, spaces.Box)
        row_bytes = 8 * self.num_envs * int(np.prod(self.single_observation_space.shape or ()))
        self._page_rows = max(1, _PAGE_BYTES // row_bytes)
        self._plan_of: Any = None  # the window's worth that the plan was made from
        self._ended: Any = None  # (N,) the streams that wait for a reset, or None
        self._tape: Tape | None = None
        self._source: Any = None  # the generator that the episodes began from
        self._history: list[Any] = []  # rows and actions, kept only to be drawn
        _keep_heap()
        # Compared by identity, and never handed out.
        self._all, self._none = np.ones(self.num_envs, bool), np.zeros(self.num_envs, bool)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin an episode in every stream.

        Args:
            seed: Begin a new list of episodes; without one the next of the list are played. One
                int, never a list of them: all streams take their episodes from one list.
            options: ``{"inputs": [...]}`` plays a given sequence in all streams, or one each if N
                sequences are given; trailing blanks are not counted, and may be left out.
                ``{"reset_mask": (N,) bool array}``, with autoreset disabled, begins fresh episodes
                in those streams only, the next ones of the list.

        Returns:
            (N, ...) first observations, and an empty dict.
        """
        inputs = given_inputs(options, ("inputs", "reset_mask"))
        mask = self._reset_mask((options or {}).get("reset_mask"), seed, inputs)
        given = self._given(inputs)
        if isinstance(seed, (list, tuple, np.ndarray)):
            raise TypeError(
                f"seed must be one int at least 0, got {seed!r}: all streams take their episodes "
                "from one list, that of one seed, and streams have no seeds of their own"
            )
        if seed is not None:
            seed = check_int("seed", seed, 0)
        super().reset(seed=seed)
        if mask is None:
            self._begin(given)
            self._ended = None
            self._faultless = np.ones(self.num_envs, bool)
            self._history = []
            self._begun = np.zeros(self.num_envs, np.int64)
        else:
            self._tape.restart_some(mask)  # type: ignore[union-attr]
            if self._ended is not None:
                waiting = self._ended & ~mask
                self._ended = waiting if waiting.any() else None
            self._faultless |= mask
            self._begun = np.where(mask, len(self._history), self._begun)
        self._turn_page()
        observations = self._observations[0]
        if self._observation is not None:
            begin = self._all if mask is None else mask
            observations = self._observation.begin(observations, begin)
        return observations, {}

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Answer in every stream, and see the next inputs.

        Args:
            actions: (N,) integers where answers are ``Discrete``, (N, K) integers where they are
                ``MultiDiscrete``, (N, K) floats where they are a ``Box``.

        Returns:
            (N, ...) observations, (N,) float64 rewards, (N,) bool terminations and truncations, and
            info with ``target``, ``due``, ``is_success`` and their masks, as Gymnasium lays it out.

        Raises:
            TypeError, ValueError: Actions of a wrong dtype or shape, or outside a ``Box``; nothing
                has happened.
            gymnasium.error.ResetNeeded: No episodes are under way.
        """
        tape = self._tape
        ended = self._ended
        if tape is None or ended is not None:
            tape = self._playing()
        if not (
            actions.__class__ is np.ndarray
            and actions.dtype is _INT64
            and actions.shape == self._action_shape
            and not self._box
        ):
            actions = self._checked(actions, self._action_shape)
        row = tape.row
        if row >= self._page_stop:  # a block came between
            self._turn_page()
        page = self._page[row - self._page_row]
        targets, (due, worth, last), asked, live, terminated, truncated = page
        if due is self._none:
            rewards = np.zeros(self.num_envs)
        else:
            score, right = self.problem.judge(actions, targets)
            rewards = score.astype(_FLOAT64)
            rewards *= worth
            self._faultless &= right if due is self._all else right >= due
        success = None
        if last is not None:
            success = last & self._faultless
            self._faultless |= last
        if self.render_mode is not None:
            self._remember(tape.window.rows(row, row + 1), actions[None])
        tape.row = row + 1
        if row + 1 >= self._page_stop:
            tape.advance()
            self._turn_page()
        observations = self._observations[tape.row - self._page_row]
        final = None
        if self._observation is not None:
            played = observations[None], actions[None], rewards[None], terminated[None]
            seen, finals = self._see(self._observation, *played)
            observations, final = seen[0], finals and finals[0]
        if last is None and ended is None:  # as nearly always
            info = {"target": targets, "_target": live, "due": asked, "_due": live}
        else:
            self._ended = None if self.autoreset_mode == AutoresetMode.SAME_STEP else last
            live = live if ended is None else ~ended
            info = self._info(targets, asked, live, last, success, final)
        return observations, rewards, terminated, truncated, info

    def observe_block(self, steps: int) -> Any:
        """Show the present observations and those of the steps that follow, without a step.

        Args:
            steps: K, how many; with autoreset disabled, at most up to the first end of an episode.

        Returns:
            (K, N, ...) observations: what K steps will be answered to. The first row is what
            ``reset`` or the last step returned.

        Raises:
            ValueError: The environment is not `open_loop`.
        """
        if not self.open_loop:
            raise ValueError(
                "observe_block can't show ahead what depends on the answers: it needs extras "
                "without 'previous_action' and 'previous_reward'"
            )
        rows = self._peek(steps)
        shown = self.encode(rows.inputs)
        if self._observation is None:
            return shown
        nothing = np.zeros((steps - 1, self.num_envs))
        last = np.broadcast_to(rows.last, (steps, self.num_envs))
        ahead = copy.copy(self._observation)  # which replaces its arrays, and so keeps ours
        following, _ = self._see(ahead, shown[1:], nothing, nothing, last[:-1])
        return np.stack([self._observation.now(), *following])

    def terminated_block(self, steps: int) -> Any:
        """Which of the next steps will end an episode: that doesn't depend on the answers either.

        Args:
            steps: K, as for `observe_block`.

        Returns:
            (K, N) bool: the terminations that K steps will return.
        """
        return np.broadcast_to(self._peek(steps).last, (steps, self.num_envs)).copy()

    def step_block(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Answer K steps at once, with the results of K single steps, stacked.

        Args:
            actions: K times what ``step`` takes: (K, N) integers, or (K, N, C) integers or floats
                for answers of C components.

        Returns:
            What ``step`` returns, every array with a leading axis K; a key that ``info`` has in
            some of the steps is there, and its mask says where.

        Raises:
            TypeError, ValueError: Actions of a wrong dtype or shape, or outside a ``Box``; nothing
                has happened.
            gymnasium.error.ResetNeeded: No episodes are under way.
        """
        tape = self._playing()
        actions = self._checked(actions, self._action_shape, block=True)
        steps = self._reachable("actions", len(actions))
        rows, shape, first = tape.peek(steps), (steps, self.num_envs), tape.row
        targets = rows.targets.astype(self._action_dtype)
        score, right = self.problem.judge(actions, targets)
        rewards = score.astype(_FLOAT64)
        rewards *= rows.worth
        last, success = np.zeros(shape, bool), np.zeros(shape, bool)
        ends = sorted(end - first for end in tape.ends if first <= end < first + steps)
        correct, begin = right >= rows.due, 0
        for end in ends:
            self._faultless &= correct[begin : end + 1].all(axis=0)
            last[end] = rows.last[end]
            success[end] = last[end] & self._faultless
            self._faultless |= last[end]
            begin = end + 1
        self._faultless &= correct[begin:].all(axis=0)
        live = np.ones(shape, bool)
        if self.autoreset_mode == AutoresetMode.NEXT_STEP:
            live[0] = True if self._ended is None else ~self._ended
            np.logical_not(last[:-1], out=live[1:])
        due = np.empty(shape, bool)
        due[:] = rows.due
        if self.render_mode is not None:
            self._remember(rows, actions)
        tape.row += steps
        tape.advance()
        self._page_stop = 0
        following = tape.window.inputs[tape.row]
        observations = self.encode(np.concatenate([rows.inputs[1:], following[None]]))
        final = None
        if self._observation is not None:
            seen, final = self._see(self._observation, observations, actions, rewards, last)
            observations = np.stack(seen)
        self._ended = None
        if last[-1].any() and self.autoreset_mode != AutoresetMode.SAME_STEP:
            self._ended = last[-1].copy()
        info = self._info(targets, due, live, last if last.any() else None, success, final)
        return observations, rewards, last.copy(), np.zeros(shape, bool), info

    def render(self) -> tuple[Any, ...] | None:
        """Draw every stream's episode so far: a string or an (H, W, 3) uint8 array each."""
        if self.render_mode is None:
            gymnasium.logger.warn(
                "render() needs a render_mode: pass render_mode='ansi' or 'rgb_array' to make_vec()"
            )
            return None
        if self._tape is None:
            raise ResetNeeded("there is no episode to draw yet: call reset() before render()")
        return tuple(render(self._trace(i), self.render_mode) for i in range(self.num_envs))

    def _turn_page(self) -> None:
        """Prepare the rows from the cursor on, several at once: cheaper than one by one."""
        tape = self._tape
        assert tape is not None
        window, row = tape.window, tape.row
        stop = min(row + self._page_rows, tape.laid)
        self._page_row, self._page_stop = row, stop
        shape = stop - row, self.num_envs
        self._observations = list(self.encode(window.inputs[row:stop]))
        targets = list(window.targets[row:stop].astype(self._action_dtype))
        asked = list(np.broadcast_to(window.due[row:stop], shape).copy())
        if window.due.shape[1] == window.last.shape[1] == 1 < self.num_envs:
            if window.worth is not self._plan_of:  # else it is that of the last round
                self._plan_of, self._plan = window.worth, self._uniform_plan(window)
            plan = self._plan[row:stop]
        else:
            plan = [
                (due, worth, last.copy() if last.any() else None)
                for due, worth, last in zip(
                    asked,
                    window.worth[row:stop],
                    np.broadcast_to(window.last[row:stop], shape),
                    strict=True,
                )
            ]
        live, terminated, truncated = (
            list(fill(shape, bool)) for fill in (np.ones, np.zeros, np.zeros)
        )
        for flag, (_, _, last) in zip(terminated, plan, strict=True):
            if last is not None:
                flag[:] = last
        self._page = list(zip(targets, plan, asked, live, terminated, truncated, strict=True))

    def _uniform_plan(self, window: Strip) -> list[tuple[Any, Any, Any]]:
        """For each row of streams in step: the masks of due and last (or None), and the worth."""
        return [
            (self._all if due else self._none, np.asarray(worth), self._all if last else None)
            for due, worth, last in zip(
                window.due[:, 0].tolist(),
                window.worth[:, 0].tolist(),
                window.last[:, 0].tolist(),
                strict=True,
            )
        ]

    def _see(
        self, observation: Observation, shown: Any, actions: Any, rewards: Any, last: Any
    ) -> tuple[list[Any], list[Any]]:
        """What K steps are followed by, with extras and stack.

        Args:
            observation: That of the streams before these steps; it goes along.
            shown: (K, N, F) encoded inputs that follow the steps.
            actions: (K, N, ...) answers.
            rewards: (K, N) for them.
            last: (K, N) bool, whether an episode ends.

        Returns:
            K observations, (N, ...) each; and as many at the ends of episodes, if these are not
            among them.
        """
        seen, final = [], []
        ended = self._none if self._ended is None else self._ended
        for inputs, answers, paid, ends in zip(shown, actions, rewards, last, strict=True):
            begin = ended
            if self.autoreset_mode == AutoresetMode.SAME_STEP:
                begin = ends
                blank = np.where(ends[:, None], self.encode.blank, inputs)
                final.append(observation.step(blank, answers, paid))
            else:
                observation.step(inputs, answers, paid)
            seen.append(observation.begin(inputs, begin) if begin.any() else observation.now())
            ended = ends
        return seen, final

    def _info(
        self, targets: Any, due: Any, live: Any, last: Any, success: Any, final: Any
    ) -> dict[str, Any]:
        """Info as Gymnasium lays out that of N environments.

        Args:
            targets: Right answers; 0 where not ``live``.
            due: Whether an answer was due; False where not ``live``.
            live: The streams that were not just waiting for a reset.
            last: Those whose episode ended; None if none did.
            success: Those whose episode ended without a fault.
            final: Observations at the ends of episodes, if they hold more than the blank.
        """
        info: dict[str, Any] = {}
        if last is not None:
            ending: dict[str, Any] = {"is_success": success, "_is_success": last.copy()}
            if self.autoreset_mode == AutoresetMode.SAME_STEP:
                wide = last.reshape(*last.shape, *[1] * (targets.ndim - last.ndim))
                ending.update(target=np.where(wide, targets, 0).astype(targets.dtype))
                ending.update(_target=last.copy(), due=due & last, _due=last.copy())
                info.update(final_info=ending, _final_info=last.copy())
                info.update(final_obs=self._final_observations(last, final), _final_obs=last.copy())
                targets, due, live = (
                    np.where(wide, 0, targets).astype(targets.dtype),
                    due & ~last,
                    ~last,
                )
            else:
                info.update(ending)
        if live.any():
            info["target"], info["_target"], info["due"], info["_due"] = targets, live, due, live
        return info

    def _final_observations(self, last: Any, seen: Any) -> Any:
        final = np.full(last.shape, None, dtype=object)
        where = np.flatnonzero(last)
        if seen is not None:
            rows = np.reshape(seen, (last.size, -1))
            for place in where:
                final.flat[place] = rows[place]
            return final
        shape = len(where), *self._tape.window.inputs.shape[2:]  # type: ignore[union-attr]
        blanks = self.encode(
            np.full(shape, self.problem.input_spec.blank, self.problem.input_spec.dtype)
        )
        for place, blank in zip(
            where, blanks.tolist() if blanks.ndim == 1 else blanks, strict=True
        ):
            final.flat[place] = blank
        return final

    def _playing(self) -> Tape:
        if self._tape is None:
            raise ResetNeeded("no episodes are under way: call reset() before step()")
        if self._ended is not None and self.autoreset_mode == AutoresetMode.DISABLED:
            ended = np.flatnonzero(self._ended).tolist()
            raise ResetNeeded(
                f"the episodes of environments {ended[:8]}{' and more' * (len(ended) > 8)} have "
                "ended: call reset(options={'reset_mask': terminated}) before step()"
            )
        return self._tape

    def _peek(self, steps: int) -> Strip:
        """The rows of the next steps, without a step."""
        rows = self._playing().peek(self._reachable("steps", check_int("steps", steps, 1)))
        self._page_stop = 0  # the rows may have been counted anew
        return rows

    def _reachable(self, name: str, steps: int) -> int:
        """Refuse a block that passes an end after which nothing is laid."""
        tape = self._tape
        if self.autoreset_mode == AutoresetMode.DISABLED:
            left = min(e for e in tape.ends if e >= tape.row) - tape.row + 1  # type: ignore[union-attr]
            if steps > left:
                raise ValueError(
                    f"{name} must be at most {left} steps here, got {steps}: with autoreset "
                    "disabled a block may not pass the end of an episode"
                )
        return steps

    def _checked(self, actions: Any, shape: Any, block: bool = False) -> Any:
        """Actions as an array of this shape, or of K such if they are a block's; or an error."""
        space = self.single_action_space
        box = isinstance(space, spaces.Box)
        given = actions
        try:
            actions = np.asarray(given)
        except ValueError:  # ragged
            actions = np.empty(0, object)
        if block:
            shape = (max(1, len(actions) if actions.ndim else 0), *shape)
        kind = actions.dtype.kind
        if not (kind == "i" or kind == "u" or (box and kind == "f")):
            what = "numbers" if box else "integers"
            got = f"dtype {actions.dtype}" if actions is given else repr(given)
            raise TypeError(f"actions must be {what} of shape {shape}, got {got}")
        if actions.shape != shape:
            raise ValueError(f"actions must have the shape {shape}, got {actions.shape}")
        if box:
            low, high = space.low, space.high  # type: ignore[attr-defined]
            inside = (actions >= low) & (actions <= high)  # where NaN is not
            if not inside.all():
                raise ValueError(
                    f"actions must be in {span(low, high)}, got {actions[~inside][0]} at "
                    f"{tuple(np.argwhere(~inside)[0].tolist())}"
                )
        return actions

    def _reset_mask(self, mask: Any, seed: Any, inputs: Any) -> Any:
        """The streams that reset's options name; None if these are all, as without a mask."""
        if mask is None:
            return None
        if self.autoreset_mode != AutoresetMode.DISABLED:
            raise ValueError(
                f"reset_mask needs autoreset_mode='Disabled', this is {self.autoreset_mode.value!r}"
            )
        if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_:
            raise TypeError(
                f"reset_mask must be a bool array of shape ({self.num_envs},), got {mask!r}"
            )
        if mask.shape != (self.num_envs,) or not mask.any():
            raise ValueError(
                f"reset_mask must be a bool array of shape ({self.num_envs},) with at least one "
                f"True, got shape {mask.shape} with {int(mask.sum())}"
            )
        if mask.all():
            return None
        if self._tape is None:
            raise ResetNeeded(
                "reset_mask resets some of the episodes under way: call reset() first"
            )
        if seed is not None or inputs is not None:
            raise ValueError("reset_mask of some can't be given together with seed or inputs")
        return mask

    def _given(self, inputs: Any) -> Strip | None:
        """The episodes of the inputs of reset's options: one for all streams, or one each."""
        if inputs is None:
            return None
        steps = self.problem.num_steps[1] + 1
        if _depth(inputs) <= 1 + (self.problem.input_spec.features > 1):
            return Strip.join([lay_out(self.problem.episode(inputs, steps))] * self.num_envs)
        if len(inputs) != self.num_envs:
            raise ValueError(
                f"inputs must be one sequence or {self.num_envs}, one each, got {len(inputs)} "
                f"in {inputs!r}"
            )
        return Strip.join([lay_out(self.problem.episode(one, steps)) for one in inputs])

    def _begin(self, given: Strip | None) -> None:
        """Begin all streams, with the given episodes or with the next ones of the list."""
        if self._tape is None or self._source is not self.np_random:
            self._source = self.np_random
            # A copy, as wrappers may draw from the environment's own.
            stream = EpisodeStream(self.problem, copy.deepcopy(self._source))
            self._tape = Tape(stream, self.num_envs, _GAPS[self.autoreset_mode])
        self._tape.restart(given)

    def _remember(self, rows: Strip, actions: Any) -> None:
        """Keep what `render` draws: the rows and answers of the episodes under way."""
        ended = np.zeros(self.num_envs, bool) if self._ended is None else self._ended
        for k in range(len(actions)):
            self._history.append((rows.rows(k, k + 1), actions[k]))
            last = np.broadcast_to(rows.last[k], self.num_envs)
            fresh = last if self.autoreset_mode == AutoresetMode.SAME_STEP else ended
            self._begun = np.where(fresh, len(self._history), self._begun)
            ended = last
        self._history = self._history[self._begun.min() :]
        self._begun = self._begun - self._begun.min()

    def _trace(self, index: int) -> Trace:
        tape = self._tape
        played = self._history[self._begun[index] :]
        rows = [strip for strip, _ in played]
        if not (rows and rows[-1].columns(index, index + 1).last.any()):
            rows.append(tape.window.rows(tape.row, len(tape.window.inputs)))  # type: ignore[union-attr]
        strip = Strip.stack(rows).columns(index, index + 1)
        strip = strip.rows(0, int(strip.last[:, 0].argmax()) + 1)
        answers = [actions[index] for _, actions in played]
        columns = [array[:, 0] for array in (strip.inputs, strip.targets, strip.due, strip.worth)]
        name = self.spec.id if self.spec else type(self.problem).__name__
        return Trace._make([name, self.problem, *columns, answers])
