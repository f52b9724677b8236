"""DHT22 and DHT11 by adafruit-circuitpython-dht."""

import contextlib
import importlib
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from typing import Any

from pi_agent.hardware.base import PartFailed, PartUnavailable, ReadError, TransientReadError
from shared.clock import Clock
from shared.contract.quantities import problem

_INSTALL = "install it with: pip install 'breathlight[pi]'"


class DhtAdafruit:
    """A DHT22 (AM2302) or DHT11 temperature and humidity sensor on one GPIO line.

    Quantities: `temperature` in °C, `humidity` in %RH, with the sensor's own resolution (0.1, or 1 for a DHT11).
    Wiring: 3.3 V, data to the pin with 10 kΩ to 3.3 V, ground. Source: Aosong AM2302 and DHT11 datasheets.

    The library answers a call within 2 s of the last attempt, failed or not, with the values before it and no error.
    Hence one attempt per read, and none too soon.
    """

    min_interval_s: float = 2.1

    def __init__(self, model: str, gpio: int, clock: Clock) -> None:
        """Open it. `model` is `dht22` or `dht11`, and becomes the part's name. Raises `PartUnavailable`."""
        self.name = model
        self.quantities: tuple[str, ...] = ("temperature", "humidity")
        self._clock = clock
        self._ended_ns: int | None = None
        driver, board = _libraries(model)
        # Its helper process talks through a message queue that has errors of its own.
        queue_error: type[Exception] = getattr(sys.modules.get("sysv_ipc"), "Error", OSError)
        self._errors = (RuntimeError, OSError, queue_error)
        pin = getattr(board, f"D{gpio}", None)
        if pin is None:
            raise PartUnavailable(model, f"this board has no GPIO {gpio}; set hardware.climate.gpio to another pin")
        try:
            self._device: Any = getattr(driver, model.upper())(pin)
        except (*self._errors, ValueError) as error:
            why = f"GPIO {gpio} cannot be opened: {error}; check that nothing else uses it (hardware.climate.gpio)"
            raise PartUnavailable(model, why) from error

    def read(self) -> Mapping[str, float]:
        """One measurement, which takes some 0.3 s. Raises `TransientReadError` for noise and when called too soon."""
        if self._device is None:
            raise PartFailed(f"{self.name}: closed")
        self._check_rested()
        try:
            self._device.measure()
            measured = {"temperature": self._device.temperature, "humidity": self._device.humidity}
        except self._errors as error:
            raise self._meaning(error) from error
        finally:
            self._ended_ns = self._clock.monotonic_ns()
        return self._checked(measured)

    def close(self) -> None:
        device, self._device = self._device, None
        if device is not None:
            with contextlib.suppress(*self._errors):
                device.exit()

    def _check_rested(self) -> None:
        if self._ended_ns is None:
            return
        rest_s = self.min_interval_s - (self._clock.monotonic_ns() - self._ended_ns) / 1e9
        if rest_s > 0:
            raise TransientReadError(f"{self.name}: read too soon; it rests for another {rest_s:.1f} s")

    def _meaning(self, error: Exception) -> ReadError:
        noise = isinstance(error, RuntimeError) and "not found" not in str(error)
        return (TransientReadError if noise else PartFailed)(f"{self.name}: {error}")

    def _checked(self, measured: Mapping[str, float | None]) -> dict[str, float]:
        values = {name: float(value) for name, value in measured.items() if value is not None}
        if len(values) < len(measured):
            raise TransientReadError(f"{self.name}: no value yet")
        if not any(values.values()):
            # A line held low reads as zeros, and the sum of zeros is right.
            raise TransientReadError(f"{self.name}: a frame of zeros")
        for name, value in values.items():
            if why := problem(name, value):
                raise TransientReadError(f"{self.name}: {why}")
        return values


def _libraries(part: str) -> tuple[Any, Any]:
    """The driver and the board's pins. Imported here: a simulated agent starts where these libraries are absent."""
    try:
        with _own_sigterm():
            return importlib.import_module("adafruit_dht"), importlib.import_module("board")
    except NotImplementedError as error:
        remedy = "set hardware.mode to simulated, or hardware.climate.driver to none"
        raise PartUnavailable(part, f"this machine is no board that Blinka knows; {remedy}") from error
    except (ImportError, RuntimeError, OSError) as error:
        raise PartUnavailable(part, f"adafruit-circuitpython-dht cannot be used: {error}; {_INSTALL}") from error


@contextlib.contextmanager
def _own_sigterm() -> Iterator[None]:
    """Keep our SIGTERM handler: on a Pi the import installs another, which exits before any output is off."""
    ours = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        # Off the main thread neither the library nor we can set a handler; None is one that Python did not set.
        if threading.current_thread() is threading.main_thread() and ours is not None:
            signal.signal(signal.SIGTERM, ours)
