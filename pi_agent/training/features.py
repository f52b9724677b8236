"""What the forecaster looks at: the recent course of temperature and humidity, and the time of day.

All features but the last are differences, so that a sensor's constant offset changes nothing. Rises have weights of
their own (`max(0, …)`): after a shower or an open window the way back has another pace than the way there.
"""

import hashlib
import math
from collections.abc import Sequence
from typing import Final

from pi_agent.training.climate import QUANTITIES, SLOTS_PER_DAY, Series, Values, held

LAGS: Final = (1, 2, 3, 6, 12)
"""Slots back: the level minus that of then."""
RISE_LAGS: Final = (1, 3, 6, 12)
"""The same, where it is a rise."""
RISE_MEANS: Final = (18, 144)
"""Slots: how far the level is above the mean of so many."""
DAY_MEAN: Final = 144
HARMONICS: Final = (1, 2, 3)
"""Periods per day."""
MEAN_COVERAGE: Final = 0.8
"""A mean needs this share of its slots."""

NAMES: Final = (
    *(
        f"{quantity}.{feature}"
        for quantity in QUANTITIES
        for feature in (
            *(f"lag{lag}" for lag in LAGS),
            *(f"rise{lag}" for lag in RISE_LAGS),
            f"mean{DAY_MEAN}",
            *(f"above{mean}" for mean in RISE_MEANS),
        )
    ),
    *(f"day.{wave}{harmonic}" for harmonic in HARMONICS for wave in ("sin", "cos")),
)
"""Every feature, in the order of a row."""
HASH: Final = hashlib.sha256(" ".join(NAMES).encode()).hexdigest()[:16]
"""Names the feature list: a model that was trained on another one is refused."""
HISTORY: Final = max(DAY_MEAN, *RISE_MEANS, *LAGS, *RISE_LAGS) + 1
"""Slots that a row needs, its own included."""


class Features:
    """The features of every slot of one series."""

    def __init__(self, series: Series) -> None:
        self._start = series.start
        self._levels = [_Levels(held(series.values(quantity))) for quantity in QUANTITIES]
        self._day = [_time_of_day(slot) for slot in range(SLOTS_PER_DAY)]

    def row(self, index: int) -> list[float] | None:
        """The features at element `index`, in the order of `NAMES`; None where too much of what they need is missing.

        Looks at elements up to `index` only.
        """
        row: list[float] = []
        for levels in self._levels:
            own = levels.features(index)
            if own is None:
                return None
            row += own
        return row + self._day[(self._start + index) % SLOTS_PER_DAY]

    def level(self, quantity: str, index: int) -> float | None:
        """The level of `quantity` at element `index`, short gaps held."""
        return self._levels[QUANTITIES.index(quantity)].values[index]


class _Levels:
    """One quantity with its running sums."""

    def __init__(self, values: list[float | None]) -> None:
        self.values = values
        self._sums, self._counts = _running(values)

    def features(self, index: int) -> list[float] | None:
        values = self.values
        level = values[index]
        if level is None or index < max(*LAGS, *RISE_LAGS):
            return None
        differences: dict[int, float] = {}
        for lag in {*LAGS, *RISE_LAGS}:
            then = values[index - lag]
            if then is None:
                return None
            differences[lag] = level - then
        means = {}
        for width in {DAY_MEAN, *RISE_MEANS}:
            mean = self._mean(index, width)
            if mean is None:
                return None
            means[width] = level - mean
        return [
            *(differences[lag] for lag in LAGS),
            *(max(0.0, differences[lag]) for lag in RISE_LAGS),
            means[DAY_MEAN],
            *(max(0.0, means[width]) for width in RISE_MEANS),
        ]

    def _mean(self, index: int, width: int) -> float | None:
        end, begin = index + 1, index + 1 - width
        if begin < 0:
            return None
        count = self._counts[end] - self._counts[begin]
        return (self._sums[end] - self._sums[begin]) / count if count >= MEAN_COVERAGE * width else None


def _running(values: Values) -> tuple[Sequence[float], Sequence[int]]:
    sums, counts = [0.0], [0]
    for value in values:
        sums.append(sums[-1] + (value or 0.0))
        counts.append(counts[-1] + (value is not None))
    return sums, counts


def _time_of_day(slot: int) -> list[float]:
    angle = 2 * math.pi * slot / SLOTS_PER_DAY
    return [wave(harmonic * angle) for harmonic in HARMONICS for wave in (math.sin, math.cos)]
