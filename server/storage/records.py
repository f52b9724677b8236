"""What goes into the log, what comes out of it. Times are milliseconds since 1970, UTC."""

from collections.abc import Mapping
from hashlib import blake2b

from msgspec import Struct

from shared.clock import from_ms, iso_utc


class Drop(Struct, frozen=True, gc=False):
    """Ids of a stream that its device gave up on purpose: they will never come."""

    stream: str
    first: int
    last: int
    reason: str


class Event(Struct, frozen=True, gc=False):
    """One event of a device, on its way to the log. `(device, stream, id)` names it: a second one is a resend."""

    device: str
    stream: str
    """The outbox's epoch."""
    id: int
    """Gapless within `stream`, from 1."""
    event: str
    """The contract's name of the event; storage only passes it on."""
    taken_at_ms: int
    body: str
    """JSON text, stored as it is."""
    readings: Mapping[str, float | None] = {}
    """Quantity to value, for the charts; a null is no reading."""
    drop: Drop | None = None
    """What this event declares dropped."""


class Stored(Struct, frozen=True, gc=False):
    """An event is durable: the ack may go."""

    duplicate: bool
    """It was stored before; `cursor` is then None."""
    cursor: int | None


class LoggedEvent(Struct, frozen=True, gc=False):
    """One event as the log has it."""

    cursor: int
    device: str
    stream: str
    id: int
    event: str
    taken_at_ms: int
    received_at_ms: int
    body: str

    @property
    def received_at(self) -> str:
        """When the relay took it over, as the contract writes it."""
        return iso_utc(from_ms(self.received_at_ms))

    def fingerprint(self) -> str:
        """What the row's hash must be."""
        return fingerprint(
            self.cursor, self.device, self.stream, self.id, self.event, self.taken_at_ms, self.received_at_ms, self.body
        )


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

    devices: tuple[Device, ...]
    readings: tuple[LastValue, ...]
    events: tuple[LoggedEvent, ...]
    """The newest event of each name of each device: the last round, status, motion, training news."""


def fingerprint(
    cursor: int, device: str, stream: str, id_: int, event: str, taken_at_ms: int, received_at_ms: int, body: str
) -> str:
    """A hash over everything that a row of the log says: 128 bits in hex, against accidents, not against forgers."""
    row = f"{cursor}\n{device}\n{stream}\n{id_}\n{event}\n{taken_at_ms}\n{received_at_ms}\n{body}"
    return blake2b(row.encode(), digest_size=16).hexdigest()
