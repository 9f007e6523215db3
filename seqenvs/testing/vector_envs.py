"""Check a vector environment against Gymnasium's ``SyncVectorEnv``."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, cast

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv
from gymnasium.vector.utils import batch_space

from seqenvs.episodes import EpisodeStream
from seqenvs.vector_env import SequenceVectorEnv

if TYPE_CHECKING:
    from seqenvs.env import SequenceEnv


def check_vector_env(
    make_vec: Callable[[int, AutoresetMode], VectorEnv[Any, Any, Any]],
    make: Callable[[], gymnasium.Env[Any, Any]],
    *,
    autoreset_modes: Iterable[AutoresetMode] = tuple(AutoresetMode),
    num_envs: int = 3,
    steps: int = 100,
    seed: int = 0,
    tolerance: float = 0.0,
    begin: Callable[[SyncVectorEnv, int], Any] | None = None,
    act: Callable[[SyncVectorEnv], Any] | None = None,
) -> None:
    """Check any vector environment, step by step, against Gymnasium's ``SyncVectorEnv``.

    Both play the same actions in each autoreset mode. Spaces, observations, rewards, flags and
    infos (with their masks, ``final_obs`` and ``final_info``) must have equal values, dtypes,
    shapes and types. This includes a reset without a seed half-way and, in the mode DISABLED,
    resets of some sub-environments, finished or not. The environment must also repeat itself with
    the same seed, must not change the actions, and must never write to an array that it returned.

    Args:
        make_vec: ``make_vec(num_envs, autoreset_mode)`` makes the vector environment.
        make: ``make()`` makes a single environment.
        autoreset_modes: The modes to check.
        num_envs: The number of sub-environments.
        steps: The number of steps in each mode. Choose enough for several episodes; otherwise their
            ends are not checked.
        seed: Seed of the episodes and actions.
        tolerance: The absolute and relative tolerance of real numbers.
        begin: ``begin(single, seed)`` resets the ``SyncVectorEnv`` to the episodes that the vector
            environment begins with ``reset(seed=seed)``, and returns observations and infos. The
            default is ``single.reset(seed=seed)``, which seeds sub-environment i with seed + i. For
            a `seqenvs.SequenceVectorEnv` the default lets all single environments take their
            episodes from one `seqenvs.episodes.EpisodeStream`. You need your own ``begin`` if your
            vector environment draws for all sub-environments from one generator.
        act: ``act(single)`` returns the actions of all sub-environments. Default: samples of the
            action space.

    Raises:
        AssertionError: The two differ. The message says in what, in which mode, when and where.
    """
    for mode in autoreset_modes:
        env = make_vec(num_envs, mode)
        single = SyncVectorEnv([make] * num_envs, autoreset_mode=mode)
        try:
            comparison = _Comparison(env, single, mode, tolerance)
            comparison.run(steps, seed, begin, act or (lambda single: single.action_space.sample()))
        finally:
            single.close()
            env.close()


def _share(single: SyncVectorEnv, seed: int) -> Any:
    """Reset single environments so that all take their episodes from one stream."""
    envs = [cast("SequenceEnv", env.unwrapped) for env in single.envs]
    shared = EpisodeStream(envs[0].problem, gymnasium.utils.seeding.np_random(seed)[0])
    for env in envs:
        env.read_from(shared)
    return single.reset()


class _Comparison:
    """Compares a vector environment with single environments in one autoreset mode."""

    def __init__(
        self,
        env: VectorEnv[Any, Any, Any],
        single: SyncVectorEnv,
        mode: AutoresetMode,
        tolerance: float,
    ) -> None:
        self.env, self.single, self.mode, self.tolerance = env, single, mode, tolerance
        self.returned: list[tuple[str, Any, Any]] = []  # name, array, copy
        self.hint = ""  # at the likely cause of a difference

    def run(
        self,
        steps: int,
        seed: int,
        begin: Callable[[SyncVectorEnv, int], Any] | None,
        act: Callable[[SyncVectorEnv], Any],
    ) -> None:
        self.check_attributes()
        rng = np.random.default_rng(seed)
        self.single.action_space.seed(seed)
        first = self.env.reset(seed=seed)
        if begin is not None:
            wanted = begin(self.single, seed)
        elif isinstance(self.env.unwrapped, SequenceVectorEnv):
            wanted = _share(self.single, seed)
        else:
            wanted = self.single.reset(seed=seed)
            self.hint = (
                f"; single environment i was reset with seed {seed} + i, as begin was left out: if "
                "the sub-environments draw from one generator, pass a begin that resets the single "
                "environments to the same episodes (see check_vector_env)"
            )
        self.compare("reset with a seed", first, wanted)
        self.hint = ""
        kept = copy.deepcopy(first)
        for step in range(steps):
            actions = act(self.single)
            given = copy.deepcopy(actions)
            results = self.env.step(actions), self.single.step(given)
            self.compare(f"step {step}", *results)
            self.expect(not _difference(actions, given), f"step {step} must not change its actions")
            ended = results[1][2] | results[1][3]
            if self.mode == AutoresetMode.DISABLED:
                mask = ended | (rng.random(self.env.num_envs) < 0.1)
                if mask.any():
                    resets = (
                        one.reset(options={"reset_mask": mask.copy()})
                        for one in (self.env, self.single)
                    )
                    self.compare(f"reset of {mask.tolist()} after step {step}", *resets)
            if step == steps // 2:
                resets = (one.reset() for one in (self.env, self.single))
                self.compare(f"reset after step {step}", *resets)
        for when, array, before in self.returned:
            self.expect(
                not _difference(array, before),
                f"what {when} returned must never be written again, but it was",
            )
        again = _difference(self.env.reset(seed=seed), kept)
        self.expect(not again, f"reset with the same seed must give the same again: {again}")

    def expect(self, holds: bool, message: str) -> None:
        assert holds, f"with autoreset_mode {self.mode.value!r}, {message}"

    def check_attributes(self) -> None:
        env, single = self.env, self.single
        self.expect(
            env.num_envs == single.num_envs,
            f"num_envs must be {single.num_envs}, got {env.num_envs}",
        )
        mode = env.metadata.get("autoreset_mode")
        self.expect(
            mode == self.mode, f"metadata['autoreset_mode'] must be {self.mode}, got {mode!r}"
        )
        for name in ("observation_space", "action_space"):
            of_one, wanted = getattr(env, f"single_{name}"), getattr(single, f"single_{name}")
            self.expect(of_one == wanted, f"single_{name} must be {wanted}, got {of_one}")
            batched, wanted = getattr(env, name), batch_space(of_one, env.num_envs)
            self.expect(batched == wanted, f"{name} must be {wanted}, got {batched}")

    def compare(self, when: str, got: Any, wanted: Any) -> None:
        names = ["observations", "rewards", "terminations", "truncations", "infos"]
        if len(wanted) == 2:
            names = ["observations", "infos"]
        # The messages print arrays, which takes much longer than the checks: only where one fails.
        if not (isinstance(got, tuple) and len(got) == len(names)):
            self.expect(False, f"{when} must return ({', '.join(names)}), got {got!r}")
        for name, one, other in zip(names, got, wanted, strict=True):
            where = _difference(one, other, self.tolerance)
            self.expect(
                not where,
                f"{name} of {when} must equal those of single environments: {where}{self.hint}",
            )
            self.returned += [(f"{name} of {when}", a, a.copy()) for a in _arrays(one)]
        space = self.env.observation_space
        if got[0] not in space:
            self.expect(False, f"observations of {when} must be in {space}, got {got[0]}")


def _arrays(value: Any) -> Iterator[Any]:
    """Yield all arrays in a nested structure of dicts, tuples, lists and arrays of objects."""
    if isinstance(value, np.ndarray):
        yield value
        if value.dtype == object:
            yield from _arrays(value.tolist())
    elif isinstance(value, dict):
        yield from _arrays(list(value.values()))
    elif isinstance(value, (tuple, list)):
        for each in value:
            yield from _arrays(each)


def _difference(got: Any, wanted: Any, tolerance: float = 0.0) -> str:
    """Describe the first difference of two nested structures; empty if they are equal."""
    if type(got) is not type(wanted):
        return f"{got!r} is a {type(got).__name__}, not a {type(wanted).__name__}: {wanted!r}"
    if isinstance(got, dict):
        if got.keys() != wanted.keys():
            return f"it has the keys {sorted(got)}, not {sorted(wanted)}"
        pairs = [(repr(key), got[key], wanted[key]) for key in got]
    elif isinstance(got, (tuple, list)):
        if len(got) != len(wanted):
            return f"it has {len(got)} elements, not {len(wanted)}"
        pairs = [(str(k), *both) for k, both in enumerate(zip(got, wanted, strict=True))]
    elif isinstance(got, np.ndarray):
        if got.dtype != wanted.dtype or got.shape != wanted.shape:
            return f"{got.dtype} of shape {got.shape}, not {wanted.dtype} of {wanted.shape}"
        if got.dtype == object:
            return _difference(got.tolist(), wanted.tolist(), tolerance)
        same = got == wanted
        if got.dtype.kind in "fc":
            same = np.isclose(got, wanted, tolerance, tolerance, equal_nan=True)
        if np.all(same):
            return ""
        place = tuple(np.argwhere(~np.asarray(same))[0].tolist())
        return f"at {list(place)}: {got[place]}, not {wanted[place]}"
    else:
        return (
            "" if got == wanted or (got != got and wanted != wanted) else f"{got!r}, not {wanted!r}"
        )
    for key, one, other in pairs:
        where = _difference(one, other, tolerance)
        if where:
            return f"[{key}] {where}"
    return ""
