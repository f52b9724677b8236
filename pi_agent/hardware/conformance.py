"""What a sensor must do, as checks that any test runner can run: for whoever writes a driver.

    @pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
    def test_my_sensor(check, rig):
        check(rig)

Each check gets a fresh `Rig` and raises `AssertionError` with what is wrong. docs/drivers.md has a whole example.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from msgspec import Meta

from pi_agent.hardware.base import HardwareError, NotReady, PartFailed, Sensor, TransientReadError
from pi_agent.hardware.drivers import Driver, DriverOptions
from shared.contract.quantities import known, problem
from shared.settings import names

_READS = 5
_SILENCES = 4


@dataclass
class Rig:
    """A sensor that was just opened and may be read, and the world around it.

    `wait` lets so many seconds pass on the sensor's clock. `change` alters what is measured, visibly. `noise` makes
    every read from now on a faulty one (None where the part has no such fault), `silence` ends all answers.
    """

    sensor: Sensor
    wait: Callable[[float], None]
    change: Callable[[], None]
    silence: Callable[[], None]
    noise: Callable[[], None] | None = None

    def rest(self) -> None:
        """Time passes until the sensor may be read again."""
        self.wait(self.sensor.min_interval_s + 0.001)


def has_the_shape_of_a_sensor(rig: Rig) -> None:
    """Name, quantities and interval are there, and are of use."""
    sensor = rig.sensor
    _demand(isinstance(sensor, Sensor), "it lacks a part of pi_agent.hardware.base.Sensor")
    _demand(bool(sensor.name) and len(sensor.name) <= 64, f"its name {sensor.name!r} has not 1 to 64 characters")
    _demand(bool(sensor.quantities), "it has no quantities")
    _demand(len(set(sensor.quantities)) == len(sensor.quantities), "it has a quantity twice")
    for name in sensor.quantities:
        _demand(0 < len(name) <= 64, f"its quantity {name!r} has not 1 to 64 characters")
    _demand(0 <= sensor.min_interval_s < 86_400, f"its min_interval_s is {sensor.min_interval_s}")


def tells_every_quantity_within_its_range(rig: Rig) -> None:
    """A read has a finite number for each quantity, and nothing else."""
    _check_reading(rig.sensor, rig.sensor.read())


def may_be_read_at_its_interval(rig: Rig) -> None:
    """Five reads, each after the pause that the sensor asks for."""
    for _ in range(_READS):
        _check_reading(rig.sensor, rig.sensor.read())
        rig.rest()


def follows_what_it_measures(rig: Rig) -> None:
    """After a change another value is told: no old one is told as a new one."""
    before = dict(rig.sensor.read())
    rig.change()
    rig.rest()
    _demand(dict(rig.sensor.read()) != before, "what it measures has changed, and it tells the value from before")


def refuses_a_read_that_comes_too_soon(rig: Rig) -> None:
    """Where it needs a pause, a read within it raises `TransientReadError`, also after one that failed."""
    if rig.sensor.min_interval_s == 0:
        return
    rig.sensor.read()
    _demand_error(rig, TransientReadError, "a read without a pause")
    if rig.noise is not None:
        rig.rest()
        rig.noise()
        _demand_error(rig, TransientReadError, "a noisy read")
        _demand_error(rig, TransientReadError, "a read right after a noisy one")


def tells_nothing_when_there_is_noise(rig: Rig) -> None:
    """A faulty read raises `TransientReadError`, each time."""
    if rig.noise is None:
        return
    rig.sensor.read()
    rig.noise()
    for _ in range(_READS):
        rig.rest()
        _demand_error(rig, TransientReadError, "a noisy read")


def fails_when_there_is_no_answer(rig: Rig) -> None:
    """Silence is `PartFailed` at the fourth read at the latest; no read tells anything meanwhile."""
    rig.sensor.read()
    rig.silence()
    for _ in range(_SILENCES):
        rig.rest()
        if isinstance(_demand_error(rig, HardwareError, "a read of a silent part"), PartFailed):
            return
    raise AssertionError(f"after {_SILENCES} reads without an answer it has not raised PartFailed")


def is_closed_for_good(rig: Rig) -> None:
    """`close` may be called twice; a read afterwards raises `PartFailed`."""
    rig.sensor.read()
    rig.sensor.close()
    rig.sensor.close()
    rig.rest()
    _demand_error(rig, PartFailed, "a read after close")


def may_be_closed_when_it_is_silent(rig: Rig) -> None:
    """`close` never raises."""
    rig.silence()
    rig.sensor.close()


CHECKS: Final[tuple[Callable[[Rig], None], ...]] = (
    has_the_shape_of_a_sensor,
    tells_every_quantity_within_its_range,
    may_be_read_at_its_interval,
    follows_what_it_measures,
    refuses_a_read_that_comes_too_soon,
    tells_nothing_when_there_is_noise,
    fails_when_there_is_no_answer,
    is_closed_for_good,
    may_be_closed_when_it_is_silent,
)


def check_driver(driver: Driver[Any]) -> None:
    """What an entry point names: settings that refuse unknown names, each with a default and a description."""
    _demand(isinstance(driver, Driver), "it is no pi_agent.hardware.drivers.Driver")
    _demand(issubclass(driver.options, DriverOptions), "its settings are no DriverOptions")
    for name, field in names(driver.options):
        metas = [meta for meta in getattr(field.type, "__metadata__", ()) if isinstance(meta, Meta)]
        _demand(any(meta.description for meta in metas), f"its setting {name} has no description")
        _demand(not field.required, f"its setting {name} has no default")


def _check_reading(sensor: Sensor, reading: Mapping[str, float]) -> None:
    _demand(
        set(reading) == set(sensor.quantities), f"it tells {sorted(reading)} instead of {sorted(sensor.quantities)}"
    )
    for name, value in reading.items():
        number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        _demand(number, f"its {name} is {value!r}, which is no number")
        where = "" if known(name) else " (this quantity is not in the table: its unit is not told)"
        why = problem(name, value)
        _demand(why is None, f"{why}{where}")


def _demand_error(rig: Rig, kind: type[HardwareError], when: str) -> HardwareError:
    try:
        told = rig.sensor.read()
    except NotReady as error:
        raise AssertionError(f"{when} says that it is not ready: {error}") from error
    except HardwareError as error:
        _demand(isinstance(error, kind), f"{when} raises {type(error).__name__} instead of {kind.__name__}")
        return error
    raise AssertionError(f"{when} tells {dict(told)} instead of raising {kind.__name__}")


def _demand(holds: bool, otherwise: str) -> None:
    if not holds:
        raise AssertionError(otherwise)
