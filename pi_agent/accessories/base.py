"""What an accessory is."""

from dataclasses import dataclass
from typing import Protocol

from shared.contract.payloads import AccessoryInfo


@dataclass(frozen=True)
class Reading:
    """What an accessory is, asked of the part itself."""

    status: bool
    level: float | None = None
    """A light's brightness, 0 to 1."""
    follows: bool = True
    """False when the part is not as it was last told to be."""


class Accessory(Protocol):
    """One accessory. Used by one thread; its times are monotonic seconds."""

    name: str
    """A key of `shared.contract.events.ACCESSORIES`."""

    def info(self) -> AccessoryInfo:
        """What the relay should know of it."""

    def switch(self, on: bool, now_s: float) -> None:
        """Turn it on or off; what it is already changes nothing. Raises `HardwareError`."""

    def read(self) -> Reading:
        """Ask the part. Raises `HardwareError`."""

    def tick(self, now_s: float) -> float | None:
        """Do what is due; returns when to be called again, None: not before the next switch. Raises `HardwareError`."""
