"""A stand-in for lgpio, so far as gpiozero drives pins with it: chips, lines that others hold, PWM, edges."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType, SimpleNamespace

from pi_agent.hardware.real.chips import Chip
from pi_agent.hardware.real.chips import Line as KernelLine


@dataclass
class Line:
    mode: str = "free"
    level: int = 0
    pwm: tuple[float, float] | None = None
    user: str = ""
    callbacks: list[Callable[..., None]] = field(default_factory=list)


class error(Exception):  # noqa: N801 (its name there)
    """lgpio puts its texts into quotes."""

    def __init__(self, value: str) -> None:
        self.value = value

    def __str__(self) -> str:
        return repr(self.value)


class FakeLgpio(ModuleType):
    SET_PULL_NONE, SET_PULL_UP, SET_PULL_DOWN = 128, 32, 64
    RISING_EDGE, FALLING_EDGE, BOTH_EDGES = 1, 2, 3
    error = error

    def __init__(self, labels: dict[int, str]) -> None:
        super().__init__("lgpio")
        self.labels = labels
        self.lines: dict[int, Line] = {gpio: Line() for gpio in range(58)}
        self.open_handles: set[int] = set()
        self._next_handle = 100
        self._chips: dict[int, int] = {}

    def gpiochip_open(self, chip):
        if chip not in self.labels:
            raise error("can not open gpiochip")
        self._next_handle += 1
        self._chips[self._next_handle] = chip
        self.open_handles.add(self._next_handle)
        return self._next_handle

    def gpiochip_close(self, handle):
        self.open_handles.remove(handle)
        return 0

    def chip_of(self, handle):
        assert handle in self.open_handles
        return self._chips[handle]

    def chips(self):
        """The chips as the kernel tells of them; one without a label may not be opened."""

        def line(gpio):
            user = self.lines[gpio].user
            return KernelLine(bool(user), user)

        return [Chip(Path(f"/dev/gpiochip{number}"), label, line) for number, label in sorted(self.labels.items())]

    def _claim(self, handle, gpio, mode):
        self.chip_of(handle)
        line = self.lines[gpio]
        if line.user not in ("", "lg"):
            raise error("GPIO busy")
        line.mode, line.user = mode, "lg"
        return 0

    def gpio_claim_input(self, handle, gpio, flags=0):
        self.lines[gpio].pwm = None
        return self._claim(handle, gpio, "input")

    def gpio_claim_output(self, handle, gpio, level=0):
        self.lines[gpio].level = level
        return self._claim(handle, gpio, "output")

    def gpio_claim_alert(self, handle, gpio, edges, flags=0, notify=0):
        return self._claim(handle, gpio, "input")

    def gpio_free(self, handle, gpio):
        self.lines[gpio].user = ""
        return 0

    def gpio_get_mode(self, handle, gpio):
        return 2 if self.lines[gpio].mode == "output" else 0

    def gpio_read(self, handle, gpio):
        return self.lines[gpio].level

    def gpio_write(self, handle, gpio, level):
        assert self.lines[gpio].mode == "output"
        self.lines[gpio].level = int(level)
        return 0

    def tx_pwm(self, handle, gpio, frequency, duty):
        line = self.lines[gpio]
        if frequency == 0:
            # It stops where it is, in the high part of the pulse if chance will have it.
            line.level, line.pwm = int(line.pwm is not None), None
        else:
            line.pwm = (frequency, duty)
        return 9

    def gpio_set_debounce_micros(self, handle, gpio, micros):
        return 0

    def callback(self, handle, gpio, edges, function):
        callbacks = self.lines[gpio].callbacks
        callbacks.append(function)
        return SimpleNamespace(cancel=lambda: callbacks.remove(function))

    def edge(self, gpio: int, level: int) -> None:
        """The line changes, from outside."""
        self.lines[gpio].level = level
        for function in list(self.lines[gpio].callbacks):
            function(0, gpio, level, 0)
