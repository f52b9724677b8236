"""Accessories under commands, leases and faults, on a clock that stands still."""

import math
import threading
from collections import deque

import pytest

from pi_agent.accessories.base import Conduct
from pi_agent.accessories.command import Command
from pi_agent.hardware.options import FaultKind, SimulatedPart
from pi_agent.workers import Worker
from shared.clock import SystemClock
from shared.contract.events import ACCESSORY_STATUS_PUB_PI, INFRARED_STATUS_PUB_PI, LED_STATUS_PUB_PI
from shared.contract.payloads import Action, Cause, LightOptions, SafeState
from shared.errors import Code
from tests.support.house import FAN, INFRARED, LIGHT, House

OFF, ON = Conduct(), Conduct(on_at_start=True)


@pytest.fixture
def house():
    it = House()
    it.commands.begin()
    it.sink.take()
    yield it
    it.close()


# --- begin and end ---------------------------------------------------------------------------------------------------


def test_everything_is_in_its_safe_state_at_the_start_whatever_ran_before() -> None:
    house = House(watch=OFF, fan=Conduct(safe=SafeState.ON))
    house.lamp.set_level(1)
    house.eye.start(lambda *_: None)
    house.commands.begin()
    assert house.lamp.shines == 0
    assert not house.eye.watching()
    assert house.motor.runs
    assert house.sink.take() == [
        ("change", {"status": False, "cause": "restart", "level": 0.0}),
        ("change", {"status": False, "cause": "restart"}),
        ("change", {"status": True, "cause": "restart", "accessory": FAN}),
    ]
    house.close()


def test_what_is_to_be_kept_is_left_alone_at_the_start_and_at_the_end() -> None:
    house = House(fan=Conduct(safe=SafeState.KEEP))
    house.motor.set(True)
    house.commands.begin()
    assert house.motor.runs
    assert [fields["status"] for _, fields in house.sink.take()] == [False, True, True]
    house.commands.end()
    assert house.motor.runs
    house.close()


def test_what_the_settings_want_on_is_on_from_the_start() -> None:
    house = House(light=ON, watch=ON, fan=ON)
    house.commands.begin()
    assert house.lamp.shines > 0
    assert house.eye.watching()
    assert house.motor.runs
    assert [fields["status"] for _, fields in house.sink.take()] == [True, True, True]
    house.close()


def test_everything_is_safe_at_the_end_and_says_so() -> None:
    house = House(light=ON, fan=Conduct(safe=SafeState.ON))
    house.commands.begin()
    house.do(Action.OFF, FAN)
    house.commands.end()
    assert (house.lamp.shines, house.eye.watching(), house.motor.runs) == (0, False, True)
    assert [(way, fields["status"]) for way, fields in house.sink.take()] == [
        ("change", False),
        ("change", False),
        ("change", True),
    ]
    house.close()


