"""One group of events, on its way into one transaction."""

from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from server.storage.dialect import Rows, as_json
from server.storage.fold import Fold
from server.storage.records import fingerprint
from server.storage.ticket import Ticket


@dataclass(frozen=True, slots=True)
class Group:
    """Events that become durable together, with the cursors `first`, `first` + 1, …"""

    tickets: list[Ticket]
    first: int
    received_at: int
    rows: Rows
    values: list[dict[int, float]]
    """For each event its values by series."""

    @classmethod
    def of(cls, tickets: list[Ticket], first: int, received_at: int) -> "Group":
        """Build the rows of `tickets`; all the names they need have rows."""
        events: list[tuple[Any, ...]] = []
        readings: list[tuple[int, int, int, float]] = []
        drops: list[tuple[Any, ...]] = []
        values = []
        for index, ticket in enumerate(tickets):
            event, device = ticket.event, ticket.device
            series, taken_at = device.series, event.taken_at_ms
            digest = fingerprint(
                first + index, event.device, event.stream, event.id, event.event, taken_at, received_at, event.body
            )
            events.append((ticket.stream.row, event.id, event.event, taken_at, event.body, digest))
            own = {}
            for quantity, value in event.readings.items():
                if value is not None and (key := series.get(quantity)) is not None:
                    own[key] = value
                    readings.append((key, taken_at, index, value))
            values.append(own)
            if event.drop is not None:
                drop = event.drop
                drops.append((index, device.streams[drop.stream].row, drop.first, drop.last, drop.reason))
        # By series, as their table is: neighbours go to the same page.
        readings.sort(key=itemgetter(0))
        return cls(tickets, first, received_at, Rows(as_json(events), as_json(readings), as_json(drops)), values)

    @property
    def last(self) -> int:
        """The last cursor."""
        return self.first + len(self.tickets) - 1

    def committed(self, fold: Fold) -> None:
        """Note in the ledger and in `fold` that all of it is stored."""
        for cursor, (ticket, values) in enumerate(zip(self.tickets, self.values, strict=True), self.first):
            event = ticket.event
            row = (cursor, event.id, event.event, event.taken_at_ms, self.received_at, event.body)
            fold.add(ticket.device, ticket.stream, row, values)
        # Only now: those that still wait are told, should the fold fail.
        for ticket in self.tickets:
            del ticket.stream.waiting[ticket.event.id]
