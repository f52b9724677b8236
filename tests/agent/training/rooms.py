"""Rooms that tests make up: seeded, and known in full."""

import math
import random

from pi_agent.training.climate import SLOTS_PER_DAY, Series


def room(days: float = 14, seed: int = 1, start: int = 2_900_000) -> Series:
    """A room with a day's course, slow weather and a little noise: its next hour can be forecast."""
    rng = random.Random(seed)
    temperature: list[float | None] = []
    humidity: list[float | None] = []
    weather = 0.0
    for number in range(round(days * SLOTS_PER_DAY)):
        weather = 0.97 * weather + rng.gauss(0, 0.05)
        day = math.sin(2 * math.pi * (start + number) / SLOTS_PER_DAY)
        temperature.append(21 + 2 * day + weather + rng.gauss(0, 0.02))
        humidity.append(45 - 4 * day + 3 * weather + rng.gauss(0, 0.1))
    return Series(start, temperature, humidity)


def constant(days: float = 14) -> Series:
    """A sensor that is stuck."""
    slots = round(days * SLOTS_PER_DAY)
    return Series(2_900_000, [21.0] * slots, [45.0] * slots)


def with_gaps(series: Series, share: float, seed: int = 2) -> Series:
    """`series` with so large a share of its slots missing, at random."""
    rng = random.Random(seed)
    gone = [rng.random() < share for _ in range(len(series))]

    def kept(values: list[float | None]) -> list[float | None]:
        return [None if missing else value for missing, value in zip(gone, values, strict=True)]

    return Series(series.start, kept(list(series.temperature)), kept(list(series.humidity)))
