"""What was recorded under one device's name goes on under another's, or goes away.

Each is one transaction of the writer, between two groups of events (`Recorder.rearrange`): a crash leaves all of it or
nothing. A replaced Pi is the usual case and costs little: its outbox and its series only change hands. Where both
devices have the same series, the smaller one is copied into the larger.
"""

from collections.abc import Callable
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, bindparam, case, delete, func, literal, select, update
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from server.storage.dialect import Dialect
from server.storage.fold import HOUR_MS, MINUTE_MS
from server.storage.ranges import IdRanges
from server.storage.records import fingerprint
from server.storage.sealed import read_ranges, seal
from server.storage.tables import (
    alerts,
    availability,
    commands,
    devices,
    drops,
    erased,
    events,
    hours,
    insights,
    last_readings,
    latest,
    minutes,
    profile_changes,
    readings,
    series,
    stored_ranges,
    streams,
)
from shared.errors import Code, Refusal

_SLICE = 2_000
"""Rows that are in memory at a time."""
_IN_LIST = 500
_BY_NAME = (commands, profile_changes, availability, alerts)
"""Tables that know devices by their names."""


def move(dialect: Dialect, connection: Connection, source: str, target: str) -> None:
    """Put everything of device `source` under the name `target`, and forget `source`.

    Raises `Refusal` with `unknown_device`. Fingerprints are made anew, but for rows whose own did not fit: what was
    damaged stays so.
    """
    from_row, to_row = row_of(connection, source), row_of(connection, target)
    for stream, name in connection.execute(
        select(streams.c.id, streams.c.name).where(streams.c.device_id == from_row)
    ).all():
        _refingerprint(dialect, connection, stream, name, source, target)
        known = connection.scalar(select(streams.c.id).where(streams.c.device_id == to_row, streams.c.name == name))
        if known is None:
            connection.execute(update(streams).where(streams.c.id == stream).values(device_id=to_row))
        else:
            _merge_streams(dialect, connection, stream, known)
    for one, quantity in connection.execute(
        select(series.c.id, series.c.quantity).where(series.c.device_id == from_row)
    ).all():
        other = connection.scalar(
            select(series.c.id).where(series.c.device_id == to_row, series.c.quantity == quantity)
        )
        if other is not None:
            one = _merge_series(dialect, connection, one, other)
        connection.execute(update(series).where(series.c.id == one).values(device_id=to_row))
    _merge_latest(connection, from_row, to_row)
    first = connection.scalar(select(func.min(devices.c.first_seen)).where(devices.c.id.in_((from_row, to_row))))
    connection.execute(update(devices).where(devices.c.id == to_row).values(first_seen=first))
    connection.execute(delete(devices).where(devices.c.id == from_row))
    connection.execute(delete(insights).where(insights.c.device == source))
    for table in _BY_NAME:
        connection.execute(update(table).where(table.c.device == source).values(device=target))


def erase_slice(connection: Connection, device: str) -> int:
    """Remove some of what `device` has recorded, without its name; returns how many rows: 0 when nothing is left.

    Before `erase`, so that no transaction is long. Raises `Refusal` with `unknown_device`.
    """
    own = select(series.c.id).where(series.c.device_id == row_of(connection, device))
    for table, time in ((readings, readings.c.taken_at), (minutes, minutes.c.start), (hours, hours.c.start)):
        for (one,) in connection.execute(own).all():
            mine = table.c.series_id == one
            beyond = connection.scalar(select(time).where(mine).order_by(time).offset(_SLICE).limit(1))
            removed = connection.execute(delete(table).where(mine, *([] if beyond is None else [time <= beyond])))
            if removed.rowcount:
                return removed.rowcount
    return 0


