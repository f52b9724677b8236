"""The live temperature: one sensor's, once a second, for the page `/temperature` and whoever listens.

The sensor is the one that the settings name, else the first device that has a fresh temperature. Where there is none a
simulated room stands in, and every event says so.
"""

import math
from collections.abc import Mapping

from server.doors.guard import Connection, Handler
from server.doors.root import EVERYTHING, watches
from server.fanout.broadcast import Broadcast
from server.settings import TemperatureSettings
from server.state.devices import Device, Registry
from shared.clock import Clock, iso_utc, monotonic_s, parse_iso_utc
from shared.contract.door_events import TEMPERATURE
from shared.contract.door_payloads import LiveTemperature
from shared.contract.payloads import LastReading
from shared.contract.spec import EventSpec

_INTERVAL_S = 1.0
_FRESH_S = 90.0
"""Where nothing tells how often a sensor speaks, its value counts as now for so long."""
_MEAN, _SWING, _PERIOD_S = 21.5, 1.5, 600.0


class TemperatureDoor:
    """Tells the temperature."""

    def __init__(self, registry: Registry, broadcast: Broadcast, clock: Clock, settings: TemperatureSettings) -> None:
        self._registry = registry
        self._broadcast = broadcast
        self._clock = clock
        self._settings = settings
        self._next_s = monotonic_s(clock)

    def handlers(self) -> Mapping[EventSpec, Handler]:
        """It takes nothing."""
        return {}

    def joined(self, connection: Connection, kind: str | None) -> None:
        """Somebody who is here sees it at once."""
        if kind is None and watches(connection.identity):
            self._broadcast.to_page(TEMPERATURE, self.now(), connection.sid)

    def left(self, connection: Connection) -> None:
        """See `Part`."""

    def tick(self) -> None:
        """Call it several times a second."""
        now = monotonic_s(self._clock)
        if now >= self._next_s:
            # No rush of events after a pause.
            self._next_s = max(self._next_s + _INTERVAL_S, now + _INTERVAL_S / 2)
            self._broadcast.to_rooms(TEMPERATURE, self.now(), EVERYTHING)

    def now(self) -> LiveTemperature:
        """The temperature, and whose it is."""
        for device in self._candidates():
            reading = device.readings.get(self._settings.quantity)
            if reading is not None and reading.value is not None and self._is_fresh(reading):
                return LiveTemperature.build(
                    data=f"{reading.value:.2f}",
                    unit=reading.unit or "°C",
                    taken_at=reading.taken_at,
                    device=device.name,
                    simulated=device.hello.simulated,
                )
        at = self._clock.now()
        value = _MEAN + _SWING * math.sin(2 * math.pi * at.timestamp() / _PERIOD_S)
        return LiveTemperature.build(data=f"{value:.2f}", unit="°C", taken_at=iso_utc(at), simulated=True)

    def _candidates(self) -> list[Device]:
        chosen = self._settings.device
        if chosen:
            return [self._registry.get(chosen)] if self._registry.knows(chosen) else []
        return [device for device in self._registry if not device.profile.retired]

    def _is_fresh(self, reading: LastReading) -> bool:
        limit_s = _FRESH_S if reading.stale_after_s is None else reading.stale_after_s
        return (self._clock.now() - parse_iso_utc(reading.taken_at)).total_seconds() <= limit_s
