"""What goes into the log, what comes out of it. Times are milliseconds since 1970, UTC."""

from collections.abc import Mapping
from dataclasses import dataclass

from msgspec import Struct


class Drop(Struct, frozen=True, gc=False):
    """Ids that a device gave up on purpose: they will never come."""

    first: int
    last: int
    reason: str
    since_ms: int | None = None
    """When the first of them was taken, where the device told."""
    until_ms: int | None = None


class Event(Struct, frozen=True, gc=False):
    """One event of a device, on its way to the log."""

    device: str
    event: str
    """The contract's name of the event; storage only passes it on."""
    taken_at_ms: int
    body: bytes
    """JSON in UTF-8, stored as it is."""
    stream: str | None = None
    """The outbox's epoch. None (an original agent): stored each time it is sent, for nothing tells a resend."""
    id: int | None = None
    """Gapless within `stream`, from 1; given with `stream`, or not at all."""
    readings: Mapping[str, float | None] = {}
    """Quantity to value, for the charts; a null is no reading."""
    drops: tuple[Drop, ...] = ()
    """Ids of the same stream that this event declares dropped."""


@dataclass(frozen=True, slots=True)
class Stored:
    """An event is durable: the ack may go."""

    duplicate: bool
    """It was stored before; `cursor` is then None."""
    cursor: int | None


class LoggedEvent(Struct, frozen=True, gc=False):
    """One event as the log has it."""

    cursor: int
    device: str
    stream: str | None
    id: int | None
    event: str
    taken_at_ms: int
    received_at_ms: int
    body: bytes


class Device(Struct, frozen=True):
    """A device that has been seen."""

    name: str
    first_seen_ms: int
    last_seen_ms: int
    info: dict[str, object] = {}
    """What it last said of itself when it connected."""


class LastValue(Struct, frozen=True):
    """The newest reading of one quantity of one device, in the order of its own numbering, not of its clock."""

    device: str
    quantity: str
    taken_at_ms: int
    value: float
    cursor: int


class State(Struct, frozen=True):
    """What the relay must know again after a restart."""

    cursor: int
    """The last one given."""
    devices: tuple[Device, ...]
    readings: tuple[LastValue, ...]
    events: tuple[LoggedEvent, ...]
    """The newest event of each name of each device: the last round, status, motion, training news."""
