"""Readings for a chart: at most so many buckets, extremes kept, and the times of which nothing is known."""

from collections.abc import Iterator
from enum import StrEnum
from itertools import pairwise
from statistics import median
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, Select, Table, func, select, tuple_

from server.storage.completeness import stream_records
from server.storage.dialect import Dialect
from server.storage.fold import HOUR_MS, MINUTE_MS
from server.storage.tables import devices, events, hours, minutes, readings, series
from shared.errors import Code, Refusal

MAX_POINTS = 5_000
SILENCE = 2.5
"""A pause of more than this many typical intervals is a gap."""
_TYPICAL_OF = 200
"""Samples from which the typical interval is taken."""
_MAX_GAPS = 1_000
_MAX_HOLES = 200


class Resolution(StrEnum):
    """What a chart is drawn from."""

    RAW = "raw"
    MINUTE = "minute"
    HOUR = "hour"


class GapCause(StrEnum):
    """How it is known that readings are not there."""

    SILENCE = "silence"
    MISSING = "missing"
    DROPPED = "dropped"


class Point(Struct, frozen=True):
    """One bucket: when its first reading was taken (its minute or hour began), and its extremes."""

    at_ms: int
    low: float
    mean: float
    high: float
    count: int


class Gap(Struct, frozen=True):
    """A time of which the readings are not known."""

    from_ms: int
    to_ms: int
    cause: GapCause
    reason: str = ""


class Chart(Struct, frozen=True):
    """The readings of one quantity of one device in a span of time."""

    device: str
    quantity: str
    from_ms: int
    to_ms: int
    resolution: Resolution
    bucket_ms: int
    interval_ms: int | None
    """The typical time between two readings; None where there are too few to tell."""
    points: tuple[Point, ...]
    gaps: tuple[Gap, ...]


class _Series(Struct, frozen=True):
    """Where to look: a table and its columns, cut to the span."""

    table: Table
    row: int
    from_ms: int
    to_ms: int
    resolution: Resolution
    unit_ms: int
    bucket_ms: int

    @property
    def time(self) -> Any:
        return self.table.c.taken_at if self.resolution is Resolution.RAW else self.table.c.start

    def select(self, *columns: Any) -> Select[Any]:
        own = self.table.c.series_id == self.row
        return select(*columns).where(own, self.time >= self.from_ms, self.time < self.to_ms)


def draw(
    dialect: Dialect,
    connection: Connection,
    device: str,
    quantity: str,
    span: tuple[int, int],
    points: int,
    now_ms: int,
) -> Chart:
    """The chart of `span` (from, to; the end excluded), in milliseconds.

    From roll-ups, edges are rounded out to whole minutes or hours. Raises `Refusal`: `unknown_device`,
    `unknown_quantity`, `invalid_payload`.
    """
    from_ms, to_ms = span
    if not from_ms < to_ms or not 1 <= points <= MAX_POINTS:
        raise Refusal(Code.INVALID_PAYLOAD, f"`from` must be before `to`, and `points` within 1 to {MAX_POINTS}")
    source = _choose(connection, device, quantity, span, points)
    interval = _typical_ms(dialect, connection, source)
    silent = list(_silence(dialect, connection, source, interval, now_ms)) if interval else []
    lost = list(_holes(dialect, connection, device, span))
    return Chart(
        device=device,
        quantity=quantity,
        from_ms=from_ms,
        to_ms=to_ms,
        resolution=source.resolution,
        bucket_ms=source.bucket_ms,
        interval_ms=interval,
        points=tuple(_points(dialect, connection, source)),
        gaps=tuple(sorted(silent + lost, key=lambda gap: (gap.from_ms, gap.to_ms))),
    )


def _choose(connection: Connection, device: str, quantity: str, span: tuple[int, int], points: int) -> _Series:
    """The coarsest table that is fine enough for the buckets, or a coarser one where retention took that."""
    known = connection.execute(
        select(series.c.id, series.c.raw_since, series.c.minutes_since)
        .select_from(series.join(devices))
        .where(devices.c.name == device, series.c.quantity == quantity)
    ).first()
    if known is None:
        seen = connection.scalar(select(devices.c.id).where(devices.c.name == device))
        raise Refusal(Code.UNKNOWN_DEVICE if seen is None else Code.UNKNOWN_QUANTITY)
    from_ms, to_ms = span
    width = _up(to_ms - from_ms, points)
    raw_is_gone = known.raw_since is not None and from_ms < known.raw_since
    minutes_are_gone = known.minutes_since is not None and from_ms < known.minutes_since
    if width >= HOUR_MS or (minutes_are_gone and (raw_is_gone or width >= MINUTE_MS)):
        table, resolution, unit = hours, Resolution.HOUR, HOUR_MS
    elif width >= MINUTE_MS or raw_is_gone:
        table, resolution, unit = minutes, Resolution.MINUTE, MINUTE_MS
    else:
        table, resolution, unit = readings, Resolution.RAW, 1
    start = from_ms - from_ms % unit
    bucket = _up(_up(to_ms - start, points), unit) * unit
    return _Series(table, known.id, start, to_ms, resolution, unit, bucket)


