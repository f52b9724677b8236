"""What is derived from the log some seconds later: roll-ups, the ledger's ranges, the newest of everything.

`Fold` gathers in memory what new events change; `save` writes it in one transaction together with the watermark. If the
process dies in between, `reload` reads the log again from the watermark on and gathers the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, func, select

from server.storage.dialect import Dialect, as_json, insert_many
from server.storage.ledger import DeviceEntry, Stream
from server.storage.sealed import seal
from server.storage.tables import (
    devices,
    erased,
    events,
    hours,
    last_readings,
    latest,
    marks,
    minutes,
    stored_ranges,
    streams,
)

MINUTE_MS = 60_000
HOUR_MS = 3_600_000

Bucket = list[Any]
"""[count, total, low, high]"""


@dataclass(slots=True)
class Fold:
    """The changes since the last `save`."""

    upto: int = 0
    """The last cursor that is in it."""
    events: int = 0
    minutes: dict[int, dict[int, Bucket]] = field(default_factory=dict)
    """Start of the minute to series to its bucket."""
    latest: dict[tuple[int, str], tuple[Any, ...]] = field(default_factory=dict)
    last_values: dict[int, float] = field(default_factory=dict)
    """Series to its newest value."""
    last_stamps: dict[int, tuple[int, int]] = field(default_factory=dict)
    """Series to (taken_at, cursor) of that."""
    devices: dict[int, tuple[str, int]] = field(default_factory=dict)
    """Device to (name, last seen)."""
    streams: dict[int, tuple[DeviceEntry, Stream]] = field(default_factory=dict)
    """Streams whose ledger has changed."""

    def add(
        self,
        device: DeviceEntry,
        stream: Stream,
        row: tuple[int, int, str, int, int, str],
        values: Mapping[int, float],
    ) -> None:
        """Take in a committed event.

        `row` is (cursor, id, event, taken_at, received_at, body), `values` are by series.
        """
        cursor, id_, event, taken_at, received_at, body = row
        if device.row is None or stream.row is None:
            raise ValueError(f"{device.name} {stream.name} has no row yet")
        if not stream.stored.add(id_):
            stream.late += 1
        self.upto = cursor
        self.events += 1
        if stream.row not in self.streams:
            self.streams[stream.row] = (device, stream)
        self.devices[device.row] = (device.name, received_at)
        if device.is_newest(event, stream.row, id_):
            self.latest[device.row, event] = (cursor, stream.row, id_, taken_at, received_at, body)
            self.last_values.update(values)
            self.last_stamps.update(dict.fromkeys(values, (taken_at, cursor)))
        start = taken_at - taken_at % MINUTE_MS
        buckets = self.minutes.get(start)
        if buckets is None:
            buckets = self.minutes[start] = {}
        for key, value in values.items():
            bucket = buckets.get(key)
            if bucket is None:
                buckets[key] = [1, value, value, value]
            else:
                bucket[0] += 1
                bucket[1] += value
                if value < bucket[2]:
                    bucket[2] = value
                elif value > bucket[3]:
                    bucket[3] = value

    def already_stored(self, device: DeviceEntry, stream: Stream, id_: int) -> None:
        """The log has an event that the ledger did not know of."""
        stream.stored.add(id_)
        stream.given.add(id_)
        if stream.row is not None:
            self.streams[stream.row] = (device, stream)

    @property
    def changed(self) -> bool:
        """Whether there is anything to save."""
        return bool(self.events or self.streams)

    def parcel(self) -> "Parcel":
        """What `save` writes, as JSON. The streams' changes are settled: on a failure everything is loaded anew."""
        by_minute = [
            (key, start, *bucket) for start, buckets in self.minutes.items() for key, bucket in buckets.items()
        ]
        ranges, gone, late = [], [], []
        for row, (device, stream) in self.streams.items():
            stored = stream.stored
            for first in stored.changed:
                last = stored.last_of(first)
                ranges.append((row, first, last, seal(row, first, last)))
            gone += [(row, first) for first in stored.gone]
            late.append((row, device.row, stream.name, stream.late))
            stored.settled()
        return Parcel(
            upto=self.upto,
            minutes=as_json(by_minute),
            hours=as_json(_by_hour(by_minute)),
            latest=as_json([(*key, *row) for key, row in self.latest.items()]),
            last_readings=as_json([(key, *stamp, self.last_values[key]) for key, stamp in self.last_stamps.items()]),
            devices=as_json([(row, name, seen, seen) for row, (name, seen) in self.devices.items()]),
            ranges=as_json(ranges),
            gone=as_json(gone),
            late=as_json(late),
        )


