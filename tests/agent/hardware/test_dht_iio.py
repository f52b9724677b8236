"""The kernel's dht11 driver, over a tree of files."""

import errno

import pytest

from pi_agent.hardware.base import PartFailed, PartUnavailable, TransientReadError
from pi_agent.hardware.factory import build_parts
from pi_agent.hardware.options import (
    ClimateDriver,
    ClimateOptions,
    HardwareOptions,
    InfraredDriver,
    InfraredOptions,
    LightDriver,
    LightOptions,
    Mode,
)
from pi_agent.hardware.real.dht_iio import DhtIio
from tests.agent.hardware.trees import FakeSysfs, cells, write
from tests.support.clock import FakeClock

DEVICE = "sys/bus/iio/devices/iio:device1"


@pytest.fixture
def tree(tmp_path):
    write(tmp_path, "sys/bus/iio/devices/iio:device0/name", "rpi-adc\n")
    write(tmp_path, f"{DEVICE}/name", "dht11@4\n")
    write(tmp_path, f"{DEVICE}/of_node/gpios", cells(7, 4, 0))
    write(tmp_path, f"{DEVICE}/in_temp_input", "21300\n")
    write(tmp_path, f"{DEVICE}/in_humidityrelative_input", "48100\n")
    return tmp_path


@pytest.fixture
def sysfs(tree):
    return FakeSysfs(tree)


@pytest.fixture
def clock():
    return FakeClock()


def test_it_is_found_by_its_name_and_told_in_degrees_and_percent(sysfs, clock):
    sensor = DhtIio("dht", 4, clock, sysfs)
    assert sensor.read() == {"temperature": 21.3, "humidity": 48.1}


def test_of_two_the_one_on_the_pin_is_taken(tree, sysfs, clock):
    write(tree, "sys/bus/iio/devices/iio:device2/name", "dht11@11\n")
    write(tree, "sys/bus/iio/devices/iio:device2/of_node/gpios", cells(7, 17, 0))
    write(tree, "sys/bus/iio/devices/iio:device2/in_temp_input", "-3000\n")
    write(tree, "sys/bus/iio/devices/iio:device2/in_humidityrelative_input", "90000\n")
    assert DhtIio("dht", 17, clock, sysfs).read()["temperature"] == -3
    assert DhtIio("dht", 4, clock, sysfs).read()["temperature"] == 21.3


def test_without_it_the_overlay_line_is_named(tree, sysfs, clock):
    (tree / DEVICE / "name").unlink()
    with pytest.raises(PartUnavailable, match=r"no device named dht11; .*dtoverlay=dht11,gpiopin=4, then reboot"):
        DhtIio("dht", 4, clock, sysfs)


def test_one_on_another_pin_is_told(sysfs, clock):
    with pytest.raises(PartUnavailable, match=r"is on GPIO 4; set hardware.climate.gpio to it, or .*gpiopin=22"):
        DhtIio("dht", 22, clock, sysfs)


def test_one_that_does_not_tell_its_pin_is_taken(tree, sysfs, clock):
    (tree / DEVICE / "of_node/gpios").unlink()
    DhtIio("dht", 22, clock, sysfs).read()


@pytest.mark.parametrize("file", ["in_temp_input", "in_humidityrelative_input"])
@pytest.mark.parametrize("code", [errno.EIO, errno.ETIMEDOUT])
def test_noise_on_the_line_is_transient(sysfs, clock, code, file):
    sensor = DhtIio("dht", 4, clock, sysfs)
    sensor.read()
    sysfs.fails[file] = code
    clock.advance(2.1)
    with pytest.raises(TransientReadError):
        sensor.read()


@pytest.mark.parametrize("code", [errno.ENOENT, errno.ENODEV, errno.EACCES])
def test_a_device_that_is_gone_is_a_failure(sysfs, clock, code):
    sensor = DhtIio("dht", 4, clock, sysfs)
    sysfs.fails["in_temp_input"] = code
    with pytest.raises(PartFailed):
        sensor.read()


@pytest.mark.parametrize(
    ("temperature", "humidity", "words"),
    [("0", "0", "zeros"), ("90000", "40000", "outside"), ("20000", "101000", "outside"), ("", "40000", "invalid")],
)
def test_what_cannot_be_is_noise(tree, sysfs, clock, temperature, humidity, words):
    write(tree, f"{DEVICE}/in_temp_input", temperature)
    write(tree, f"{DEVICE}/in_humidityrelative_input", humidity)
    with pytest.raises(TransientReadError, match=words):
        DhtIio("dht", 4, clock, sysfs).read()


def test_a_read_within_the_kernels_2_s_is_refused_also_after_a_failure(sysfs, clock):
    sensor = DhtIio("dht", 4, clock, sysfs)
    for code in (0, errno.EIO):
        sysfs.fails["in_temp_input"] = code
        clock.advance(2.1)
        if code:
            with pytest.raises(TransientReadError):
                sensor.read()
        else:
            sensor.read()
        sysfs.fails.clear()
        clock.advance(2.05)
        with pytest.raises(TransientReadError, match="too soon"):
            sensor.read()


def test_the_settings_choose_it(tree, clock):
    options = HardwareOptions(
        mode=Mode.REAL,
        light=LightOptions(driver=LightDriver.NONE),
        infrared=InfraredOptions(driver=InfraredDriver.NONE),
        climate=ClimateOptions(driver=ClimateDriver.IIO),
    )
    parts = build_parts(options, clock, root=tree)  # needs no library
    assert parts.sensors[0].name == "dht"
    assert parts.sensors[0].read()["humidity"] == 48.1
    parts.close()
    with pytest.raises(PartFailed, match="closed"):
        parts.sensors[0].read()
