"""Movements in an hour of the week that has hardly any, as far as the last weeks tell."""

import math
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

WEEKS: Final = 8
FEWEST_WEEKS: Final = 3
"""Before so many weeks are known, nothing is unusual."""
DEVIATIONS: Final = 4.0
LEAST: Final = 4.0
"""Movements above the mean: one more than usual is no news in a quiet hour."""
_HOUR_S: Final = 3600
_HOURS_PER_WEEK: Final = 168


def hour_of(moment: datetime) -> int:
    """The number of the hour that `moment` falls into: whole hours since 1970, UTC."""
    return math.floor(moment.timestamp() / _HOUR_S)


class MotionHours:
    """Movements per hour, and whether the present hour has unusually many for its place in the week."""

    def __init__(self, past: Mapping[int, int], first: int | None = None) -> None:
        """`past`: movements by hour number. `first`: since when they were counted; by default the earliest of them."""
        self._counts = dict(past)
        self._first = first if first is not None else min(past, default=None)
        self._hour: int | None = None
        self._told = False

    def see(self, moment: datetime, movements: int) -> tuple[bool, str] | None:
        """Add `movements` since the last call. Returns (True, why) once the hour is unusual, (False, …) at its end.

        Hours of the week shift with daylight saving: an hour is compared with those before and after it as well.
        """
        hour = hour_of(moment)
        if self._first is None:
            self._first = hour
        ended = None
        if hour != self._hour:
            if self._told:
                ended = (False, "the hour is over")
            self._hour, self._told = hour, False
            self._forget(hour)
        if movements:
            self._counts[hour] = self._counts.get(hour, 0) + movements
        if ended is not None or self._told:
            return ended
        limit = self.limit(hour)
        if limit is None or self._counts.get(hour, 0) <= limit:
            return None
        self._told = True
        local = moment.astimezone()
        return True, f"{self._counts[hour]} movements, usually at most {limit:.0f} on {local:%A} at {local:%H} o'clock"

    def limit(self, hour: int) -> float | None:
        """The most movements that are usual in hour number `hour`; None while too little is known."""
        weeks = [week for week in range(1, WEEKS + 1) if hour - week * _HOURS_PER_WEEK > (self._first or hour)]
        if len(weeks) < FEWEST_WEEKS:
            return None
        counts = [self._counts.get(hour - week * _HOURS_PER_WEEK + shift, 0) for week in weeks for shift in (-1, 0, 1)]
        mean = sum(counts) / len(counts)
        variance = sum((count - mean) ** 2 for count in counts) / len(counts)
        return max(mean + DEVIATIONS * math.sqrt(max(mean, variance)), mean + LEAST)

    def _forget(self, hour: int) -> None:
        oldest = hour - timedelta(weeks=WEEKS) // timedelta(hours=1) - 2
        for known in [known for known in self._counts if known < oldest or known > hour]:
            del self._counts[known]
