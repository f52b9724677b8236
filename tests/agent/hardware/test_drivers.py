"""Further drivers: found by their entry point, set by their table, opened with the other parts."""

import importlib.metadata
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from pi_agent.hardware import drivers
from pi_agent.hardware.base import PartUnavailable
from pi_agent.hardware.conformance import check_driver
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
)
from shared.contract.quantities import QUANTITIES, known, problem
from shared.settings import SettingsError
from tests.agent.hardware.test_ds18b20 import ATTIC, CELLAR, bus, put
from tests.agent.hardware.test_options import load_with
from tests.support.clock import FakeClock

NOTHING_ELSE = {
    "mode": Mode.REAL,
    "light": LightOptions(driver=LightDriver.NONE),
    "infrared": InfraredOptions(driver=InfraredDriver.NONE),
    "climate": ClimateOptions(driver=ClimateDriver.NONE),
    "host": HostOptions(enabled=False),
}


def opened(root, **tables):
    return build_parts(HardwareOptions(**NOTHING_ELSE, drivers=tables), FakeClock(), root=root)


@pytest.fixture
def thermometers(tmp_path):
    bus(tmp_path)
    put(tmp_path, ATTIC, 21.5)
    put(tmp_path, CELLAR, 8.25)
    return tmp_path


def test_the_drivers_that_come_with_the_product_are_entry_points_like_any_other():
    points = {point.name: point for point in importlib.metadata.entry_points(group=drivers.GROUP)}
    assert {"ds18b20", "pms5003"} <= set(points)
    for name in ("ds18b20", "pms5003"):
        check_driver(points[name].load())


def test_a_table_in_the_settings_opens_a_driver(thermometers):
    options = load_with(MODE="real", DRIVERS=f'{{ds18b20 = {{sensors = {{"{ATTIC}" = "temperature.attic"}}}}}}')
    parts = opened(thermometers, **options.drivers)
    assert [(sensor.name, sensor.quantities) for sensor in parts.sensors] == [(ATTIC, ("temperature.attic",))]
    assert parts.sensors[0].read() == {"temperature.attic": 21.5}
    parts.close()
    with pytest.raises(OSError, match="closed"):
        parts.sensors[0].read()


def test_simulated_parts_take_no_further_drivers(tmp_path):
    options = HardwareOptions(mode=Mode.SIMULATED, drivers={"ds18b20": {}})
    parts = build_parts(options, FakeClock(), root=tmp_path)
    assert ATTIC not in [sensor.name for sensor in parts.sensors]
    parts.close()


@pytest.mark.parametrize(
    ("tables", "error", "words"),
    [
        ({"ds18b21": {}}, PartUnavailable, r"ds18b21: no driver of this name is installed; did you mean ds18b20\?"),
        ({"zzz": {}}, PartUnavailable, "installed are .*ds18b20.*pms5003"),
        ({"ds18b20": {"sensor": {}}}, SettingsError, "hardware.drivers.ds18b20.sensor .* did you mean sensors"),
        ({"ds18b20": {"sensors": 3}}, SettingsError, r"hardware.drivers.ds18b20.sensors = 3: .* write a table"),
        ({"pms5003": {"warm_up_s": -1}}, SettingsError, "hardware.drivers.pms5003.warm_up_s = -1: .*>= 0"),
        ({"ds18b20": {"sensors": {"28-x": "temperature"}}}, SettingsError, "28-x is no 1-Wire thermometer's id"),
    ],
)
def test_a_table_that_cannot_work_is_refused_by_its_name(thermometers, tables, error, words):
    with pytest.raises(error, match=words) as refused:
        opened(thermometers, **tables)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("load", "words"),
    [
        (lambda: 42, "is no Driver"),
        (
            lambda: (_ for _ in ()).throw(ModuleNotFoundError("no module smbus2")),
            "cannot be imported: no module smbus2",
        ),
    ],
)
def test_a_package_that_is_broken_is_named(thermometers, monkeypatch, load, words):
    point = SimpleNamespace(name="bme280", value="bme280_driver:DRIVER", load=load)
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: [point])
    with pytest.raises(PartUnavailable, match=f"bme280: bme280_driver:DRIVER {words}"):
        opened(thermometers, bme280={})


def test_a_quantity_that_two_sensors_tell_is_refused_with_the_remedy(thermometers):
    climate = ClimateOptions(driver=ClimateDriver.IIO)
    iio = thermometers / "sys/bus/iio/devices/iio:device0"
    iio.mkdir(parents=True)
    (iio / "name").write_text("dht11\n")
    options = HardwareOptions(
        **(NOTHING_ELSE | {"climate": climate}), drivers={"ds18b20": {"sensors": {ATTIC: "temperature"}}}
    )
    with pytest.raises(PartUnavailable, match="temperature is told by dht too; give one of them a place"):
        build_parts(options, FakeClock(), root=thermometers)


def test_a_pin_that_a_driver_claims_is_held_by_it(thermometers, monkeypatch):
    def open_sensors(options, bench):
        bench.claim(4)
        return [bench.claim(4)]

    driver = drivers.Driver(drivers.DriverOptions, open_sensors)
    point = SimpleNamespace(name="twice", value="x:y", load=lambda: driver)
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: [point])
    with pytest.raises(PartUnavailable, match=r"GPIO 4 is held by twice; set hardware.drivers.twice.gpio"):
        opened(thermometers, twice={})


def test_a_place_is_a_label_behind_the_quantity():
    assert known("temperature.attic") is known("temperature") is QUANTITIES["temperature"]
    assert known("PM2.5.kitchen") is known("PM2.5")
    assert known("PM2") is None
    assert "outside" in problem("temperature.attic", 90)
    assert problem("radon.cellar", 90) is None


def test_an_agent_without_further_drivers_does_not_look_for_any():
    program = """
import sys
from pi_agent.hardware.factory import build_parts
from pi_agent.hardware.options import HardwareOptions, Mode
from shared.clock import SystemClock
build_parts(HardwareOptions(mode=Mode.SIMULATED), SystemClock()).close()
unwanted = {"importlib.metadata", "subprocess", "termios", "pi_agent.hardware.drivers", "pi_agent.hardware.real.pins"}
sys.exit(", ".join(unwanted & set(sys.modules)) or 0)
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=Path(__file__).parents[3])
    assert ran.returncode == 0, ran.stderr
