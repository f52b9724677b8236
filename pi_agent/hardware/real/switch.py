"""An output that is on or off: a relay, a fan, a buzzer on one GPIO line."""

from gpiozero import DigitalOutputDevice

from pi_agent.hardware.base import PartFailed
from pi_agent.hardware.real.pins import Pins
from shared.contract.payloads import SafeState


class PinSwitch:
    """One GPIO line, driven high or low.

    Wiring: the control input of a relay board, a transistor or a driver; a pin gives 16 mA at 3.3 V at most.
    `active_high` is False where low turns the thing on. It is opened in its state of rest; one that keeps its state is
    opened as the line reads then.

    After `close` the line stays an output: a thing that is to stay on would go off without it.
    """

    def __init__(self, name: str, gpio: int, rest: SafeState, pins: Pins, *, active_high: bool, setting: str) -> None:
        self.name = name
        self.pin: int | None = gpio
        self._rest = rest
        self._pins = pins
        self._open = True
        with pins.opening(name, gpio, setting):
            found = bool(pins.factory.pin(gpio).state) is active_high
            first = found if rest is SafeState.KEEP else rest is SafeState.ON
            self._device = DigitalOutputDevice(
                gpio, active_high=active_high, initial_value=first, pin_factory=pins.factory
            )

    def set(self, on: bool) -> None:
        self._check_open()
        with self._pins.using(self.name):
            self._device.value = on

    def is_on(self) -> bool:
        self._check_open()
        with self._pins.using(self.name):
            if self._device.pin.function != "output":
                raise PartFailed(f"{self.name}: somebody made its pin an input")
            return bool(self._device.value)

    def close(self) -> None:
        if self._open:
            self._open = False
            with self._pins.closing():
                if self._rest is not SafeState.KEEP:
                    self._device.value = self._rest is SafeState.ON
            with self._pins.closing():
                self._pins.leave(self._device.pin)
                self._device.close()

    def _check_open(self) -> None:
        if not self._open:
            raise PartFailed(f"{self.name}: closed")
