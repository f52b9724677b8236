"""The light on a hardware PWM channel, through the kernel's sysfs files: exact, steady, without CPU time."""

import errno
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final

from pi_agent.hardware.base import PartFailed, PartUnavailable, checked_level
from pi_agent.hardware.real.devicetree import pwm_pins
from pi_agent.hardware.real.sysfs import Sysfs

_CHIPS: Final = "sys/class/pwm/pwmchip*"
_GROUP: Final = "add the user to the group gpio: sudo usermod -aG gpio USER, then log in again"
_PERMISSIONS_S = 2.0
_PERMISSIONS_STEP_S = 0.05


@dataclass(frozen=True)
class _Board:
    """A PWM device that a Pi's header hangs on: how its path ends, the channel of each pin."""

    device: str
    channels: dict[int, int]


# Pi 0 to 4 (their addresses differ in the first digits); Pi 5. Sources: BCM2835 ARM and RP1 peripherals documents.
_BOARDS: Final = (
    _Board("20c000.pwm", {12: 0, 18: 0, 13: 1, 19: 1}),
    _Board("1f00098000.pwm", {12: 0, 13: 1, 14: 2, 15: 3, 18: 2, 19: 3}),
)
_FUNCTIONS: Final = {12: 4, 13: 4, 18: 2, 19: 2}
_AUDIO_CHIPS: Final = ("/2020c000.pwm", "/3f20c000.pwm")  # a Pi 4 has a second device for the sound


@dataclass(frozen=True)
class PwmChannel:
    """Where a channel is found that is not a pin of the header: the end of its chip's device path, its number."""

    device: str
    number: int


