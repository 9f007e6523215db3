"""Check a vector environment against Gymnasium's ``SyncVectorEnv``."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
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
            _compare(env, single, mode, steps, seed, tolerance, begin, act)
        except AssertionError as error:
            raise AssertionError(f"with autoreset_mode {mode.value!r}, {error}") from error
        finally:
            single.close()
            env.close()


def _compare(
    env: VectorEnv[Any, Any, Any],
    single: SyncVectorEnv,
    mode: AutoresetMode,
    steps: int,
    seed: int,
    tolerance: float,
    begin: Callable[[SyncVectorEnv, int], Any] | None,
    act: Callable[[SyncVectorEnv], Any] | None,
) -> None:
    """Play the same actions in both environments, and compare all that they return."""
    _check_attributes(env, single, mode)
    rng = np.random.default_rng(seed)
    single.action_space.seed(seed)
    returned: list[tuple[str, Any, Any]] = []  # when, the result, a copy of it

    def compare(when: str, got: Any, wanted: Any, hint: str = "") -> None:
        _check_results(when, got, wanted, tolerance, hint)
        assert got[0] in env.observation_space, (
            f"observations of {when} must be in {env.observation_space}, got {got[0]}"
        )
        returned.append((when, got, copy.deepcopy(got)))

    first, hint = env.reset(seed=seed), ""
    if begin is not None:
        wanted = begin(single, seed)
    elif isinstance(env.unwrapped, SequenceVectorEnv):
        wanted = _share(single, seed)
    else:
        wanted = single.reset(seed=seed)
        hint = (
            f"; single environment i was reset with seed {seed} + i, as begin was left out: if "
            "the sub-environments draw from one generator, pass a begin that resets the single "
            "environments to the same episodes (see check_vector_env)"
        )
    compare("reset with a seed", first, wanted, hint)
    for step in range(steps):
        actions = act(single) if act else single.action_space.sample()
        given = copy.deepcopy(actions)
        results: Any = env.step(actions), single.step(given)
        compare(f"step {step}", *results)
        assert not _difference(actions, given), f"step {step} must not change its actions"
        if mode == AutoresetMode.DISABLED:
            terminated, truncated = results[1][2:4]
            mask = terminated | truncated | (rng.random(env.num_envs) < 0.1)
            if mask.any():
                results = tuple(e.reset(options={"reset_mask": mask.copy()}) for e in (env, single))
                compare(f"reset of {mask.tolist()} after step {step}", *results)
        if step == steps // 2:
            compare(f"reset after step {step}", env.reset(), single.reset())
    for when, result, before in returned:
        where = _difference(result, before)
        assert not where, f"what {when} returned must never be written again, but was: {where}"
    where = _difference(env.reset(seed=seed), returned[0][2])
    assert not where, f"reset with the same seed must give the same again: {where}"


def _share(single: SyncVectorEnv, seed: int) -> Any:
    """Reset single environments so that all take their episodes from one stream."""
    envs = [cast("SequenceEnv", env.unwrapped) for env in single.envs]
    shared = EpisodeStream(envs[0].problem, gymnasium.utils.seeding.np_random(seed)[0])
    for env in envs:
        env.read_from(shared)
    return single.reset()


def _check_attributes(
    env: VectorEnv[Any, Any, Any], single: SyncVectorEnv, mode: AutoresetMode
) -> None:
    """Check the number of sub-environments, the autoreset mode and the spaces."""
    observation, action = env.single_observation_space, env.single_action_space
    for name, got, wanted in (
        ("num_envs", env.num_envs, single.num_envs),
        ("metadata['autoreset_mode']", env.metadata.get("autoreset_mode"), mode),
        ("single_observation_space", observation, single.single_observation_space),
        ("single_action_space", action, single.single_action_space),
        ("observation_space", env.observation_space, batch_space(observation, env.num_envs)),
        ("action_space", env.action_space, batch_space(action, env.num_envs)),
    ):
        assert got == wanted, f"{name} must be {wanted}, got {got!r}"


def _check_results(when: str, got: Any, wanted: Any, tolerance: float, hint: str) -> None:
    """Check that the results of a reset or step equal those of single environments."""
    names = ["observations", "rewards", "terminations", "truncations", "infos"]
    if len(wanted) == 2:
        names = ["observations", "infos"]
    assert isinstance(got, tuple) and len(got) == len(names), (
        f"{when} must return ({', '.join(names)}), got {got!r}"
    )
    for name, one, other in zip(names, got, wanted, strict=True):
        where = _difference(one, other, tolerance)
        assert not where, f"{name} of {when} must equal those of single environments: {where}{hint}"


def _difference(got: Any, wanted: Any, tolerance: float = 0.0) -> str:
    """Describe the first difference of two nested structures; empty if they are equal."""
    if type(got) is not type(wanted):
        return f"{got!r} is a {type(got).__name__}, not a {type(wanted).__name__}: {wanted!r}"
    if isinstance(got, np.ndarray):
        if got.dtype != wanted.dtype or got.shape != wanted.shape:
            return f"{got.dtype} of shape {got.shape}, not {wanted.dtype} of {wanted.shape}"
        if got.dtype != object:
            differs = got != wanted
            if got.dtype.kind in "fc":
                differs = ~np.isclose(got, wanted, tolerance, tolerance, equal_nan=True)
            for place in np.argwhere(differs).tolist():
                return f"at {place}: {got[tuple(place)]}, not {wanted[tuple(place)]}"
            return ""
        got, wanted = got.tolist(), wanted.tolist()
    if isinstance(got, dict):
        if got.keys() != wanted.keys():
            return f"it has the keys {sorted(got)}, not {sorted(wanted)}"
        pairs = [(repr(key), got[key], wanted[key]) for key in got]
    elif isinstance(got, (tuple, list)):
        if len(got) != len(wanted):
            return f"it has {len(got)} elements, not {len(wanted)}"
        pairs = [(str(k), *both) for k, both in enumerate(zip(got, wanted, strict=True))]
    else:
        same = got == wanted or (got != got and wanted != wanted)
        return "" if same else f"{got!r}, not {wanted!r}"
    for key, one, other in pairs:
        where = _difference(one, other, tolerance)
        if where:
            return f"[{key}] {where}"
    return ""
