"""The GPIO lines of this machine: the right chip, the library that is asked for, and errors that say what to do."""

import contextlib
import importlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from pi_agent.hardware.base import PartFailed, PartUnavailable
from pi_agent.hardware.options import PinLibrary

CHIP_LABELS: Final = ("pinctrl-rp1", "pinctrl-bcm2711", "pinctrl-bcm2835")
"""The chips that a Pi's header hangs on. Their numbers are not stable: on a Pi 5 it was 4, then 0, then 11 to 15."""

_GPIO = "gpio"
_INSTALL = "install it with: sudo apt install python3-lgpio, or pip install 'breathlight[pi]'"


def _nobody(gpio: int) -> str | None:  # noqa: ARG001 (the shape of a holder)
    return None


class Pins:
    """An open pin factory of gpiozero. `errors` is what its library raises; `holder` names who has a busy line."""

    def __init__(
        self, factory: Any, errors: tuple[type[Exception], ...], holder: Callable[[int], str | None] = _nobody
    ) -> None:
        self.factory = factory
        self._errors = errors
        self._holder = holder

    @contextlib.contextmanager
    def opening(self, part: str, gpio: int) -> Iterator[None]:
        """Turn the library's errors into `PartUnavailable`."""
        try:
            yield
        except self._errors as error:
            if holder := self._holder(gpio):
                why = f"GPIO {gpio} is held by {holder}; free it, or set hardware.{part}.gpio to another pin"
            else:
                why = f"GPIO {gpio} cannot be opened: {_said(error)}; check hardware.{part}.gpio and hardware.pins"
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

    def close(self) -> None:
        """Release the chip. Idempotent; never raises."""
        with self.closing():
            self.factory.close()


def open_pins(library: PinLibrary, dev: Path = Path("/dev")) -> Pins:
    """Open the pins with `library`, and no other. Raises `PartUnavailable` with the remedy."""
    match library:
        case PinLibrary.LGPIO:
            return _open_lgpio(dev)
        case PinLibrary.RPIGPIO:
            return _open_rpigpio()
        case PinLibrary.MOCK:
            return _open_mock()


def find_chip(lgpio: Any, dev: Path) -> int:
    """The number of the GPIO chip with the header's lines, found by its label. Raises `PartUnavailable`."""
    others = []
    for path in sorted(dev.glob("gpiochip*"), key=lambda path: (len(path.name), path.name)):
        number = int(path.name.removeprefix("gpiochip"))
        label = _label(lgpio, number) if os.access(path, os.R_OK | os.W_OK) else "no access"
        if label in CHIP_LABELS:
            return number
        others.append(f"{path.name}: {label}")
    if any(other.endswith("no access") for other in others):
        remedy = "add the user to the group gpio: sudo usermod -aG gpio USER, then log in again"
    else:
        remedy = "on a machine that is no Raspberry Pi set hardware.mode to simulated"
    found = ", ".join(others) or "none at all"
    raise PartUnavailable(_GPIO, f"no GPIO chip of a Raspberry Pi in {dev} ({found}); {remedy}")


def _label(lgpio: Any, number: int) -> str:
    try:
        handle = lgpio.gpiochip_open(number)
    except lgpio.error as error:
        return _said(error)
    try:
        return str(lgpio.gpio_get_chip_info(handle)[3])
    finally:
        lgpio.gpiochip_close(handle)


def _open_lgpio(dev: Path) -> Pins:
    lgpio = _import("lgpio", _INSTALL)
    if not hasattr(lgpio, "gpiochip_open"):
        # What pip takes where there is no wheel for this Python.
        why = (
            "this lgpio is an empty stub; remove it (pip uninstall lgpio), use Debian's: sudo apt install python3-lgpio"
        )
        raise PartUnavailable(_GPIO, f"{why}, with a virtual environment made with --system-site-packages")
    number = find_chip(lgpio, dev)
    gpiozero = _import("gpiozero", "install it with: pip install 'breathlight[agent]'")
    try:
        factory = _import("gpiozero.pins.lgpio", _INSTALL).LGPIOFactory(chip=number)
    except lgpio.error as error:
        raise PartUnavailable(_GPIO, f"chip {number} cannot be opened: {_said(error)}") from error

    def holder(gpio: int) -> str | None:
        with contextlib.suppress(lgpio.error):
            handle = lgpio.gpiochip_open(number)
            try:
                _, _, flags, name, user = lgpio.gpio_get_line_info(handle, gpio)
            finally:
                lgpio.gpiochip_close(handle)
            if flags & 1:  # in use by the kernel or through it
                return str(user or name or "the kernel")
        return None

    return Pins(factory, (gpiozero.GPIOZeroError, lgpio.error, OSError), holder)


def _open_rpigpio() -> Pins:
    remedy = "install it with: pip install 'breathlight[pi-legacy]'; on a Pi 5 or kernel 6.6 set hardware.pins to lgpio"
    factory = _import("gpiozero.pins.rpigpio", remedy).RPiGPIOFactory()
    return Pins(factory, (_import("gpiozero", remedy).GPIOZeroError, RuntimeError, OSError))


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
