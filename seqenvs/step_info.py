"""The info of a step of a vector environment, in Gymnasium's layout.

Arrays are those of one step, (N, ...), or of a block of K steps, (K, N, ...).
"""

from __future__ import annotations

from typing import Any

import numpy as np


def step_info(targets: Any, due: Any, active: Any, last: Any, success: Any) -> dict[str, Any]:
    """Return the info of a step that does not reset, or of a block of such steps.

    Args:
        targets: Right answers; 0 where not active.
        due: bool, whether an answer was due; False where not active.
        active: bool, False for a sub-environment whose step only reset it.
        last: bool, whether the episode ended; None if no episode did.
        success: bool, whether it ended with every due answer right.
    """
    info: dict[str, Any] = {}
    if last is not None:
        info["is_success"], info["_is_success"] = success, last.copy()
    if active.any():
        info["target"], info["_target"] = targets, active
        info["due"], info["_due"] = due, active
    return info


def same_step_info(
    targets: Any, due: Any, active: Any, last: Any, success: Any, final: Any
) -> dict[str, Any]:
    """Return the info where episodes end and the same step resets, in ``final_info``.

    Args:
        targets: As for `step_info`.
        due: As for `step_info`.
        active: As for `step_info`.
        last: As for `step_info`, not None.
        success: As for `step_info`.
        final: The last observations of the episodes that ended, in the order of ``last``, or one
            number for all.
    """
    wide = last.reshape(*last.shape, *[1] * (targets.ndim - last.ndim))
    ended = np.multiply(targets, wide, dtype=targets.dtype)
    final_info = step_info(ended, due & last, last.copy(), last, success)
    final_obs = np.full(last.shape, None, dtype=object)
    one_each = isinstance(final, np.ndarray)
    final_obs[last] = np.fromiter(final, object, len(final)) if one_each else final
    going_on = np.multiply(targets, ~wide, dtype=targets.dtype)
    return {
        "final_info": final_info,
        "_final_info": last.copy(),
        "final_obs": final_obs,
        "_final_obs": last.copy(),
        **step_info(going_on, due & ~last, active & ~last, None, None),
    }
