"""DHT22 and DHT11 by the kernel's own driver: the timing is the kernel's, and no library is needed."""

import errno
from collections.abc import Mapping
from typing import Final

from pi_agent.hardware.base import PartFailed, PartUnavailable, TransientReadError
from pi_agent.hardware.real.dht_frame import DHT_INTERVAL_S, checked
from pi_agent.hardware.real.sysfs import Sysfs
from pi_agent.hardware.rest import Rest
from shared.clock import Clock

_DEVICES: Final = "sys/bus/iio/devices/iio:device*"
_FILES: Final = {"temperature": "in_temp_input", "humidity": "in_humidityrelative_input"}
_NOISE: Final = frozenset({errno.EIO, errno.ETIMEDOUT, errno.EAGAIN, errno.EINTR})


class DhtIio:
    """A DHT22 (AM2302) or DHT11 on one GPIO line, through the kernel's IIO driver `dht11`.

    Quantities: `temperature` in °C, `humidity` in %RH. Wiring: 3.3 V, data to the pin with 10 kΩ to 3.3 V, ground;
    `dtoverlay=dht11,gpiopin=4` in config.txt. The driver refuses a DHT11 that sends decimals.
    Source: the kernel's drivers/iio/humidity/dht11.c: a value is kept for 2 s, a failure not at all.
    """

    min_interval_s: float = DHT_INTERVAL_S

    def __init__(self, name: str, gpio: int, clock: Clock, sysfs: Sysfs | None = None) -> None:
        """Find it. Raises `PartUnavailable` with the overlay line that is missing."""
        self.name = name
        self.quantities: tuple[str, ...] = tuple(_FILES)
        self._rest = Rest(name, self.min_interval_s, clock)
        self._sysfs = sysfs or Sysfs()
        self._device = self._find(gpio)
        self._open = True

    def read(self) -> Mapping[str, float]:
        """One measurement, which takes some 0.1 s. Raises `TransientReadError` for noise and when called too soon."""
        if not self._open:
            raise PartFailed(f"{self.name}: closed")
        self._rest.check()
        try:
            # The second file is of the same measurement: it is read within the 2 s for which the first one is kept.
            values = {name: int(self._sysfs.read(f"{self._device}/{file}")) / 1000 for name, file in _FILES.items()}
        except OSError as error:
            kind = TransientReadError if error.errno in _NOISE else PartFailed
            raise kind(f"{self.name}: {self._device}: {error.strerror}") from error
        except ValueError as error:
            raise TransientReadError(f"{self.name}: {error}") from error
        finally:
            self._rest.begin()
        return checked(self.name, values)

    def close(self) -> None:
        self._open = False

    def _find(self, gpio: int) -> str:
        found = {}
        for device in self._sysfs.find(_DEVICES):
            name = self._sysfs.text(f"{device}/name")
            if name.partition("@")[0] == "dht11":
                found[device] = self._pin(device)
        overlay = f"add to /boot/firmware/config.txt: dtoverlay=dht11,gpiopin={gpio}, then reboot"
        if not found:
            raise PartUnavailable(self.name, f"the kernel has no device named dht11; {overlay}")
        for device, pin in found.items():
            if pin in (gpio, None):
                return device
        others = ", ".join(str(pin) for pin in found.values())
        why = f"the kernel's dht11 is on GPIO {others}; set hardware.climate.gpio to it, or {overlay}"
        raise PartUnavailable(self.name, why)

    def _pin(self, device: str) -> int | None:
        """The line in the device tree: (the chip's phandle, the line, flags); None where there is no such node."""
        cells = self._sysfs.cells(f"{device}/of_node/gpios")
        return cells[1] if len(cells) >= 2 else None
