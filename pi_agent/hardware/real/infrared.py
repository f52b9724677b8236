"""The infrared sensor: a PIR or an obstacle module on a GPIO line."""

from gpiozero import DigitalInputDevice

from pi_agent.hardware.base import EdgeListener, PartFailed
from pi_agent.hardware.motion import Debouncer, Teller
from pi_agent.hardware.real.pins import Pins
from shared.clock import Clock


class Infrared:
    """A digital sensor on one line, by its edges (gpiozero's MotionSensor polls, and misses short pulses).

    Wiring: signal to the pin, 3.3 V at most. `active_high` is False for modules that pull the line low when they see
    something. The pin is pulled to its inactive side, so that a broken wire is nobody, not somebody.
    """

    def __init__(
        self, name: str, gpio: int, pins: Pins, clock: Clock, *, active_high: bool, warm_up_s: float, debounce_s: float
    ) -> None:
        self.name = name
        self.pin: int | None = gpio
        self._pins = pins
        self._clock = clock
        self._warm_ns = clock.monotonic_ns() + round(warm_up_s * 1e9)
        with pins.opening(name, gpio):
            self._device = DigitalInputDevice(gpio, pull_up=not active_high, pin_factory=pins.factory)
        self._debouncer = Debouncer(self._level, round(debounce_s * 1e9), self._warm_ns)
        self._teller = Teller(name, clock, self._debouncer)
        self._open = True

    def start(self, listener: EdgeListener) -> None:
        self._check_open()
        with self._pins.using(self.name):
            self._device.when_activated = self._rose
            self._device.when_deactivated = self._fell
            self._teller.start(listener)

    def stop(self) -> None:
        if self._teller.started:
            with self._pins.closing():
                self._device.when_activated = None
                self._device.when_deactivated = None
        self._teller.stop()

    def watching(self) -> bool:
        self._check_open()
        if not self._teller.started:
            return False
        if not self._teller.alive:
            raise PartFailed(f"{self.name}: its thread has ended")
        with self._pins.using(self.name):
            if self._device.pin.function != "input":
                raise PartFailed(f"{self.name}: somebody made its pin an output")
            return self._device.when_activated is not None

    def active(self) -> bool:
        self._check_open()
        with self._pins.using(self.name):
            return self._clock.monotonic_ns() >= self._warm_ns and self._level()

    def step(self) -> None:
        """Tell what is due by now, on this thread: for tests, which move the clock themselves."""
        self._teller.step()

    def close(self) -> None:
        self.stop()
        self._open = False
        with self._pins.closing():
            self._device.close()

    def _level(self) -> bool:
        return bool(self._device.is_active)

    # gpiozero calls these on a thread of its library.
    def _rose(self) -> None:
        self._debouncer.changed(active=True, at_ns=self._clock.monotonic_ns())
        self._teller.wake()

    def _fell(self) -> None:
        self._debouncer.changed(active=False, at_ns=self._clock.monotonic_ns())
        self._teller.wake()

    def _check_open(self) -> None:
        if not self._open:
            raise PartFailed(f"{self.name}: closed")