def erase(connection: Connection, device: str) -> None:
    """Remove `device` and all that it has recorded. Raises `Refusal` with `unknown_device`."""
    row = row_of(connection, device)
    while erase_slice(connection, device):
        pass
    own_series = select(series.c.id).where(series.c.device_id == row)
    own_streams = select(streams.c.id).where(streams.c.device_id == row)
    connection.execute(delete(latest).where(latest.c.device_id == row))
    connection.execute(delete(last_readings).where(last_readings.c.series_id.in_(own_series)))
    connection.execute(delete(series).where(series.c.device_id == row))
    _erase_events(connection, events.c.stream_id.in_(own_streams))
    for table in (stored_ranges, drops):
        connection.execute(delete(table).where(table.c.stream_id.in_(own_streams)))
    connection.execute(delete(streams).where(streams.c.device_id == row))
    connection.execute(delete(devices).where(devices.c.id == row))
    for table in (*_BY_NAME, insights):
        connection.execute(delete(table).where(table.c.device == device))


def row_of(connection: Connection, device: str) -> int:
    """The row of a device. Raises `Refusal` with `unknown_device`."""
    row = connection.scalar(select(devices.c.id).where(devices.c.name == device))
    if row is None:
        raise Refusal(Code.UNKNOWN_DEVICE, f"no device {device!r} is stored")
    return int(row)


def _erase_events(connection: Connection, those: ColumnElement[bool]) -> None:
    """Delete events, and note their cursors as deleted on purpose."""
    cursors = IdRanges()
    for cursor in connection.scalars(select(events.c.cursor).where(those).order_by(events.c.cursor)):
        cursors.add(cursor)
    rows = [{"first": first, "last": last} for first, last in cursors]
    if rows:
        connection.execute(erased.insert(), rows)
        connection.execute(delete(events).where(those))


# --- streams --------------------------------------------------------------------------------------------------------


def _refingerprint(dialect: Dialect, connection: Connection, stream: int, name: str, source: str, target: str) -> None:
    """A fingerprint covers the device's name."""
    after = -1
    change = update(events).where(events.c.cursor == bindparam("at")).values(hash=bindparam("digest"))
    chosen = (
        select(
            events.c.cursor,
            events.c.id,
            events.c.event,
            events.c.taken_at,
            events.c.received_at,
            events.c.body,
            events.c.hash,
        )
        .where(events.c.stream_id == stream)
        .order_by(events.c.cursor)
        .limit(_SLICE)
    )
    while rows := dialect.rows(connection, chosen.where(events.c.cursor > after)):
        after = rows[-1][0]
        fresh = [
            {"at": cursor, "digest": fingerprint(cursor, target, name, *row)}
            for cursor, *row, digest in rows
            if fingerprint(cursor, source, name, *row) == digest
        ]
        if fresh:
            connection.execute(change, fresh)


def _merge_streams(dialect: Dialect, connection: Connection, one: int, other: int) -> None:
    """The same outbox under two names: `one` goes into `other`. An id that both have is one event, stored twice."""
    _forget_twice(connection, one, other)
    for table in (events, drops, latest):
        connection.execute(update(table).where(table.c.stream_id == one).values(stream_id=other))
    ranges, _ = read_ranges(dialect, connection, stored_ranges.c.stream_id.in_((one, other)))
    merged = IdRanges([pair for pairs in ranges.values() for pair in pairs])
    connection.execute(delete(stored_ranges).where(stored_ranges.c.stream_id.in_((one, other))))
    rows = [
        {"stream_id": other, "first": first, "last": last, "seal": seal(other, first, last)} for first, last in merged
    ]
    if rows:
        connection.execute(stored_ranges.insert(), rows)
    late = select(func.sum(streams.c.late)).where(streams.c.id.in_((one, other))).scalar_subquery()
    connection.execute(update(streams).where(streams.c.id == other).values(late=late))
    connection.execute(delete(streams).where(streams.c.id == one))


