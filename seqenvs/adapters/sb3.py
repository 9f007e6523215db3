"""Use the vector environment with Stable-Baselines3, as an SB3 ``VecEnv``.

Needs stable-baselines3: ``pip install 'seqenvs[sb3]'``.
"""

from __future__ import annotations

import warnings
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode

try:
    from stable_baselines3.common.vec_env import VecEnv, VecMonitor
    from stable_baselines3.common.vec_env.base_vec_env import VecEnvIndices
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f"{__name__} needs stable-baselines3: pip install 'seqenvs[sb3]'"
    ) from error

from seqenvs.env import SequenceEnv
from seqenvs.validation import check_int
from seqenvs.vector_env import SequenceVectorEnv


def make_sb3_env(
    id: str, num_envs: int, *, seed: int | None = None, monitor: bool = True, **kwargs: Any
) -> VecEnv:
    """Make a `SequenceVecEnv` for an SB3 algorithm.

    Args:
        id: A registered id of a seqenvs environment, such as ``"SeqEcho-v0"``.
        num_envs: The number of sub-environments.
        seed: Seed of the first reset. None takes a different one each time.
        monitor: Whether to wrap the environment in SB3's ``VecMonitor``, which adds
            ``info["episode"]`` at the end of an episode.
        **kwargs: Passed to ``gymnasium.make_vec``, such as ``lag=4``.

    Raises:
        TypeError: ``id`` is not an environment of seqenvs, or an argument is not allowed.
        ValueError: An argument has a value that is not allowed.
        gymnasium.error.Error: ``id`` is not registered.
    """
    for name in ("autoreset_mode", "vectorization_mode"):
        if name in kwargs:
            raise TypeError(
                f"{name} must be left out, as SB3 needs autoreset_mode='SameStep', "
                f"got {kwargs[name]!r}; for others use gymnasium.make_vec"
            )
    if not isinstance(gymnasium.make(id, **kwargs).unwrapped, SequenceEnv):
        raise TypeError(
            f"id must be one that seqenvs.register registered, got {id!r}; for other environments "
            "use stable_baselines3.common.env_util.make_vec_env"
        )
    env = gymnasium.make_vec(
        id, num_envs=num_envs, autoreset_mode=AutoresetMode.SAME_STEP.value, **kwargs
    )
    venv = SequenceVecEnv(env)
    if seed is not None:
        venv.seed(check_int("seed", seed, 0))
    return VecMonitor(venv) if monitor else venv


class SequenceVecEnv(VecEnv):
    """Wraps a `seqenvs.SequenceVectorEnv` as an SB3 ``VecEnv``.

    It returns the same values as ``DummyVecEnv`` over N `seqenvs.SequenceEnv` with the same
    episodes. Rewards are float32, (N,). Each info has ``target``, ``due`` and
    ``TimeLimit.truncated`` (always False), and at the end of an episode also
    ``terminal_observation`` and ``is_success``.

    All sub-environments share one generator. ``seed`` therefore uses only the first seed.

    Args:
        env: A `seqenvs.SequenceVectorEnv` with ``autoreset_mode="SameStep"``.

    Raises:
        TypeError: ``env`` is not a `seqenvs.SequenceVectorEnv`.
        ValueError: ``env`` has another autoreset mode.
    """

    def __init__(self, env: Any) -> None:
        if not isinstance(env, SequenceVectorEnv):
            raise TypeError(
                f"env must be a seqenvs.SequenceVectorEnv, got {env!r}; make_sb3_env makes and "
                "wraps one"
            )
        if env.autoreset_mode != AutoresetMode.SAME_STEP:
            raise ValueError(
                "env must have autoreset_mode='SameStep', as SB3 resets in the step that ends an "
                f"episode, got {env.autoreset_mode.value!r}"
            )
        self.env = env
        super().__init__(env.num_envs, env.single_observation_space, env.single_action_space)
        self.metadata = env.metadata
        self.spec = env.spec

    def reset(self) -> Any:
        """Begin an episode in every sub-environment; seeds and options are used once."""
        observations, _ = self.env.reset(seed=self._seeds[0], options=self._joint_options())
        self._reset_seeds()
        self._reset_options()
        return observations

    def step_async(self, actions: np.ndarray) -> None:
        """Store the actions for `step_wait`."""
        self._actions = actions

    def step_wait(self) -> Any:
        """Step every sub-environment, and begin the next episode where one ended."""
        observations, rewards, ended, _, info = self.env.step(self._actions)
        last = info.get("final_info", {})
        # Each sub-environment is in one of the two infos, and 0 or False in the other.
        targets = info.get("target", 0) + last.get("target", 0)
        due = info.get("due", False) | last.get("due", False)
        infos: list[dict[str, Any]] = [
            {"target": target, "due": is_due, "TimeLimit.truncated": False}
            for target, is_due in zip(
                targets.tolist() if targets.ndim == 1 else targets, due.tolist(), strict=True
            )
        ]
        for i in np.flatnonzero(ended).tolist():
            infos[i]["is_success"] = bool(last["is_success"][i])
            infos[i]["terminal_observation"] = info["final_obs"][i]
        return observations, rewards.astype(np.float32), ended, infos

    def close(self) -> None:
        """Close the vector environment."""
        self.env.close()

    def get_images(self) -> list[Any]:
        """Return one frame per sub-environment."""
        if self.render_mode != "rgb_array":
            warnings.warn(
                f"get_images() needs render_mode='rgb_array', got {self.render_mode!r}",
                stacklevel=2,
            )
            return [None] * self.num_envs
        return list(self.env.render() or ())

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[Any]:
        """Return an attribute once per index; all sub-environments share it."""
        holder = self if attr_name in ("observation_space", "action_space") else self.env
        return [getattr(holder, attr_name) for _ in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: VecEnvIndices = None) -> None:
        """Set an attribute of all sub-environments; ``indices`` must contain all of them."""
        if set(self._get_indices(indices)) != set(range(self.num_envs)):
            raise ValueError(
                f"indices must be None or all {self.num_envs} sub-environments, which share their "
                f"attributes, got {indices!r}"
            )
        setattr(self.env, attr_name, value)

    def env_method(
        self, method_name: str, *args: Any, indices: VecEnvIndices = None, **kwargs: Any
    ) -> list[Any]:
        """Call a method of the vector environment once per index.

        ``render`` is called only once and returns the frame of each index.

        Raises:
            ValueError: The method acts on all sub-environments at once, such as ``reset``.
        """
        if method_name in ("reset", "step", "step_block", "close"):
            raise ValueError(
                f"method_name must not be {method_name!r}, which acts on all {self.num_envs} "
                "sub-environments at once: call the method of this VecEnv or of its attribute env"
            )
        method, chosen = getattr(self.env, method_name), self._get_indices(indices)
        if method_name == "render":
            frames = method()
            return [None if frames is None else frames[i] for i in chosen]
        return [method(*args, **kwargs) for _ in chosen]

    def env_is_wrapped(
        self, wrapper_class: type[gymnasium.Wrapper], indices: VecEnvIndices = None
    ) -> list[bool]:
        """Return False for each index: the sub-environments have no wrappers."""
        return [False for _ in self._get_indices(indices)]

    def _joint_options(self) -> dict[str, Any] | None:
        """Merge the options of all sub-environments into one dict of lists."""
        if not any(self._options):
            return None
        names = {name for options in self._options for name in options}
        if len(self._options) != self.num_envs or any(names != set(o) for o in self._options):
            raise ValueError(
                f"options must be one dict, or {self.num_envs} with the same keys, "
                f"got {self._options!r}"
            )
        return {name: [options[name] for options in self._options] for name in names}
