"""DS18B20 thermometers on the 1-Wire bus, through the kernel's files. Any number of them share one pin."""

import errno
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from pi_agent.hardware.base import PartFailed, PartUnavailable, Sensor, TransientReadError
from pi_agent.hardware.drivers import Bench, Driver, DriverOptions
from pi_agent.hardware.real.sysfs import Sysfs
from pi_agent.hardware.rest import Rest
from shared.clock import Clock
from shared.contract.quantities import known, problem

_BUS: Final = "sys/bus/w1/devices"
_FAMILIES: Final = ("28-", "10-", "22-", "3b-", "42-")  # DS18B20, DS18S20, DS1822, DS1825, DS28EA00
_ID: Final = re.compile(r"(?:28|10|22|3b|42)-[0-9a-f]{12}")
_RESULT: Final = re.compile(r"\bt=(-?\d+)\s*$")
_POWER_ON: Final = 85.0
_POWER_ON_RAW: Final = "50 05"
"""The scratchpad's first bytes at 85 °C, which is also what a sensor tells that has lost its power since."""
_NOISE: Final = frozenset({errno.EIO, errno.ETIMEDOUT, errno.EAGAIN, errno.EINTR})


class Options(DriverOptions, frozen=True, kw_only=True):
    """The thermometers on the bus."""

    sensors: Annotated[
        dict[str, str],
        Meta(
            max_length=32,
            description='quantity by id: {"28-0316a2794ed5" = "temperature.attic"}; empty: all that are there, as '
            "temperature.ID",
        ),
    ] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        for sensor, quantity in self.sensors.items():
            if not _ID.fullmatch(sensor):
                raise ValueError(f"{sensor} is no 1-Wire thermometer's id; they look like 28-0316a2794ed5")
            if (kind := known(quantity)) is None or kind.unit != "°C":
                raise ValueError(f"{quantity} is no temperature; write temperature, or temperature.PLACE")
        if len(set(self.sensors.values())) < len(self.sensors):
            raise ValueError("two sensors have the same quantity; write temperature.PLACE")


class Ds18b20:
    """One thermometer. Its name is its id, so that a message names the one to look at.

    Quantity: a temperature in °C, -55 to 125, of which the contract takes -40 to 80; steps of 0.0625, told to 0.1.
    Wiring: 3.3 V, data to GPIO 4 with 4.7 kΩ to 3.3 V, ground; `dtoverlay=w1-gpio` in config.txt.
    Source: Maxim DS18B20 datasheet; the kernel's Documentation/w1/slaves/w1_therm.rst.
    """

    min_interval_s: float = 1.0  # a conversion takes 0.75 s

    def __init__(self, sensor: str, quantity: str, clock: Clock, sysfs: Sysfs) -> None:
        self.name = sensor
        self.quantities: tuple[str, ...] = (quantity,)
        self._sysfs = sysfs
        self._rest = Rest(sensor, self.min_interval_s, clock)
        self._last: float | None = None
        self._open = True

    def read(self) -> Mapping[str, float]:
        """One conversion. Raises `TransientReadError` for a wrong checksum and for the value after a loss of power."""
        if not self._open:
            raise PartFailed(f"{self.name}: closed")
        self._rest.check()
        try:
            told = self._sysfs.read(f"{_BUS}/{self.name}/w1_slave")
        except OSError as error:
            kind = TransientReadError if error.errno in _NOISE else PartFailed
            raise kind(f"{self.name}: {error.strerror}; is it still on the bus?") from error
        finally:
            self._rest.begin()
        return {self.quantities[0]: self._celsius(told)}

    def close(self) -> None:
        self._open = False

    def _celsius(self, told: str) -> float:
        """From the two lines `50 05 … : crc=1c YES` and `50 05 … t=85000`."""
        first, _, second = told.partition("\n")
        result = _RESULT.search(second)
        if not told:
            # What the kernel gives for a sensor that has just left.
            raise PartFailed(f"{self.name}: no answer; is it still on the bus?")
        if not first.rstrip().endswith("YES") or result is None:
            raise TransientReadError(f"{self.name}: checksum did not validate")
        if not any(int(byte, 16) for byte in re.findall(r"\b[0-9a-f]{2}\b", second)):
            raise TransientReadError(f"{self.name}: a frame of zeros")  # a line held low; its checksum is right
        value = int(result.group(1)) / 1000
        if value == _POWER_ON and second.startswith(_POWER_ON_RAW) and not self._plausible(value):
            raise TransientReadError(f"{self.name}: 85 °C is what it tells after a loss of power")
        if why := problem(self.quantities[0], value):
            raise TransientReadError(f"{self.name}: {why}")
        self._last = value
        return value

    def _plausible(self, value: float) -> bool:
        return self._last is not None and abs(self._last - value) < 1


def open_sensors(options: Options, bench: Bench) -> Sequence[Sensor]:
    """The thermometers that are set, else all on the bus. Raises `PartUnavailable`."""
    there = [
        path.rpartition("/")[2]
        for family in _FAMILIES
        for path in bench.sysfs.find(f"{_BUS}/{family}*")
        if _ID.fullmatch(path.rpartition("/")[2])
    ]
    if not bench.sysfs.exists(_BUS) or not any(bench.sysfs.find(f"{_BUS}/w1_bus_master*")):
        why = "there is no 1-Wire bus; add to /boot/firmware/config.txt: dtoverlay=w1-gpio, then reboot"
        raise PartUnavailable("ds18b20", why)
    wanted = options.sensors or {sensor: f"temperature.{sensor}" for sensor in there}
    if missing := sorted(set(wanted) - set(there)):
        found = ", ".join(there) or "none"
        why = f"{', '.join(missing)} is not on the bus (there is: {found}); correct hardware.drivers.ds18b20.sensors"
        raise PartUnavailable("ds18b20", why)
    if not wanted:
        raise PartUnavailable("ds18b20", "no thermometer is on the bus; check its wiring and the resistor of 4.7 kΩ")
    return [Ds18b20(sensor, quantity, bench.clock, bench.sysfs) for sensor, quantity in wanted.items()]


DRIVER: Final = Driver(Options, open_sensors)
