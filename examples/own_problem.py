"""Define your own problem in one file: is the current symbol the one of n steps ago?

Two functions define it: ``draw`` returns the inputs, and ``answer`` returns the targets.
`check_problem` checks them. Prints one episode as the environment draws it, answered by the oracle
(score 1), and the bounds.
"""

from dataclasses import dataclass

import numpy as np
from gymnasium.spaces import Discrete

import seqenvs
from seqenvs.cli import main as run_command_line
from seqenvs.testing import check_problem
from seqenvs.validation import check_int


@dataclass(kw_only=True)
class NBack(seqenvs.Problem):
    """Answer 1 if the symbol is the one of ``n`` steps ago, otherwise 0; due from step ``n`` on."""

    length: int = 12
    n: int = 2

    def __post_init__(self):
        check_int("n", self.n, 1)
        check_int("length", self.length, self.n + 1)
        self.num_inputs = self.length, self.length
        self.input_spec, self.action_space = seqenvs.Symbols(4), Discrete(2)

    def draw(self, rng, num_inputs):
        inputs = rng.integers(4, size=(self.length, len(num_inputs)))
        change = rng.integers(1, 4, size=inputs.shape) * (rng.random(inputs.shape) < 0.5)
        for t in range(self.n, self.length):  # a match in half of the steps
            inputs[t] = (inputs[t - self.n] + change[t]) % 4
        return inputs

    def answer(self, inputs, lengths):
        time = np.arange(len(inputs))[:, None]
        match = inputs == np.roll(inputs, self.n, axis=0)
        return match.astype(np.int64), (time >= self.n) & (time < lengths)

    def bounds(self):  # neither the symbol nor the time step tells
        return seqenvs.Bounds(chance=0.5, memoryless=0.5, clock=0.5)


def main():
    check_problem(NBack())  # causal, deterministic, solvable, same in all environments
    seqenvs.register("NBack-v0", f"{__name__}:NBack")
    run_command_line(["show", "NBack-v0", "--set", "n=3", "--seed", "0"])


if __name__ == "__main__":
    main()
