"""What an accessory is."""

from dataclasses import dataclass
from typing import Protocol

from pi_agent.accessories.hours import Hours
from shared.contract.payloads import AccessoryInfo, LightOptions, SafeState


@dataclass(frozen=True)
class Reading:
    """What an accessory is, asked of the part itself."""

    status: bool
    level: float | None = None
    """A light's brightness, 0 to 1."""
    light: LightOptions | None = None
    """How it breathes."""
    follows: bool = True
    """False when the part is not as it was last told to be."""


@dataclass(frozen=True)
class Conduct:
    """What an accessory does when nobody tells it anything."""

    on_at_start: bool = False
    safe: SafeState = SafeState.OFF
    """What becomes of it when a lease ends, the relay is away for too long, or the agent ends."""
    link_loss_s: float | None = None
    """So long without the relay, and it goes to its safe state."""
    longest_lease_s: float | None = None
    """An *on* that is not renewed ends after so long, whatever it asked for."""
    hours: Hours | None = None
    """When it goes on and off by itself."""


class Accessory(Protocol):
    """One accessory. Used by one thread; its times are monotonic seconds."""

    name: str
    """What commands call it; `shared.contract.events.accessory_events` has its events."""

    def info(self) -> AccessoryInfo:
        """What the relay should know of it, but for its safe state."""

    def switch(self, on: bool, now_s: float, light: LightOptions | None = None) -> None:
        """Turn it on or off; what it is already changes nothing. `light` is for lights. Raises `HardwareError`."""

    def read(self) -> Reading:
        """Ask the part. Raises `HardwareError`."""

    def tick(self, now_s: float) -> float | None:
        """Do what is due; returns when to be called again, None: not before the next switch. Raises `HardwareError`."""
