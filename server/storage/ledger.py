"""What the recorder knows by heart: who there is, and which ids each stream has stored. Only the hub touches it."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from server.storage.ranges import IdRanges
from shared.errors import Code, Refusal

if TYPE_CHECKING:
    from server.storage.ticket import Ticket

MAX_STREAMS = 1_000
"""Outboxes one device may have had: a new one comes with a new SD card."""
MAX_SERIES = 256
"""Quantities one device may have."""


@dataclass(slots=True, eq=False)
class Stream:
    """One outbox of one device."""

    name: str
    row: int | None = None
    """Its row's id in the database; None until its first event is about to be stored."""
    stored: IdRanges = field(default_factory=IdRanges)
    """Ids that are committed."""
    given: IdRanges = field(default_factory=IdRanges)
    """Those, and ids that were offered since the start and not stored: a later one of them is a resend."""
    waiting: dict[int, "Ticket"] = field(default_factory=dict)
    """Ids that are on their way to the log."""
    late: int = 0
    """Events that came after one with a higher id."""


@dataclass(slots=True, eq=False)
class DeviceEntry:
    """One device: the rows of its name, its outboxes and its quantities."""

    name: str
    row: int | None = None
    streams: dict[str, Stream] = field(default_factory=dict)
    series: dict[str, int] = field(default_factory=dict)
    """Quantity to its row's id in the database."""
    latest: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Event name to (row of the stream, id) of the newest."""

    def stream(self, name: str) -> Stream:
        """The outbox of this name. Raises `Refusal` where there would be too many."""
        found = self.streams.get(name)
        if found is None:
            if len(self.streams) >= MAX_STREAMS:
                raise Refusal(Code.INVALID_PAYLOAD, f"{self.name!r} has had {MAX_STREAMS} streams; no more are taken")
            found = self.streams[name] = Stream(name)
        return found

    def is_newest(self, event: str, stream: int, id_: int) -> bool:
        """Whether (stream, id) is the newest event of its name now; if so it is remembered.

        Order is the device's own numbering, never its clock. Of two streams the one that sent last is the newer.
        """
        known = self.latest.get(event)
        if known is not None and known[0] == stream and id_ < known[1]:
            return False
        self.latest[event] = (stream, id_)
        return True


class Ledger:
    """All devices by name."""

    def __init__(self) -> None:
        self.devices: dict[str, DeviceEntry] = {}

    def device(self, name: str) -> DeviceEntry:
        """The entry of a device; made when it is new."""
        found = self.devices.get(name)
        if found is None:
            found = self.devices[name] = DeviceEntry(name)
        return found

    def waiting(self) -> list["Ticket"]:
        """All that is on its way to the log."""
        return [
            ticket
            for device in self.devices.values()
            for stream in device.streams.values()
            for ticket in stream.waiting.values()
        ]

    def forget_rows(self) -> None:
        """Keep the names and the ids that were offered, and nothing that the database knows better."""
        for device in self.devices.values():
            device.row, device.series, device.latest = None, {}, {}
            for stream in device.streams.values():
                stream.row, stream.stored, stream.late = None, IdRanges(), 0

    def known(self, device: str, stream: str) -> Stream | None:
        """A stream that has had an event, or None."""
        entry = self.devices.get(device)
        return entry.streams.get(stream) if entry else None
