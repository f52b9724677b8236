"""From readings, whenever they come, to one mean per ten minutes; what a step of the wall clock does to it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from pi_agent.training.climate import QUANTITIES, SLOTS_PER_DAY, known, slot_of

STEP_S: Final = 60.0
"""The wall clock is being nudged all the time; by more than this within one slot, it was set."""
TRIM_FROM: Final = 5
"""Of so many readings the lowest and the highest are left out: a spike must not reach the mean."""


@dataclass(frozen=True)
class Slot:
    """The means of one slot; None where there were no readings."""

    number: int
    temperature: float | None
    humidity: float | None


@dataclass
class Slots:
    """Collects readings; gives back slots as they end."""

    _number: int | None = None
    _values: dict[str, list[float]] = field(default_factory=lambda: {quantity: [] for quantity in QUANTITIES})
    _wall_s: float = 0.0
    _monotonic_s: float = 0.0
    set_back_to: int | None = None
    """The slot that the wall clock was set back to by the last reading; None where it was not."""

    def see(self, readings: Mapping[str, float | None], moment: datetime, monotonic_s: float) -> list[Slot]:
        """Take in one round. Returns the slots that have ended since, oldest first, empty ones between them included.

        After a step of the wall clock the slot that had begun is given up: its readings are of two times.
        """
        number = slot_of(moment)
        wall_s = moment.timestamp()
        off_s = (wall_s - self._wall_s) - (monotonic_s - self._monotonic_s)
        ended: list[Slot] = []
        self.set_back_to = None
        if self._number is None or abs(off_s) > STEP_S:
            if self._number is not None and number < self._number:
                self.set_back_to = number
            self._begin(number)
        elif number > self._number:
            ended.append(Slot(self._number, *(_mean(self._values[quantity]) for quantity in QUANTITIES)))
            missed = range(self._number + 1, number)[-SLOTS_PER_DAY:]
            ended += [Slot(between, None, None) for between in missed]
            self._begin(number)
        self._wall_s, self._monotonic_s = wall_s, monotonic_s
        for quantity in QUANTITIES:
            if (value := known(readings.get(quantity))) is not None:
                self._values[quantity].append(value)
        return ended

    def begun(self) -> Slot | None:
        """The slot that has not ended, as far as it has come; None before the first reading."""
        if self._number is None:
            return None
        return Slot(self._number, *(_mean(self._values[quantity]) for quantity in QUANTITIES))

    def _begin(self, number: int) -> None:
        self._number = number
        for values in self._values.values():
            values.clear()


def _mean(values: list[float]) -> float | None:
    if len(values) >= TRIM_FROM:
        values = sorted(values)[1:-1]
    return sum(values) / len(values) if values else None
