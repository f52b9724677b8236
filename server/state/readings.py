"""The newest value of each quantity of one device, for how long it is what is now, and since when there is none."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

import msgspec

from server.state.schedule import Schedule
from shared.clock import parse_iso_utc
from shared.contract.payloads import LastReading, SensorData
from shared.contract.quantities import QUANTITIES

MOST_QUANTITIES: Final = 256
"""Of one device; the log takes more of them, but what is shown as now is bounded."""


class Readings(dict[str, LastReading]):
    """Quantity to newest value."""

    def __init__(self) -> None:
        super().__init__()
        self._schedules: dict[str, Schedule] = {}

    def bounded(self, names: Mapping[str, object]) -> list[str]:
        """Those of `names` that are known, or for which there is room."""
        if self.keys() >= names.keys():
            return list(names)
        room, taken = MOST_QUANTITIES - len(self), []
        for name in names:
            room -= name not in self
            if name in self or room >= 0:
                taken.append(name)
        return taken

    def take(
        self, body: SensorData, names: Iterable[str], taken_at: str, taken: datetime | None, round_s: float | None
    ) -> None:
        """Take the quantities `names` of a round; the device's rounds are every `round_s`, if it says so.

        `taken` is what `taken_at` says, where that has been read already.
        """
        taken_s = (taken or parse_iso_utc(taken_at)).timestamp()
        for name in names:
            value, known = body.data[name], self.get(name)
            schedule = self._schedules.get(name)
            if schedule is None:
                schedule = self._schedules[name] = Schedule()
            self[name] = LastReading(
                value=value,
                unit=known.unit if known is not None else _unit(name),
                taken_at=taken_at,
                quality=body.quality.get(name),
                stale_after_s=schedule.note(taken_s, round_s),
                value_at=taken_at if value is not None else known.value_at if known is not None else None,
            )

    def recall(self, name: str, value: float, taken_at: str, round_s: float | None) -> None:
        """Take the newest value that is stored: the newest round may have had none, or not this quantity."""
        known = self.get(name)
        if known is None:
            stale_after_s = Schedule().note(0.0, round_s)
            self[name] = LastReading(
                value=value, unit=_unit(name), taken_at=taken_at, stale_after_s=stale_after_s, value_at=taken_at
            )
        elif known.value_at is None:
            self[name] = msgspec.structs.replace(known, value_at=taken_at)


def _unit(quantity: str) -> str:
    return QUANTITIES[quantity].unit if quantity in QUANTITIES else ""
