"""Accessories under commands, leases and faults, on a clock that stands still."""

import math
import threading

import pytest

from pi_agent.accessories.breathing import BreathingLight
from pi_agent.accessories.commands import Command, Commands
from pi_agent.accessories.infrared import InfraredWatch
from pi_agent.hardware.options import FaultKind, SimulatedPart
from pi_agent.hardware.sim.faults import Faults
from pi_agent.hardware.sim.parts import ScheduledInfrared, SimulatedLight
from pi_agent.hardware.sim.room import Room
from shared.contract.events import INFRARED_STATUS_PUB_PI, LED_STATUS_PUB_PI
from shared.contract.payloads import AccessoryStatus, Action, parse
from shared.errors import Code
from tests.support.clock import FakeClock

LIGHT, INFRARED = "breath_light", "infrared_sensor"


class Sink:
    """Every status, with the way it went."""

    def __init__(self) -> None:
        self.said: list[tuple[str, object, dict]] = []

    def change(self, spec, fields) -> None:
        self._keep("change", spec, fields)

    def answer(self, spec, fields) -> None:
        self._keep("answer", spec, fields)

    def report(self, spec, fields) -> None:
        self._keep("report", spec, fields)

    def _keep(self, way, spec, fields) -> None:
        parse(AccessoryStatus, {**fields, "id": 1})
        self.said.append((way, spec, dict(fields)))

    def take(self) -> list[tuple[str, dict]]:
        said, self.said = self.said, []
        return [(way, fields) for way, _, fields in said]


class House:
    """A simulated light and infrared sensor under commands."""

    def __init__(self, *, light_on: bool = False, watching: bool = True) -> None:
        self.clock = FakeClock()
        self.faults = Faults(self.clock)
        self.lamp = SimulatedLight("light", 18, self.faults)
        self.eye = ScheduledInfrared("infrared", 23, Room(1).visits, self.clock, self.faults)
        self.motions: list[tuple[bool, int, int]] = []
        self.light = BreathingLight(self.lamp, period_s=4, gamma=2.2, max_level=0.8, frames_per_s=30)
        self.watch = InfraredWatch(self.eye, lambda *motion: self.motions.append(motion))
        self.sink = Sink()
        self.commands = Commands([(self.light, light_on), (self.watch, watching)], self.sink, self.clock)

    def do(self, action: Action, accessory: str | None = LIGHT, **more) -> list[tuple[str, dict]]:
        assert self.commands.submit(Command(action, accessory, **more)) is Code.ACCEPTED
        self.commands.step()
        return self.sink.take()

    def let(self, seconds: float) -> list[tuple[str, dict]]:
        """Time passes, step by step as each is due."""
        end = self.clock.monotonic_ns() + round(seconds * 1e9)
        while self.clock.monotonic_ns() < end:
            wait_s = self.commands.step()
            self.clock.advance(max(0.001, min(wait_s, (end - self.clock.monotonic_ns()) / 1e9)))
        self.commands.step()
        return self.sink.take()


@pytest.fixture
def house():
    it = House()
    it.commands.begin()
    it.sink.take()
    yield it
    it.eye.close()


# --- begin and end ---------------------------------------------------------------------------------------------------


def test_everything_is_off_at_the_start_whatever_ran_before() -> None:
    house = House(watching=False)
    house.lamp.set_level(1)
    house.eye.start(lambda *_: None)
    house.commands.begin()
    assert house.lamp.shines == 0
    assert not house.eye.watching()
    assert house.sink.take() == [
        ("change", {"status": False, "cause": "restart", "level": 0.0}),
        ("change", {"status": False, "cause": "restart"}),
    ]


def test_what_the_settings_want_on_is_on_from_the_start() -> None:
    house = House(light_on=True, watching=True)
    house.commands.begin()
    assert house.lamp.shines > 0
    assert house.eye.watching()
    assert [fields["status"] for _, fields in house.sink.take()] == [True, True]
    house.eye.close()


def test_everything_is_off_at_the_end_and_says_so(house) -> None:
    house.do(Action.ON)
    house.commands.end()
    assert house.lamp.shines == 0
    assert not house.eye.watching()
    assert [(way, fields["status"]) for way, fields in house.sink.take()] == [("change", False), ("change", False)]


