"""What a part is, however it is made: protocols, their lifecycle and their errors.

A part is opened by its constructor, used by one thread, and ended by `close`, which is idempotent, never raises and
leaves a light off, a switch in its state of rest; afterwards every other call but `stop` raises `PartFailed`. The
real, the simulated and the replayed ones pass the same suite (`tests/conformance/`).

    HardwareError (an OSError too)
    ├── PartUnavailable       at the start: a wrong or busy pin, a missing library; says what to do
    └── ReadError             on use
        ├── TransientReadError    noise on the line: the next read may well succeed
        ├── NotReady              warms up, or starts: reading again in a few seconds changes nothing
        └── PartFailed            does not answer: reading on changes nothing until somebody looks
"""

from collections.abc import Callable, Mapping
from typing import Protocol, runtime_checkable

EdgeListener = Callable[[bool, int], None]
"""Called with the new state of a watcher and the monotonic time, in ns, at which it began."""


class HardwareError(OSError):
    """Anything a part may raise."""


class PartUnavailable(HardwareError):
    """The part cannot be opened: `part` names it, the message says why and what to do."""

    def __init__(self, part: str, why: str) -> None:
        self.part = part
        super().__init__(f"{part}: {why}")


class ReadError(HardwareError):
    """No value this time."""


class TransientReadError(ReadError):
    """A checksum or timing fault; try again after `min_interval_s`."""


class NotReady(ReadError):
    """The part warms up or starts; the message says for how long still."""


class PartFailed(ReadError):
    """The part does not answer."""


@runtime_checkable
class Sensor(Protocol):
    """A part that is polled."""

    name: str
    """Unique on this device; what a round's `fail` names."""
    quantities: tuple[str, ...]
    """What `read` returns: names of `shared.contract.quantities`."""
    min_interval_s: float
    """The hardware's own limit: a read begins at least this long after the last one ended, also after a failed one."""

    def read(self) -> Mapping[str, float]:
        """One measurement: a finite value for every quantity, within its range.

        Raises `ReadError`. A read that comes too soon raises `TransientReadError`: no old value is told as a new one.
        """

    def close(self) -> None:
        """Release the part."""


@runtime_checkable
class Watcher(Protocol):
    """A part that tells of itself: an infrared motion sensor.

    `start` and `stop` are idempotent. Edges reach `listener(active, monotonic_ns)` on a thread of the part's own:
    the listener must not block. An edge that repeats the last one is not told, and at `start` the last one counts as
    inactive: who is in the room by then is told. Nothing is told after `stop` returns.
    """

    name: str
    pin: int | None
    """BCM number; None where there is no pin."""

    def start(self, listener: EdgeListener) -> None:
        """Watch from now on. Raises `HardwareError`."""

    def stop(self) -> None:
        """Stop watching."""

    def watching(self) -> bool:
        """True between `start` and `stop`, asked of the part itself. Raises `ReadError`."""

    def active(self) -> bool:
        """True while the part sees a movement now. Raises `ReadError`."""

    def close(self) -> None:
        """Stop, and release the part."""


@runtime_checkable
class Light(Protocol):
    """A part whose brightness is set. `level` is 0 (off) to 1 (full), linear in power: gamma is the caller's."""

    name: str
    pin: int | None
    """BCM number; None where there is no pin."""

    def set_level(self, level: float) -> None:
        """Drive the output. Raises `ValueError` outside 0..1, `HardwareError` when the pin cannot be driven."""

    def level(self) -> float:
        """The output as the part itself reads it back, never as it was set: exact when off, else to 0.01 (PWM steps).

        Raises `ReadError`.
        """

    def close(self) -> None:
        """Off, and release the part."""


@runtime_checkable
class Switch(Protocol):
    """A part that is on or off: a relay, a fan, a buzzer. Opening it does not turn it on, unless that is its rest."""

    name: str
    pin: int | None
    """BCM number; None where there is no pin."""

    def set(self, on: bool) -> None:
        """Drive the output. Raises `HardwareError` when the pin cannot be driven."""

    def is_on(self) -> bool:
        """The output as the pin reads back, never as it was set. Raises `ReadError`."""

    def close(self) -> None:
        """To its state of rest (on, off, or as it is), and stay there after the part is released."""


def checked_level(level: float) -> float:
    """`level`, if a light can have it. Raises `ValueError` outside 0..1."""
    if not 0 <= level <= 1:
        raise ValueError(f"level {level} is outside 0 (off) to 1 (full)")
    return level
