"""A relay without its doors, in fake time: connections, alerts and notifications over a real database."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
from sqlalchemy import Connection

from server.fanout.broadcast import Broadcast
from server.rules import AlertSettings, AvailabilitySettings, Target
from server.services.alerts.holds import Holds
from server.services.alerts.notifier import Notifier
from server.services.alerts.service import Alerts
from server.services.availability import Availability
from server.services.commands import Commands, Restart
from server.services.presence import Presence
from server.services.relay_time import RelayTime
from server.state.devices import Registry
from server.storage.alerts import AlertStore
from server.storage.availability import AvailabilityStore
from server.storage.behind import WriteBehind
from server.storage.engine import Database
from shared.clock import iso_utc
from shared.contract.events import ALERT_PUB_CLIENT, DEVICE_STATUS_PUB_CLIENT, LED_OFF_PUBLISH_SERVER
from shared.contract.events import LED_ON_PUBLISH_SERVER as LED_ON
from shared.contract.payloads import AccessoryInfo, Heartbeat, PiHello, SensorData
from tests.support.book import MemoryBook
from tests.support.clock import FakeClock
from tests.support.wire import RecordingEmitter


class AtOnce(WriteBehind):
    """Writes when it is told to, and says so at once. While `lost`, nothing gets to the disk, as before a crash."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.lost = False
        self.dropped = 0

    def submit(self, work: Callable[[Connection], None], done: Callable[[], None] = lambda: None) -> None:
        if not self.lost:
            self._database.write(work)
            done()

    def tick(self) -> None:
        pass


class Site:
    """`letters` are what targets got; `troubles` what the next deliveries say went wrong."""

    def __init__(self, path: Path, alerts: dict[str, Any] | None = None, **availability: Any) -> None:
        self.clock = FakeClock()
        self.database = Database.open(f"sqlite:///{path / 'relay.db'}")
        self.settings = msgspec.convert({"start_grace_s": 0.0, **(alerts or {})}, AlertSettings)
        self.availability_settings = msgspec.convert(availability, AvailabilitySettings)
        self.book = MemoryBook()
        self.letters: list[tuple[str, dict[str, Any]]] = []
        self.troubles: list[str] = []
        self.start_relay()

    def start_relay(self) -> None:
        """A new process on the same database; devices are known as they were."""
        known = list(getattr(self, "registry", ()))
        self.wire = RecordingEmitter()
        self.registry = Registry({"lab": ("pi",)})
        for device in known:
            self.registry.add(device.name, device.since).readings.update(device.readings)
        broadcast = Broadcast(self.wire)
        time = RelayTime(self.clock)
        self.commands = Commands(self.registry, broadcast, self.book, self.clock, time, 10.0, defer=lambda work: work())
        Restart(self.commands, self.registry, self.book, self.clock, time).run()
        self.behind = AtOnce(self.database)
        self.store = AlertStore(self.database, self.clock)
        run = lambda work: work()  # noqa: E731 - at once, in this thread
        self.notifier = Notifier(self.settings, self.store, self.behind, self.clock, run, self.carry)
        online = lambda name: self.registry.knows(name) and self.registry.get(name).online  # noqa: E731
        holds = Holds(self.commands, self.clock, run, online)
        self.alerts = Alerts(
            self.settings, self.registry, broadcast, self.store, self.behind, self.notifier, holds, self.clock
        )
        self.comings = AvailabilityStore(self.database)
        self.availability = Availability(
            self.availability_settings, self.registry, broadcast, self.comings, self.behind, self.alerts, self.clock
        )
        recorder: Any = SimpleNamespace(introduce=lambda *_: None)
        self.presence = Presence(self.registry, broadcast, self.commands, recorder, self.clock, time, self.availability)
        self.availability.restore()
        self.alerts.restore()

    def close(self) -> None:
        self.database.close()

    def carry(self, target: Target, letters: list[dict[str, Any]]) -> list[str | None]:
        outcomes: list[str | None] = []
        for letter in letters:
            outcomes.append(self.troubles.pop(0) if self.troubles else None)
            if outcomes[-1] is None:
                self.letters.append((target.name, letter))
        return outcomes

    # --- what happens ---------------------------------------------------------------------------------------------

    def wait(self, seconds: float, beat: tuple[str, ...] = ()) -> None:
        """Time passes, a tick a second; devices in `beat` send heartbeats every second."""
        while seconds > 0:
            self.clock.advance(min(1.0, seconds))
            for device in beat:
                self.beat(device)
            self.availability.sweep()
            self.alerts.tick()
            seconds -= 1.0

    def come(self, device: str = "pi", *, heartbeat_s: float | None = 5.0, run: str = "run-1") -> None:
        light = AccessoryInfo.build(accessory="breath_light", pin=18)
        hello = PiHello.build(
            contract="1.0", sample_interval_s=10.0, accessories=(light,), run=run, heartbeat_interval_s=heartbeat_s
        )
        self.presence.connected(device, f"sid-{device}", hello)

    def leave(self, device: str = "pi") -> None:
        self.presence.disconnected(device, f"sid-{device}")

    def beat(self, device: str = "pi", *, ending: bool = False) -> None:
        self.presence.heard(device)
        self.presence.heartbeat(device, Heartbeat.build(interval_s=5.0, ending=ending))

    def read(self, value: float | None, device: str = "pi", quantity: str = "temperature") -> None:
        body = SensorData.build(
            id=1,
            datetime="2026-03-01 12:00:00",
            fail=(),
            data={quantity: value},
            taken_at=iso_utc(self.clock.now()),
        )
        known = self.registry.get(device)
        self.alerts.readings(known, body, known.note_readings(body, self.clock.now()))

    # --- what was told --------------------------------------------------------------------------------------------

    @property
    def links(self) -> list[tuple[bool, str | None, bool]]:
        """Online, reason, flapping: as pages were told."""
        bodies = self.wire.bodies(DEVICE_STATUS_PUB_CLIENT)
        return [(body["online"], body.get("reason"), body.get("flapping", False)) for body in bodies]

    @property
    def shown(self) -> list[str]:
        """The states of alerts, as pages were told."""
        return [body["state"] for body in self.wire.bodies(ALERT_PUB_CLIENT)]

    @property
    def switched(self) -> list[str]:
        """What the light was told."""
        return [
            "on" if sent.spec is LED_ON else "off"
            for sent in self.wire.sent
            if sent.spec in (LED_ON, LED_OFF_PUBLISH_SERVER)
        ]
