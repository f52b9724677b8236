"""What pi_agent.hardware.base promises, asked of simulated, replayed and real parts alike."""

import math
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pi_agent.hardware import conformance
from pi_agent.hardware.base import Light, PartFailed, Sensor, Watcher
from pi_agent.hardware.conformance import CHECKS
from pi_agent.hardware.options import FaultKind, SimulatedPart
from shared.contract.quantities import QUANTITIES
from tests.conformance.rigs import KINDS, Rig


@pytest.fixture(params=KINDS)
def rig(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    rig = KINDS[request.param](tmp_path, monkeypatch)
    yield rig
    rig.mend()
    rig.parts.close()


def test_every_part_has_the_shape_of_its_protocol(rig):
    assert all(isinstance(sensor, Sensor) for sensor in rig.parts.sensors)
    assert isinstance(rig.light, Light)
    assert isinstance(rig.infrared, Watcher)


def test_names_and_quantities_are_unique_and_known(rig):
    names = [sensor.name for sensor in rig.parts.sensors]
    quantities = [quantity for sensor in rig.parts.sensors for quantity in sensor.quantities]
    assert len(names) == len(set(names)) == 2
    assert len(quantities) == len(set(quantities))
    assert {"temperature", "humidity", "uptime"} <= set(quantities) <= set(QUANTITIES)


# Sensors


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_a_sensor_conforms(check, rig):
    def having(kind):
        return lambda: rig.inject(SimulatedPart.CLIMATE, kind)

    noise, silence = having(FaultKind.TRANSIENT), having(FaultKind.DEAD)
    check(conformance.Rig(rig.climate, rig.clock.advance, rig.warm, silence, noise))


def test_the_machines_own_readings_conform(rig):
    host = rig.parts.sensors[-1]
    nothing = conformance.Rig(host, rig.clock.advance, lambda: None, lambda: None)
    for check in (conformance.tells_every_quantity_within_its_range, conformance.is_closed_for_good):
        check(nothing)


# Light


def test_a_light_is_off_when_opened(rig):
    assert rig.shines() == 0
    assert rig.light.level() == 0


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
@given(levels=st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_a_light_reads_back_what_shines_as_it_was_set(rig, levels):
    for level in levels:
        rig.light.set_level(level)
        assert rig.light.level() == rig.shines()
        assert rig.light.level() == pytest.approx(level, abs=0.01)
    rig.light.set_level(0)
    assert rig.light.level() == rig.shines() == 0


@pytest.mark.parametrize("level", [-0.01, 1.01, math.nan, math.inf, -math.inf])
def test_a_level_outside_0_to_1_is_refused_and_changes_nothing(rig, level):
    rig.light.set_level(0.5)
    with pytest.raises(ValueError, match="outside 0"):
        rig.light.set_level(level)
    assert rig.light.level() == 0.5


def test_a_light_that_does_not_follow_reads_back_what_it_is(rig):
    rig.light.set_level(0.25)
    rig.inject(SimulatedPart.LIGHT, FaultKind.FROZEN)
    rig.light.set_level(0)
    assert rig.light.level() == rig.shines() == 0.25
    rig.light.set_level(1)
    assert rig.light.level() == 0.25


def test_a_dead_light_has_failed(rig):
    rig.inject(SimulatedPart.LIGHT, FaultKind.DEAD)
    for call in (rig.light.level, lambda: rig.light.set_level(0), lambda: rig.light.set_level(0.5)):
        with pytest.raises(PartFailed):
            call()


def test_closing_a_light_turns_it_off_for_good(rig):
    rig.light.set_level(1)
    rig.light.close()
    assert rig.shines() == 0
    rig.light.close()
    for call in (rig.light.level, lambda: rig.light.set_level(0.5)):
        with pytest.raises(PartFailed):
            call()
    assert rig.shines() == 0


def test_closing_a_dead_light_does_not_raise(rig):
    rig.light.set_level(1)
    rig.inject(SimulatedPart.LIGHT, FaultKind.DEAD)
    rig.light.close()
    rig.mend()
    with pytest.raises(PartFailed):
        rig.light.level()


# Infrared


class Told:
    """A listener that remembers."""

    def __init__(self):
        self.edges = []
        self.threads = set()
        self.heard = threading.Event()

    def __call__(self, active, at_ns):
        self.edges.append((active, at_ns))
        self.threads.add(threading.current_thread())
        self.heard.set()

    @property
    def states(self):
        return [active for active, _ in self.edges]


def test_nobody_watches_before_start_and_after_stop(rig):
    assert not rig.infrared.watching()
    rig.infrared.start(Told())
    assert rig.infrared.watching()
    rig.infrared.stop()
    assert not rig.infrared.watching()


def test_edges_are_told_once_in_turn_and_in_order(rig):
    told = Told()
    rig.move(False)
    rig.infrared.start(told)
    for comes in (True, True, False, False, True, False):
        rig.move(comes)
        rig.infrared.step()
        rig.infrared.step()
        assert rig.infrared.active() is comes
    assert told.states == [True, False, True, False]
    times = [at_ns for _, at_ns in told.edges]
    assert times == sorted(set(times))
    assert times[-1] <= rig.clock.monotonic_ns()


def test_edges_that_came_unheeded_are_told_late_but_all(rig):
    told = Told()
    rig.move(False)
    rig.infrared.start(told)
    for comes in (True, False, True, False, True):
        rig.move(comes)
    rig.infrared.step()
    assert told.states == [True, False, True, False, True]


def test_who_is_there_at_the_start_is_told_again_at_every_start(rig):
    rig.move(True)
    for _ in range(2):
        told = Told()
        rig.infrared.start(told)
        rig.clock.advance(0.05)
        rig.infrared.step()
        assert told.states == [True]
        rig.infrared.stop()


def test_a_second_start_does_not_replace_the_listener(rig):
    first, second = Told(), Told()
    rig.move(False)
    rig.infrared.start(first)
    rig.infrared.start(second)
    rig.move(True)
    rig.infrared.step()
    assert first.states == [True]
    assert second.states == []


def test_nothing_is_told_after_stop(rig):
    told = Told()
    rig.move(False)
    rig.infrared.start(told)
    rig.infrared.stop()
    rig.infrared.stop()
    rig.move(True)
    rig.infrared.step()
    assert told.states == []


def test_what_happened_while_nobody_watched_is_not_told_later(rig):
    told = Told()
    rig.infrared.start(Told())
    rig.infrared.stop()
    rig.move(True)
    rig.move(False)
    rig.infrared.start(told)
    rig.clock.advance(0.05)
    rig.infrared.step()
    assert told.states == []


def test_edges_are_told_on_a_thread_of_the_parts_own_that_ends_with_stop(rig):
    told = Told()
    rig.move(True)
    rig.infrared.start(told)
    rig.clock.advance(0.05)
    assert told.heard.wait(10)
    [thread] = told.threads
    assert thread.name == rig.infrared.name
    assert thread is not threading.current_thread()
    rig.infrared.stop()
    assert not thread.is_alive()


def test_a_listener_may_stop_the_part_that_tells_it(rig):
    heard = []

    def listener(active, at_ns):
        heard.append(active)
        rig.infrared.stop()

    rig.move(False)
    rig.infrared.start(listener)
    for comes in (True, False, True):
        rig.move(comes)
    rig.infrared.step()
    assert heard == [True]
    assert not rig.infrared.watching()


def test_a_listener_may_start_the_part_again(rig):
    told = Told()

    def listener(active, at_ns):
        rig.infrared.stop()
        rig.infrared.start(told)

    rig.move(True)
    rig.infrared.start(listener)
    while not told.heard.wait(0.01):
        rig.clock.advance(0.05)
    assert told.states == [True]
    assert rig.infrared.watching()


def test_a_dead_infrared_sensor_has_failed(rig):
    rig.inject(SimulatedPart.INFRARED, FaultKind.DEAD)
    with pytest.raises(PartFailed):
        rig.infrared.active()


def test_a_listener_that_raises_ends_the_watch_and_watching_says_so(rig):
    heard = threading.Event()

    def listener(active, at_ns):
        heard.set()
        raise RuntimeError("a bug")

    rig.move(True)
    rig.infrared.start(listener)
    rig.clock.advance(0.05)
    assert heard.wait(10)
    with pytest.raises(PartFailed, match="thread"):
        while rig.infrared.watching():
            threading.Event().wait(0.01)
    rig.infrared.stop()
    assert not rig.infrared.watching()


def test_a_closed_infrared_sensor_tells_nothing_and_fails(rig):
    told = Told()
    rig.move(False)
    rig.infrared.start(told)
    rig.infrared.close()
    rig.infrared.close()
    rig.move(True)
    rig.infrared.step()
    assert told.states == []
    for call in (rig.infrared.watching, rig.infrared.active, lambda: rig.infrared.start(told)):
        with pytest.raises(PartFailed):
            call()
    rig.infrared.stop()


# All together


def test_closing_all_parts_leaves_the_light_off_and_nobody_watching(rig):
    told = Told()
    rig.move(False)
    rig.light.set_level(0.7)
    rig.infrared.start(told)
    rig.parts.close()
    rig.parts.close()
    assert rig.shines() == 0
    for call in (rig.light.level, rig.infrared.watching, *(sensor.read for sensor in rig.parts.sensors)):
        with pytest.raises(PartFailed):
            call()
