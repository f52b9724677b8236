"""Temperature and humidity of one room on a grid of ten minutes: what models are trained on and forecast from."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

STEP_S = 600
SLOTS_PER_DAY = 86_400 // STEP_S
QUANTITIES = ("temperature", "humidity")
HELD_SLOTS = 2
"""A gap of at most so many slots holds the last value; a longer one stays a gap."""
LARGEST = 1e6
"""Of a value, in its unit: far beyond any reading, and small enough for every sum of squares."""

Values = Sequence[float | None]


def slot_of(moment: datetime) -> int:
    """The number of the slot that `moment` falls into: whole steps since 1970, UTC."""
    return math.floor(moment.timestamp() / STEP_S)


def slot_begin(slot: int) -> datetime:
    """When slot number `slot` begins, in UTC."""
    return datetime.fromtimestamp(slot * STEP_S, UTC)


@dataclass(frozen=True)
class Series:
    """Means of consecutive slots; None where there is none, or where one is no finite number.

    `temperature` in °C and `humidity` in %RH have the same length; element 0 is slot number `start`.
    """

    start: int
    temperature: Values
    humidity: Values

    def __post_init__(self) -> None:
        if len(self.temperature) != len(self.humidity):
            raise ValueError(f"{len(self.temperature)} temperatures, {len(self.humidity)} humidities")

    def __len__(self) -> int:
        return len(self.temperature)

    def values(self, quantity: str) -> Values:
        """The values of `quantity`, one of `QUANTITIES`."""
        return self.temperature if quantity == "temperature" else self.humidity

    def part(self, begin: int, end: int) -> "Series":
        """Elements `begin` to `end` (exclusive)."""
        return Series(self.start + begin, self.temperature[begin:end], self.humidity[begin:end])

    @property
    def coverage(self) -> float:
        """The share of slots that have both values, 0 to 1."""
        both = sum(
            known(t) is not None and known(h) is not None for t, h in zip(self.temperature, self.humidity, strict=True)
        )
        return both / len(self) if len(self) else 0.0


def known(value: float | None) -> float | None:
    """`value` where it is a usable number, else None."""
    return value if value is not None and -LARGEST < value < LARGEST else None


def held(values: Values) -> list[float | None]:
    """`values` with short gaps closed by the value before them, as one who looks only backwards can."""
    result: list[float | None] = []
    last: float | None = None
    age = 0
    for value in values:
        usable = known(value)
        if usable is not None:
            last, age = usable, 0
        else:
            age += 1
        result.append(last if age <= HELD_SLOTS else None)
    return result
