"""Faults of a temperature and humidity sensor, or of its room, by explicit rules: each alarm can say why.

The spike rule sees every reading, the others one mean per ten minutes. Limits follow what is usual in the room.
"""

import itertools
import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from pi_agent.insight.usual import Usual
from pi_agent.training.climate import SLOTS_PER_DAY, known
from shared.contract.payloads import FindingKind, Severity

SILENT_SLOTS: Final = 3
STUCK_SLOTS: Final = 18
STUCK_COARSE_SLOTS: Final = 72
"""Of a sensor that tells whole numbers only, a quiet night looks the same for hours."""
FALL_C: Final = 0.9
"""Within 30 minutes."""
FALL_SLOTS: Final = 3
STEP_C: Final = 1.1
"""Within ten minutes."""
STEP_SETTLED_SLOTS: Final = 3
STEP_HUMIDITY_PCT: Final = 6.0
"""A step of temperature that comes with such a change of humidity is weather in the room, not the sensor."""
DRIFT_C: Final = 2.2
"""Against the same time of the day before; and in the dew point as well."""
DRIFT_FACTOR: Final = 1.25
WINDOW_OPEN_SLOTS: Final = 18
ONE_STEP: Final = 0.75
"""A fall of which one slot has more than this share is a step."""

SEVERITY: Final = {
    FindingKind.SPIKE: Severity.INFO,
    FindingKind.OPEN_WINDOW: Severity.INFO,
    FindingKind.OFFSET: Severity.WARNING,
    FindingKind.DRIFT: Severity.WARNING,
    FindingKind.STUCK: Severity.WARNING,
    FindingKind.SILENT: Severity.CRITICAL,
    FindingKind.UNUSUAL_MOTION: Severity.WARNING,
}


@dataclass(frozen=True)
class Found:
    """A fault began, or ended. A spike has no end."""

    kind: FindingKind
    active: bool
    cause: str
    """For people: what was seen, with its figures."""
    quantity: str = "temperature"

    @property
    def severity(self) -> Severity:
        """How urgent it is."""
        return SEVERITY[self.kind]


class SpikeRule:
    """One reading far from those before and after it: noise on the bus, never a room."""

    MIN_C: Final = 1.5
    FACTOR: Final = 6.0
    """Times the usual change from one reading to the next."""
    _MEMORY: Final = 0.02

    def __init__(self) -> None:
        self._last: deque[float] = deque(maxlen=3)
        self._change = 0.0

    def see(self, value: float | None) -> float | None:
        """Take in one reading. Returns how far the one before it stood out, None where it did not."""
        if known(value) is None or value is None:
            return None
        self._last.append(value)
        if len(self._last) < 3:
            return None
        before, middle, after = self._last
        away = middle - (before + after) / 2
        limit = max(self.MIN_C, self.FACTOR * self._change)
        # Back where it was: a step or a fall is another matter.
        if abs(away) > limit and abs(after - before) < abs(away) / 2:
            return away
        self._change += self._MEMORY * (min(abs(after - middle), limit) - self._change)
        return None


