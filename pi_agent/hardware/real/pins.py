"""The GPIO lines of this machine: the right chip, the library that is asked for, and errors that say what to do."""

import contextlib
import copy
import importlib
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from pi_agent.hardware.base import PartFailed, PartUnavailable
from pi_agent.hardware.options import PinLibrary
from pi_agent.hardware.real.chips import Chip, read_chips
from pi_agent.hardware.real.holders import Holder, line_holder
from pi_agent.hardware.real.sysfs import Sysfs

_GPIO = "gpio"
_NO_EDGES_SINCE: Final = (6, 6)
_INSTALL = "install it with: sudo apt install python3-lgpio, or pip install 'breathlight[pi]'"


def _nobody(_gpio: int) -> str | None:
    return None


class Pins:
    """An open pin factory of gpiozero. `errors` is what its library raises; `holder` names who has a busy line."""

    def __init__(self, factory: Any, errors: tuple[type[Exception], ...], holder: Holder = _nobody) -> None:
        self.factory = factory
        self.holder = holder
        self._errors = errors
        self._left: list[Any] = []
        self.owned = True
        """False for those that are lent: `close` does nothing."""

    @contextlib.contextmanager
    def opening(self, part: str, gpio: int, setting: str | None = None) -> Iterator[None]:
        """Turn the library's errors, and a line that somebody else has, into `PartUnavailable`.

        `setting` is where the part's pin is set, by default hardware.PART.
        """
        setting = setting or f"hardware.{part}"
        # Asked before: RPi.GPIO takes any line without a word, and lgpio one that PWM or a bus is switched to.
        if holder := self.holder(gpio):
            why = f"GPIO {gpio} is held by {holder}; free it, or set {setting}.gpio to another pin"
            raise PartUnavailable(part, why)
        try:
            yield
        except self._errors as error:
            why = f"GPIO {gpio} cannot be opened: {_said(error)}; check {setting}.gpio and hardware.pins"
            raise PartUnavailable(part, why) from error

    @contextlib.contextmanager
    def using(self, part: str) -> Iterator[None]:
        """Turn the library's errors into `PartFailed`."""
        try:
            yield
        except self._errors as error:
            raise PartFailed(f"{part}: {_said(error)}") from error

    @contextlib.contextmanager
    def closing(self) -> Iterator[None]:
        """Let the library's errors pass: a part that is being closed never raises."""
        with contextlib.suppress(*self._errors):
            yield

    def lend(self) -> "Pins":
        """The same pins for parts that are closed before these: closing them closes nothing."""
        lent = copy.copy(self)
        lent.owned = False
        return lent

    def leave(self, pin: Any) -> None:
        """Have the line of `pin` stay as it is driven, after `close` and after the process.

        The library makes a line an input when it closes it, be it as a forgotten device is collected: that drives
        nothing. The kernel takes it back as it is when the process ends.
        """
        pin.close = lambda: None
        self._left.append(pin)

    def close(self) -> None:
        """Release the chip. Idempotent; never raises."""
        if not self.owned:
            return
        with self.closing():
            if not self._left:
                self.factory.close()
                return
        # Not the factory: RPi.GPIO would make every line of the process an input.
        for pin in self.factory.pins.values():
            if pin not in self._left:
                with self.closing():
                    pin.close()


def open_pins(
    library: PinLibrary, sysfs: Sysfs | None = None, chips: Callable[[], Sequence[Chip]] = read_chips
) -> Pins:
    """Open the pins with `library`, and no other. Raises `PartUnavailable` with the remedy."""
    sysfs = sysfs or Sysfs()
    match library:
        case PinLibrary.LGPIO:
            return _open_lgpio(sysfs, chips)
        case PinLibrary.RPIGPIO:
            return _open_rpigpio(sysfs, chips)
        case PinLibrary.MOCK:
            return _open_mock()


