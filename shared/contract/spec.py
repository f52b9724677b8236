"""What an event is."""

from dataclasses import dataclass
from enum import StrEnum

from shared.contract.payloads import Payload


class Namespace(StrEnum):
    """A Socket.IO namespace: one door of the relay."""

    PI = "/pi"
    CLIENT = "/client"
    ROOT = "/"
    """The default namespace: the other doors share it."""


class Role(StrEnum):
    """Who publishes or subscribes, in the mission's words: System is the agent, Flask the relay."""

    PI = "System"
    RELAY = "Flask"
    CLIENT = "Client"
    ESP32 = "ESP32"
    """A stress monitor."""
    PRODUCER = "Producer"
    LOGGER = "Logger"


class Delivery(StrEnum):
    """What becomes of an event while its receiver is away, or slow."""

    AT_LEAST_ONCE = "at least once: kept until acked, deduplicated by (device, stream, id)"
    CONFLATED = "conflated: only the newest is worth sending late"
    COMMAND = "command: addressed, answered, never sent late"
    LIVE = "live: to those who are connected; the rest take a snapshot or a replay"


class WhenSlow(StrEnum):
    """What becomes of an event of the relay that waits for a connection which does not take what is sent."""

    CONFLATE = "conflate: of what is told of the same thing, only the newest waits"
    DROP = "drop: past the bound the oldest is left out and counted, and the client is told to replay"
    REFUSE = "refuse: past the bound it is not sent, and who asked is told at once"
    KEEP = "keep: nothing of it is left out; past the bound the client is told why and closed"


@dataclass(frozen=True)
class EventSpec:
    """One event of the catalogue. `timeout_s` is how long its publisher waits for the ack (None: it asks for none)."""

    name: str
    namespace: Namespace
    publisher: Role
    subscriber: Role
    timeout_s: float | None
    broadcast: bool
    description: str
    payload: type[Payload]
    delivery: Delivery
    addition: bool = False
    """True for what this product adds to the mission's contract."""
    when_slow: WhenSlow | None = None
    """For what the relay publishes; see docs/fanout.md."""
    same_by: tuple[str, ...] = ()
    """The fields of the body by which two conflated events tell of the same thing; none: they always do."""
    raw: bool = False
    """True where the body goes on as it came, JSON or binary: the door looks into it itself."""
