"""DS18B20 thermometers, over a tree of files as the kernel writes them."""

import errno

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pi_agent.hardware.base import PartFailed, PartUnavailable, TransientReadError
from pi_agent.hardware.drivers import Bench
from pi_agent.hardware.real.ds18b20 import Options, open_sensors
from shared.clock import monotonic_s
from tests.agent.hardware.trees import FakeSysfs, write
from tests.support.clock import FakeClock

ATTIC, CELLAR = "28-0316a2794ed5", "28-000005e2fdc3"
BUS = "sys/bus/w1/devices"


def bus(root):
    (root / BUS / "w1_bus_master1").mkdir(parents=True)


def put(root, sensor, celsius, *, crc="YES"):
    """A thermometer on the bus, or its next value."""
    raw = round(celsius * 16) & 0xFFFF
    scratchpad = f"{raw & 0xFF:02x} {raw >> 8:02x} 4b 46 7f ff 0c 10 1c"
    told = f"{scratchpad} : crc=1c {crc}\n{scratchpad} t={round(celsius * 1000)}\n"
    write(root, f"{BUS}/{sensor}/w1_slave", told)


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def sysfs(tmp_path):
    bus(tmp_path)
    put(tmp_path, ATTIC, 21.5)
    return FakeSysfs(tmp_path)


def opened(sysfs, clock, **sensors):
    return open_sensors(Options(sensors=sensors), Bench(clock, sysfs, lambda gpio: gpio))


@pytest.fixture
def attic(sysfs, clock):
    [sensor] = opened(sysfs, clock)
    return sensor


def test_without_settings_every_thermometer_is_told_under_its_id(sysfs, clock):
    put(sysfs.root, CELLAR, -8.25)
    (sysfs.root / BUS / "00-400000000000").mkdir()  # noise that looked like a device
    told = {}
    for sensor in opened(sysfs, clock):
        told |= sensor.read()
    assert told == {f"temperature.{ATTIC}": 21.5, f"temperature.{CELLAR}": -8.25}


def test_each_is_told_as_the_settings_name_it(sysfs, clock):
    put(sysfs.root, CELLAR, 8.0)
    sensors = opened(sysfs, clock, **{CELLAR: "temperature.cellar", ATTIC: "temperature"})
    assert [(sensor.name, sensor.quantities) for sensor in sensors] == [
        (CELLAR, ("temperature.cellar",)),
        (ATTIC, ("temperature",)),
    ]


def test_one_that_fails_takes_no_other_with_it(sysfs, clock):
    put(sysfs.root, CELLAR, 8.0, crc="NO")
    attic, cellar = opened(sysfs, clock, **{ATTIC: "temperature.attic", CELLAR: "temperature.cellar"})
    with pytest.raises(TransientReadError, match=f"{CELLAR}: checksum"):
        cellar.read()
    assert attic.read() == {"temperature.attic": 21.5}


@pytest.mark.parametrize(
    ("told", "error", "words"),
    [
        ("58 01 : crc=2d NO\n58 01 t=21500\n", TransientReadError, "checksum"),
        ("58 01 : crc=2d YES\n58 01\n", TransientReadError, "checksum"),
        ("garbage", TransientReadError, "checksum"),
        ("00 00 00 00 00 00 00 00 00 : crc=00 YES\n00 00 00 00 00 00 00 00 00 t=0\n", TransientReadError, "zeros"),
        ("", PartFailed, "is it still on the bus"),
        ("a0 09 4b : crc=2d YES\na0 09 4b t=154000\n", TransientReadError, "outside"),
    ],
)
def test_what_is_no_value_is_not_told(sysfs, attic, told, error, words):
    write(sysfs.root, f"{BUS}/{ATTIC}/w1_slave", told)
    with pytest.raises(error, match=words):
        attic.read()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    told=st.one_of(
        st.binary(max_size=80),
        st.builds("{0} : crc=1c YES\n{0} t={1}\n".format, st.just("58 01 4b 46"), st.integers(-60_000, 130_000)),
    )
)
def test_whatever_the_file_says_is_a_possible_value_or_refused(sysfs, attic, clock, told):
    write(sysfs.root, f"{BUS}/{ATTIC}/w1_slave", told)
    clock.advance(2)
    try:
        [value] = attic.read().values()
    except (TransientReadError, PartFailed):
        return
    assert -40 <= value <= 80
    assert f"t={round(value * 1000)}" in told


def test_0_degrees_are_no_frame_of_zeros(sysfs, attic):
    put(sysfs.root, ATTIC, 0.0)
    assert attic.read() == {f"temperature.{ATTIC}": 0}


def test_85_degrees_are_what_it_tells_after_a_loss_of_power(sysfs, attic, clock):
    put(sysfs.root, ATTIC, 85.0)
    for _ in range(3):
        with pytest.raises(TransientReadError, match="85 °C is what it tells after a loss of power"):
            attic.read()
        clock.advance(1)
    put(sysfs.root, ATTIC, 21.0)
    assert list(attic.read().values()) == [21.0]


@pytest.mark.parametrize(
    ("code", "error"), [(errno.EIO, TransientReadError), (errno.ENOENT, PartFailed), (errno.ENODEV, PartFailed)]
)
def test_errors_of_the_kernel_are_noise_or_a_failure(sysfs, attic, code, error):
    sysfs.fails["w1_slave"] = code
    with pytest.raises(error, match=ATTIC):
        attic.read()


def test_a_conversion_gets_its_time(attic, clock):
    attic.read()
    clock.advance(0.5)
    with pytest.raises(TransientReadError, match="too soon"):
        attic.read()
    assert monotonic_s(clock) == 1.5


# At the start


def test_without_a_bus_the_overlay_line_is_named(tmp_path, clock):
    with pytest.raises(PartUnavailable, match=r"config.txt: dtoverlay=w1-gpio, then reboot"):
        opened(FakeSysfs(tmp_path), clock)


def test_a_bus_without_thermometers_is_a_matter_of_wiring(tmp_path, clock):
    bus(tmp_path)
    with pytest.raises(PartUnavailable, match="check its wiring"):
        opened(FakeSysfs(tmp_path), clock)


def test_one_that_is_not_there_is_named_with_those_that_are(sysfs, clock):
    with pytest.raises(PartUnavailable, match=rf"{CELLAR} is not on the bus \(there is: {ATTIC}\)"):
        opened(sysfs, clock, **{CELLAR: "temperature.cellar"})


@pytest.mark.parametrize(
    ("sensors", "words"),
    [
        ({"28-XYZ": "temperature"}, "no 1-Wire thermometer's id"),
        ({ATTIC: "humidity"}, "is no temperature; write temperature"),
        ({ATTIC: "attic"}, "is no temperature"),
        ({ATTIC: "temperature", CELLAR: "temperature"}, "two sensors have the same quantity"),
    ],
)
def test_settings_that_cannot_work_are_refused(sensors, words):
    with pytest.raises(ValueError, match=words):
        Options(sensors=sensors)
