"""The light: an LED on a PWM pin."""

from gpiozero import PWMOutputDevice

from pi_agent.hardware.base import PartFailed, checked_level
from pi_agent.hardware.real.pins import Pins


class Led:
    """An LED on one GPIO line, dimmed by software PWM.

    Wiring: pin, resistor (330 Ω), anode; cathode to ground. `active_high` False: anode to 3.3 V, cathode to the pin.

    Off is a steady low line without PWM: it costs no CPU time,
    and its level is read from the line. While PWM runs the library can only tell the duty cycle that it makes.
    """

    def __init__(self, name: str, gpio: int, frequency_hz: int, pins: Pins, *, active_high: bool = True) -> None:
        self.name = name
        self.pin: int | None = gpio
        self._frequency_hz = frequency_hz
        self._pins = pins
        self._open = True
        with pins.opening(name, gpio):
            self._device = PWMOutputDevice(
                gpio, active_high=active_high, frequency=frequency_hz, pin_factory=pins.factory
            )
            self._off()

    def set_level(self, level: float) -> None:
        checked_level(level)
        self._check_open()
        with self._pins.using(self.name):
            if level == 0:
                self._off()
                return
            if self._device.frequency is None:
                self._device.frequency = self._frequency_hz
            self._device.value = level

    def level(self) -> float:
        self._check_open()
        with self._pins.using(self.name):
            return float(self._device.value)

    def close(self) -> None:
        if self._open:
            self._open = False
            with self._pins.closing():
                self._off()
            with self._pins.closing():
                self._device.close()

    def _off(self) -> None:
        # In this order: when PWM stops the line stays as it is, high as often as not.
        self._device.frequency = None
        self._device.value = 0

    def _check_open(self) -> None:
        if not self._open:
            raise PartFailed(f"{self.name}: closed")
