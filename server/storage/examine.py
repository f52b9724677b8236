"""A close look at everything that is stored: is it what was written, is it all there, and does it agree with itself?"""

from collections.abc import Iterator
from typing import Any

from msgspec import Struct, field
from sqlalchemy import Connection, func, select, true

from server.storage.completeness import StreamLedger, stream_records
from server.storage.dialect import Dialect
from server.storage.engine import Database, Progress, silent
from server.storage.failures import Damaged, DatabaseFailed
from server.storage.fold import HOUR_MS, MINUTE_MS, highest_given, marks_of
from server.storage.history import logged
from server.storage.ranges import IdRanges
from server.storage.records import LoggedEvent
from server.storage.sealed import read_ranges
from server.storage.tables import devices, erased, events, hours, minutes, readings, series

_CHUNK = 1_000
_SHOWN = 1_000
"""Findings of one kind that are listed; all are counted."""
_PRECISE = 1e-9
"""Sums of the same numbers in another order differ by less."""
_SPAN_MS = 7 * 24 * HOUR_MS


class CorruptRow(Struct, frozen=True):
    """A row of the log that is not what was written."""

    cursor: int
    why: str
    device: str = ""
    stream: str = ""
    id: int | None = None


class WrongRollup(Struct, frozen=True):
    """A minute or an hour that does not agree with what it was made of."""

    device: str
    quantity: str
    level: str
    start_ms: int


class Report(Struct):
    """What `examine` found."""

    events: int = 0
    """Rows of the log that were looked at."""
    corrupt: int = 0
    """How many of them are not what was written."""
    corrupt_rows: list[CorruptRow] = field(default_factory=list)
    lost: int = 0
    """Cursors that were given and have no row, though retention did not remove them."""
    lost_cursors: list[tuple[int, int]] = field(default_factory=list)
    wrong_rollups: int = 0
    rollups: list[WrongRollup] = field(default_factory=list)
    structure: list[str] = field(default_factory=list)
    """What the database says of its own file."""
    wrong_ranges: int = 0
    """Streams of which the ledger is not what was written."""
    streams: list[StreamLedger] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    """Parts of the examination that the damage prevented."""

    @property
    def sound(self) -> bool:
        """Whether everything stored is as it was written. Ids that never came are not the database's fault."""
        return not (
            self.corrupt or self.lost or self.wrong_ranges or self.wrong_rollups or self.structure or self.unreadable
        )

    @property
    def missing(self) -> int:
        """How many ids are missing without a reason on record, over all streams."""
        return sum(last - first + 1 for ledger in self.streams for first, last in ledger.missing)


def examine(database: Database, progress: Progress = silent) -> Report:
    """Look at every row. Blocks the calling greenlet alone, and yields to others every thousand rows.

    The relay may go on meanwhile; what it stores after the beginning is not looked at.
    """
    report = Report()
    for part in (_structure, _log, _rollups, _ledger):
        try:
            part(database, report, progress)
        except DatabaseFailed as failure:
            report.unreadable.append(f"{part.__name__.strip('_')}: {failure.reason}")
    return report


def _structure(database: Database, report: Report, progress: Progress) -> None:
    if database.dialect.path is None:
        return
    progress("checking the file", 0, 1)
    thread = database.thread(writes=False)
    try:
        found = thread.call(
            lambda link: link.transaction(lambda connection: connection.exec_driver_sql("PRAGMA quick_check").all())
        )
        report.structure = [str(line) for (line,) in found if line != "ok"]
    except Damaged as damaged:
        report.structure = [damaged.reason]
    finally:
        thread.close()
    progress("checking the file", 1, 1)


def _log(database: Database, report: Report, progress: Progress) -> None:
    marks, highest = database.read(lambda connection: (marks_of(connection), highest_given(connection)))
    expected = marks.get("pruned", 0) + 1
    # A restored database begins again above every cursor that had been given.
    jump = (marks.get("restored", 0), marks.get("floor", 0))
    for start in range(expected, highest + 1, _CHUNK):
        stop = min(start + _CHUNK, highest + 1)
        found = dict(_readable(database, start, stop))
        # Retention may be at work meanwhile.
        pruned = database.read(marks_of).get("pruned", 0)
        deleted = IdRanges(_erased(database, start, stop))
        lost = []
        for cursor in range(start, stop):
            if cursor in found:
                _look_at(cursor, found[cursor], report)
            elif cursor > pruned and not jump[0] < cursor <= jump[1] and cursor not in deleted:
                lost.append(cursor)
        _note_lost(report, lost)
        progress("checking the log", stop - 1, highest)


def _erased(database: Database, start: int, stop: int) -> list[tuple[int, int]]:
    """Cursors from `start` to before `stop` whose events were deleted on purpose."""
    rows = database.rows(select(erased.c.first, erased.c.last).where(erased.c.last >= start, erased.c.first < stop))
    return [(first, last) for first, last in rows]


def _readable(database: Database, start: int, stop: int) -> Iterator[tuple[int, list[Any] | None]]:
    """The rows from cursor `start` to before `stop`. What cannot be read is narrowed down to single cursors: None."""
    try:
        rows = database.rows(logged().where(events.c.cursor >= start, events.c.cursor < stop).order_by(events.c.cursor))
    except DatabaseFailed:
        if stop - start == 1:
            yield start, None
            return
        middle = (start + stop) // 2
        yield from _readable(database, start, middle)
        yield from _readable(database, middle, stop)
        return
    for row in rows:
        yield row[0], row


