"""The PMS5003 (also PMS7003, PMSA003): particles in the air, told over a serial line."""

import contextlib
import errno
import fcntl
import os
import select
import termios
import tty
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from time import monotonic
from typing import Annotated, Final, Protocol

from msgspec import Meta

from pi_agent.hardware.base import HardwareError, NotReady, PartFailed, PartUnavailable, Sensor, TransientReadError
from pi_agent.hardware.drivers import Bench, Driver, DriverOptions
from pi_agent.hardware.real.holders import programs
from pi_agent.hardware.real.sysfs import Sysfs
from pi_agent.hardware.rest import Rest
from shared.clock import Clock
from shared.contract.quantities import problem

FRAME_BYTES: Final = 32
_START: Final = b"BM"
_BODY: Final = (FRAME_BYTES - 4).to_bytes(2, "big")
_QUANTITIES: Final = {"PM1.0": 10, "PM2.5": 12, "PM10": 14}
"""Where in a frame the values for ordinary air are; those at 4 to 8 are for a factory's."""
_WAKE: Final = bytes.fromhex("424de400010174")
_SLEEP: Final = bytes.fromhex("424de400000173")
_FRAME_S: Final = 3.5  # a sensor in still air tells every 2.3 s
_MOST_BYTES: Final = 4096


class Options(DriverOptions, frozen=True, kw_only=True):
    """The particle sensor."""

    device: Annotated[str, Meta(description="the serial device")] = "/dev/serial0"
    warm_up_s: Annotated[
        float, Meta(ge=0, le=600, description="its fan has to run for so long before it is believed, in s")
    ] = 30.0


class Frames:
    """Finds the frames in a stream of bytes, wherever it begins and whatever is lost: start, length, checksum."""

    def __init__(self) -> None:
        self._unread = b""

    def feed(self, more: bytes) -> Iterator[bytes]:
        """The whole frames, of 32 bytes, that `more` completes."""
        self._unread += more
        while (at := self._unread.find(_START)) >= 0:
            self._unread = self._unread[at:]
            if len(self._unread) < FRAME_BYTES:
                return
            frame = self._unread[:FRAME_BYTES]
            if frame[2:4] == _BODY and sum(frame[:-2]) == int.from_bytes(frame[-2:], "big"):
                self._unread = self._unread[FRAME_BYTES:]
                yield frame
            else:
                self._unread = self._unread[1:]  # these two bytes were data: the start is further on
        self._unread = self._unread[-1:] if self._unread.endswith(_START[:1]) else b""


class Port(Protocol):
    """A serial line."""

    def flush(self) -> None:
        """Forget what has come in so far: it is old. Raises `OSError`."""

    def read(self, limit_s: float) -> bytes:
        """What comes in, at least one byte; none when nothing comes in time. Raises `OSError`."""

    def write(self, command: bytes) -> None:
        """Send a command. Raises `OSError`."""

    def close(self) -> None:
        """Let the line go. Never raises."""


class SerialPort:
    """A serial device, for us alone: 9600 baud, 8 bits, no parity."""

    def __init__(self, device: Path) -> None:
        """Open it. Raises `OSError`, EBUSY where somebody else has it for himself."""
        self._handle = os.open(device, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            _exclusive(self._handle)
            tty.setraw(self._handle)
            settings = termios.tcgetattr(self._handle)
            settings[4] = settings[5] = termios.B9600
            termios.tcsetattr(self._handle, termios.TCSANOW, settings)
        except termios.error as error:
            os.close(self._handle)
            raise OSError(errno.ENOTTY, "no serial line", str(device)) from error
        except OSError:
            os.close(self._handle)
            raise

    def flush(self) -> None:
        try:
            termios.tcflush(self._handle, termios.TCIFLUSH)
        except termios.error as error:
            raise OSError(*error.args) from error

    def read(self, limit_s: float) -> bytes:
        ready, _, _ = select.select([self._handle], [], [], limit_s)
        if not ready:
            return b""
        if more := os.read(self._handle, _MOST_BYTES):
            return more
        raise OSError(errno.EIO, "the serial line was hung up")

    def write(self, command: bytes) -> None:
        os.write(self._handle, command)

    def close(self) -> None:
        os.close(self._handle)


def _exclusive(handle: int) -> None:
    fcntl.ioctl(handle, termios.TIOCEXCL)
    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)  # root is not stopped by the former


