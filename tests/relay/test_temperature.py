"""The live temperature is a sensor's while that is fresh, and says so where it is simulated."""

from datetime import timedelta

from server.doors.guard import Connection
from server.doors.root import EVERYTHING
from server.doors.temperature import TemperatureDoor
from server.fanout.broadcast import Broadcast
from server.security.identity import Identity, Role
from server.settings import TemperatureSettings
from server.state.devices import Registry
from shared.clock import iso_utc, local_text
from shared.contract.door_events import TEMPERATURE
from shared.contract.payloads import PiHello, SensorData
from tests.support.clock import FakeClock
from tests.support.wire import RecordingEmitter


class Room:
    def __init__(self, device: str = "") -> None:
        self.clock = FakeClock()
        self.wire = RecordingEmitter()
        self.registry = Registry({})
        settings = TemperatureSettings(device=device)
        self.door = TemperatureDoor(self.registry, Broadcast(self.wire), self.clock, settings)

    def measure(self, device: str, value: float | None, interval_s: float | None = 2.0) -> None:
        now = self.clock.now()
        hello = PiHello.build(contract="1.0", sample_interval_s=interval_s)
        known, _ = self.registry.connected(device, f"sid-{device}", hello, now)
        body = SensorData.build(
            id=1, datetime=local_text(now), fail=(), data={"temperature": value}, taken_at=iso_utc(now)
        )
        known.note_readings(body, now)


def test_without_any_sensor_a_simulated_room_stands_in_and_says_so() -> None:
    told = Room().door.now()
    assert told.simulated
    assert told.device is None
    assert 19.5 < float(told.data) < 23.5


def test_a_fresh_value_is_told_with_two_decimals_and_a_stale_one_is_not() -> None:
    room = Room()
    room.measure("kitchen", 23.4567)
    told = room.door.now()
    assert (told.data, told.unit, told.device, told.simulated) == ("23.46", "°C", "kitchen", False)
    room.clock.advance(7)
    assert room.door.now().simulated


def test_a_devices_token_is_not_shown_what_another_device_measures() -> None:
    room = Room()
    room.measure("kitchen", 20.0)
    for name, role in (("attic", Role.DEVICE), ("page", Role.VIEWER)):
        room.door.joined(Connection(f"sid-{name}", Identity(name, role, token=1)), None)
    assert [sent.to for sent in room.wire.of(TEMPERATURE)] == [("sid-page",)]


def test_the_chosen_device_is_the_only_one_that_counts() -> None:
    room = Room(device="attic")
    room.measure("kitchen", 20.0)
    assert room.door.now().simulated
    room.measure("attic", -4.004)
    assert room.door.now().data == "-4.00"
    room.measure("attic", None)
    assert room.door.now().simulated


def test_it_is_told_once_a_second_and_not_in_a_rush_after_a_pause() -> None:
    room = Room()
    for _ in range(50):
        room.door.tick()
        room.clock.advance(0.1)
    assert len(room.wire.of(TEMPERATURE)) == 5
    assert room.wire.of(TEMPERATURE)[0].to == (EVERYTHING,)
    room.clock.advance(timedelta(minutes=5).total_seconds())
    room.door.tick()
    room.door.tick()
    assert len(room.wire.of(TEMPERATURE)) == 6