def _look_at(cursor: int, row: list[Any] | None, report: Report) -> None:
    report.events += 1
    if row is None:
        corrupt = CorruptRow(cursor, "cannot be read")
    else:
        event, digest = LoggedEvent(*row[:-1]), row[-1]
        if event.fingerprint() == digest:
            return
        corrupt = CorruptRow(cursor, "is not what was written", event.device, event.stream, event.id)
    report.corrupt += 1
    if len(report.corrupt_rows) < _SHOWN:
        report.corrupt_rows.append(corrupt)


def _note_lost(report: Report, cursors: list[int]) -> None:
    report.lost += len(cursors)
    ranges = report.lost_cursors
    for cursor in cursors:
        if ranges and ranges[-1][1] == cursor - 1:
            ranges[-1] = (ranges[-1][0], cursor)
        elif len(ranges) < _SHOWN:
            ranges.append((cursor, cursor))


def _rollups(database: Database, report: Report, progress: Progress) -> None:
    """Make every minute and hour anew of what is still there, and compare."""
    known = database.rows(
        select(series.c.id, devices.c.name, series.c.quantity).select_from(series.join(devices)).order_by(series.c.id)
    )
    for done, (row, device, quantity) in enumerate(known, 1):
        for level in ("minute", "hour"):
            for start in _differing(database, row, level):
                report.wrong_rollups += 1
                if len(report.rollups) < _SHOWN:
                    report.rollups.append(WrongRollup(device, quantity, level, start))
        progress("checking roll-ups", done, len(known))


def _differing(database: Database, row: int, level: str) -> Iterator[int]:
    """Starts of the buckets of one series that are not what their parts make."""
    part, time = (readings, readings.c.taken_at) if level == "minute" else (minutes, minutes.c.start)
    table = minutes if level == "minute" else hours
    start = _next(database, (time, part.c.series_id == row))
    while start is not None:
        span = (start - start % HOUR_MS, start - start % HOUR_MS + _SPAN_MS)
        kept, made, whole_from = database.read(
            lambda connection, span=span: _both(database.dialect, connection, row, level, span)  # type: ignore[misc]
        )
        differing = (at for at in kept.keys() | made.keys() if not _same(kept.get(at), made.get(at)))
        yield from sorted(at for at in differing if at >= whole_from)
        # Not week by week: one sample that says 1970 would make it half a century of empty weeks.
        start = _next(
            database,
            (time, (part.c.series_id == row) & (time >= span[1])),
            (table.c.start, (table.c.series_id == row) & (table.c.start >= span[1])),
        )


def _next(database: Database, *wanted: tuple[Any, Any]) -> int | None:
    """The earliest of some times, each given with what must be true of its row; None where there is none."""

    def find(connection: Connection) -> list[int | None]:
        return [connection.scalar(select(func.min(time)).where(true_)) for time, true_ in wanted]

    return min((at for at in database.read(find) if at is not None), default=None)


def _both(
    dialect: Dialect, connection: Connection, row: int, level: str, span: tuple[int, int]
) -> tuple[dict[int, list[Any]], dict[int, list[Any]], int]:
    """The buckets as they are kept, as their parts make them, and from when on these parts are all there.

    All of one moment: a relay that runs folds and prunes meanwhile.
    """
    if level == "minute":
        table, part, unit, time, since = minutes, readings, MINUTE_MS, readings.c.taken_at, series.c.raw_since
        values: tuple[Any, ...] = (func.count(), func.sum(part.c.value), func.min(part.c.value), func.max(part.c.value))
        own = part.c.cursor <= marks_of(connection).get("folded", 0)
    else:
        table, part, unit, time, since = hours, minutes, HOUR_MS, minutes.c.start, series.c.minutes_since
        values = (func.sum(part.c.count), func.sum(part.c.total), func.min(part.c.low), func.max(part.c.high))
        own = true()
    gone = connection.scalar(select(since).where(series.c.id == row))
    # The bucket in which retention stopped is not whole any more.
    whole_from = span[0] if gone is None else gone + unit - gone % unit
    kept = select(table.c.start, table.c.count, table.c.total, table.c.low, table.c.high).where(
        table.c.series_id == row, table.c.start >= span[0], table.c.start < span[1]
    )
    bucket = time - (time % unit + unit) % unit
    made = (
        select(bucket.label("start"), *values)
        .where(part.c.series_id == row, time >= span[0], time < span[1], own)
        .group_by(bucket)
    )
    as_kept, as_made = ({at: rest for at, *rest in dialect.rows(connection, query)} for query in (kept, made))
    return as_kept, as_made, whole_from


def _same(one: list[Any] | None, other: list[Any] | None) -> bool:
    if one is None or other is None:
        return False
    (count, total, low, high), (count_, total_, low_, high_) = (map(float, bucket) for bucket in (one, other))
    largest = max(1.0, abs(low), abs(high))
    return (
        count == count_
        and abs(total - total_) <= _PRECISE * largest * count
        and max(abs(low - low_), abs(high - high_)) <= _PRECISE * largest
    )


def _ledger(database: Database, report: Report, _: Progress) -> None:
    dialect = database.dialect

    def both(connection: Connection) -> tuple[list[StreamLedger], list[int]]:
        records = stream_records(dialect, connection)
        return [record.ledger() for record in records], read_ranges(dialect, connection)[1]

    report.streams, damaged = database.read(both)
    report.wrong_ranges = len(damaged)