class Pms5003:
    """Mass of particles up to 1, 2.5 and 10 µm, in µg/m³: `PM1.0`, `PM2.5`, `PM10`.

    Wiring: 5 V, ground, its TX to RX of the Pi (GPIO 15), its RX to TX (GPIO 14); 3.3 V levels. It is woken at the
    start, believed after its warm-up, and put to sleep at the end: its laser lasts some 8000 h.
    Source: Plantower PMS5003 data manual.
    """

    min_interval_s: float = 1.0

    def __init__(self, port: Port, warm_up_s: float, clock: Clock, wall_s: Callable[[], float] = monotonic) -> None:
        """Wake it. `wall_s` counts the seconds that a read waits. Raises `OSError`."""
        self.name = "pms5003"
        self.quantities: tuple[str, ...] = tuple(_QUANTITIES)
        self._port = port
        self._clock = clock
        self._wall_s = wall_s
        self._rest = Rest(self.name, self.min_interval_s, clock)
        self._warm_ns = clock.monotonic_ns() + round(warm_up_s * 1e9)
        self._open = True
        port.write(_WAKE)

    def read(self) -> Mapping[str, float]:
        """The next frame that it tells, which takes up to 2.3 s.

        Raises `NotReady` while it warms up, `TransientReadError` where there were bytes but no whole frame,
        `PartFailed` where there were none.
        """
        if not self._open:
            raise PartFailed(f"{self.name}: closed")
        cold_s = (self._warm_ns - self._clock.monotonic_ns()) / 1e9
        if cold_s > 0:
            raise NotReady(f"{self.name}: warms up for another {cold_s:.0f} s")
        self._rest.check()
        try:
            frame = self._next_frame()
        except HardwareError:
            raise
        except OSError as error:
            raise PartFailed(f"{self.name}: {error.strerror or error}") from error
        finally:
            self._rest.begin()
        values = {name: float(int.from_bytes(frame[at : at + 2], "big")) for name, at in _QUANTITIES.items()}
        for quantity, value in values.items():
            if why := problem(quantity, value):
                raise TransientReadError(f"{self.name}: {why}")
        return values

    def close(self) -> None:
        if self._open:
            self._open = False
            with contextlib.suppress(OSError):
                self._port.write(_SLEEP)
            self._port.close()

    def _next_frame(self) -> bytes:
        """A frame of now: what waits in the line's buffer may be minutes old."""
        self._port.flush()
        frames, heard = Frames(), False
        deadline_s = self._wall_s() + _FRAME_S
        while (left_s := deadline_s - self._wall_s()) > 0 and (more := self._port.read(left_s)):
            heard = True
            for frame in frames.feed(more):
                return frame
        if heard:
            raise TransientReadError(f"{self.name}: no whole frame within {_FRAME_S:g} s")
        raise PartFailed(f"{self.name}: silent; check its power and that its TX is at GPIO 15")


def open_sensors(options: Options, bench: Bench) -> Sequence[Sensor]:
    """Open the serial line and wake the sensor. Raises `PartUnavailable`."""
    device = bench.sysfs.root / options.device.lstrip("/")
    _check_console(options.device, bench.sysfs)
    try:
        return [Pms5003(SerialPort(device), options.warm_up_s, bench.clock)]
    except OSError as error:
        raise PartUnavailable("pms5003", f"{options.device}: {_remedy(error, device, bench.sysfs)}") from error


def _check_console(device: str, sysfs: Sysfs) -> None:
    """Refuse a line that the kernel talks on: its login would take the sensor's frames for keys."""
    names = {Path(device).name, Path(sysfs.target(device.lstrip("/"))).name}
    for word in sysfs.text("proc/cmdline").split():
        name = word.removeprefix("console=").partition(",")[0]
        if word.startswith("console=") and name in names:
            why = f"{device} is held by the serial console; sudo raspi-config nonint do_serial_cons 1, then reboot"
            raise PartUnavailable("pms5003", why)


def _remedy(error: OSError, device: Path, sysfs: Sysfs) -> str:
    if error.errno in (errno.EBUSY, errno.EAGAIN):
        return (
            f"is held by {programs(device, sysfs) or 'another program'}; end it, or set hardware.drivers.pms5003.device"
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return "may not be used; add the user to the group dialout: sudo usermod -aG dialout USER, then log in again"
    if error.errno in (errno.ENOENT, errno.ENXIO, errno.EIO):
        return (
            "is not there; sudo raspi-config nonint do_serial_hw 0, then reboot; or set hardware.drivers.pms5003.device"
        )
    return f"{error.strerror}; set hardware.drivers.pms5003.device to a serial line"


DRIVER: Final = Driver(Options, open_sensors)
