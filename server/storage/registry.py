"""Rows for names: devices, streams, series. Made when the first event that needs them is about to be stored."""

from collections.abc import Iterable, Set
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Table, select

from server.storage.dialect import Dialect, as_json, insert_many
from server.storage.ledger import MAX_SERIES, DeviceEntry, Ledger
from server.storage.tables import devices, series, streams
from server.storage.ticket import Ticket


@dataclass(slots=True)
class Wanted:
    """Names without rows."""

    devices: set[str] = field(default_factory=set)
    streams: set[tuple[str, str]] = field(default_factory=set)
    """(device, stream)"""
    new_series: dict[str, set[str]] = field(default_factory=dict)
    """Device to quantities."""

    def add_series(self, device: DeviceEntry, quantities: Set[str]) -> None:
        """Want a row for each quantity; past the bound it stays in its event's body and gets no chart."""
        for quantity in quantities:
            new = self.new_series.setdefault(device.name, set())
            if quantity not in new and len(device.series) + len(new) < MAX_SERIES:
                new.add(quantity)

    @property
    def series(self) -> set[tuple[str, str]]:
        """(device, quantity)"""
        return {(device, quantity) for device, new in self.new_series.items() for quantity in new}

    def __bool__(self) -> bool:
        return bool(self.devices or self.streams or any(self.new_series.values()))


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
        if not event.readings.keys() <= device.series.keys():
            names.add_series(device, event.readings.keys() - device.series.keys())
    return names


@dataclass(frozen=True, slots=True)
class Rows:
    """Names and the ids of their rows."""

    devices: dict[str, int]
    streams: dict[tuple[str, str], int]
    series: dict[tuple[str, str], int]


def register(dialect: Dialect, connection: Connection, names: Wanted, now_ms: int) -> Rows:
    """Make the rows that are not there, and return at least all that were asked for."""
    of = sorted({device for device, _ in names.streams | names.series} | names.devices)
    _insert(dialect, connection, devices, ("name", "first_seen", "last_seen"), [(name, now_ms, now_ms) for name in of])
    known = dict(dialect.rows(connection, select(devices.c.name, devices.c.id).where(devices.c.name.in_(of))))
    for table, column, wanted_ in ((streams, "name", names.streams), (series, "quantity", names.series)):
        _insert(
            dialect,
            connection,
            table,
            ("device_id", column),
            [(known[device], name) for device, name in sorted(wanted_)],
        )
    name_of = {row: name for name, row in known.items()}
    return Rows(
        known,
        _rows_of(dialect, connection, streams, "name", name_of),
        _rows_of(dialect, connection, series, "quantity", name_of),
    )


def introduce(dialect: Dialect, connection: Connection, device: str, info: str, now_ms: int) -> None:
    """Note what a device says of itself; `info` is JSON."""
    update = "ON CONFLICT (name) DO UPDATE SET last_seen = excluded.last_seen, info = excluded.info"
    statement = insert_many(dialect, devices, ("name", "first_seen", "last_seen", "info"), update)
    connection.exec_driver_sql(statement, (as_json([(device, now_ms, now_ms, info)]),))


def note(ledger: Ledger, rows: Rows) -> None:
    """Take the rows into the ledger."""
    for name, row in rows.devices.items():
        ledger.device(name).row = row
    for (device, name), row in rows.streams.items():
        ledger.device(device).stream(name).row = row
    for (device, quantity), row in rows.series.items():
        ledger.device(device).series[quantity] = row


def _insert(
    dialect: Dialect, connection: Connection, table: Table, columns: tuple[str, ...], rows: list[tuple[Any, ...]]
) -> None:
    connection.exec_driver_sql(insert_many(dialect, table, columns, "ON CONFLICT DO NOTHING"), (as_json(rows),))


def _rows_of(
    dialect: Dialect, connection: Connection, table: Table, column: str, name_of: dict[int, str]
) -> dict[tuple[str, str], int]:
    """All rows of `table` that belong to the devices in `name_of`: (device, name) to id."""
    found = dialect.rows(
        connection, select(table.c.device_id, table.c[column], table.c.id).where(table.c.device_id.in_(list(name_of)))
    )
    return {(name_of[device], name): row for device, name, row in found}
