"""Third-party environments and agents, which are not part of seqenvs."""

import gymnasium
import numpy as np
from gymnasium import spaces

OBSERVATIONS = {
    "vector": spaces.Box(0.0, 1.0, (6,), np.float32),
    "picture": spaces.Box(0.0, 1.0, (3, 2, 7), np.float32),
    "index": spaces.Discrete(6),
}
ACTIONS = {
    "one": spaces.Discrete(4),
    "two": spaces.MultiDiscrete([4, 2]),
    "level": spaces.Box(-1.0, 3.0, (1,), np.float32),
}


class Cued(gymnasium.Env):
    """A cue, blank steps, and at the end: what was the cue?

    Unlike in seqenvs, rewards have another scale, targets may be None, and infos hold more.
    """

    def __init__(self, sight="vector", answer="one", wait=(1, 3), fault=None):
        self.observation_space, self.action_space = OBSERVATIONS[sight], ACTIONS[answer]
        self.answer, self.wait, self.fault = answer, wait, fault

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.cue = int(self.np_random.integers(4))
        self.left = int(self.np_random.integers(self.wait[0], self.wait[1], endpoint=True))
        levels = {"one": self.cue, "two": [self.cue, self.cue % 2], "level": [self.cue - 1.0]}
        self.target = levels[self.answer]
        return self._see(self.cue), {}

    def _see(self, symbol):
        if isinstance(self.observation_space, spaces.Discrete):
            return symbol
        seen = np.zeros(self.observation_space.shape, np.float32)
        seen.flat[symbol] = 1.0
        return seen

    def step(self, action):
        due = self.left == 0
        self.left -= 1
        info = {"target": self.target if due else None, "due": due, "note": self.left or None}
        if self.fault == "nothing":
            info = {}
        elif self.fault == "target":
            info["target"], info["due"] = 9, True
        reward = (10 if np.array_equal(action, self.target) else -10) if due else -1
        ended = due and self.fault != "endless"
        return self._see(5 if self.left == 0 else 4), reward, False, ended, info


gymnasium.register("Cued-v0", entry_point=Cued)
gymnasium.register("CuedShort-v0", entry_point=Cued, max_episode_steps=20)


class Cheat:
    """Remembers the cue."""

    def predict(self, observation, state=None, episode_start=None, deterministic=True):
        cue = observation.reshape(len(observation), -1).argmax(1)
        state = cue if state is None else np.where(episode_start, cue, state)
        return state, state


class Constant:
    """Always answers 0, and keeps a record of how it was called."""

    def __init__(self):
        self.calls = []

    def predict(self, observation, state=None, episode_start=None, deterministic=True):
        self.calls.append((state, bool(episode_start.all()), deterministic))
        return np.zeros(len(observation), np.int64), len(self.calls)


class Whole:
    """Remembers the cue, and sees whole episodes."""

    sees_future = True

    def answer(self, observations):
        cue = observations[:, 0].argmax(-1)
        return np.repeat(cue[:, None], observations.shape[1], axis=1)
