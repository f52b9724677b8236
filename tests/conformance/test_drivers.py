"""The suite that the author of a driver runs, run over the drivers that come with the product, and over bad ones."""

import errno
from pathlib import Path

import pytest

from pi_agent.hardware import conformance
from pi_agent.hardware.base import PartFailed, TransientReadError
from pi_agent.hardware.conformance import CHECKS, Rig, check_driver
from pi_agent.hardware.drivers import Bench, Driver, DriverOptions
from pi_agent.hardware.real import ds18b20
from pi_agent.hardware.real.pms5003 import Pms5003
from shared.clock import monotonic_s
from tests.agent.hardware.test_ds18b20 import ATTIC, bus, put
from tests.agent.hardware.test_pms5003 import ScriptedPort, frame
from tests.agent.hardware.trees import FakeSysfs
from tests.support.clock import FakeClock


def thermometer(tmp_path: Path) -> Rig:
    clock, sysfs = FakeClock(), FakeSysfs(tmp_path)
    bus(tmp_path)
    put(tmp_path, ATTIC, 21.5)
    [sensor] = ds18b20.open_sensors(ds18b20.Options(), Bench(clock, sysfs, lambda gpio: gpio))

    def fail(code: int) -> None:
        sysfs.fails["w1_slave"] = code

    return Rig(
        sensor,
        clock.advance,
        change=lambda: put(tmp_path, ATTIC, 22.5),
        silence=lambda: fail(errno.ENOENT),
        noise=lambda: put(tmp_path, ATTIC, 21.5, crc="NO"),
    )


def particles(tmp_path: Path) -> Rig:
    clock = FakeClock()
    port = ScriptedPort(clock)
    sensor = Pms5003(port, 30.0, clock, lambda: monotonic_s(clock))
    clock.advance(30)

    def tell(told: bytes) -> None:
        port.each = told

    return Rig(
        sensor,
        clock.advance,
        change=lambda: tell(frame(4, 8, 9)),
        silence=lambda: tell(b""),
        noise=lambda: tell(frame(1, 2, 3)[:-1] + b"\xff"),
    )


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("make", [thermometer, particles])
def test_the_drivers_that_come_with_the_product_conform(check, make, tmp_path):
    check(make(tmp_path))


# A suite that never fails is no suite.


class Good:
    """A sensor that conforms; the bad ones each break one promise."""

    name, quantities, min_interval_s = "good", ("temperature",), 2.0

    def __init__(self):
        self.clock, self.celsius, self.fault, self.open, self.ended = FakeClock(), 20.0, "", True, -9.0

    def read(self):
        if not self.open or self.fault == "silence":
            raise PartFailed("silent")
        self.pause()
        self.ended = monotonic_s(self.clock)
        if self.fault:
            raise TransientReadError("noise")
        return {"temperature": self.celsius}

    def pause(self):
        if monotonic_s(self.clock) < self.ended + self.min_interval_s:
            raise TransientReadError("too soon")

    def close(self):
        self.open = False


class Stale(Good):
    def __init__(self):
        super().__init__()
        self.told = None

    def read(self):
        self.told = super().read() if self.told is None else self.told
        return self.told


class Hasty(Good):
    def pause(self):
        pass


class Quiet(Good):
    def read(self):
        try:
            return super().read()
        except TransientReadError:
            return {"temperature": 0.0}


class Hopeful(Good):
    def read(self):
        if self.fault == "silence":
            raise TransientReadError("it will surely come back")
        return super().read()


class Undead(Good):
    def close(self):
        pass


class Fragile(Good):
    def close(self):
        if not self.open or self.fault:
            raise PartFailed("closed twice, or silent")
        self.open = False


class Hot(Good):
    def read(self):
        return {"temperature": super().read()["temperature"] + 100}


class Chatty(Good):
    def read(self):
        return super().read() | {"humidity": 50.0}


class Nameless(Good):
    name = ""


class Tired(Good):
    reads = 0

    def read(self):
        self.reads += 1
        if self.reads > 3:
            raise TransientReadError("enough")
        return super().read()


def rig_of(sensor):
    def fault(kind):
        return lambda: setattr(sensor, "fault", kind)

    def change():
        sensor.celsius += 1

    return Rig(sensor, sensor.clock.advance, change, fault("silence"), fault("noise"))


def failing(kind):
    found = set()
    for check in CHECKS:
        try:
            check(rig_of(kind()))
        except (AssertionError, OSError):
            found.add(check)
    return found


@pytest.mark.parametrize(
    ("kind", "check"),
    [
        (Stale, conformance.follows_what_it_measures),
        (Hasty, conformance.refuses_a_read_that_comes_too_soon),
        (Quiet, conformance.tells_nothing_when_there_is_noise),
        (Hopeful, conformance.fails_when_there_is_no_answer),
        (Undead, conformance.is_closed_for_good),
        (Fragile, conformance.may_be_closed_when_it_is_silent),
        (Hot, conformance.tells_every_quantity_within_its_range),
        (Chatty, conformance.tells_every_quantity_within_its_range),
        (Nameless, conformance.has_the_shape_of_a_sensor),
        (Tired, conformance.may_be_read_at_its_interval),
    ],
)
def test_a_sensor_that_breaks_a_promise_is_found(kind, check):
    assert failing(Good) == set()
    assert check in failing(kind)


class Undescribed(DriverOptions, frozen=True, kw_only=True):
    pin: int = 4


@pytest.mark.parametrize(
    ("driver", "words"),
    [(Driver(Undescribed, lambda options, bench: []), "setting pin has no description"), (42, "is no pi_agent")],
)
def test_a_driver_whose_settings_nobody_can_understand_is_found(driver, words):
    with pytest.raises(AssertionError, match=words):
        check_driver(driver)
