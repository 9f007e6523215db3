"""A vector environment of N sub-environments, which can also play blocks of steps at once."""

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

from seqenvs.actions import as_batch, check_options, check_reset_mask, given_episodes
from seqenvs.env import OWN_KEYWORDS, SequenceEnv
from seqenvs.episodes import EpisodeStream, RowBuffer, Rows
from seqenvs.observations import Encoding, make_stacked_observation
from seqenvs.problem import Problem
from seqenvs.registration import make_problem
from seqenvs.rendering import RENDER_MODES, TraceRecorder
from seqenvs.step_info import same_step_info, step_info
from seqenvs.validation import check_choice, check_int

_INT64 = np.dtype(np.int64)
_FLOAT64 = np.dtype(np.float64)
_BLOCK_SIZE = 1 << 15  # steps of all sub-environments that a block judges at once
_PREPARED_BYTES = 1 << 19  # of observations, small enough for the processor's cache
_MOST_PREPARED = 1 << 9  # rows: a reset prepares them, and drops those that the last one prepared
_GAPS = {AutoresetMode.NEXT_STEP: 1, AutoresetMode.SAME_STEP: 0, AutoresetMode.DISABLED: None}


class SequenceVectorEnv(VectorEnv[Any, Any, Any]):
    """A sequence problem as a vector environment. It equals N `SequenceEnv`, step for step.

    All sub-environments take their episodes from one seed, in order. At each step the
    sub-environments that begin an episode take the next ones, lowest index first. The environment
    never writes into an array that it has returned. It checks the dtype and shape of actions, and
    the range of ``Box`` actions. An integer action out of range counts as a wrong answer.

    Observations do not depend on actions. Therefore ``observe_block(k)`` returns the observations
    of k steps at once, and ``step_block(actions)`` plays k steps at once.

    Args:
        problem: A `Problem`, its class, or ``"module:Class"``.
        num_envs: N, the number of sub-environments.
        encoding: The encoding of symbols, see `seqenvs.observations.Encoding`.
        extras: Extra features of the observation, as for `seqenvs.SequenceEnv`.
        stack_size: The number of past frames in an observation.
        autoreset_mode: Gymnasium's, as the enum or its value: ``"NextStep"``, ``"SameStep"`` or
            ``"Disabled"``, which takes ``reset(options={"reset_mask": ...})``.
        render_mode: ``"ansi"``, ``"rgb_array"``, one of them with ``"_list"``, or None. ``render``
            returns one frame, or one list of frames, for each sub-environment.
        **parameters: Passed to the problem's class.

    Attributes:
        open_loop: Whether observations are independent of actions. Only the extra features
            ``"previous_action"`` and ``"previous_reward"`` make them dependent.
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
        allowed = (None, *RENDER_MODES, *(f"{mode}_list" for mode in RENDER_MODES))
        self.render_mode = check_choice("render_mode", render_mode, allowed)
        if not isinstance(autoreset_mode, AutoresetMode):
            modes = [mode.value for mode in AutoresetMode]
            autoreset_mode = AutoresetMode(check_choice("autoreset_mode", autoreset_mode, modes))
        self.autoreset_mode = autoreset_mode
        self.metadata = {**SequenceEnv.metadata, "autoreset_mode": autoreset_mode}
        self._stacked = make_stacked_observation(
            self.problem, self.encode, self.num_envs, extras, stack_size
        )
        self._same_step = autoreset_mode == AutoresetMode.SAME_STEP
        if self._stacked is not None:
            self._stacked.same_step = self._same_step
        self.open_loop = self._stacked is None or self._stacked.open_loop
        self.single_observation_space = (self._stacked or self.encode).space
        self.single_action_space = copy.deepcopy(self.problem.action_space)  # with its own seed
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self._action_dtype = self.action_space.dtype
        self._action_shape = self.action_space.shape
        self._box = isinstance(self.single_action_space, spaces.Box)
        width = int(np.prod(self.encode.space.shape or ()))
        rows = _PREPARED_BYTES // (8 * self.num_envs * width)
        self._rows_prepared = min(max(1, rows), _MOST_PREPARED)
        self._max_steps = self.problem.num_steps[1]
        self._buffer: RowBuffer | None = None
        self._source: Any = None  # the generator that the episodes began from
        self._ended: Any = None  # (N,) bool, which episodes the last step ended; None for none
        self._prepared: list[Any] = []
        self._recorder: TraceRecorder | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin an episode in every sub-environment.

        Args:
            seed: The seed of the episodes that follow. Without a seed the next episodes are played.
                It is one int, never a list: all sub-environments take their episodes from one seed.
            options: ``{"inputs": [...]}`` plays a given sequence in all sub-environments, or one
                each if N sequences are given. Trailing blanks may be left out.
                ``{"reset_mask": (N,) bool array}``, with autoreset disabled, begins the next
                episodes in these sub-environments only.

        Returns:
            (N, ...) first observations, and an empty dict.
        """
        chosen = check_options(options, ("inputs", "reset_mask"))
        inputs = chosen.get("inputs")
        mask = self._reset_mask(chosen.get("reset_mask"), seed, inputs)
        given = None if inputs is None else given_episodes(self.problem, inputs, self.num_envs)
        if isinstance(seed, (list, tuple, np.ndarray)):
            raise TypeError(
                f"seed must be one int at least 0, got {seed!r}: all sub-environments take their "
                "episodes from one seed"
            )
        if seed is not None:
            seed = check_int("seed", seed, 0)
        super().reset(seed=seed)
        if mask is None:
            mask = np.ones(self.num_envs, bool)
            if self._buffer is not None and self._source is self.np_random:
                self._buffer.restart(given)
            else:
                self._source = self.np_random
                # A copy, because wrappers may draw from the environment's generator.
                stream = EpisodeStream(self.problem, copy.deepcopy(self._source))
                self._buffer = RowBuffer(stream, self.num_envs, _GAPS[self.autoreset_mode], given)
            self._ended = None
            self._all_correct = np.ones(self.num_envs, bool)
        else:
            self._buffer.restart_some(mask)  # type: ignore[union-attr]
            self._all_correct |= mask
            if self._ended is not None:
                waiting = self._ended & ~mask
                self._ended = waiting if waiting.any() else None
        self._prepare()
        observations = self._observations[0]
        if self._stacked is not None:
            self._stacked.begin(observations, mask)
            observations = self._stacked.now()
        if self.render_mode is not None:
            if self._recorder is None:
                name = self.spec.id if self.spec else type(self.problem).__name__
                self._recorder = TraceRecorder(name, self.problem, self.num_envs, self.render_mode)
            self._recorder.begin(mask, self._buffer.peek(self._max_steps))  # type: ignore[union-attr]
        return observations, {}

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Judge the actions, and return the next observations.

        Args:
            actions: (N,) integers for ``Discrete`` actions, (N, K) integers for ``MultiDiscrete``,
                (N, K) floats for a ``Box``.

        Returns:
            (N, ...) observations, (N,) float64 rewards, (N,) bool terminations and truncations, and
            info with ``target``, ``due``, ``is_success`` and their masks, in Gymnasium's layout.

        Raises:
            TypeError, ValueError: Actions of a wrong dtype or shape, or outside a ``Box``.
                Nothing has changed.
            gymnasium.error.ResetNeeded: No episode is in progress.
        """
        ended = self._ended
        if self._buffer is None or ended is not None:
            self._check_in_progress()
        if not (
            actions.__class__ is np.ndarray
            and actions.dtype is _INT64
            and actions.shape == self._action_shape
            and not self._box
        ):
            actions = as_batch(self.single_action_space, self._action_shape, actions, False)
        if self._next == len(self._prepared):  # after a block
            self._prepare()
        row = self._prepared[self._next]
        target, due, weight, last, ends, info_due, active, terminated, truncated = row
        if due is False:
            rewards = np.zeros(self.num_envs)
        else:
            score, right = self.problem.judge(actions, target)
            rewards = score.astype(_FLOAT64)
            rewards *= weight
            self._all_correct &= right if due is True else right >= due  # right, or not due
        success = None
        if ends:
            if len(last) < self.num_envs:
                last = np.ones(self.num_envs, bool)  # all end together
            success = last & self._all_correct
            self._all_correct |= last
        if self.render_mode is not None:
            self._record(actions[None])
        self._ended = last if ends and not self._same_step else None
        self._buffer.cursor += 1  # type: ignore[union-attr]
        self._next += 1
        if self._next == len(self._prepared):
            self._prepare()
        observations, final = self._observations[self._next], None
        if self._stacked is not None:
            observations, final = self._stacked.follow(
                observations, actions, rewards, last if ends else None, ended
            )
        if not ends and ended is None:  # as in most steps
            info = {"target": target, "_target": active, "due": info_due, "_due": active}
        else:
            info = self._info(target, info_due, active, last if ends else None, success, final)
        return observations, rewards, terminated, truncated, info

    def observe_block(self, steps: int) -> Any:
        """Return the present observations and those that follow, without moving.

        Args:
            steps: K, the number of steps. With autoreset disabled a block may not pass the end of
                an episode.

        Returns:
            (K, N, ...) observations, one row for each of the next K actions. The first row is what
            ``reset`` or the last step returned.

        Raises:
            ValueError: The environment is not `open_loop`.
        """
        if not self.open_loop:
            raise ValueError(
                "observe_block needs observations that are independent of actions: extras must be "
                "without 'previous_action' and 'previous_reward'"
            )
        rows = self._peek(steps)
        observations = self.encode(rows.inputs)
        if self._stacked is None:
            return observations
        stacked, nothing = self._stacked.copy(), np.zeros((steps - 1, self.num_envs))
        first = stacked.now()
        following, _ = stacked.follow_block(
            observations[1:], nothing, nothing, rows.last[:-1], self._ended
        )
        return np.stack([first, *following])

    def terminated_block(self, steps: int) -> Any:
        """Return which of the next steps end an episode; this does not depend on the actions.

        Args:
            steps: K, as for `observe_block`.

        Returns:
            (K, N) bool, the terminations that the next K steps return.
        """
        return np.broadcast_to(self._peek(steps).last, (steps, self.num_envs)).copy()

    def step_block(
        self, actions: Any, all_observations: bool = True
    ) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Play K steps at once, with the results of K single steps.

        Args:
            actions: K times what ``step`` takes: (K, N) integers, or (K, N, C) integers or floats
                for actions of C components.
            all_observations: Whether to return the observations of all steps, which takes longer,
                or those of the last step only. `observe_block` has returned the others already.

        Returns:
            What ``step`` returns, with a leading axis K in every array. Without
            ``all_observations`` the observations have no such axis. A key that ``info`` has in some
            of the steps is there, and its mask says in which.

        Raises:
            TypeError, ValueError: Actions of a wrong dtype or shape, or outside a ``Box``.
                Nothing has changed.
            gymnasium.error.ResetNeeded: No episode is in progress.
        """
        self._check_in_progress()
        actions = as_batch(self.single_action_space, self._action_shape, actions, True)
        steps = self._check_block("actions", len(actions))
        if self.render_mode is not None:
            self._record(actions)
        buffer: Any = self._buffer
        following = buffer.peek(steps + 1).inputs[1:]
        rows, shape = buffer.peek(steps), (steps, self.num_envs)
        targets = np.empty((steps, *self._action_shape), self._action_dtype)  # type: ignore[misc]
        rewards, success = np.empty(shape), np.zeros(shape, bool)
        due, active, last = self._flags(rows)
        size = max(1, _BLOCK_SIZE // self.num_envs)
        for start in range(0, steps, size):  # parts that fit the processor's cache
            part = slice(start, start + size)
            targets[part] = rows.targets[part]
            score, right = self.problem.judge(actions[part], targets[part])
            rewards[part] = score
            rewards[part] *= rows.reward_weight[part]
            right = right >= due[part]  # right, or not due
            begin = 0
            for end in np.flatnonzero(rows.last[part].any(axis=1)).tolist():
                self._all_correct &= right[begin : end + 1].all(axis=0)
                success[start + end] = last[start + end] & self._all_correct
                self._all_correct |= last[start + end]
                begin = end + 1
            self._all_correct &= right[begin:].all(axis=0)
        if self._stacked is None:
            observations = self.encode(following if all_observations else following[-1])
            final = None
        else:
            seen, finals = self._stacked.follow_block(
                self.encode(following), actions, rewards, last, self._ended
            )
            observations, final = np.stack(seen) if all_observations else seen[-1], np.stack(finals)
        buffer.cursor += steps
        self._prepared, self._next, self._ended = [], 0, None
        if not self._same_step and last[-1].any():
            self._ended = last[-1].copy()
        info = self._info(targets, due, active, last if last.any() else None, success, final)
        return observations, rewards, last, np.zeros(shape, bool), info

    def render(self) -> tuple[Any, ...] | None:
        """Render each sub-environment's episode: strings, or (H, W, 3) uint8 arrays."""
        if self.render_mode is None:
            gymnasium.logger.warn(
                "render() needs a render_mode: pass render_mode='ansi' or 'rgb_array' to make_vec()"
            )
            return None
        if self._recorder is None:
            raise ResetNeeded("there is no episode to render yet: call reset() before render()")
        return self._recorder.render()

    def _record(self, actions: Any) -> None:
        """Keep what is rendered of the next steps, with these (K, N, ...) actions."""
        rows = self._buffer.peek(len(actions) + self._max_steps)  # type: ignore[union-attr]
        self._recorder.record(rows, actions, self._ended, self._same_step)  # type: ignore[union-attr]

    def _prepare(self) -> None:
        """Prepare the present row and some that follow: one by one they would take longer."""
        buffer: Any = self._buffer
        steps = self._rows_prepared
        if self.autoreset_mode == AutoresetMode.DISABLED:
            steps = min(steps, max(0, buffer.steps_to_end()) + 1)
        rows = buffer.peek_up_to(steps)
        info_due, active, terminated = self._flags(rows)
        due, weight, ends = info_due, rows.reward_weight, rows.last.any(axis=1).tolist()
        if weight.shape[1] == 1:  # Python's numbers are faster than arrays of one
            due, weight = rows.due[:, 0].tolist(), weight[:, 0].tolist()
        self._observations = list(self.encode(rows.inputs))
        self._prepared = list(
            zip(
                rows.targets.astype(self._action_dtype),
                due,
                weight,
                rows.last,
                ends,
                info_due,
                active,
                terminated,
                np.zeros(terminated.shape, bool),
                strict=True,
            )
        )
        self._next = 0

    def _flags(self, rows: Rows) -> tuple[Any, Any, Any]:
        """Return new (K, N) masks of where an answer is due, of active steps, and of last steps.

        A step that only resets a sub-environment is not active.
        """
        shape = len(rows.last), self.num_envs
        due, last = np.empty((2, *shape), bool)
        due[:], last[:] = rows.due, rows.last
        active = np.ones(shape, bool)
        if self.autoreset_mode == AutoresetMode.NEXT_STEP:
            np.logical_not(last[:-1], out=active[1:])
            if self._ended is not None:
                np.logical_not(self._ended, out=active[0])
        return due, active, last

    def _info(
        self, targets: Any, due: Any, active: Any, last: Any, success: Any, final: Any
    ) -> dict[str, Any]:
        """Return info, see `step_info`, where only the final observations need the environment."""
        if last is None or not self._same_step:
            return step_info(targets, due, active, last, success)
        if isinstance(self.single_observation_space, spaces.Discrete):
            final = int(self.encode.blank)
        elif self._stacked is None:
            final = np.tile(self.encode.blank, (int(np.count_nonzero(last)), 1))
        else:
            final = final[last]
        return same_step_info(targets, due, active, last, success, final)

    def _check_in_progress(self) -> None:
        if self._buffer is None:
            raise ResetNeeded("no episodes are in progress: call reset() before step()")
        if self._ended is not None and self.autoreset_mode == AutoresetMode.DISABLED:
            ended = np.flatnonzero(self._ended).tolist()
            raise ResetNeeded(
                f"the episodes of sub-environments {ended[:8]}{' and more' * (len(ended) > 8)} "
                "have ended: call reset(options={'reset_mask': terminated}) before step()"
            )

    def _peek(self, steps: int) -> Rows:
        """Return the rows of the next steps, without moving."""
        self._check_in_progress()
        steps = self._check_block("steps", check_int("steps", steps, 1))
        rows: Rows = self._buffer.peek(steps)  # type: ignore[union-attr]
        return rows

    def _check_block(self, name: str, steps: int) -> int:
        """Refuse a block that passes the end of an episode after which nothing is known yet."""
        if self.autoreset_mode == AutoresetMode.DISABLED:
            left = self._buffer.steps_to_end()  # type: ignore[union-attr]
            if steps > left:
                raise ValueError(
                    f"{name} must be at most {left} steps here, got {steps}: with autoreset "
                    "disabled a block may not pass the end of an episode"
                )
        return steps

    def _reset_mask(self, mask: Any, seed: Any, inputs: Any) -> Any:
        """Return the option ``reset_mask``; None if it is missing or means all."""
        if mask is None:
            return None
        if self.autoreset_mode != AutoresetMode.DISABLED:
            raise ValueError(
                f"reset_mask needs autoreset_mode='Disabled', this is {self.autoreset_mode.value!r}"
            )
        check_reset_mask(mask, self.num_envs)
        if mask.all():
            return None
        if self._buffer is None:
            raise ResetNeeded("reset_mask needs episodes in progress: call reset() first")
        if seed is not None or inputs is not None:
            raise ValueError("reset_mask of some environments can't be given with seed or inputs")
        return mask