def find_chip(chips: Sequence[Chip]) -> Chip:
    """The GPIO chip with the header's lines, found by its label. Raises `PartUnavailable`."""
    for chip in chips:
        if chip.is_header:
            return chip
    if any(chip.label is None for chip in chips):
        remedy = "add the user to the group gpio: sudo usermod -aG gpio USER, then log in again"
    else:
        remedy = "on a machine that is no Raspberry Pi set hardware.mode to simulated"
    found = ", ".join(f"{chip.path.name}: {chip.label or 'no access'}" for chip in chips) or "none at all"
    raise PartUnavailable(_GPIO, f"no GPIO chip of a Raspberry Pi ({found}); {remedy}")


def _open_lgpio(sysfs: Sysfs, chips: Callable[[], Sequence[Chip]]) -> Pins:
    lgpio = _import("lgpio", _INSTALL)
    if not hasattr(lgpio, "gpiochip_open"):
        # What pip takes where there is no wheel for this Python.
        why = (
            "this lgpio is an empty stub; remove it (pip uninstall lgpio), use Debian's: sudo apt install python3-lgpio"
        )
        raise PartUnavailable(_GPIO, f"{why}, with a virtual environment made with --system-site-packages")
    chip = find_chip(chips())
    gpiozero = _import("gpiozero", "install it with: pip install 'breathlight[agent]'")
    try:
        factory = _import("gpiozero.pins.lgpio", _INSTALL).LGPIOFactory(chip=chip.number)
    except lgpio.error as error:
        raise PartUnavailable(_GPIO, f"{chip.path.name} cannot be opened: {_said(error)}") from error
    return Pins(factory, (gpiozero.GPIOZeroError, lgpio.error, OSError), line_holder(chip, sysfs))


def _open_rpigpio(sysfs: Sysfs, chips: Callable[[], Sequence[Chip]]) -> Pins:
    remedy = "install it with: pip install 'breathlight[pi-legacy]'; on a Pi 5 or kernel 6.6 set hardware.pins to lgpio"
    _check_one_rpigpio(sysfs)
    factory = _import("gpiozero.pins.rpigpio", remedy).RPiGPIOFactory()
    chip = next((chip for chip in chips() if chip.is_header), None)
    errors = (_import("gpiozero", remedy).GPIOZeroError, RuntimeError, OSError)
    return Pins(factory, errors, line_holder(chip, sysfs))


def _check_one_rpigpio(sysfs: Sysfs) -> None:
    """RPi.GPIO and rpi-lgpio share an import name; the former sees no edges from kernel 6.6."""
    from importlib.metadata import distributions

    there = {name.lower() for found in distributions() if (name := found.metadata["Name"])} & {"rpi.gpio", "rpi-lgpio"}
    if len(there) > 1:
        why = "RPi.GPIO and rpi-lgpio are both installed, under one import name; remove one: pip uninstall RPi.GPIO"
        raise PartUnavailable(_GPIO, why)
    release = sysfs.text("proc/sys/kernel/osrelease")
    if "rpi.gpio" in there and _version(release) >= _NO_EDGES_SINCE:
        why = (
            f"RPi.GPIO sees no edges on kernel {release}; set hardware.pins to lgpio, or install rpi-lgpio in its place"
        )
        raise PartUnavailable(_GPIO, why)


def _version(release: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", release)[:2])


def _open_mock() -> Pins:
    mock = _import("gpiozero.pins.mock", "install gpiozero with: pip install 'breathlight[agent]'")
    return Pins(mock.MockFactory(pin_class=mock.MockPWMPin), (_import("gpiozero", "").GPIOZeroError, OSError))


def _import(module: str, remedy: str) -> Any:
    """Import here, not above: a simulated agent starts where these libraries are absent."""
    try:
        return importlib.import_module(module)
    except (ImportError, RuntimeError) as error:
        elsewhere = "; to try without pins set hardware.mode to simulated"
        raise PartUnavailable(_GPIO, f"{module} cannot be used: {_said(error)}; {remedy}{elsewhere}") from error
    except OSError as error:
        # lgpio makes a pipe in the working directory as it is imported.
        why = f"{module} cannot start in {Path.cwd()}: {_said(error)}; run in a directory that may be written"
        raise PartUnavailable(_GPIO, why) from error


def _said(error: Exception) -> str:
    """What an error says, on one line. lgpio puts its own into quotes."""
    said = " ".join(str(error).split())
    return (said[1:-1] if said[:1] == said[-1:] == "'" else said) or type(error).__name__
