"""Delays between attempts: exponential, with full jitter, never longer than a bound."""

import random
from dataclasses import dataclass, field


@dataclass
class Backoff:
    """Yields the next delay in seconds; `reset` after a success.

    Full jitter spreads a crowd: when a relay restarts, its agents must not come back in one instant.
    """

    first_s: float = 1.0
    longest_s: float = 30.0
    rng: random.Random = field(default_factory=random.Random)
    _attempt: int = 0

    def next_s(self) -> float:
        """A delay between half the first one and the bound that this attempt has reached."""
        bound = min(self.longest_s, self.first_s * 2.0 ** min(self._attempt, 30))
        self._attempt += 1
        return max(min(self.first_s, bound) / 2, self.rng.uniform(0, bound))

    def reset(self) -> None:
        """Start again from the shortest delay."""
        self._attempt = 0
