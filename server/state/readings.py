"""The newest value of each quantity of one device, for how long it is what is now, and since when there is none."""

from datetime import datetime
from typing import Final

import msgspec

from server.state.newest import Newest, as_of
from server.state.schedule import Schedule
from shared.clock import iso_utc, parse_iso_utc
from shared.contract.payloads import LastReading, SensorData
from shared.contract.quantities import QUANTITIES

MOST_QUANTITIES: Final = 256
"""Of one device; the log takes more of them, but what is shown as now is bounded."""


class Readings(dict[str, LastReading]):
    """Quantity to newest value."""

    def __init__(self) -> None:
        super().__init__()
        self._tracks: dict[str, _Track] = {}

    def take(self, body: SensorData, now: datetime, taken: datetime | None, round_s: float | None) -> tuple[str, ...]:
        """Take the values of a round that are not older than what is known. Returns their quantities.

        `taken` is what the body's `taken_at` says, where that has been read already; the device's rounds are every
        `round_s`, if it says so.
        """
        at = as_of(body.taken_at, now, taken)
        taken_at = body.taken_at or iso_utc(now)
        taken_s = (taken or parse_iso_utc(taken_at)).timestamp()
        news = []
        for name, value in body.data.items():
            track = self._tracks.get(name)
            if track is None:
                if len(self) >= MOST_QUANTITIES:
                    continue
                track = self._track(name)
            if not track.newest.is_news(at):
                continue
            news.append(name)
            known = self.get(name)
            self[name] = LastReading(
                value=value,
                unit=track.unit,
                taken_at=taken_at,
                quality=body.quality.get(name),
                stale_after_s=track.schedule.note(taken_s, round_s),
                value_at=taken_at if value is not None else known.value_at if known is not None else None,
            )
        return tuple(news)

    def recall(self, name: str, value: float, taken_at: str, round_s: float | None) -> None:
        """Take the newest value that is stored: the newest round may have had none, or not this quantity."""
        track = self._tracks.get(name) or self._track(name)
        track.newest.recall(taken_at)
        known = self.get(name)
        if known is None:
            stale_after_s = Schedule().note(0.0, round_s)
            self[name] = LastReading(
                value=value, unit=track.unit, taken_at=taken_at, stale_after_s=stale_after_s, value_at=taken_at
            )
        elif known.value_at is None:
            self[name] = msgspec.structs.replace(known, value_at=taken_at)

    def _track(self, name: str) -> "_Track":
        track = self._tracks[name] = _Track(QUANTITIES[name].unit if name in QUANTITIES else "")
        return track


class _Track:
    """What is known of one quantity beside its value."""

    __slots__ = ("newest", "schedule", "unit")

    def __init__(self, unit: str) -> None:
        self.unit = unit
        self.schedule = Schedule()
        self.newest = Newest()
