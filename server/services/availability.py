"""Online or offline, as last proved: by a heartbeat in time, by any event, or, where none are promised, by the link.

What changes is stored and told, with its reason. A device that comes and goes all the time is said to be flapping,
once; what it is then is told when it has been quiet for a while.
"""

import logging

from server.fanout.broadcast import Broadcast
from server.rules import AvailabilitySettings
from server.services.alerts.service import Alerts
from server.services.damper import Damper
from server.state.devices import Device, Registry
from server.storage.availability import Availability as Change
from server.storage.availability import AvailabilityStore
from server.storage.behind import WriteBehind
from shared.clock import Clock, from_ms, iso_utc, monotonic_s, to_ms
from shared.contract.events import ACCESSORY_STATUS_PUB_CLIENT, DEVICE_STATUS_PUB_CLIENT
from shared.contract.payloads import Absence, DeviceStatus

log = logging.getLogger(__name__)

_UNKNOWN_S = 300.0
"""A device behind another door is given so long until its readings tell how often it speaks."""
_LATE_S = 3.0
"""A sweep that comes so late says that the relay itself stood still: nobody could be heard."""


class Availability:
    """Judges, stores and tells who is there."""

    def __init__(
        self,
        settings: AvailabilitySettings,
        registry: Registry,
        broadcast: Broadcast,
        store: AvailabilityStore,
        behind: WriteBehind,
        alerts: Alerts,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._registry = registry
        self._broadcast = broadcast
        self._store = store
        self._behind = behind
        self._alerts = alerts
        self._clock = clock
        self._dampers: dict[str, Damper] = {}
        self._swept_s = monotonic_s(clock)
        self._ending = False

    def restore(self) -> None:
        """After a start nobody is there; whoever was, until the end, is away because of the restart."""
        newest = self._store.newest()
        now = to_ms(self._clock.now())
        for device in self._registry:
            last = newest.get(device.name)
            if last is not None and not last.online:
                device.reason, device.since = last.reason, from_ms(last.at_ms)
                continue
            device.reason = Absence.RELAY_RESTARTED
            self._keep(Change(device.name, now, online=False, reason=device.reason))

    def heard(self, device: Device) -> bool:
        """Something came from a device. Returns whether that makes it online again."""
        device.heard_s = monotonic_s(self._clock)
        if not device.silent:
            return False
        device.silent, device.reason, device.since = False, None, self._clock.now()
        log.info("device speaks again: device=%s", device.name)
        self.changed(device)
        return True

    def changed(self, device: Device) -> None:
        """A device came or went: store and tell it, unless it does so all the time."""
        if self._ending:
            return
        damper = self._dampers.setdefault(device.name, Damper(self._settings))
        if not damper.changed(monotonic_s(self._clock)):
            return
        device.flapping = damper.flapping
        if device.flapping:
            log.warning("device flaps, it is told of again when it is quiet: device=%s", device.name)
        self._tell(device)

    def sweep(self) -> None:
        """Find those whose heartbeat is missing, and those who are quiet again. Call it once a second."""
        now = monotonic_s(self._clock)
        late = now - self._swept_s > _LATE_S
        self._swept_s = now
        for device in self._registry:
            if late:
                device.heard_s = now
            due_s = self._due_s(device)
            if due_s is not None and now > due_s:
                device.silent, device.since = True, self._clock.now()
                device.reason = Absence.ENDED if device.ended else Absence.HEARTBEAT_MISSED
                log.warning("device silent: device=%s silent_s=%.1f", device.name, now - device.heard_s)
                self.changed(device)
            damper = self._dampers.get(device.name)
            if damper is not None and damper.ended(now):
                device.flapping = False
                self._tell(device)

    def end(self) -> None:
        """The relay ends: that its connections end says nothing of the devices."""
        self._ending = True

    def _due_s(self, device: Device) -> float | None:
        """When a device is given up if nothing comes from it; None where only its connection tells."""
        if not device.online:
            return None
        if device.hello.door is not None:
            # It promises nothing: its own readings tell how often it speaks.
            usual = [reading.stale_after_s for reading in device.readings.values() if reading.stale_after_s is not None]
            return device.heard_s + max(usual, default=_UNKNOWN_S) + self._settings.timeout_s
        promised = device.heartbeat.interval_s if device.heartbeat is not None else device.hello.heartbeat_interval_s
        return None if promised is None else device.heard_s + promised + self._settings.timeout_s

    def _keep(self, change: Change) -> None:
        self._behind.submit(lambda connection: self._store.put(connection, [change]))

    def _tell(self, device: Device) -> None:
        at = to_ms(self._clock.now())
        self._keep(Change(device.name, at, online=device.online, reason=device.reason, flapping=device.flapping))
        status = DeviceStatus.build(
            device=device.name,
            online=device.online,
            since=iso_utc(device.since),
            reason=device.reason,
            flapping=device.flapping,
        )
        self._broadcast.to_pages(DEVICE_STATUS_PUB_CLIENT, status, device.name)
        # The link is one of an accessory's three truths.
        for record in device.accessories.values():
            state = device.state_of(record)
            if state is not None:
                self._broadcast.to_pages(ACCESSORY_STATUS_PUB_CLIENT, state, device.name)
        self._alerts.availability(device)