def test_a_thread_that_dies_leaves_everything_off(house, monkeypatch) -> None:
    house.do(Action.ON)
    monkeypatch.setattr(house.commands, "step", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        house.commands.run(lambda: None)
    assert house.lamp.shines == 0


# --- commands --------------------------------------------------------------------------------------------------------


def test_a_change_is_durable_and_names_its_command(house) -> None:
    assert house.do(Action.ON, id="c1") == [
        ("change", {"status": True, "cause": "user", "level": pytest.approx(0.02), "command": "c1"})
    ]
    assert house.do(Action.OFF, id="c2") == [
        ("change", {"status": False, "cause": "user", "level": 0.0, "command": "c2"})
    ]


def test_a_command_that_changes_nothing_is_answered_all_the_same(house) -> None:
    ((way, fields),) = house.do(Action.OFF, id="c1")
    assert (way, fields["command"], fields["status"]) == ("answer", "c1", False)


def test_a_check_is_answered_passively_and_without_a_trace(house) -> None:
    ((way, fields),) = house.do(Action.CHECK, id="c1")
    assert (way, fields["method"], fields["command"], fields["status"]) == ("answer", "被動", "c1", False)
    ((_, fields),) = house.do(Action.CHECK)
    assert "command" not in fields


def test_clean_turns_off_everything_but_the_sensors(house) -> None:
    house.do(Action.ON)
    ((way, fields),) = house.do(Action.CLEAN, None, id="c1")
    assert (way, fields["status"], fields["cause"], fields["command"]) == ("change", False, "clean", "c1")
    assert house.lamp.shines == 0
    assert house.eye.watching()


def test_infrared_status_means_watching(house) -> None:
    ((way, fields),) = house.do(Action.OFF, INFRARED)
    assert (way, fields["status"]) == ("change", False)
    assert not house.eye.watching()
    house.do(Action.ON, INFRARED)
    assert house.eye.watching()


def test_a_command_that_comes_twice_is_executed_once_and_answered_twice(house) -> None:
    house.do(Action.ON, id="c1")
    house.do(Action.OFF, id="c2")
    assert house.commands.submit(Command(Action.ON, LIGHT, id="c1")) is Code.DUPLICATE
    house.commands.step()
    assert house.lamp.shines == 0
    ((way, fields),) = house.sink.take()
    assert (way, fields["command"], fields["status"]) == ("answer", "c1", False)


def test_a_command_that_waited_too_long_is_not_executed(house) -> None:
    house.commands.submit(Command(Action.ON, LIGHT, id="c1", ttl_s=2))
    house.clock.advance(2.1)
    house.commands.step()
    assert house.lamp.shines == 0
    ((way, fields),) = house.sink.take()
    assert (way, fields["command"], fields["fault"]["code"]) == ("answer", "c1", "expired")


def test_commands_are_executed_in_the_order_in_which_they_came(house) -> None:
    for number in range(10):
        house.commands.submit(Command(Action.ON if number % 2 else Action.OFF, LIGHT, id=f"c{number}"))
    house.commands.step()
    assert [fields["command"] for _, fields in house.sink.take()] == [f"c{number}" for number in range(10)]
    assert house.lamp.shines > 0


def test_a_full_queue_refuses_and_an_unknown_accessory_too(house) -> None:
    codes = [house.commands.submit(Command(Action.CHECK, LIGHT)) for _ in range(40)]
    assert codes == [Code.ACCEPTED] * 32 + [Code.QUEUE_FULL] * 8
    assert house.commands.submit(Command(Action.ON, "fan")) is Code.UNKNOWN_ACCESSORY


def test_what_is_remembered_of_commands_is_bounded(house) -> None:
    for number in range(1000):
        house.do(Action.CHECK, id=f"c{number}")
    assert len(house.commands._seen) == 256


def test_the_thread_executes_a_command_at_once_and_stops_when_it_is_told(house) -> None:
    beats = threading.Event()
    thread = threading.Thread(target=house.commands.run, args=(beats.set,))
    thread.start()
    assert beats.wait(5)
    house.commands.submit(Command(Action.OFF, INFRARED, id="c1"))
    for _ in range(500):
        if not house.eye.watching():
            break
        threading.Event().wait(0.01)
    house.commands.stop()
    thread.join(5)
    assert not thread.is_alive()
    assert any(fields.get("command") == "c1" for _, fields in house.sink.take())


# --- leases ----------------------------------------------------------------------------------------------------------


def test_an_on_that_is_not_renewed_ends_in_the_safe_state(house) -> None:
    house.do(Action.ON, lease_s=10)
    assert house.let(9.9) == []
    ((way, fields),) = house.let(0.2)
    assert (way, fields["status"], fields["cause"]) == ("change", False, "lease")
    assert house.lamp.shines == 0


def test_a_renewed_lease_counts_from_the_renewal(house) -> None:
    house.do(Action.ON, lease_s=10)
    house.let(8)
    ((way, _),) = house.do(Action.ON, lease_s=10)
    assert way == "answer"
    assert house.let(9) == []
    assert house.lamp.shines > 0
    assert len(house.let(2)) == 1


def test_an_on_without_a_lease_ends_an_earlier_one(house) -> None:
    house.do(Action.ON, lease_s=10)
    house.do(Action.ON)
    assert house.let(60) == []
    assert house.lamp.shines > 0


def test_an_off_ends_the_lease_too(house) -> None:
    house.do(Action.ON, lease_s=10)
    house.do(Action.OFF)
    assert house.let(60) == []


# --- breathing -------------------------------------------------------------------------------------------------------


def test_the_light_swells_to_its_brightest_and_never_goes_out_while_it_is_on(house) -> None:
    house.do(Action.ON)
    levels = []
    for _ in range(200):
        house.let(0.04)
        levels.append(house.lamp.shines)
    assert min(levels) >= 0.02
    assert max(levels) == pytest.approx(0.8, abs=0.01)
    first, second = (levels[part].index(max(levels[part])) for part in (slice(0, 100), slice(100, 200)))
    assert (100 + second - first) * 0.04 == pytest.approx(4, abs=0.2)


def test_the_curve_is_even_to_the_eye() -> None:
    house = House()
    quarter = house.light.level_at(1.0)
    assert quarter == pytest.approx(0.02 + 0.78 * math.pow(0.5, 2.2))
    assert house.light.level_at(2.0) == pytest.approx(0.8)


def test_no_frame_is_due_while_the_light_is_off(house) -> None:
    house.commands.step()
    assert house.commands.step() > 1
    house.do(Action.ON)
    assert house.commands.step() <= 1 / 29
    house.do(Action.OFF)
    house.commands.step()
    assert house.commands.step() > 1


# --- faults ----------------------------------------------------------------------------------------------------------


def test_a_pin_that_does_not_follow_is_reported_as_it_reads(house) -> None:
    house.faults.inject(SimulatedPart.LIGHT, FaultKind.FROZEN)
    ((way, fields),) = house.do(Action.ON, id="c1")
    assert (way, fields["status"], fields["fault"]["code"]) == ("answer", False, "readback_differs")


def test_a_light_that_cannot_be_turned_off_is_reported_as_on(house) -> None:
    house.do(Action.ON)
    house.faults.inject(SimulatedPart.LIGHT, FaultKind.FROZEN)
    ((way, fields),) = house.do(Action.OFF, id="c1")
    assert (way, fields["status"], fields["fault"]["code"]) == ("answer", True, "readback_differs")


def test_a_dead_light_is_a_fault_and_its_last_known_state(house) -> None:
    house.do(Action.ON)
    house.faults.inject(SimulatedPart.LIGHT, FaultKind.DEAD)
    said = house.let(0.1)
    assert [fields["fault"]["code"] for _, fields in said] == ["hardware_fault"]
    ((_, fields),) = house.do(Action.ON, id="c1")
    assert fields["fault"]["code"] == "hardware_fault"


def test_a_part_that_is_dead_from_the_start_does_not_stop_the_others() -> None:
    house = House()
    house.faults.inject(SimulatedPart.LIGHT, FaultKind.DEAD)
    house.commands.begin()
    said = house.sink.take()
    assert [fields.get("fault", {}).get("code") for _, fields in said] == ["hardware_fault", None]
    assert house.eye.watching()
    house.eye.close()


def test_a_state_that_changes_by_itself_is_a_durable_local_fault(house) -> None:
    house.do(Action.ON)
    house.faults.inject(SimulatedPart.LIGHT, FaultKind.FROZEN)
    house.lamp.shines = 0.0
    house.commands.want_report()
    house.commands.step()
    way, fields = next((way, fields) for way, fields in house.sink.take() if fields["status"] is False)
    assert (way, fields["cause"], fields["fault"]["code"]) == ("change", "local_fault", "readback_differs")


def test_a_regular_report_asks_the_pins_and_carries_no_command(house) -> None:
    house.do(Action.ON, id="c1")
    house.commands.want_report()
    house.commands.step()
    said = house.sink.said
    assert {spec for _, spec, _ in said} == {LED_STATUS_PUB_PI, INFRARED_STATUS_PUB_PI}
    assert {way for way, _, _ in said} == {"report"}
    assert not any("command" in fields for _, _, fields in said)


def test_a_fault_is_logged_once_per_change_of_state(house, caplog) -> None:
    house.faults.inject(SimulatedPart.LIGHT, FaultKind.DEAD)
    for _ in range(20):
        house.commands.want_report()
        house.commands.step()
    assert caplog.text.count("failed") == 1


# --- motion ----------------------------------------------------------------------------------------------------------


def test_movements_are_counted_and_told_while_it_watches(house) -> None:
    for _ in range(60):
        house.clock.advance(1)
        house.eye.step()
    begun = [motion for motion in house.motions if motion[0]]
    assert begun
    assert [count for _, count, _ in begun] == list(range(1, len(begun) + 1))
    house.do(Action.OFF, INFRARED)
    told = len(house.motions)
    house.clock.advance(60)
    house.eye.step()
    assert len(house.motions) == told