def _forget_twice(connection: Connection, one: int, other: int) -> None:
    """Remove from stream `one` what `other` has too, also from the roll-ups: their extremes are the same."""
    twice = select(events.c.id).where(events.c.stream_id == other)
    cursors = list(connection.scalars(select(events.c.cursor).where(events.c.stream_id == one, events.c.id.in_(twice))))
    own = series.join(streams, streams.c.device_id == series.c.device_id)
    found = select(readings).select_from(own.join(readings, readings.c.series_id == series.c.id))
    for begin in range(0, len(cursors), _IN_LIST):
        some = cursors[begin : begin + _IN_LIST]
        for row in connection.execute(found.where(streams.c.id == one, readings.c.cursor.in_(some))).all():
            for table, size_ms in ((minutes, MINUTE_MS), (hours, HOUR_MS)):
                bucket = (table.c.series_id == row.series_id) & (table.c.start == row.taken_at - row.taken_at % size_ms)
                less = {"count": table.c.count - 1, "total": table.c.total - row.value}
                connection.execute(update(table).where(bucket).values(less))
                connection.execute(delete(table).where(bucket, table.c.count <= 0))
            mine = (readings.c.series_id == row.series_id) & (readings.c.taken_at == row.taken_at)
            connection.execute(delete(readings).where(mine, readings.c.cursor == row.cursor))
        _erase_events(connection, events.c.cursor.in_(some))


# --- series ---------------------------------------------------------------------------------------------------------


def _merge_series(dialect: Dialect, connection: Connection, one: int, other: int) -> int:
    """Put two series of one quantity together; returns the row that is left. The smaller goes into the larger."""
    sizes = {
        row: connection.scalar(select(func.count()).select_from(minutes).where(minutes.c.series_id == row)) or 0
        for row in (one, other)
    }
    small, large = sorted((one, other), key=lambda row: sizes[row])
    _copy(dialect, connection, readings, small, large, on_conflict=None)
    for table in (minutes, hours):
        _copy(dialect, connection, table, small, large, on_conflict=_added)
    newest = select(func.max(last_readings.c.cursor)).where(last_readings.c.series_id.in_((small, large)))
    older = last_readings.c.series_id.in_((small, large)) & (last_readings.c.cursor < newest.scalar_subquery())
    connection.execute(delete(last_readings).where(older))
    connection.execute(update(last_readings).where(last_readings.c.series_id == small).values(series_id=large))
    for column in (series.c.raw_since, series.c.minutes_since):
        # What either lost is told from the coarser level.
        since = connection.scalar(select(func.max(column)).where(series.c.id.in_((small, large))))
        connection.execute(update(series).where(series.c.id == large).values({column: since}))
    connection.execute(delete(series).where(series.c.id == small))
    return large


def _copy(
    dialect: Dialect,
    connection: Connection,
    table: Table,
    small: int,
    large: int,
    *,
    on_conflict: Callable[[Table, Any], dict[str, ColumnElement[Any]]] | None,
) -> None:
    columns = [column.name for column in table.columns]
    rest = [table.c[name] for name in columns if name != "series_id"]
    source = select(literal(large).label("series_id"), *rest).where(table.c.series_id == small)
    make: Any = postgres_insert if dialect.name == "postgresql" else sqlite_insert
    statement = make(table).from_select(["series_id", *(column.name for column in rest)], source)
    if on_conflict is not None:
        keys = [column.name for column in table.primary_key]
        statement = statement.on_conflict_do_update(index_elements=keys, set_=on_conflict(table, statement.excluded))
    connection.execute(statement)
    connection.execute(delete(table).where(table.c.series_id == small))


def _added(table: Table, new: Any) -> dict[str, ColumnElement[Any]]:
    """A bucket that both have."""
    return {
        "count": table.c.count + new.count,
        "total": table.c.total + new.total,
        "low": _least(table.c.low, new.low),
        "high": -_least(-table.c.high, -new.high),
    }


def _least(one: ColumnElement[Any], other: ColumnElement[Any]) -> ColumnElement[Any]:
    return case((other < one, other), else_=one)


def _merge_latest(connection: Connection, from_row: int, to_row: int) -> None:
    """Of each kind of event the one that came last."""
    chosen = select(latest.c.event, latest.c.device_id).where(latest.c.device_id.in_((from_row, to_row)))
    newest = {row.event: row.device_id for row in connection.execute(chosen.order_by(latest.c.cursor))}
    for event, row in newest.items():
        others = latest.c.device_id == (to_row if row == from_row else from_row)
        connection.execute(delete(latest).where(latest.c.event == event, others))
    connection.execute(update(latest).where(latest.c.device_id == from_row).values(device_id=to_row))
