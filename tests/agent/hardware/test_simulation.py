import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pi_agent.hardware.base import PartFailed, TransientReadError
from pi_agent.hardware.factory import build_parts
from pi_agent.hardware.options import (
    FaultKind,
    FaultOptions,
    HardwareOptions,
    Mode,
    SimulatedPart,
    SimulationOptions,
)
from pi_agent.hardware.sim.faults import Faults
from pi_agent.hardware.sim.room import Room
from shared.contract.quantities import problem
from tests.support.clock import FakeClock

MIDNIGHT = datetime(2026, 3, 1, tzinfo=UTC)
SECOND = 1_000_000_000


def a_day(seed):
    room = Room(seed)
    return [room.climate(MIDNIGHT + timedelta(minutes=10 * step)) for step in range(144)]


def visits(seed, until_ns):
    room, at_ns, edges = Room(seed), -1, []
    while (edge := room.visits.next_edge(at_ns)) and edge[1] <= until_ns:
        edges.append(edge)
        at_ns = edge[1]
    return edges


# The room


def test_the_same_seed_lives_the_same_day_and_another_seed_another():
    assert a_day(3) == a_day(3)
    assert a_day(3) != a_day(4)
    assert visits(3, 3600 * SECOND) == visits(3, 3600 * SECOND)
    assert visits(3, 3600 * SECOND) != visits(4, 3600 * SECOND)


@given(seed=st.integers(0, 2**53), at_s=st.integers(0, 2**32))
def test_the_weather_is_always_that_of_a_room(seed, at_s):
    temperature, humidity = Room(seed).climate(datetime.fromtimestamp(at_s, UTC))
    assert 15 < temperature < 28
    assert 30 < humidity < 70
    assert problem("temperature", temperature) is None
    assert round(temperature, 1) == temperature


def test_it_is_warmer_in_the_afternoon_than_before_dawn():
    days = [Room(seed) for seed in range(20)]
    dawn = [room.climate(MIDNIGHT + timedelta(hours=4))[0] for room in days]
    afternoon = [room.climate(MIDNIGHT + timedelta(hours=15))[0] for room in days]
    assert all(cool < warm for cool, warm in zip(dawn, afternoon, strict=True))


def test_the_weather_drifts_and_never_jumps():
    room = Room(1)
    readings = [room.climate(MIDNIGHT + timedelta(seconds=2 * step)) for step in range(2000)]
    steps = [abs(a - b) for (a, _), (b, _) in itertools.pairwise(readings)]
    assert max(steps) < 0.25
    assert len({temperature for temperature, _ in readings}) > 3


@pytest.mark.parametrize("seed", range(5))
def test_people_come_and_go_in_turn_and_the_first_within_seconds(seed):
    edges = visits(seed, 3600 * SECOND)
    assert [active for active, _ in edges] == [index % 2 == 0 for index in range(len(edges))]
    assert edges[0][1] <= 12 * SECOND
    assert 100 < len(edges) < 360


@given(seed=st.integers(0, 1000), at_ns=st.integers(0, 600 * SECOND))
def test_a_state_holds_from_edge_to_edge(seed, at_ns):
    schedule = Room(seed).visits
    active, edge_ns = schedule.next_edge(at_ns)
    assert edge_ns > at_ns
    assert schedule.active(at_ns) is not active
    assert schedule.active(edge_ns - 1) is not active
    assert schedule.active(edge_ns) is active


# Faults


@pytest.fixture
def clock():
    return FakeClock()


def test_a_share_of_the_readings_fails_the_same_ones_for_the_same_seed(clock):
    def outcomes(seed):
        faults = Faults(clock, seed)
        faults.inject(SimulatedPart.CLIMATE, FaultKind.TRANSIENT, share=0.25)
        return [fails(lambda: faults.check_read(SimulatedPart.CLIMATE)) for _ in range(400)]

    assert outcomes(1) == outcomes(1) != outcomes(2)
    assert 60 < sum(outcomes(1)) < 140


def fails(call):
    try:
        call()
    except TransientReadError:
        return True
    return False


def test_a_fault_lasts_from_when_to_when_it_was_asked_to(clock):
    faults = Faults(clock)
    faults.inject(SimulatedPart.LIGHT, FaultKind.DEAD, after_s=10, for_s=5)
    was = []
    for _ in range(20):
        was.append(faults.dead(SimulatedPart.LIGHT))
        clock.advance(1)
    assert was == [False] * 10 + [True] * 5 + [False] * 5


def test_clearing_one_part_leaves_the_others_faulty(clock):
    faults = Faults(clock)
    for part in SimulatedPart:
        faults.inject(part, FaultKind.DEAD)
    faults.clear(SimulatedPart.LIGHT)
    assert [part for part in SimulatedPart if not faults.dead(part)] == [SimulatedPart.LIGHT]
    faults.clear()
    assert not any(faults.dead(part) for part in SimulatedPart)


def test_faults_of_the_settings_reach_their_parts(clock):
    faults = (
        FaultOptions(part=SimulatedPart.CLIMATE, kind=FaultKind.DEAD, after_s=60, for_s=60),
        FaultOptions(part=SimulatedPart.LIGHT, kind=FaultKind.FROZEN, after_s=60),
    )
    parts = build_parts(HardwareOptions(mode=Mode.SIMULATED, simulation=SimulationOptions(faults=faults)), clock)
    climate, light = parts.sensors[0], parts.light
    climate.read()
    light.set_level(0.5)
    clock.advance(60)
    light.set_level(0)
    assert light.level() == 0.5
    with pytest.raises(PartFailed):
        climate.read()
    clock.advance(60)
    climate.read()
    parts.close()


def test_a_frozen_sensor_repeats_its_last_value_until_it_thaws(clock):
    faults = Faults(clock)
    parts = build_parts(HardwareOptions(mode=Mode.SIMULATED), clock, faults=faults)
    climate = parts.sensors[0]
    before = climate.read()
    faults.inject(SimulatedPart.CLIMATE, FaultKind.FROZEN)
    for _ in range(5):
        clock.advance(3600)
        assert climate.read() == before
    faults.clear()
    assert climate.read() != before
    parts.close()


def test_a_frozen_infrared_sensor_tells_nothing_and_catches_up_when_it_thaws(clock):
    faults, edges = Faults(clock), []
    parts = build_parts(HardwareOptions(mode=Mode.SIMULATED), clock, faults=faults)
    visitors, start_ns = Room(1).visits, clock.monotonic_ns()
    parts.infrared.start(lambda active, at_ns: edges.append(active))
    faults.inject(SimulatedPart.INFRARED, FaultKind.FROZEN)
    for _ in range(20):
        _, at_ns = visitors.next_edge(clock.monotonic_ns() - start_ns)
        clock.mono_ns = start_ns + at_ns
        parts.infrared.step()
        assert parts.infrared.active() is False
    assert edges == []
    while not visitors.active(clock.monotonic_ns() - start_ns):
        clock.advance(0.5)
    faults.clear()
    parts.infrared.step()
    assert edges == [True]
    assert parts.infrared.active()
    parts.close()