def test_a_thread_that_dies_leaves_everything_off(house, monkeypatch) -> None:
    house.do(Action.ON)
    monkeypatch.setattr(house.commands, "step", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        deque(house.commands.work(), maxlen=0)
    assert house.lamp.shines == 0


# --- commands --------------------------------------------------------------------------------------------------------


def test_a_change_is_durable_and_names_its_command(house) -> None:
    usual = {"level": 0.8, "period_s": 4.0, "gamma": 2.2}
    assert house.do(Action.ON, id="c1") == [
        ("change", {"status": True, "cause": "user", "level": pytest.approx(0.02), "light": usual, "command": "c1"})
    ]
    assert house.do(Action.OFF, id="c2") == [
        ("change", {"status": False, "cause": "user", "level": 0.0, "command": "c2"})
    ]


def test_a_command_that_changes_nothing_is_answered_as_durably(house) -> None:
    ((way, fields),) = house.do(Action.OFF, id="c1")
    assert (way, fields["command"], fields["status"]) == ("change", "c1", False)


def test_a_numbered_command_is_told_as_applied_before_the_pin_is_read_back(house) -> None:
    said = house.do(Action.ON, FAN, id="c1", ledger="L", seq=1)
    assert said == [
        ("answer", {"command": "c1", "accessory": FAN}),
        ("change", {"status": True, "cause": "user", "accessory": FAN, "command": "c1"}),
    ]


def test_a_rule_is_the_cause_where_the_command_says_so(house) -> None:
    ((_, fields),) = house.do(Action.ON, FAN, id="c1", cause=Cause.RULE)
    assert fields["cause"] == "rule"


def test_a_check_is_answered_passively_and_without_a_trace(house) -> None:
    ((way, fields),) = house.do(Action.CHECK, id="c1")
    assert (way, fields["method"], fields["command"], fields["status"]) == ("answer", "被動", "c1", False)
    ((_, fields),) = house.do(Action.CHECK)
    assert "command" not in fields
    assert not house.journal.known("c1")


def test_clean_turns_off_everything_but_the_sensors_with_one_answer_each(house) -> None:
    house.do(Action.ON)
    house.do(Action.ON, FAN)
    said = house.do(Action.CLEAN, None, id="c1")
    assert [way for way, _ in said] == ["change", "change"]
    assert {fields.get("accessory", LIGHT) for _, fields in said} == {LIGHT, FAN}
    assert {(fields["status"], fields["cause"], fields["command"]) for _, fields in said} == {(False, "clean", "c1")}
    assert house.lamp.shines == 0
    assert not house.motor.runs
    assert house.eye.watching()


def test_infrared_status_means_watching(house) -> None:
    ((way, fields),) = house.do(Action.OFF, INFRARED)
    assert (way, fields["status"]) == ("change", False)
    assert not house.eye.watching()
    house.do(Action.ON, INFRARED)
    assert house.eye.watching()


def test_the_relay_is_told_kind_title_and_safe_state_of_each(house) -> None:
    assert [(info.accessory, info.kind, info.title, info.safe, info.pin) for info in house.commands.infos()] == [
        (LIGHT, "breathing_light", "Breathing light", "off", 18),
        (INFRARED, "infrared_watch", "Infrared watch", "off", 23),
        (FAN, "switch", "Fan", "off", 17),
    ]


def test_a_full_queue_refuses_and_an_unknown_accessory_too(house) -> None:
    codes = [house.commands.submit(Command(Action.CHECK, LIGHT)) for _ in range(40)]
    assert codes == [Code.ACCEPTED] * 32 + [Code.QUEUE_FULL] * 8
    assert house.commands.submit(Command(Action.ON, "toaster")) is Code.UNKNOWN_ACCESSORY


def test_the_thread_executes_a_command_at_once_and_stops_when_it_is_told(house) -> None:
    driver = Worker("commands", house.commands.work, SystemClock())
    house.commands.on_due = driver.wake
    driver.start()
    house.commands.submit(Command(Action.OFF, INFRARED, id="c1"))
    for _ in range(500):
        if not house.eye.watching():
            break
        threading.Event().wait(0.01)
    house.commands.stop()
    assert driver.join(5)
    assert any(fields.get("command") == "c1" for _, fields in house.sink.take())


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


def test_the_curve_is_even_to_the_eye(house) -> None:
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


def test_a_command_may_say_how_to_breathe_and_the_next_one_is_as_the_settings_say(house) -> None:
    wanted = LightOptions.build(level=0.3, period_s=2.0, gamma=1.0)
    ((_, fields),) = house.do(Action.ON, light=wanted)
    assert fields["light"] == {"level": 0.3, "period_s": 2.0, "gamma": 1.0}
    levels = []
    for _ in range(50):
        house.let(0.04)
        levels.append(house.lamp.shines)
    assert max(levels) == pytest.approx(0.3, abs=0.01)
    ((_, fields),) = house.do(Action.ON, light=LightOptions.build(gamma=3.0))
    assert fields["light"] == {"level": 0.8, "period_s": 4.0, "gamma": 3.0}
    ((_, fields),) = house.do(Action.OFF)
    assert "light" not in fields


def test_a_breath_that_is_under_way_goes_on_at_the_same_place(house) -> None:
    house.do(Action.ON)
    house.let(2)  # the brightest moment of four seconds
    before = house.lamp.shines
    house.do(Action.ON, light=LightOptions.build(period_s=10.0))
    house.let(0.04)
    assert house.lamp.shines == pytest.approx(before, abs=0.02)


# --- faults ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("accessory", "part"), [(LIGHT, SimulatedPart.LIGHT), (FAN, SimulatedPart.SWITCH)])
def test_a_pin_that_does_not_follow_is_reported_as_it_reads(house, accessory, part) -> None:
    house.faults.inject(part, FaultKind.FROZEN)
    ((way, fields),) = house.do(Action.ON, accessory, id="c1")
    assert (way, fields["status"], fields["fault"]["code"]) == ("change", False, "readback_differs")
    assert house.journal.outcomes("c1")[0].fault is Code.READBACK_DIFFERS


@pytest.mark.parametrize(("accessory", "part"), [(LIGHT, SimulatedPart.LIGHT), (FAN, SimulatedPart.SWITCH)])
def test_what_cannot_be_turned_off_is_reported_as_on(house, accessory, part) -> None:
    house.do(Action.ON, accessory)
    house.faults.inject(part, FaultKind.FROZEN)
    ((way, fields),) = house.do(Action.OFF, accessory, id="c1")
    assert (way, fields["status"], fields["fault"]["code"]) == ("change", True, "readback_differs")


def test_clean_names_each_accessory_that_did_not_go_off(house) -> None:
    house.do(Action.ON)
    house.do(Action.ON, FAN)
    house.faults.inject(SimulatedPart.SWITCH, FaultKind.FROZEN)
    said = {fields.get("accessory", LIGHT): fields for _, fields in house.do(Action.CLEAN, None, id="c1")}
    assert (said[LIGHT]["status"], "fault" in said[LIGHT]) == (False, False)
    assert (said[FAN]["status"], said[FAN]["fault"]["code"]) == (True, "readback_differs")


@pytest.mark.parametrize(("accessory", "part"), [(LIGHT, SimulatedPart.LIGHT), (FAN, SimulatedPart.SWITCH)])
def test_a_part_that_cannot_be_driven_is_a_hardware_fault(house, accessory, part) -> None:
    house.faults.inject(part, FaultKind.DEAD)
    ((way, fields),) = house.do(Action.ON, accessory, id="c1")
    assert (way, fields["status"], fields["fault"]["code"]) == ("change", False, "hardware_fault")


def test_a_light_that_dies_while_it_breathes_is_a_fault_and_its_last_known_state(house) -> None:
    house.do(Action.ON)
    house.faults.inject(SimulatedPart.LIGHT, FaultKind.DEAD)
    said = house.let(0.1)
    assert [fields["fault"]["code"] for _, fields in said] == ["hardware_fault"]
    assert said[0][1]["status"] is True


def test_a_part_that_is_dead_from_the_start_does_not_stop_the_others() -> None:
    house = House()
    house.faults.inject(SimulatedPart.LIGHT, FaultKind.DEAD)
    house.commands.begin()
    said = house.sink.take()
    assert [fields.get("fault", {}).get("code") for _, fields in said] == ["hardware_fault", None, None]
    assert house.eye.watching()
    house.close()


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
    assert {spec for _, spec, _ in said} == {LED_STATUS_PUB_PI, INFRARED_STATUS_PUB_PI, ACCESSORY_STATUS_PUB_PI}
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
