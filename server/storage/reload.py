"""What the recorder knows by heart, read again: at its start, and after any failure.

Two steps: `load` runs in the writer's thread and only fetches; `rebuild` runs on the hub.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from server.storage.dialect import Dialect
from server.storage.failures import Damaged
from server.storage.fold import Fold, highest_given, marks_of
from server.storage.ledger import DeviceEntry, Ledger, Stream
from server.storage.ranges import IdRanges
from server.storage.sealed import Ranges, read_ranges
from server.storage.tables import devices, events, latest, readings, series, streams


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that the ledger and the fold are built from; read in one transaction."""

    marks: dict[str, int]
    highest: int
    """The last cursor that was given."""
    devices: list[list[Any]]
    streams: list[list[Any]]
    series: list[list[Any]]
    ranges: Ranges
    damaged: list[int]
    """Streams whose ledger is damaged."""
    latest: list[list[Any]]
    events: list[list[Any]]
    """The log after the watermark."""
    readings: list[list[Any]]


def load(dialect: Dialect, connection: Connection) -> Snapshot:
    """Read what `rebuild` needs."""
    known = marks_of(connection)
    folded = known.get("folded", 0)
    new = events.c.cursor > folded
    tail = (
        select(
            events.c.cursor,
            events.c.stream_id,
            events.c.id,
            events.c.event,
            events.c.taken_at,
            events.c.received_at,
            events.c.body,
        )
        .where(new)
        .order_by(events.c.cursor)
    )
    values = (
        select(readings.c.cursor, readings.c.series_id, readings.c.value)
        .select_from(
            events.join(streams, streams.c.id == events.c.stream_id)
            .join(series, series.c.device_id == streams.c.device_id)
            .join(
                readings,
                (readings.c.series_id == series.c.id)
                & (readings.c.taken_at == events.c.taken_at)
                & (readings.c.cursor == events.c.cursor),
            )
        )
        .where(new)
        .order_by(readings.c.cursor)
    )
    ranges, damaged = read_ranges(dialect, connection)
    return Snapshot(
        marks=known,
        highest=highest_given(connection),
        devices=dialect.rows(connection, select(devices.c.id, devices.c.name)),
        streams=dialect.rows(connection, select(streams.c.id, streams.c.device_id, streams.c.name, streams.c.late)),
        series=dialect.rows(connection, select(series.c.id, series.c.device_id, series.c.quantity)),
        ranges=ranges,
        damaged=damaged,
        latest=dialect.rows(connection, select(latest.c.device_id, latest.c.event, latest.c.stream_id, latest.c.id)),
        events=dialect.rows(connection, tail),
        readings=dialect.rows(connection, values),
    )


def rebuild(ledger: Ledger, snapshot: Snapshot) -> Fold:
    """Bring `ledger` in line with the database; what it knows beyond it (ids that were offered) stays.

    Returns the fold of the log after the watermark. Raises `Damaged` where rows refer to others that are not there.
    """
    try:
        return _rebuilt(ledger, snapshot)
    except KeyError as missing:
        raise Damaged(f"rows refer to a device or stream that is not there: {missing}") from None


def _rebuilt(ledger: Ledger, snapshot: Snapshot) -> Fold:
    device_of: dict[int, DeviceEntry] = {}
    stream_of: dict[int, tuple[DeviceEntry, Stream]] = {}
    ledger.forget_rows()
    for row, name in snapshot.devices:
        device_of[row] = ledger.device(name)
        device_of[row].row = row
    for row, device_row, name, late in snapshot.streams:
        entry = device_of[device_row]
        stream = entry.streams.get(name) or entry.streams.setdefault(name, Stream(name))
        stream.row, stream.late = row, late
        stream_of[row] = (entry, stream)
    for row, device_row, quantity in snapshot.series:
        device_of[device_row].series[quantity] = row
    for row, (_, stream) in stream_of.items():
        stream.stored = IdRanges(snapshot.ranges.get(row, ()))
        for first, last in stream.stored:
            stream.given.add_range(first, last)
    for device_row, event, stream_row, id_ in snapshot.latest:
        device_of[device_row].latest[event] = (stream_row, id_)
    values: dict[int, dict[int, float]] = {}
    for cursor, series_row, value in snapshot.readings:
        values.setdefault(cursor, {})[series_row] = value
    fold = Fold(upto=snapshot.marks.get("folded", 0))
    for cursor, stream_row, id_, event, taken_at, received_at, body in snapshot.events:
        entry, stream = stream_of[stream_row]
        stream.given.add(id_)
        fold.add(entry, stream, (cursor, id_, event, taken_at, received_at, body), values.get(cursor, {}))
    return fold