class SlotRules:
    """What shows in means of ten minutes. One sensor of temperature (°C) and humidity (%RH)."""

    def __init__(self) -> None:
        self._past: deque[tuple[float, float] | None] = deque(maxlen=SLOTS_PER_DAY + FALL_SLOTS + 1)
        self._active: dict[FindingKind, int] = {}
        """What is on, and for how many slots."""
        self._missing = 0
        self._flat = 0
        self._falls = Usual(FALL_C, 1.5)
        self._steps = Usual(STEP_C, 1.5)
        self._days = Usual(DRIFT_C, DRIFT_FACTOR)
        self._pending: tuple[int, float, tuple[float, float]] | None = None
        """A step that has yet to prove that it stays: slots since, its size, and what was before it."""
        self._quiet = 0
        """Slots for which a day's difference says nothing new: the level has just jumped."""
        self._level_before_fall = math.inf

    @property
    def active(self) -> frozenset[FindingKind]:
        """What is on now."""
        return frozenset(self._active)

    def see(self, temperature: float | None, humidity: float | None) -> list[Found]:
        """Take in one slot; None where the sensor said nothing. Returns what began and what ended."""
        t, h = known(temperature), known(humidity)
        now = (t, h) if t is not None and h is not None else None
        for kind in self._active:
            self._active[kind] += 1
        found = list(self._silence(now))
        if now is not None:
            found += self._stuck(now)
            found += self._step(now)
            found += self._fall(now)
            found += self._drift(now)
        self._past.append(now)
        return found

    def skip(self, slots: int) -> None:
        """Let so many slots pass of which nobody can say anything, such as while the agent was not running."""
        self._past.extend([None] * slots)

    def _begin(self, kind: FindingKind, cause: str) -> Iterator[Found]:
        if kind not in self._active:
            self._active[kind] = 0
            yield Found(kind, active=True, cause=cause)

    def _end(self, kind: FindingKind, cause: str) -> Iterator[Found]:
        if self._active.pop(kind, None) is not None:
            yield Found(kind, active=False, cause=cause)

    def _ago(self, slots: int) -> tuple[float, float] | None:
        return self._past[-slots] if len(self._past) >= slots else None

    def _silence(self, now: tuple[float, float] | None) -> Iterator[Found]:
        if now is not None:
            self._missing = 0
            yield from self._end(FindingKind.SILENT, "readings again")
            return
        self._missing += 1
        if self._missing >= SILENT_SLOTS:
            yield from self._begin(FindingKind.SILENT, f"no reading for {self._missing * 10} minutes")

    def _stuck(self, now: tuple[float, float]) -> Iterator[Found]:
        if now != self._ago(1):
            self._flat = 0
            yield from self._end(FindingKind.STUCK, "values change again")
            return
        self._flat += 1
        coarse = all(value == round(value) for value in now)
        if self._flat >= (STUCK_COARSE_SLOTS if coarse else STUCK_SLOTS):
            told = f"{now[0]:g} °C and {now[1]:g} %RH unchanged for {self._flat * 10} minutes"
            yield from self._begin(FindingKind.STUCK, told)

    def _step(self, now: tuple[float, float]) -> Iterator[Found]:
        if self._active.get(FindingKind.OFFSET, 0) > SLOTS_PER_DAY:
            yield from self._end(FindingKind.OFFSET, "a day at the new level")
        if self._pending is not None:
            yield from self._settle(now, *self._pending)
            return
        before = self._ago(1)
        if before is None:
            return
        size, humid = now[0] - before[0], abs(now[1] - before[1])
        if humid <= STEP_HUMIDITY_PCT and self._steps.see(abs(size)):
            self._pending = (1, size, before)
            # Until it is known what it was, it is no drift.
            self._quiet = max(self._quiet, STEP_SETTLED_SLOTS + 1)

    def _settle(
        self, now: tuple[float, float], slots: int, size: float, before: tuple[float, float]
    ) -> Iterator[Found]:
        stays = (now[0] - before[0]) / size
        if not 0.6 < stays < 1.4 or abs(now[1] - before[1]) > STEP_HUMIDITY_PCT:
            self._pending = None
        elif slots < STEP_SETTLED_SLOTS:
            self._pending = (slots + 1, size, before)
        else:
            self._pending = None
            self._quiet = SLOTS_PER_DAY
            if FindingKind.OFFSET in self._active:
                yield from self._end(FindingKind.OFFSET, f"another step, {size:+.1f} °C")
            else:
                told = f"{size:+.1f} °C at one stroke, humidity as before: the sensor was moved or reads otherwise"
                yield from self._begin(FindingKind.OFFSET, told)

    def _fall(self, now: tuple[float, float]) -> Iterator[Found]:
        past = [self._ago(slots) for slots in range(1, FALL_SLOTS + 1)]
        before = past[-1]
        if FindingKind.OPEN_WINDOW in self._active:
            regained = now[0] > self._level_before_fall
            if regained or self._active[FindingKind.OPEN_WINDOW] > WINDOW_OPEN_SLOTS:
                yield from self._end(FindingKind.OPEN_WINDOW, "warm again" if regained else "the new level has lasted")
            return
        if before is None or None in past:
            return
        levels = [before[0], *(entry[0] for entry in reversed(past[:-1]) if entry), now[0]]
        fall = levels[0] - levels[-1]
        largest = max(a - b for a, b in itertools.pairwise(levels))
        if largest > ONE_STEP * max(fall, 1e-9) and fall > STEP_C:
            return
        if self._falls.see(max(0.0, fall)):
            self._level_before_fall = levels[-1] + fall / 2
            self._quiet = SLOTS_PER_DAY
            yield from self._begin(FindingKind.OPEN_WINDOW, f"{fall:.1f} °C less within 30 minutes")

    def _drift(self, now: tuple[float, float]) -> Iterator[Found]:
        yesterday = self._ago(SLOTS_PER_DAY)
        if self._quiet:
            self._quiet -= 1
            return
        if yesterday is None:
            return
        warmer = now[0] - yesterday[0]
        moister = dew_point(*now) - dew_point(*yesterday)
        # A room that warms keeps its water: its dew point stays. A sensor that drifts takes the dew point with it.
        both = min(abs(warmer), abs(moister)) if warmer * moister > 0 else 0.0
        if self._days.see(both):
            told = f"{warmer:+.1f} °C against this time yesterday, dew point {moister:+.1f} °C"
            yield from self._begin(FindingKind.DRIFT, told)
        elif both < self._days.limit / 2:
            yield from self._end(FindingKind.DRIFT, "as yesterday again")


def dew_point(temperature: float, humidity: float) -> float:
    """The dew point in °C of air at `temperature` °C and `humidity` %RH (Magnus formula, Sonntag 1990)."""
    part = math.log(max(humidity, 1.0) / 100) + 17.62 * temperature / (243.12 + temperature)
    return 243.12 * part / (17.62 - part)
