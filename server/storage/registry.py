"""Rows for names: devices, their streams, their series. Made when the first event that needs them is about to be stored."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql, sqlite

from server.storage.ledger import MAX_SERIES, Ledger
from server.storage.tables import devices, series, streams
from server.storage.ticket import Ticket


@dataclass(slots=True)
class Wanted:
    """Names without rows."""

    devices: set[str] = field(default_factory=set)
    streams: set[tuple[str, str]] = field(default_factory=set)
    """(device, stream)"""
    series: set[tuple[str, str]] = field(default_factory=set)
    """(device, quantity)"""

    def __bool__(self) -> bool:
        return bool(self.devices or self.streams or self.series)


def wanted(tickets: Iterable[Ticket]) -> Wanted:
    """The names that `tickets` need and that have no rows yet."""
    names = Wanted()
    for ticket in tickets:
        event, device = ticket.event, ticket.device
        if device.row is None:
            names.devices.add(device.name)
        if ticket.stream.row is None:
            names.streams.add((device.name, event.stream))
        if event.drop is not None and device.stream(event.drop.stream).row is None:
            names.streams.add((device.name, event.drop.stream))
        # Past the bound a quantity stays in the event's body and gets no chart.
        if len(device.series) < MAX_SERIES:
            for quantity in event.readings.keys() - device.series.keys():
                names.series.add((device.name, quantity))
    return names


@dataclass(frozen=True, slots=True)
class Rows:
    """Names and the ids of their rows."""

    devices: dict[str, int]
    streams: dict[tuple[str, str], int]
    series: dict[tuple[str, str], int]


def register(connection: Connection, names: Wanted, now_ms: int) -> Rows:
    """Make the rows that are not there, and return all that were asked for."""
    of_device = {device for device, _ in names.streams | names.series} | names.devices
    known = {name: _row(connection, devices, {"name": name}, first_seen=now_ms, last_seen=now_ms) for name in of_device}
    return Rows(
        devices=known,
        streams={
            (device, name): _row(connection, streams, {"device_id": known[device], "name": name})
            for device, name in names.streams
        },
        series={
            (device, quantity): _row(connection, series, {"device_id": known[device], "quantity": quantity})
            for device, quantity in names.series
        },
    )


def note(ledger: Ledger, rows: Rows) -> None:
    """Take the rows into the ledger."""
    for name, row in rows.devices.items():
        ledger.device(name).row = row
    for (device, name), row in rows.streams.items():
        ledger.device(device).stream(name).row = row
    for (device, quantity), row in rows.series.items():
        ledger.device(device).series[quantity] = row


def _row(connection: Connection, table: Any, key: dict[str, Any], **more: Any) -> int:
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    connection.execute(insert(table).values(**key, **more).on_conflict_do_nothing(index_elements=list(key)))
    return int(connection.scalars(select(table.c.id).filter_by(**key)).one())
