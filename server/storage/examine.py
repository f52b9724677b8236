"""A close look at everything that is stored: is it what was written, is it all there, and does it agree with itself?"""

from collections.abc import Iterator
from typing import Any

from msgspec import Struct, field
from sqlalchemy import Connection, func, select

from server.storage.completeness import StreamLedger, stream_records
from server.storage.engine import Database, Progress, silent
from server.storage.failures import Damaged, DatabaseFailed
from server.storage.fold import HOUR_MS, MINUTE_MS, marks_of
from server.storage.history import logged
from server.storage.records import LoggedEvent
from server.storage.tables import devices, events, hours, minutes, readings, series

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
    streams: list[StreamLedger] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    """Parts of the examination that the damage prevented."""

    @property
    def sound(self) -> bool:
        """Whether everything stored is as it was written. Ids that never came are not the database's fault."""
        return not (self.corrupt or self.lost or self.wrong_rollups or self.structure or self.unreadable)

    @property
    def missing(self) -> int:
        """How many ids are missing without a reason on record, over all streams."""
        return sum(last - first + 1 for ledger in self.streams for first, last in ledger.missing)


def examine(database: Database, progress: Progress = silent) -> Report:
    """Look at every row. Blocks the calling greenlet alone, and yields to others every thousand rows.

    Call `Recorder.settle` before it, where there is a recorder, else the newest ids are not in the ledger yet.
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
    marks, lowest, highest = database.read(_bounds)
    expected = max(marks.get("pruned", 0) + 1, 1) if lowest is None else min(lowest, marks.get("pruned", 0) + 1)
    # A restored database begins again above every cursor that had been given.
    jump = (marks.get("restored", 0), marks.get("floor", 0))
    for start in range(expected, highest + 1, _CHUNK):
        stop = min(start + _CHUNK, highest + 1)
        for cursor, row in _readable(database, start, stop):
            if cursor > expected:
                _note_lost(report, expected, cursor - 1, jump)
            expected = cursor + 1
            report.events += 1
            if row is None:
                _note_corrupt(report, CorruptRow(cursor, "cannot be read"))
                continue
            event, digest = LoggedEvent(*row[:-1]), row[-1]
            if event.fingerprint() != digest:
                _note_corrupt(report, CorruptRow(cursor, "hash differs", event.device, event.stream, event.id))
        progress("checking the log", stop - 1, highest)
    if expected <= highest:
        _note_lost(report, expected, highest, jump)


def _bounds(connection: Connection) -> tuple[dict[str, int], int | None, int]:
    lowest, highest = connection.execute(select(func.min(events.c.cursor), func.max(events.c.cursor))).one()
    marks = marks_of(connection)
    return marks, lowest, max(highest or 0, marks.get("folded", 0))


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


def _note_corrupt(report: Report, row: CorruptRow) -> None:
    report.corrupt += 1
    if len(report.corrupt_rows) < _SHOWN:
        report.corrupt_rows.append(row)


def _note_lost(report: Report, first: int, last: int, jump: tuple[int, int]) -> None:
    if jump[0] < first <= jump[1]:
        first = jump[1] + 1
    if first <= last:
        report.lost += last - first + 1
        if len(report.lost_cursors) < _SHOWN:
            report.lost_cursors.append((first, last))


def _rollups(database: Database, report: Report, progress: Progress) -> None:
    """Make every minute and hour anew of what is still there, and compare."""
    known = database.rows(
        select(series.c.id, devices.c.name, series.c.quantity, series.c.raw_since, series.c.minutes_since)
        .select_from(series.join(devices))
        .order_by(series.c.id)
    )
    folded = database.read(marks_of).get("folded", 0)
    for done, (row, device, quantity, raw_since, minutes_since) in enumerate(known, 1):
        for level, since in (("minute", raw_since), ("hour", minutes_since)):
            for start in _differing(database, row, level, since, folded):
                report.wrong_rollups += 1
                if len(report.rollups) < _SHOWN:
                    report.rollups.append(WrongRollup(device, quantity, level, start))
        progress("checking roll-ups", done, len(known))


def _differing(database: Database, row: int, level: str, since: int | None, folded: int) -> Iterator[int]:
    """Starts of the buckets of one series that are not what their parts make."""
    table, part, unit = (minutes, readings, MINUTE_MS) if level == "minute" else (hours, minutes, HOUR_MS)
    time = part.c.taken_at if part is readings else part.c.start
    first, last = database.read(
        lambda connection: connection.execute(
            select(func.min(time), func.max(time)).where(part.c.series_id == row)
        ).one()
    )
    if first is None:
        return
    if since is not None:
        # The bucket in which retention stopped is not whole any more.
        first = max(first, since + unit - since % unit)
    start = first - first % unit
    while start <= last:
        span = (start, start + _SPAN_MS)
        kept = select(table.c.start, table.c.count, table.c.total, table.c.low, table.c.high).where(
            table.c.series_id == row, table.c.start >= span[0], table.c.start < span[1]
        )
        own = (part.c.series_id == row) & (time >= span[0]) & (time < span[1])
        values = (
            (func.count(), func.sum(part.c.value), func.min(part.c.value), func.max(part.c.value))
            if part is readings
            else (func.sum(part.c.count), func.sum(part.c.total), func.min(part.c.low), func.max(part.c.high))
        )
        if part is readings:
            own &= part.c.cursor <= folded
        bucket = time - (time % unit + unit) % unit
        made = select(bucket.label("start"), *values).where(own).group_by(bucket)
        theirs = {at: bucket_ for at, *bucket_ in database.rows(kept)}
        ours = {at: bucket_ for at, *bucket_ in database.rows(made)}
        yield from sorted(at for at in theirs.keys() | ours.keys() if not _same(theirs.get(at), ours.get(at)))
        start = span[1]


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
    report.streams = database.read(
        lambda connection: [record.ledger() for record in stream_records(database.dialect, connection)]
    )
