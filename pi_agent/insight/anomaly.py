"""How unusual one reading is, by what came before it: about a microsecond and no memory to speak of.

Two distances are compared with the largest that they ever were, slowly forgotten: that of the newest value, and that of
a short mean, each from a long mean. Nothing is assumed of units, of distributions, or of a period.
"""

from collections import deque
from typing import Final

LONG: Final = 0.005
"""Share of each value in the long mean: it remembers some 200 values."""
SHORT: Final = 0.05
FORGET: Final = 3e-5
"""Share that the largest distances lose with each value: half of them in 23,000 values."""
HOLD_OFF: Final = 120
"""Values after a score during which only a higher one is told."""
LEARN: Final = 30
"""The first values are only learnt from."""
LARGEST: Final = 1e12


class AnomalyScore:
    """The score of one series of values."""

    def __init__(self) -> None:
        self._count = 0
        self._long = 0.0
        self._short = 0.0
        self._largest = 0.0
        self._largest_short = 0.0
        self._recent: deque[tuple[int, float]] = deque()
        """The scores of the hold-off that are not exceeded by a later one, the highest first: (number, score)."""

    def see(self, value: float) -> float:
        """Take in one value. Returns 0 to 1; 0.5 is as far off as ever before. A value that is no number scores 0."""
        if not -LARGEST < value < LARGEST:
            return 0.0
        self._count += 1
        if self._count == 1:
            self._long = self._short = value
        self._short += max(1 / self._count, SHORT) * (value - self._short)
        away, away_short = abs(value - self._long), abs(self._short - self._long)
        ratio = 0.0
        if self._largest > 0:
            ratio = away / self._largest
        if self._largest_short > 0:
            ratio = max(ratio, away_short / self._largest_short)
        self._largest = max(self._largest * (1 - FORGET), away)
        self._largest_short = max(self._largest_short * (1 - FORGET), away_short)
        self._long += max(1 / self._count, LONG) * (value - self._long)
        return self._held(ratio / (1 + ratio)) if self._count > LEARN else 0.0

    def _held(self, score: float) -> float:
        recent = self._recent
        while recent and recent[0][0] < self._count - HOLD_OFF:
            recent.popleft()
        highest = recent[0][1] if recent else 0.0
        while recent and recent[-1][1] <= score:
            recent.pop()
        recent.append((self._count, score))
        return score if score > highest else 0.0
