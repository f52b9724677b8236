"""What a part that is on or off promises, simulated and real alike."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from pi_agent.hardware.base import PartFailed, PartUnavailable, Switch
from pi_agent.hardware.factory import Parts, build_parts
from pi_agent.hardware.options import (
    ClimateDriver,
    ClimateOptions,
    FaultKind,
    HardwareOptions,
    Mode,
    PinLibrary,
    SimulatedPart,
    SwitchOptions,
)
from pi_agent.hardware.real.pins import open_pins
from pi_agent.hardware.sim.faults import Faults
from pi_agent.hardware.sim.switch import SimulatedSwitch
from shared.contract.payloads import SafeState
from tests.conformance.rigs import BreakablePin
from tests.support.clock import FakeClock


@dataclass
class Bench:
    """Open parts, and what somebody in the room sees of the switch."""

    parts: Parts
    runs: Callable[[], bool]
    inject: Callable[[FaultKind], None]

    @property
    def switch(self) -> Switch:
        return self.parts.switches["fan"]


def simulated(options: SwitchOptions) -> Bench:
    clock = FakeClock()
    faults = Faults(clock)
    parts = build_parts(HardwareOptions(mode=Mode.SIMULATED), clock, {"fan": options}, faults=faults)
    switch = parts.switches["fan"]
    assert isinstance(switch, SimulatedSwitch)
    return Bench(parts, lambda: switch.runs, lambda kind: faults.inject(SimulatedPart.SWITCH, kind))


def real(options: SwitchOptions) -> Bench:
    clock = FakeClock()
    hardware = HardwareOptions(mode=Mode.REAL, pins=PinLibrary.MOCK, climate=ClimateOptions(driver=ClimateDriver.NONE))
    pins = open_pins(hardware.pins)
    pins.factory.pin_class = BreakablePin
    parts = build_parts(hardware, clock, {"fan": options}, pins=pins)
    pin = pins.factory.pin(options.gpio)

    def inject(kind: FaultKind) -> None:
        pin.frozen, pin.dead = kind is FaultKind.FROZEN, kind is FaultKind.DEAD

    return Bench(parts, lambda: bool(pin.state) is options.active_high, inject)


@pytest.fixture(params=[simulated, real], ids=["simulated", "real on mock pins"])
def make(request):
    opened = []

    def build(**options) -> Bench:
        opened.append(bench := request.param(SwitchOptions(gpio=17, **options)))
        return bench

    yield build
    for bench in opened:
        bench.parts.close()


@pytest.mark.parametrize("active_high", [True, False])
def test_it_is_off_when_opened_and_reads_back_what_runs(make, active_high) -> None:
    bench = make(active_high=active_high)
    assert isinstance(bench.switch, Switch)
    assert (bench.runs(), bench.switch.is_on(), bench.switch.pin) == (False, False, 17)
    for on in (True, True, False):
        bench.switch.set(on)
        assert bench.switch.is_on() is bench.runs() is on


@pytest.mark.parametrize("active_high", [True, False])
@pytest.mark.parametrize(("safe", "left"), [(SafeState.OFF, False), (SafeState.ON, True), (SafeState.KEEP, True)])
def test_it_is_left_in_its_state_of_rest(make, safe, left, active_high) -> None:
    bench = make(safe=safe, active_high=active_high)
    if safe is not SafeState.KEEP:  # that one is as the line reads
        assert bench.runs() is (safe is SafeState.ON)
    bench.switch.set(True)
    bench.switch.close()
    assert bench.runs() is left
    bench.parts.close()
    assert bench.runs() is left
    for call in (bench.switch.is_on, lambda: bench.switch.set(True)):
        with pytest.raises(PartFailed):
            call()


def test_a_pin_that_does_not_follow_reads_back_what_it_is(make) -> None:
    bench = make()
    bench.inject(FaultKind.FROZEN)
    bench.switch.set(True)
    assert bench.switch.is_on() is bench.runs() is False


def test_a_dead_pin_has_failed_and_closing_it_does_not_raise(make) -> None:
    bench = make()
    bench.inject(FaultKind.DEAD)
    for call in (bench.switch.is_on, lambda: bench.switch.set(True)):
        with pytest.raises(PartFailed):
            call()
    bench.switch.close()


def test_a_pin_has_one_owner() -> None:
    with pytest.raises(PartUnavailable, match=r"GPIO 18 is held by light; set accessories\.fan\.gpio to another pin"):
        build_parts(HardwareOptions(mode=Mode.SIMULATED), FakeClock(), {"fan": SwitchOptions(gpio=18)})
