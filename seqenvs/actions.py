"""Checks of actions and of reset's options, for single and vector environments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from gymnasium import spaces

from seqenvs.episodes import Episodes

if TYPE_CHECKING:
    from seqenvs.problem import Problem


def as_int(num_actions: int, action: Any) -> int:
    """Return an action of a ``Discrete`` space as an int. Its range is not checked.

    Raises:
        TypeError: The action is not an integer.
    """
    if isinstance(action, np.ndarray) and action.shape == () and action.dtype.kind in "iu":
        return int(action)
    if isinstance(action, (int, np.integer)):
        return int(action)
    raise TypeError(f"action must be an int in 0 .. {num_actions - 1}, got {action!r}")


def as_array(space: Any, limits: list[tuple[Any, Any]], action: Any) -> Any:
    """Return an action of a ``MultiDiscrete`` space or a ``Box`` as an array of its dtype.

    Args:
        space: The action space.
        limits: The least and greatest number of each component.
        action: The action.

    Raises:
        TypeError, ValueError: The action is not in the space.
    """
    whole = space.dtype.kind == "i"

    def message() -> str:
        what = "integers" if whole else "numbers"
        low, high = zip(*limits, strict=True)
        return f"action must be {len(low)} {what} in {_span(low, high)}, got {action!r}"

    try:
        array = np.asarray(action)
    except ValueError as error:
        raise TypeError(message()) from error
    if array.dtype.kind not in ("iu" if whole else "iuf"):
        raise TypeError(message())
    if array.shape != space.shape:
        raise ValueError(message())
    # For a few numbers Python's comparisons are several times as fast as NumPy's.
    for value, (low, high) in zip(array.tolist(), limits, strict=True):
        if not low <= value <= high:  # NaN fails this too
            raise ValueError(message())
    return array.astype(space.dtype)


def as_batch(space: spaces.Space[Any], shape: Any, given: Any, block: bool) -> Any:
    """Return the actions of N sub-environments as an array. Only a ``Box`` has its range checked.

    Args:
        space: The action space of one sub-environment.
        shape: The shape of the actions of a step.
        given: The actions.
        block: Whether the actions are those of any number of steps, with a leading axis.

    Raises:
        TypeError, ValueError: Actions of a wrong dtype or shape, or outside a ``Box``.
    """
    box = isinstance(space, spaces.Box)
    try:
        actions = np.asarray(given)
    except ValueError:  # ragged
        actions = np.empty(0, object)
    if block:
        shape = (max(1, len(actions) if actions.ndim else 0), *shape)
    if actions.dtype.kind not in ("iuf" if box else "iu"):
        what = "numbers" if box else "integers"
        got = f"dtype {actions.dtype}" if actions is given else repr(given)
        raise TypeError(f"actions must be {what} of shape {shape}, got {got}")
    if actions.shape != shape:
        raise ValueError(f"actions must have the shape {shape}, got {actions.shape}")
    if box:
        low, high = space.low, space.high  # type: ignore[attr-defined]
        inside = (actions >= low) & (actions <= high)  # NaN is not inside
        if not inside.all():
            raise ValueError(
                f"actions must be in {_span(low, high)}, got {actions[~inside][0]} at "
                f"{tuple(np.argwhere(~inside)[0].tolist())}"
            )
    return actions


def check_options(options: dict[str, Any] | None, allowed: tuple[str, ...]) -> dict[str, Any]:
    """Return reset's options as a dict.

    Raises:
        TypeError, ValueError: Not a dict, or an unknown option.
    """
    if options is not None and not isinstance(options, dict):
        raise TypeError(f"options must be a dict or None, got {options!r}")
    for key in options or {}:
        if key not in allowed:
            raise ValueError(f"unknown option {key!r}; reset's options are {', '.join(allowed)}")
    return options or {}


def check_reset_mask(mask: Any, num_envs: int) -> None:
    """Check the option ``reset_mask``.

    Raises:
        TypeError, ValueError: Not an (N,) bool array with at least one True.
    """
    allowed = f"reset_mask must be a bool array of shape ({num_envs},)"
    if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_:
        raise TypeError(f"{allowed}, got {mask!r}")
    if mask.shape != (num_envs,) or not mask.any():
        raise ValueError(
            f"{allowed} with at least one True, got shape {mask.shape} with {int(mask.sum())}"
        )


def given_episode(problem: Problem, inputs: Any) -> Episodes:
    """Return the episode of the option ``inputs``.

    Raises:
        TypeError, ValueError: Inputs that the problem cannot show.
    """
    return Episodes.from_batch(problem.episode(inputs, problem.num_steps[1] + 1))


def given_episodes(problem: Problem, inputs: Any, num_envs: int) -> Episodes:
    """Return N episodes of the option ``inputs``: one sequence for all, or N sequences.

    Raises:
        TypeError, ValueError: Another number of sequences, or inputs that the problem cannot show.
    """
    if _depth(inputs) <= 1 + (problem.input_spec.features > 1):
        return Episodes.concatenate([given_episode(problem, inputs)] * num_envs)
    if len(inputs) != num_envs:
        raise ValueError(
            f"inputs must be one sequence or {num_envs}, one each, got {len(inputs)} in {inputs!r}"
        )
    return Episodes.concatenate([given_episode(problem, sequence) for sequence in inputs])


def _depth(inputs: Any) -> int:
    """Return how deep lists are nested, by their first elements; the rest may be ragged."""
    if isinstance(inputs, (list, tuple)):
        return 1 + (_depth(inputs[0]) if inputs else 0)
    return inputs.ndim if isinstance(inputs, np.ndarray) else 0


def _span(low: Any, high: Any) -> str:
    """Return a range in words, of vectors if components differ."""
    each = [np.asarray(end) for end in (low, high)]
    return " .. ".join(str(end.flat[0] if (end == end.flat[0]).all() else end) for end in each)