class PwmLed:
    """An LED on one hardware PWM channel.

    Wiring: GPIO 18 (or 12, 13, 19), resistor (330 Ω), anode; cathode to ground. `dtoverlay=pwm,pin=18,func=2` in
    config.txt gives the pin to the PWM; on a Pi 0 to 3 that is also what the analogue sound is made of.
    With `active_high` False (anode to 3.3 V) the kernel inverts the pulse. Off is a channel that is disabled; an
    inverted one must stay enabled to be dark, since a disabled channel is low.
    Source: the kernel's Documentation/driver-api/pwm.rst.
    """

    def __init__(
        self,
        name: str,
        gpio: int,
        frequency_hz: int,
        *,
        active_high: bool = True,
        channel: PwmChannel | None = None,
        sysfs: Sysfs | None = None,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        """Open it, off. Raises `PartUnavailable` with the overlay line or the group that is missing."""
        self.name = name
        self.pin: int | None = gpio if channel is None else None
        self._sysfs = sysfs or Sysfs()
        self._active_high = active_high
        self._period_ns = round(1e9 / frequency_hz)
        self._open = True
        chip, number = self._find(gpio, channel)
        self._channel = f"{chip}/pwm{number}"
        self._export(chip, number)
        self._await_permissions(pause)
        if not active_high and not self._sysfs.exists(f"{self._channel}/polarity"):
            raise PartUnavailable(name, f"this PWM cannot be inverted; set hardware.{name}.active_high to true")
        try:
            self._prepare()
        except OSError as error:
            raise PartUnavailable(name, f"{self._channel} cannot be set: {error.strerror}") from error

    def set_level(self, level: float) -> None:
        checked_level(level)
        self._check_open()
        with self._using():
            if level == 0:
                self._off()
                return
            self._put("duty_cycle", round(level * self._period_ns))
            if self._get("enable") == 0:
                self._put("enable", 1)

    def level(self) -> float:
        self._check_open()
        with self._using():
            if not self._get("enable"):
                return 0.0 if self._active_high else 1.0
            return self._get("duty_cycle") / self._get("period")

    def close(self) -> None:
        if not self._open:
            return
        self._open = False
        with suppress(OSError):
            self._off()
        if self._active_high:
            chip, _, number = self._channel.rpartition("/pwm")
            with suppress(OSError):
                self._sysfs.write(f"{chip}/unexport", number)

    def _find(self, gpio: int, channel: PwmChannel | None) -> tuple[str, int]:
        devices = {chip: self._sysfs.target(f"{chip}/device") for chip in self._sysfs.find(_CHIPS)}
        boards = _BOARDS if channel is None else (_Board(channel.device, {gpio: channel.number}),)
        for board in boards:
            for chip, device in devices.items():
                if device.endswith(board.device):
                    if gpio not in board.channels:
                        pins = ", ".join(map(str, sorted(board.channels)))
                        why = f"GPIO {gpio} has no hardware PWM; set hardware.{self.name}.gpio to one of {pins}"
                        raise PartUnavailable(self.name, why)
                    self._check_pin(gpio, device, channel)
                    return chip, board.channels[gpio]
        there = ", ".join(device.rpartition("/")[2] for device in devices.values()) or "none at all"
        if channel is not None:
            why = f"no PWM chip whose device path ends with {channel.device} (there is: {there})"
            raise PartUnavailable(self.name, f"{why}; correct hardware.{self.name}.pwm_device")
        raise PartUnavailable(self.name, f"no PWM chip of the header (there is: {there}); {_overlay(gpio)}")

    def _check_pin(self, gpio: int, device: str, channel: PwmChannel | None) -> None:
        """The overlay may have given the chip to another pin, and the sound may have the chip."""
        if channel is not None:
            return
        if (pins := pwm_pins(self._sysfs)) and gpio not in pins:
            has = " and ".join(map(str, sorted(pins)))
            why = f"the PWM overlay is for GPIO {has}; set hardware.{self.name}.gpio to it, or {_overlay(gpio)}"
            raise PartUnavailable(self.name, why)
        if device.endswith(_AUDIO_CHIPS) and "Headphones" in self._sysfs.text("proc/asound/cards"):
            why = "the PWM is held by the analogue sound; in config.txt set dtparam=audio=off, then reboot"
            raise PartUnavailable(self.name, why)

    def _export(self, chip: str, number: int) -> None:
        if self._sysfs.exists(self._channel):
            return  # left by one of us that was killed
        try:
            self._sysfs.write(f"{chip}/export", str(number))
        except PermissionError as error:
            raise PartUnavailable(self.name, f"{chip}/export may not be written; {_GROUP}") from error
        except OSError as error:
            why = f"channel {number} of {chip} cannot be had: {error.strerror}"
            if error.errno == errno.EBUSY:
                why = f"channel {number} of {chip} is held by the kernel (a fan, a backlight); remove its overlay"
            raise PartUnavailable(self.name, why) from error

    def _await_permissions(self, pause: Callable[[float], None]) -> None:
        # udev gives the files of a fresh channel to their group a moment later.
        for _ in range(round(_PERMISSIONS_S / _PERMISSIONS_STEP_S)):
            if self._sysfs.writable(f"{self._channel}/duty_cycle"):
                return
            pause(_PERMISSIONS_STEP_S)
        raise PartUnavailable(self.name, f"{self._channel}/duty_cycle may not be written; {_GROUP}")

    def _prepare(self) -> None:
        # In this order: the polarity changes only while disabled, and no pulse may be longer than the period.
        self._put("enable", 0)
        self._put("duty_cycle", 0)
        self._put("period", self._period_ns)
        if self._sysfs.exists(f"{self._channel}/polarity"):
            self._sysfs.write(f"{self._channel}/polarity", "normal" if self._active_high else "inversed")
        self._off()

    def _off(self) -> None:
        self._put("duty_cycle", 0)
        self._put("enable", 0 if self._active_high else 1)

    def _get(self, attribute: str) -> int:
        return int(self._sysfs.read(f"{self._channel}/{attribute}"))

    def _put(self, attribute: str, value: int) -> None:
        self._sysfs.write(f"{self._channel}/{attribute}", str(value))

    @contextmanager
    def _using(self) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError, ZeroDivisionError) as error:
            raise PartFailed(f"{self.name}: {self._channel}: {error}") from error

    def _check_open(self) -> None:
        if not self._open:
            raise PartFailed(f"{self.name}: closed")


def _overlay(gpio: int) -> str:
    function = _FUNCTIONS.get(gpio)
    line = f"dtoverlay=pwm,pin={gpio},func={function}" if function else "dtoverlay=pwm,pin=18,func=2"
    return f"add to /boot/firmware/config.txt: {line} (and dtparam=audio=off), then reboot"
