"""How observations become inputs of a network, and how its outputs become actions."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional


class ObservationEncoder:
    """Turns observations into float32 inputs: a Box is flattened, Discrete becomes one-hot.

    Args:
        space: A Box, or Discrete from 0.

    Attributes:
        num_inputs: Number F of inputs for one observation.

    Raises:
        TypeError: Another space.
    """

    def __init__(self, space: gymnasium.Space[Any]) -> None:
        self.shape = space.shape or ()
        self._one_hot: Tensor | None = None
        if isinstance(space, spaces.Discrete) and space.start == 0:
            self.num_inputs = int(space.n)
            self._one_hot = torch.eye(self.num_inputs)
        elif isinstance(space, spaces.Box):
            self.num_inputs = int(np.prod(space.shape))
        else:
            raise TypeError(f"observation_space must be a Box or Discrete from 0, got {space}")

    def __call__(self, observations: Any) -> Tensor:
        """Encode (..., *space.shape) arrays as (..., F) float32."""
        dtype = np.float32 if self._one_hot is None else np.int64
        # torch shares the memory of the array, which must therefore be writable and contiguous.
        return self.encode(torch.from_numpy(np.require(observations, dtype, ["C", "W"])))

    def encode(self, observations: Tensor) -> Tensor:
        """Encode a tensor."""
        if self._one_hot is not None:
            return self._one_hot[observations]
        return observations.reshape(*observations.shape[: observations.ndim - len(self.shape)], -1)


class ChoiceHead:
    """Discrete and MultiDiscrete actions: K components, of which Discrete has one.

    All components have the same number of outputs. Those beyond a component's own number of choices
    are ignored.

    Attributes:
        outputs: Number of outputs of the network for one action.
    """

    def __init__(self, space: spaces.Discrete | spaces.MultiDiscrete) -> None:
        self._space = space
        counts = np.atleast_1d(space.n if isinstance(space, spaces.Discrete) else space.nvec)
        self._counts = counts.tolist()
        self._shape = len(counts), int(counts.max())
        self.outputs = self._shape[0] * self._shape[1]
        beyond = np.arange(self._shape[1]) >= counts[:, None]
        self._bar = torch.zeros(self._shape).masked_fill(torch.from_numpy(beyond), -torch.inf)

    def scores(self, outputs: Tensor) -> Tensor:
        """Compute the logits of the choices of each component, one component after the other."""
        if len(self._counts) == 1:
            return outputs
        components = outputs.chunk(len(self._counts), -1)
        pairs = zip(components, self._counts, strict=True)
        return torch.cat([component[..., :count] for component, count in pairs], -1)

    def loss(self, outputs: Tensor, targets: NDArray[Any]) -> Tensor:
        """Compute the mean cross-entropy."""
        logits = self._logits(outputs).flatten(0, 1)
        return functional.cross_entropy(logits, torch.from_numpy(targets.ravel()))

    def best(self, outputs: Tensor) -> NDArray[Any]:
        """Return the likeliest actions."""
        return best_actions(self._space, self.scores(outputs)).numpy()

    def sample(self, outputs: Tensor, generator: torch.Generator) -> NDArray[Any]:
        """Sample actions."""
        logits = self._logits(outputs)
        flat = logits.softmax(-1).flatten(0, -2)
        chosen = flat.multinomial(1, generator=generator).view(logits.shape[:-1])
        return (chosen[..., 0] if isinstance(self._space, spaces.Discrete) else chosen).numpy()

    def confidence(self, outputs: Tensor) -> NDArray[Any] | None:
        """Return the probabilities of the likeliest actions, each of all components together."""
        found: NDArray[Any] = self._logits(outputs).softmax(-1).amax(-1).prod(-1).numpy()
        return found

    def _logits(self, outputs: Tensor) -> Tensor:
        return outputs.view(*outputs.shape[:-1], *self._shape) + self._bar


class BoxHead:
    """Actions in a bounded Box: output 0 of the network is the low end, and 1 is the high end.

    Attributes:
        outputs: Number of outputs of the network for one action.
    """

    def __init__(self, space: spaces.Box) -> None:
        (self.outputs,) = space.shape
        self._space = space
        self._low = torch.from_numpy(space.low)
        self._width = torch.from_numpy(space.high - space.low)

    def scores(self, outputs: Tensor) -> Tensor:
        """Compute actions that are not yet clipped to the Box."""
        return self._low + outputs * self._width

    def loss(self, outputs: Tensor, targets: NDArray[Any]) -> Tensor:
        """Compute the mean absolute error, as a fraction of the width of the Box."""
        return functional.l1_loss(outputs, (torch.from_numpy(targets) - self._low) / self._width)

    def best(self, outputs: Tensor) -> NDArray[Any]:
        """Return the actions."""
        return best_actions(self._space, self.scores(outputs)).numpy()

    def sample(self, outputs: Tensor, generator: torch.Generator) -> NDArray[Any]:
        """Return the actions, as `best` does: there is no distribution to sample from."""
        return self.best(outputs)

    def confidence(self, outputs: Tensor) -> NDArray[Any] | None:
        """Return None, because the actions have no probabilities."""
        return None


Head = ChoiceHead | BoxHead


def make_head(space: gymnasium.Space[Any]) -> Head:
    """Make the head for an action space.

    Args:
        space: Discrete or MultiDiscrete (K,) from 0, or a bounded float32 Box of shape (K,).

    Raises:
        TypeError: Another space.
    """
    if isinstance(space, spaces.Discrete) and space.start == 0:
        return ChoiceHead(space)
    if isinstance(space, spaces.MultiDiscrete) and len(space.shape) == 1 and not space.start.any():
        return ChoiceHead(space)
    if (
        isinstance(space, spaces.Box)
        and len(space.shape) == 1
        and space.dtype == np.float32
        and space.is_bounded()
        and (space.low < space.high).all()
    ):
        return BoxHead(space)
    raise TypeError(
        "action_space must be Discrete or MultiDiscrete (K,) from 0, or a bounded float32 Box of "
        f"shape (K,), got {space}"
    )


def best_actions(space: gymnasium.Space[Any], scores: Tensor) -> Tensor:
    """Return the likeliest actions.

    Args:
        space: Discrete, MultiDiscrete or Box.
        scores: Logits of the choices of each component, one component after the other, or the
            values of a Box.
    """
    if isinstance(space, spaces.Discrete):
        return scores.argmax(-1)
    if isinstance(space, spaces.MultiDiscrete):
        components = torch.split(scores, space.nvec.tolist(), -1)
        return torch.stack([logits.argmax(-1) for logits in components], -1)
    assert isinstance(space, spaces.Box)
    low, high = torch.from_numpy(space.low), torch.from_numpy(space.high)
    return torch.minimum(torch.maximum(scores, low), high)
