"""What pages are shown as now is the newest that a device has said, whatever its clock says."""

from datetime import timedelta

import pytest

from server.services.restore import restore
from server.state.accessory import MOST_ACCESSORIES
from server.state.devices import Device, Registry
from server.state.readings import MOST_QUANTITIES
from server.storage.records import Device as StoredDevice
from server.storage.records import LoggedEvent, State
from shared.clock import iso_utc, to_ms
from shared.contract.payloads import AccessoryStatus, DeviceProfile, PiHello, SensorData
from shared.errors import Code, Refusal
from tests.support.clock import FakeClock

LED = "breath_light"


def status(on: bool, taken_at: str) -> AccessoryStatus:
    return AccessoryStatus.build(status=on, taken_at=taken_at)


def test_late_news_out_of_a_backlog_are_not_what_is_now() -> None:
    clock = FakeClock()
    device = Device("pi", since=clock.now(), profile=DeviceProfile(device="pi"))
    assert device.note_status(LED, status(True, iso_utc(clock.now())), clock.now())
    late = iso_utc(clock.now() - timedelta(minutes=5))
    assert device.note_status(LED, status(False, late), clock.now()) is None
    [shown] = device.snapshot().accessories
    assert shown.status is True


def test_a_clock_that_was_ahead_does_not_freeze_what_is_shown() -> None:
    clock = FakeClock()
    device = Device("pi", since=clock.now(), profile=DeviceProfile(device="pi"))
    device.note_status(LED, status(True, "2099-01-01T00:00:00.000Z"), clock.now())
    body = {"id": 1, "datetime": "2099-01-01 00:00:00", "fail": [], "taken_at": "2099-01-01T00:00:00.000Z"}
    device.note_readings(SensorData.build(**body, data={"temperature": 20.0}), clock.now())
    clock.advance(1)
    now = iso_utc(clock.now())
    assert device.note_status(LED, status(False, now), clock.now())
    device.note_readings(SensorData.build(**{**body, "taken_at": now}, data={"temperature": 21.0}), clock.now())
    assert device.readings["temperature"].value == 21.0


def test_a_state_says_since_when_it_is_so_and_a_report_that_changes_nothing_does_not_move_that() -> None:
    clock = FakeClock()
    device = Device("pi", since=clock.now(), profile=DeviceProfile(device="pi"))

    def since(on: bool, number: int | None = None) -> str | None:
        body = AccessoryStatus.build(status=on, taken_at=iso_utc(clock.now()), id=number)
        state = device.note_status(LED, body, clock.now())
        assert state is not None
        return state.since

    assert since(True) is None, "nobody saw it change"
    clock.advance(10)
    changed = iso_utc(clock.now())
    assert since(False, 1) == changed
    clock.advance(10)
    assert since(False) == changed
    clock.advance(10)
    assert since(False, 2) == changed, "the outcome of a command that changed nothing"
    clock.advance(10)
    assert since(True, 3) == iso_utc(clock.now())


def test_a_stored_event_that_cannot_be_read_does_not_keep_the_relay_from_starting() -> None:
    clock = FakeClock()
    at = to_ms(clock.now())
    rows = [
        LoggedEvent(1, "pi", "s", 1, "LED_status_pub_pi", at, at, "{"),
        LoggedEvent(2, "pi", "s", 2, "LED_status_pub_pi", at, at, '{"status":true}'),
    ]
    registry = Registry({})
    restore(registry, State(devices=(), readings=(), events=tuple(rows)))
    assert registry.get("pi").record(LED).reported == AccessoryStatus.build(status=True)


def test_an_accessory_that_an_earlier_pi_of_the_name_had_is_not_there() -> None:
    clock = FakeClock()
    at = to_ms(clock.now())
    told = {"contract": "1.0", "accessories": [{"accessory": LED, "pin": 18}]}
    body = '{"status":true,"accessory":"fan"}'
    rows = (
        LoggedEvent(1, "pi", "s", 1, "LED_status_pub_pi", at, at, '{"status":true}'),
        LoggedEvent(2, "pi", "s", 2, "accessory_status_pub_pi/fan", at, at, body),
    )
    registry = Registry({})
    restore(registry, State(devices=(StoredDevice("pi", at, at, told),), readings=(), events=rows))
    assert [state.accessory for state in registry.get("pi").snapshot().accessories] == [LED]


def test_names_that_never_end_do_not_fill_the_memory() -> None:
    clock = FakeClock()
    device = Device("pi", since=clock.now(), profile=DeviceProfile(device="pi"))
    for number in range(50):
        data = {f"q{number}-{of}": 1.0 for of in range(32)}
        body = {"id": number, "datetime": "2026-01-01 00:00:00", "fail": [], "taken_at": iso_utc(clock.now())}
        device.note_readings(SensorData.build(**body, data=data), clock.now())
    assert len(device.readings) == MOST_QUANTITIES
    device.note_readings(SensorData.build(**{**body, "id": 51}, data={"q0-0": 2.0, "q50-1": 2.0}), clock.now())
    assert device.readings["q0-0"].value == 2.0
    assert "q50-1" not in device.readings


def test_accessories_that_are_called_otherwise_each_time_take_the_place_of_older_ones() -> None:
    clock = FakeClock()
    device = Device("pi", since=clock.now(), profile=DeviceProfile(device="pi"))
    for number in range(20):
        names = [f"fan-{number}-{of}" for of in range(32)]
        infos = [{"accessory": name, "sensor": False} for name in names]
        device.hello = PiHello.build(contract="1.0", accessories=infos)
        for name in names:
            assert device.note_status(name, status(True, iso_utc(clock.now())), clock.now())
    assert len(device.accessories) == MOST_ACCESSORIES
    assert set(names) <= device.accessories.keys()


def test_made_up_names_of_devices_are_bounded() -> None:
    clock, registry = FakeClock(), Registry({}, most=2)
    for name in ("a", "b", "a"):
        registry.admit(name, "mqtt", clock.now())
    with pytest.raises(Refusal) as refused:
        registry.admit("c", "mqtt", clock.now())
    assert refused.value.code is Code.CONFLICT
    registry.remove("a")
    assert registry.admit("c", "mqtt", clock.now())[1] is True
