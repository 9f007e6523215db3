"""Stable-Baselines3: the native vector environment as an SB3 ``VecEnv``.

Needs stable-baselines3: ``pip install seqenvs[sb3]``.
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

# What one environment has under another name than the vector environment.
_OF_ONE = {"observation_space": "single_observation_space", "action_space": "single_action_space"}
_MOVES_ALL = ("reset", "step", "step_block", "close")


def make_sb3_env(
    id: str, num_envs: int, *, seed: int | None = None, monitor: bool = True, **kwargs: Any
) -> VecEnv:
    """Make the native vector environment of an id, ready for an SB3 algorithm.

    Args:
        id: A registered id, such as ``"SeqEcho-v0"``.
        num_envs: Number of streams.
        seed: Seed of the first reset; None for a different one each time.
        monitor: Wrap it in SB3's ``VecMonitor``, which adds ``info["episode"]`` where one ends.
        **kwargs: Passed to ``gymnasium.make_vec``, such as ``lag=4``.

    Returns:
        A `SequenceVecEnv`, in a ``VecMonitor`` if asked for.

    Raises:
        TypeError, ValueError: An id of another environment, or an argument that it can't have.
        gymnasium.error.Error: An id that is not registered.
    """
    if seed is not None:
        seed = check_int("seed", seed, 0)
    for name in ("autoreset_mode", "vectorization_mode"):
        if name in kwargs:
            raise TypeError(
                f"{name} can't be given, as SB3 takes one only, got {kwargs[name]!r}; "
                "gymnasium.make_vec makes the others"
            )
    if not isinstance(gymnasium.make(id, **kwargs).unwrapped, SequenceEnv):
        raise TypeError(
            f"id must be one that seqenvs.register registered, got {id!r}: for any other, "
            "stable_baselines3.common.env_util.make_vec_env makes single environments"
        )
    env = gymnasium.make_vec(
        id, num_envs=num_envs, autoreset_mode=AutoresetMode.SAME_STEP.value, **kwargs
    )
    venv = SequenceVecEnv(env)
    if seed is not None:
        venv.seed(seed)
    return VecMonitor(venv) if monitor else venv


class SequenceVecEnv(VecEnv):
    """N streams of a problem's episodes as an SB3 ``VecEnv``.

    Its values are those of ``DummyVecEnv`` over N `seqenvs.SequenceEnv` that play the same
    episodes: float32 rewards, ``terminal_observation`` and ``is_success`` in the info of an episode
    that ends, ``target``, ``due`` and ``TimeLimit.truncated`` (always False) in each.

    All streams take their episodes from one generator. So ``seed`` seeds the next reset with the
    first of its seeds, and the others have no effect.

    Args:
        env: A `seqenvs.SequenceVectorEnv` with ``autoreset_mode="SameStep"``.

    Raises:
        TypeError, ValueError: Another environment, or one with another autoreset mode.
    """

    def __init__(self, env: Any) -> None:
        if not isinstance(env, SequenceVectorEnv):
            raise TypeError(
                f"env must be a seqenvs.SequenceVectorEnv, got {env!r}; gymnasium.make_vec(id, "
                "num_envs, autoreset_mode='SameStep') makes one, and make_sb3_env all of it"
            )
        if env.autoreset_mode != AutoresetMode.SAME_STEP:
            raise ValueError(
                "env must have autoreset_mode='SameStep', as SB3 resets within the step that ends "
                f"an episode, got {env.autoreset_mode.value!r}"
            )
        self.env = env
        super().__init__(env.num_envs, env.single_observation_space, env.single_action_space)
        self.metadata = env.metadata
        self.spec = env.spec

    def reset(self) -> Any:
        """Begin an episode in every stream; seeds and options are used once."""
        observations, _ = self.env.reset(seed=self._seeds[0], options=self._joint_options())
        self._reset_seeds()
        self._reset_options()
        return observations

    def step_async(self, actions: np.ndarray) -> None:
        """Keep the actions for `step_wait`."""
        self._actions = actions

    def step_wait(self) -> Any:
        """Answer in every stream, and begin the next episode in those that end."""
        observations, rewards, ended, _, info = self.env.step(self._actions)
        if not ended.any():
            infos = _infos(info["target"], info["due"])
        else:
            last = info["final_info"]
            # What is not in one of the two is 0 there, and False.
            infos = _infos(
                last["target"] + info.get("target", 0), last["due"] | info.get("due", False)
            )
            success, final = last["is_success"], info["final_obs"]
            for i in np.flatnonzero(ended).tolist():
                infos[i]["is_success"] = bool(success[i])
                infos[i]["terminal_observation"] = final[i]
        return observations, rewards.astype(np.float32), ended, infos

    def close(self) -> None:
        """Close the vector environment."""
        self.env.close()

    def get_images(self) -> list[Any]:
        """One frame a stream."""
        if self.render_mode != "rgb_array":
            warnings.warn(
                f"get_images() needs render_mode='rgb_array', this is {self.render_mode!r}",
                stacklevel=2,
            )
            return [None] * self.num_envs
        return list(self.env.render() or ())

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[Any]:
        """The attribute, once for each index: all streams share it."""
        value = getattr(self.env, _OF_ONE.get(attr_name, attr_name))
        return [value for _ in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: VecEnvIndices = None) -> None:
        """Set an attribute of all streams; they share it, so ``indices`` must name all."""
        if set(self._get_indices(indices)) != set(range(self.num_envs)):
            raise ValueError(
                f"indices must be None or name all {self.num_envs} streams, which share their "
                f"attributes, got {indices!r}"
            )
        setattr(self.env, _OF_ONE.get(attr_name, attr_name), value)

    def env_method(
        self,
        method_name: str,
        *method_args: Any,
        indices: VecEnvIndices = None,
        **method_kwargs: Any,
    ) -> list[Any]:
        """Call a method of the vector environment, once for each index.

        ``render`` is called once and gives each index its own frame.

        Raises:
            ValueError: A method that moves all streams, such as ``reset``: call this one's own.
        """
        if method_name in _MOVES_ALL:
            raise ValueError(
                f"method_name must not be {method_name!r}, which acts on all {self.num_envs} "
                "streams at once: use the method of this VecEnv, or of its attribute env"
            )
        method, chosen = getattr(self.env, method_name), self._get_indices(indices)
        if method_name == "render":
            frames = method()
            return [None if frames is None else frames[i] for i in chosen]
        return [method(*method_args, **method_kwargs) for _ in chosen]

    def env_is_wrapped(
        self, wrapper_class: type[gymnasium.Wrapper], indices: VecEnvIndices = None
    ) -> list[bool]:
        """False for each index: a native stream has no wrappers."""
        return [False for _ in self._get_indices(indices)]

    def _joint_options(self) -> dict[str, Any] | None:
        """One dict of options from one a stream."""
        if not any(self._options):
            return None
        names = {name for options in self._options for name in options}
        if len(self._options) != self.num_envs or any(names != set(o) for o in self._options):
            raise ValueError(
                f"options must be one dict, or {self.num_envs} with the same keys, "
                f"got {self._options!r}"
            )
        return {name: [options[name] for options in self._options] for name in names}


def _infos(targets: Any, due: Any) -> list[dict[str, Any]]:
    each = targets.tolist() if targets.ndim == 1 else targets
    return [
        {"target": target, "due": is_due, "TimeLimit.truncated": False}
        for target, is_due in zip(each, due.tolist(), strict=True)
    ]
