"""How large something usually gets in this room: the measure by which it is unusual."""

from collections import deque
from typing import Final

from pi_agent.training.climate import SLOTS_PER_DAY

DAYS: Final = 7


class Usual:
    """The largest magnitude of each of the last days, and a limit above all of them.

    A value beyond the limit counts as no more than the limit: one fault does not make the next one usual, while a room
    that has become livelier raises the limit from day to day.
    """

    def __init__(self, floor: float, factor: float) -> None:
        """`floor`: the limit is never lower; `factor`: how far it lies above the largest of the days."""
        self._floor = floor
        self._factor = factor
        self._days: deque[float] = deque([0.0], maxlen=DAYS)
        self._today = 0.0
        self._slots = 0
        self.limit = floor
        """What is not usual any more. The same for a whole day."""

    def see(self, magnitude: float) -> bool:
        """Take in the magnitude of one slot. Returns whether it is above the limit."""
        self._today = max(self._today, min(magnitude, self.limit))
        self._slots += 1
        if self._slots % SLOTS_PER_DAY == 0:
            self._days.append(self._today)
            self._today = 0.0
            self.limit = max(self._floor, self._factor * max(self._days))
        return magnitude > self.limit
