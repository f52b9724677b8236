"""One simulated room: its weather is a function of the time of day, its visitors of the time since the start.

Both are functions of a seed as well, so that a day can be lived twice.
"""

import math
import random
from collections.abc import Iterator
from datetime import datetime
from typing import Protocol

_DAY_S = 86_400
_WARMEST_S = 15 * 3600

_SLOT_NS = 20_000_000_000  # one visitor at most in each slot
_VISITED_SLOTS = 0.7


class Schedule(Protocol):
    """When somebody moves, in ns since the start."""

    def check(self, at_ns: int) -> None:
        """Raise `PartFailed` where the schedule has ended by then."""

    def active(self, at_ns: int) -> bool:
        """True while somebody moves."""

    def next_edge(self, after_ns: int) -> tuple[bool, int] | None:
        """The first edge strictly after `after_ns`; None where there is none any more."""


class Room:
    """Weather and visitors of one room."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self.visits: Schedule = _Visits(seed)

    def climate(self, moment: datetime) -> tuple[float, float]:
        """Temperature in °C and humidity in %RH at `moment`, as a DHT22 tells them: to 0.1.

        Some 19 to 24 °C, warmest at 15:00 UTC; humidity falls as the temperature rises.
        """
        at_s = moment.timestamp()
        day = math.cos(2 * math.pi * (at_s - _WARMEST_S) / _DAY_S)
        temperature = 21.5 + 1.8 * day + self._waves("temperature", at_s, (0.6, 3 * 3600), (0.2, 900), (0.06, 11))
        drift = self._waves("humidity", at_s, (5.0, 4 * 3600), (0.8, 1200), (0.2, 13))
        humidity = 48.0 - 1.8 * (temperature - 21.5) + drift
        return round(temperature, 1), round(humidity, 1)

    def _waves(self, channel: str, at_s: float, *waves: tuple[float, float]) -> float:
        """The sum of smooth random waves, each of (amplitude, period in s)."""
        return sum(
            size * self._smooth(f"{self._seed}/{channel}/{period_s}", at_s / period_s) for size, period_s in waves
        )

    @staticmethod
    def _smooth(name: str, at: float) -> float:
        """A random curve between -1 and 1 through one point per unit of `at`; the same `name`, the same curve."""
        left = math.floor(at)
        a, b = (random.Random(f"{name}/{point}").uniform(-1, 1) for point in (left, left + 1))
        part = at - left
        return a + (b - a) * part * part * (3 - 2 * part)


class _Visits:
    """People who walk past now and then. Whoever starts the program is the first."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def check(self, at_ns: int) -> None:
        """There are always people."""

    def active(self, at_ns: int) -> bool:
        visit = self._visit(at_ns // _SLOT_NS)
        return visit is not None and visit[0] <= at_ns < visit[1]

    def next_edge(self, after_ns: int) -> tuple[bool, int] | None:
        return next(edge for edge in self._edges(after_ns // _SLOT_NS) if edge[1] > after_ns)

    def _edges(self, slot: int) -> Iterator[tuple[bool, int]]:
        while True:
            if visit := self._visit(slot):
                yield True, visit[0]
                yield False, visit[1]
            slot += 1

    def _visit(self, slot: int) -> tuple[int, int] | None:
        """The visit in one slot, from and to in ns; it ends within the slot, so that no two touch."""
        rng = random.Random(f"{self._seed}/visits/{slot}")
        if rng.random() > _VISITED_SLOTS and slot > 0:
            return None
        from_ns = slot * _SLOT_NS + round(rng.uniform(1, 12) * 1e9)
        return from_ns, from_ns + round(rng.uniform(1.5, 7) * 1e9)
