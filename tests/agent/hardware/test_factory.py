import subprocess
import sys

import pytest

from pi_agent.hardware import factory
from pi_agent.hardware.base import PartUnavailable
from pi_agent.hardware.factory import build_parts
from pi_agent.hardware.options import (
    ClimateDriver,
    ClimateOptions,
    HardwareOptions,
    HostOptions,
    InfraredDriver,
    InfraredOptions,
    LightDriver,
    LightOptions,
    Mode,
    PinLibrary,
    ReplayOptions,
)
from tests.conformance.dht_process import DhtProcess
from tests.support.clock import FakeClock

NO_LIGHT = LightOptions(driver=LightDriver.NONE)
NO_INFRARED = InfraredOptions(driver=InfraredDriver.NONE)
NO_CLIMATE = ClimateOptions(driver=ClimateDriver.NONE)


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def dht(clock, tmp_path, monkeypatch):
    return DhtProcess(clock, tmp_path, monkeypatch)


@pytest.mark.parametrize("mode", [Mode.SIMULATED, Mode.REAL])
def test_the_parts_are_those_of_the_settings_whatever_the_mode(clock, dht, mode):
    parts = build_parts(HardwareOptions(mode=mode, pins=PinLibrary.MOCK), clock)
    assert [sensor.name for sensor in parts.sensors] == ["dht22", "host"]
    assert (parts.light.name, parts.light.pin) == ("light", 18)
    assert (parts.infrared.name, parts.infrared.pin) == ("infrared", 23)
    parts.close()


@pytest.mark.parametrize("mode", [Mode.SIMULATED, Mode.REAL])
def test_a_part_whose_driver_is_none_is_not_there(clock, mode):
    options = HardwareOptions(
        mode=mode, light=NO_LIGHT, infrared=NO_INFRARED, climate=NO_CLIMATE, host=HostOptions(enabled=False)
    )
    parts = build_parts(options, clock)  # needs no pin library either
    assert (parts.sensors, parts.light, parts.infrared) == ((), None, None)
    parts.close()


@pytest.mark.parametrize("mode", [Mode.SIMULATED, Mode.REAL])
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"infrared": InfraredOptions(gpio=18)}, "infrared: GPIO 18 is held by light; set hardware.infrared.gpio"),
        ({"climate": ClimateOptions(gpio=23)}, "climate: GPIO 23 is held by infrared; set hardware.climate.gpio"),
        ({"light": LightOptions(gpio=4)}, "climate: GPIO 4 is held by light; set hardware.climate.gpio"),
    ],
)
def test_two_parts_on_one_pin_are_refused_and_the_holder_is_named(clock, dht, mode, options, words):
    with pytest.raises(PartUnavailable, match=words):
        build_parts(HardwareOptions(mode=mode, pins=PinLibrary.MOCK, **options), clock)


def test_a_pin_of_a_part_that_is_not_there_is_free(clock):
    build_parts(HardwareOptions(mode=Mode.SIMULATED, light=NO_LIGHT, infrared=InfraredOptions(gpio=18)), clock).close()


def test_what_was_opened_is_closed_when_a_later_part_cannot_be(clock, monkeypatch):
    closed = []

    class Light(factory.SimulatedLight):
        def close(self):
            closed.append(self.name)

    monkeypatch.setattr(factory, "SimulatedLight", Light)
    with pytest.raises(PartUnavailable):
        build_parts(HardwareOptions(mode=Mode.SIMULATED, climate=ClimateOptions(gpio=23)), clock)
    assert closed == ["light"]


def test_the_last_part_opened_is_the_first_closed(clock, dht, monkeypatch):
    parts = build_parts(HardwareOptions(mode=Mode.REAL, pins=PinLibrary.MOCK), clock)
    parts.light.set_level(1)
    parts.close()
    assert dht.count("exit") == 1
    with pytest.raises(OSError, match="closed"):
        parts.light.level()


def test_one_quantity_has_one_teller(clock, tmp_path):
    file = tmp_path / "room.csv"
    file.write_text("time,uptime\n0,1\n", encoding="utf-8")
    options = HardwareOptions(mode=Mode.REPLAYED, replay=ReplayOptions(file=str(file)))
    with pytest.raises(PartUnavailable, match=r"uptime is told by replay too; .* hardware.host.enabled"):
        build_parts(options, clock)


def test_a_simulated_agent_imports_no_library_for_pins():
    program = """
import sys
from pi_agent.hardware.factory import build_parts
from pi_agent.hardware.options import HardwareOptions, Mode
from shared.clock import SystemClock
parts = build_parts(HardwareOptions(mode=Mode.SIMULATED), SystemClock())
for sensor in parts.sensors:
    sensor.read()
parts.close()
unwanted = {"gpiozero", "adafruit_dht", "board", "lgpio", "gpiod", "RPi", "colorzero"}
sys.exit(", ".join(unwanted & {name.partition(".")[0] for name in sys.modules}) or 0)
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
