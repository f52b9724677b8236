"""How often a quantity comes: by that it is judged whether its newest value is still what is now."""

from collections import deque

_MISSED = 3
"""So many values may be missing."""
_LEAST_S = 5.0


class Schedule:
    """The times of one quantity's values. A sensor may have a longer period than its device's rounds."""

    def __init__(self) -> None:
        self._last_s: float | None = None
        self._gaps_s: deque[float] = deque(maxlen=5)
        self._shortest_s = 0.0

    def note(self, taken_s: float, round_s: float | None) -> float | None:
        """A value was taken at `taken_s`, by its device's clock; rounds are every `round_s`, if it says so.

        Returns for how long it is what is now, in seconds; None while nothing tells.
        """
        if self._last_s is not None and taken_s > self._last_s:
            self._gaps_s.append(taken_s - self._last_s)
            # Of some: an outage makes a gap long, nothing makes it short.
            self._shortest_s = min(self._gaps_s)
        self._last_s = taken_s
        period_s = max(self._shortest_s, round_s or 0.0)
        return max(_MISSED * period_s, _LEAST_S) if period_s else None
