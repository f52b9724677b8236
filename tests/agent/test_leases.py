"""Leases, link loss and safe states, on a clock that stands still."""

import pytest

from pi_agent.accessories.base import Conduct
from pi_agent.hardware.options import FaultKind, SimulatedPart
from shared.contract.payloads import Action, SafeState
from tests.support.house import FAN, LIGHT, House


@pytest.fixture
def make():
    houses = []

    def build(**conducts) -> House:
        houses.append(house := House(**conducts))
        house.commands.begin()
        house.sink.take()
        return house

    yield build
    for house in houses:
        house.close()


@pytest.fixture
def house(make):
    return make()


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
    assert way == "change"
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


def test_a_status_tells_how_long_the_lease_lasts(house) -> None:
    ((_, fields),) = house.do(Action.ON, FAN, lease_s=10)
    assert fields["lease_left_s"] == 10
    house.let(4)
    ((_, fields),) = house.do(Action.CHECK, FAN)
    assert fields["lease_left_s"] == 6


@pytest.mark.parametrize(("lease_s", "expected_s"), [(None, 30), (10, 10), (100, 30)])
def test_no_lease_is_longer_than_the_longest(make, lease_s, expected_s) -> None:
    house = make(fan=Conduct(longest_lease_s=30))
    house.do(Action.ON, FAN, lease_s=lease_s)
    house.let(expected_s - 0.5)
    assert house.motor.runs
    house.let(1)
    assert not house.motor.runs


def test_a_lease_of_what_is_on_at_the_start_ends_too(make) -> None:
    house = make(fan=Conduct(on_at_start=True, longest_lease_s=30))
    house.let(31)
    assert not house.motor.runs


def test_the_end_of_a_lease_leads_to_the_safe_state_whatever_that_is(make) -> None:
    house = make(light=Conduct(), fan=Conduct(safe=SafeState.KEEP))
    house.do(Action.ON, FAN, lease_s=10)
    (*_, (way, fields)) = house.let(11)
    assert (way, fields["status"], "lease_left_s" in fields) == ("report", True, False)
    assert house.motor.runs


def test_a_lease_that_ends_at_a_part_that_does_not_follow_says_so(house) -> None:
    house.do(Action.ON, FAN, lease_s=10)
    house.faults.inject(SimulatedPart.SWITCH, FaultKind.FROZEN)
    (*_, (_, fields)) = house.let(11)
    assert (fields["status"], fields["cause"], fields["fault"]["code"]) == (True, "lease", "readback_differs")


# --- link loss -------------------------------------------------------------------------------------------------------


def test_without_the_relay_for_long_an_accessory_goes_to_its_safe_state_and_the_others_do_not(make) -> None:
    house = make(fan=Conduct(link_loss_s=60))
    house.do(Action.ON, FAN)
    house.do(Action.ON, LIGHT)
    house.let(120)
    assert house.motor.runs  # the relay is there
    house.let(59, linked=False)
    assert house.motor.runs
    said = house.let(2, linked=False)
    assert [(way, fields["accessory"], fields["status"], fields["cause"]) for way, fields in said] == [
        ("change", FAN, False, "lease")
    ]
    assert not house.motor.runs
    assert house.lamp.shines > 0
    assert house.eye.watching()


def test_what_is_safe_to_be_on_goes_on_without_the_relay(make) -> None:
    house = make(fan=Conduct(safe=SafeState.ON, link_loss_s=60))
    house.do(Action.OFF, FAN)
    house.let(61, linked=False)
    assert house.motor.runs


def test_what_is_safe_already_is_not_touched_when_the_relay_goes(make) -> None:
    house = make(fan=Conduct(link_loss_s=60))
    assert house.let(200, linked=False) == []


def test_nothing_goes_on_by_itself_when_the_relay_comes_back(make) -> None:
    house = make(fan=Conduct(link_loss_s=60))
    house.do(Action.ON, FAN)
    house.let(61, linked=False)
    house.let(100)
    assert not house.motor.runs
    house.do(Action.ON, FAN)
    house.let(61, linked=False)  # and it counts anew
    assert not house.motor.runs


def test_an_agent_that_never_had_a_relay_counts_from_its_start(make) -> None:
    house = make(fan=Conduct(on_at_start=True, link_loss_s=60))
    house.let(59, linked=False)
    assert house.motor.runs
    house.let(2, linked=False)
    assert not house.motor.runs