def _by_hour(minutes_: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    made: dict[tuple[int, int], Bucket] = {}
    for key, start, count, total, low, high in minutes_:
        known = made.get((key, start - start % HOUR_MS))
        if known is None:
            made[key, start - start % HOUR_MS] = [count, total, low, high]
        else:
            known[:] = [known[0] + count, known[1] + total, min(known[2], low), max(known[3], high)]
    return [(*key, *bucket) for key, bucket in made.items()]


@dataclass(frozen=True, slots=True)
class Parcel:
    """A fold on its way to the database: each field but `upto` is the JSON of rows."""

    upto: int
    minutes: str
    hours: str
    latest: str
    last_readings: str
    devices: str
    ranges: str
    gone: str
    late: str


def save(dialect: Dialect, connection: Connection, parcel: Parcel) -> None:
    """Write a fold and its watermark, in the transaction that is open."""
    run = connection.exec_driver_sql
    for table, rows in ((minutes, parcel.minutes), (hours, parcel.hours)):
        run(_merge_buckets(dialect, table.name), (rows,))
    run(_replace(dialect, "latest"), (parcel.latest,))
    run(_replace(dialect, "last_readings"), (parcel.last_readings,))
    gone = dialect.source(("bigint", "bigint"))
    run(f"DELETE FROM stored_ranges WHERE (stream_id, first) IN ({gone})", (parcel.gone,))  # noqa: S608
    run(_replace(dialect, "stored_ranges"), (parcel.ranges,))
    late = insert_many(
        dialect, streams, ("id", "device_id", "name", "late"), _CONFLICT + "(id) " + _SET + "late = excluded.late"
    )
    run(late, (parcel.late,))
    seen = insert_many(
        dialect,
        devices,
        ("id", "name", "first_seen", "last_seen"),
        _CONFLICT + "(id) " + _SET + "last_seen = " + _larger("devices.last_seen", "excluded.last_seen"),
    )
    run(seen, (parcel.devices,))
    set_mark(dialect, connection, "folded", parcel.upto)


def set_mark(dialect: Dialect, connection: Connection, name: str, value: int) -> None:
    """Write a row of `marks`."""
    statement = insert_many(dialect, marks, ("name", "value"), _CONFLICT + "(name) " + _SET + "value = excluded.value")
    connection.exec_driver_sql(statement, (as_json([(name, value)]),))


def marks_of(connection: Connection) -> dict[str, int]:
    """All rows of `marks`."""
    return {row.name: row.value for row in connection.execute(select(marks.c.name, marks.c.value))}


def highest_given(connection: Connection) -> int:
    """The last cursor that this database knows to have given, whether or not the log still has it."""
    known = marks_of(connection)
    highest = connection.scalar(select(func.max(events.c.cursor))) or 0
    # Deleted with its device: its cursor is not given again.
    highest = max(highest, connection.scalar(select(func.max(erased.c.last))) or 0)
    return max(highest, *(known.get(name, 0) for name in ("folded", "pruned", "floor")))


_CONFLICT = "ON CONFLICT "
_SET = "DO UPDATE SET "
_COLUMNS = {
    "latest": (latest, 2),
    "last_readings": (last_readings, 1),
    "stored_ranges": (stored_ranges, 2),
}
"""Tables whose rows are replaced, and how many of their columns are the key."""


def _larger(one: str, other: str) -> str:
    return f"CASE WHEN {one} > {other} THEN {one} ELSE {other} END"


def _merge_buckets(dialect: Dialect, name: str) -> str:
    table = {"minutes": minutes, "hours": hours}[name]
    on_conflict = (
        f"{_CONFLICT}(series_id, start) {_SET}count = {name}.count + excluded.count, "
        f"total = {name}.total + excluded.total, "
        f"low = CASE WHEN excluded.low < {name}.low THEN excluded.low ELSE {name}.low END, "
        f"high = {_larger(f'{name}.high', 'excluded.high')}"
    )
    return insert_many(dialect, table, [column.name for column in table.columns], on_conflict)


def _replace(dialect: Dialect, name: str) -> str:
    table, keys = _COLUMNS[name]
    columns = [column.name for column in table.columns]
    setters = ", ".join(f"{column} = excluded.{column}" for column in columns[keys:])
    return insert_many(dialect, table, columns, f"{_CONFLICT}({', '.join(columns[:keys])}) {_SET}{setters}")
