"""`pi-agent safe`: pins that a dead process left driven."""

import logging
import subprocess
import sys

import pytest
from gpiozero import DigitalOutputDevice, PWMOutputDevice

from pi_agent import cli
from pi_agent.hardware.factory import build_parts
from pi_agent.hardware.options import (
    ClimateDriver,
    ClimateOptions,
    HardwareOptions,
    HostOptions,
    Mode,
    PinLibrary,
    SwitchOptions,
)
from pi_agent.hardware.real.pins import open_pins
from pi_agent.hardware.safe import make_safe
from shared.contract.payloads import SafeState
from tests.support.clock import FakeClock

REAL = HardwareOptions(
    mode=Mode.REAL,
    pins=PinLibrary.MOCK,
    climate=ClimateOptions(driver=ClimateDriver.NONE),
    host=HostOptions(enabled=False),
)
FAN = SwitchOptions(gpio=17)
HEATER = SwitchOptions(gpio=27, safe=SafeState.ON)
LATCH = SwitchOptions(gpio=22, safe=SafeState.KEEP)
RELAY = SwitchOptions(gpio=5, active_high=False)
SWITCHES = {"fan": FAN, "heater": HEATER, "latch": LATCH, "relay": RELAY}


@pytest.fixture(autouse=True)
def quiet():
    """The program sets up logging; the other tests have their own."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    yield
    root.handlers[:] = before
    root.setLevel(level)


def driven(pins, gpio: int) -> tuple[str, bool]:
    """How a line is left: its function and its level."""
    pin = pins.factory.pin(gpio)
    return pin.function, bool(pin.state)


def test_lines_that_a_dead_process_left_driven_go_to_their_safe_states_and_stay_there() -> None:
    # A process that died closed nothing: its devices are let go without a word.
    pins = open_pins(PinLibrary.MOCK)
    dead = [DigitalOutputDevice(gpio, initial_value=True, pin_factory=pins.factory) for gpio in (17, 22)]
    dead += [DigitalOutputDevice(gpio, initial_value=False, pin_factory=pins.factory) for gpio in (27, 5)]
    dead.append(PWMOutputDevice(18, initial_value=0.7, pin_factory=pins.factory))
    pins.factory._reservations.clear()
    assert make_safe(REAL, SWITCHES, FakeClock(), pins) == {}
    assert driven(pins, 17) == ("output", False)
    assert driven(pins, 27) == ("output", True)
    assert driven(pins, 22) == ("output", True)  # as it was
    assert driven(pins, 5) == ("output", True)  # off is high
    assert pins.factory.pin(18).frequency is None
    assert not pins.factory.pin(18).state


def test_one_output_that_cannot_be_had_does_not_keep_the_others_from_being_safe() -> None:
    pins = open_pins(PinLibrary.MOCK)
    holder = DigitalOutputDevice(17, initial_value=True, pin_factory=pins.factory)
    troubles = make_safe(REAL, SWITCHES, FakeClock(), pins)
    assert set(troubles) == {"fan"}
    assert "accessories.fan.gpio" in troubles["fan"]
    assert driven(pins, 27) == ("output", True)
    holder.close()


def test_an_agent_that_ends_leaves_its_outputs_driven_as_is_safe() -> None:
    pins = open_pins(PinLibrary.MOCK)
    parts = build_parts(REAL, FakeClock(), SWITCHES, pins=pins)
    for name, part in parts.switches.items():
        assert part.is_on() is (name == "heater")
        part.set(name != "heater")
        assert part.is_on() is (name != "heater")
    parts.close()
    assert {gpio: driven(pins, gpio) for gpio in (17, 27, 22, 5)} == {
        17: ("output", False),
        27: ("output", True),
        22: ("output", True),
        5: ("output", True),
    }
    assert driven(pins, 23) == ("input", False)  # the infrared sensor's is let go


def test_without_real_pins_it_says_that_there_is_nothing_to_do(monkeypatch, capsys) -> None:
    monkeypatch.setenv("PI_AGENT_HARDWARE__MODE", "simulated")
    assert cli.main(["safe"]) == 0
    assert "no pins to make safe" in capsys.readouterr().out


def test_what_is_not_safe_is_said_and_fails(monkeypatch, capsys) -> None:
    for name, value in {"MODE": "real", "PINS": "mock", "LIGHT__GPIO": "17"}.items():
        monkeypatch.setenv(f"PI_AGENT_HARDWARE__{name}", value)
    monkeypatch.setenv("PI_AGENT_ACCESSORIES__FAN__GPIO", "17")
    assert cli.main(["safe"]) == 0  # each by itself: two on one pin are the agent's trouble, not this one's
    monkeypatch.setenv("PI_AGENT_HARDWARE__PINS", "lgpio")
    assert cli.main(["safe"]) == 1
    assert "not safe: " in capsys.readouterr().err


@pytest.mark.parametrize("unwanted", ["socketio", "apscheduler", "gpiozero", "pi_agent.outbox", "pi_agent.uplink"])
def test_it_imports_little(unwanted) -> None:
    script = f"import sys; from pi_agent import cli; cli.main(['safe']); assert {unwanted!r} not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True, env={"PI_AGENT_HARDWARE__MODE": "simulated"})