def _up(number: int, by: int) -> int:
    return -(-number // by)


def _points(dialect: Dialect, connection: Connection, source: _Series) -> Iterator[Point]:
    columns = source.table.c
    if source.resolution is Resolution.RAW:
        values: tuple[Any, ...] = (
            func.min(columns.value),
            func.avg(columns.value),
            func.max(columns.value),
            func.count(),
        )
    else:
        mean = func.sum(columns.total) / func.sum(columns.count)
        # PostgreSQL adds up to `numeric`; the cast brings an integer back.
        values = (
            func.min(columns.low),
            mean,
            func.max(columns.high),
            func.cast(func.sum(columns.count), columns.count.type),
        )
    bucket = (source.time - source.from_ms) // source.bucket_ms
    chosen = source.select(func.min(source.time).label("at"), *values).group_by(bucket).order_by(bucket)
    for at, low, mean, high, count in dialect.rows(connection, chosen):
        # A mean of many equal values may round to outside of them.
        yield Point(at, low, min(max(mean, low), high), high, count)


# --- silence ----------------------------------------------------------------------------------------------------------


def _typical_ms(dialect: Dialect, connection: Connection, source: _Series) -> int | None:
    """The median time between readings, of the newest in the span, or of the newest there are."""
    for of in (source, _all_of(source)):
        newest = dialect.rows(
            connection, of.select(source.time, *_counts(source)).order_by(source.time.desc()).limit(_TYPICAL_OF)
        )
        counted = median(count for _, count in newest) if newest else 0
        if counted >= 2:
            return max(1, int(source.unit_ms / counted))
        if len(newest) >= 3:
            return max(1, int(median(later[0] - earlier[0] for later, earlier in pairwise(newest))))
    return None


def _counts(source: _Series) -> tuple[Any, ...]:
    return (func.abs(1),) if source.resolution is Resolution.RAW else (source.table.c.count,)


def _all_of(source: _Series) -> _Series:
    return _Series(source.table, source.row, -(2**62), 2**62, source.resolution, source.unit_ms, source.bucket_ms)


def _silence(dialect: Dialect, connection: Connection, source: _Series, interval_ms: int, now_ms: int) -> Iterator[Gap]:
    """Pauses within the span, and from its beginning and to its end."""
    longest = SILENCE * interval_ms
    width = 0 if source.resolution is Resolution.RAW else source.unit_ms
    before = connection.scalar(
        select(func.max(source.time)).where(source.table.c.series_id == source.row, source.time < source.from_ms)
    )
    ends = connection.execute(source.select(func.min(source.time), func.max(source.time))).one()
    first, last = ends
    end = min(source.to_ms, now_ms)
    if first is None:
        if before is not None and end - (before + width) > longest and end > source.from_ms:
            yield Gap(max(before + width, source.from_ms), end, GapCause.SILENCE)
        return
    if before is not None and first - (before + width) > longest:
        yield Gap(max(before + width, source.from_ms), first, GapCause.SILENCE)
    previous = func.lag(source.time).over(order_by=source.time)
    pairs = source.select(previous.label("previous"), source.time.label("next")).subquery()
    pauses = (
        select(pairs.c.previous, pairs.c.next)
        .where(pairs.c.next - pairs.c.previous - width > longest)
        .order_by(pairs.c.next)
        .limit(_MAX_GAPS)
    )
    for earlier, later in dialect.rows(connection, pauses):
        yield Gap(earlier + width, later, GapCause.SILENCE)
    if end - (last + width) > longest:
        yield Gap(last + width, end, GapCause.SILENCE)


# --- the ledger -------------------------------------------------------------------------------------------------------


def _holes(dialect: Dialect, connection: Connection, device: str, span: tuple[int, int]) -> Iterator[Gap]:
    """Ids that are not stored, placed in time between their neighbours in the log."""
    records = stream_records(dialect, connection, device)
    holes = [(record.row, hole) for record in records for hole in record.holes()][-_MAX_HOLES:]
    if not holes:
        return
    beside = [(row, id_) for row, hole in holes for id_ in (hole.first - 1, hole.last + 1)]
    known = dialect.rows(
        connection,
        select(events.c.stream_id, events.c.id, events.c.taken_at).where(
            tuple_(events.c.stream_id, events.c.id).in_(beside)
        ),
    )
    taken_at = {(row, id_): at for row, id_, at in known}
    for row, hole in holes:
        start, end = taken_at.get((row, hole.first - 1)), taken_at.get((row, hole.last + 1))
        if start is None or end is None or start >= min(end, span[1]) or end <= span[0]:
            continue
        if hole.missing:
            yield Gap(start, end, GapCause.MISSING)
        for reason in {dropped.reason: None for dropped in hole.dropped}:
            yield Gap(start, end, GapCause.DROPPED, reason)
