"""Getting out of a damaged SQLite file whatever is still as it was written.

Rows are copied into a new file by ranges of their keys; a range that cannot be read is halved until what is lost is one
row. Events are copied only with the right hash. What the ledger knew stays known: an event that was acked and is lost
is not taken for new when its sender, which has long forgotten it, should send it again.
"""

import shutil
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

from msgspec import Struct
from sqlalchemy import BigInteger, Column, Table, Text

from server.storage.bridge import from_thread, in_thread
from server.storage.engine import Database, Progress, silent
from server.storage.fold import HOUR_MS
from server.storage.ranges import IdRanges
from server.storage.records import LoggedEvent
from server.storage.sealed import seal
from server.storage.sqlite import FileClaim, damage_marker
from server.storage.tables import (
    alert_rules,
    alerts,
    availability,
    commands,
    dead_letters,
    devices,
    drops,
    erased,
    events,
    hours,
    insights,
    last_readings,
    latest,
    marks,
    metadata,
    minutes,
    notifications,
    profile_changes,
    profiles,
    readings,
    series,
    stored_ranges,
    streams,
    tokens,
)
from server.storage.transplant import transplant
from shared.clock import Clock
from shared.settings import SettingsError

Row = tuple[Any, ...]

_CHUNK = 1_000
_UNREADABLE = (sqlite3.Error, UnicodeError)
"""Where names of tables are damaged, even SQLite's message is no text."""
_PATIENCE = 200
_MANY = 10_000
"""Rows that a table is taken to have when it cannot be told."""
_OWN_KEYS = (
    *(devices, streams, series, tokens, commands, profile_changes, dead_letters),
    *(availability, alerts, notifications),
)
"""Tables whose rows are found by a small number of their own."""
_FAR_MS = 400 * 366 * 24 * HOUR_MS


class Salvaged(Struct):
    """What was saved, and what was not."""

    target: str
    events: int = 0
    corrupt: int = 0
    """Events that are lost: unreadable, or not what was written."""
    corrupt_cursors: list[tuple[int, int]] = []
    rows: int = 0
    """Rows of all other tables."""
    lost: list[str] = []
    """Of other tables: what could not be read."""


def mend(path: Path, clock: Clock, progress: Progress = silent, *, check: bool = False) -> Salvaged | None:
    """Replace a damaged database by what can be saved of it; the damaged one is kept beside it.

    Does so where damage was noted before, and with `check` where a close look finds some. Returns None where nothing
    was to be done.
    Call it before the database is opened. Raises `SettingsError` where a relay has it open, and where
    nothing of it can be read.
    """
    marker = damage_marker(path)
    if not path.exists() or not (marker.exists() or check):
        return None
    claim = FileClaim(path, str(path))
    try:
        if not marker.exists() and not in_thread(lambda: _is_damaged(path)):
            return None
        target = path.with_name(path.name + ".salvaged")
        for suffix in ("", "-wal", "-shm"):
            target.with_name(target.name + suffix).unlink(missing_ok=True)
        done = salvage(path, target, progress, upto=claim.mark)
        if done.events == 0 and done.corrupt > 0:
            raise SettingsError("database", str(path), "nothing of it can be read; put back a backup")
        _swap(path, target, clock.now())
        marker.unlink(missing_ok=True)
    finally:
        claim.release()
    return done


def salvage(source: Path, target: Path, progress: Progress = silent, *, upto: int = 0) -> Salvaged:
    """Copy all that can be read of `source` into the new database `target`.

    `upto` is the highest cursor that was given, where it is known: damage may hide the end of the log.
    """
    if target.exists():
        raise SettingsError("salvage", str(target), "there is a file of this name already")
    Database.open(f"sqlite:///{target}").close()
    told = from_thread(progress)

    def run() -> Salvaged:
        with tempfile.TemporaryDirectory(prefix=".salvage-", dir=target.parent) as directory:
            readable = source if _has_schema(source) else _with_schema(source, target, Path(directory))
            return _Salvage(readable, target, told).run(upto)

    return in_thread(run)


def _is_damaged(path: Path) -> bool:
    try:
        with closing(sqlite3.connect(path, timeout=5)) as connection:
            return bool(connection.execute("PRAGMA quick_check(1)").fetchall() != [("ok",)])
    except _UNREADABLE:
        return True


def _has_schema(path: Path) -> bool:
    try:
        with closing(sqlite3.connect(path)) as connection:
            for table in metadata.sorted_tables:
                connection.execute(f"SELECT 1 FROM {table.name} WHERE false")  # noqa: S608
    except _UNREADABLE:
        return False
    return True


def _with_schema(source: Path, new: Path, directory: Path) -> Path:
    """A copy of `source` that can be opened."""
    copy = directory / "source.db"
    shutil.copyfile(source, copy)
    wal = source.with_name(source.name + "-wal")
    if wal.exists():
        shutil.copyfile(wal, copy.with_name(copy.name + "-wal"))
    transplant(new, copy)
    return copy


def _swap(path: Path, target: Path, now: datetime) -> None:
    aside = path.with_name(f"{path.name}.damaged-{now:%Y%m%d-%H%M%S}")
    for suffix in ("-wal", "-shm"):
        beside = path.with_name(path.name + suffix)
        if beside.exists():
            beside.replace(aside.with_name(aside.name + suffix))
    path.replace(aside)
    target.replace(path)


class _Salvage:
    """One run, in one native thread, over plain connections: the tables are read as they are found."""

    def __init__(self, source: Path, target: Path, progress: Progress) -> None:
        self._source = sqlite3.connect(source)
        self._target = sqlite3.connect(target)
        # Bytes that are no text any more must not stop the rows beside them.
        self._source.text_factory = lambda raw: raw.decode(errors="replace")
        self._progress = progress
        self._done = Salvaged(str(target))
        self._misses: Counter[str] = Counter()

    def run(self, upto: int) -> Salvaged:
        """Copy everything."""
        with closing(self._source), closing(self._target):
            self._target.execute("PRAGMA synchronous=OFF")
            for table in _OWN_KEYS:
                self._copy(table, self._by_number(table, "id"))
            for table in (marks, profiles, insights, erased, alert_rules):
                self._copy(table, self._whole(table))
            # The highest numbers may be among what is lost: commands are numbered anew, under another key.
            self._target.execute("DELETE FROM marks WHERE name = 'ledger'")
            stream_rows = self._ids(streams)
            series_rows = self._ids(series)
            self._copy(drops, self._each(drops, "stream_id", stream_rows))
            self._copy(last_readings, self._each(last_readings, "series_id", series_rows))
            self._copy(latest, self._each(latest, "device_id", self._ids(devices)))
            self._copy_log(upto)
            self._copy(stored_ranges, self._ranges(stream_rows))
            for table, time in ((readings, "taken_at"), (minutes, "start"), (hours, "start")):
                self._copy(table, self._by_time(table, time, series_rows))
            # A reading has no hash; where its event is there, that tells when it was taken.
            self._target.execute(
                "DELETE FROM readings WHERE EXISTS (SELECT 1 FROM events "
                "WHERE events.cursor = readings.cursor AND events.taken_at != readings.taken_at)"
            )
            self._target.commit()
            self._target.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self._target.execute("PRAGMA journal_mode=DELETE")
        return self._done

    # --- reading what may not be readable -------------------------------------------------------------------------

    def _select(self, table: Table, where: str, *values: object) -> list[Row]:
        names = ", ".join(column.name for column in table.columns)
        return self._source.execute(f"SELECT {names} FROM {table.name} WHERE {where}", values).fetchall()  # noqa: S608

    def _range(
        self, table: Table, where: str, key: tuple[object, ...], low: int, high: int, least: int
    ) -> Iterator[Row]:
        """Rows with a number from `low` to before `high`, halved around what cannot be read."""
        try:
            yield from self._select(table, where, *key, low, high)
        except _UNREADABLE:
            if high - low <= least or self._given_up(table):
                self._lose(table, f"{key or ''} {low}".strip())
                return
            middle = (low + high) // 2
            yield from self._range(table, where, key, low, middle, least)
            yield from self._range(table, where, key, middle, high, least)

    def _by_number(self, table: Table, name: str) -> Iterator[Row]:
        for low in range(0, (self._highest(table, name) or _MANY) + 1, _CHUNK):
            yield from self._range(table, f"{name} >= ? AND {name} < ?", (), low, low + _CHUNK, 1)

    def _by_time(self, table: Table, name: str, keys: Iterable[int]) -> Iterator[Row]:
        for key in keys:
            where = f"series_id = ? AND {name} >= ? AND {name} < ?"
            yield from self._range(table, where, (key,), -_FAR_MS, _FAR_MS, HOUR_MS)

    def _each(self, table: Table, name: str, keys: Iterable[int]) -> Iterator[Row]:
        for key in keys:
            try:
                yield from self._select(table, f"{name} = ?", key)
            except _UNREADABLE:
                self._lose(table, str(key))

    def _whole(self, table: Table) -> Iterator[Row]:
        try:
            yield from self._select(table, "true")
        except _UNREADABLE:
            self._lose(table, "all of it")

    def _highest(self, table: Table, name: str) -> int:
        """The highest key; 0 where even that cannot be read."""
        try:
            return int(self._source.execute(f"SELECT max({name}) FROM {table.name}").fetchone()[0] or 0)  # noqa: S608
        except _UNREADABLE:
            return 0

    def _ids(self, table: Table) -> list[int]:
        return [row[0] for row in self._target.execute(f"SELECT id FROM {table.name} ORDER BY id")]  # noqa: S608

    # --- writing --------------------------------------------------------------------------------------------------

    def _copy(self, table: Table, rows: Iterable[Row]) -> None:
        self._progress(f"salvaging {table.name}", 0, 1)
        self._done.rows += self._insert(table, rows)
        self._progress(f"salvaging {table.name}", 1, 1)

    def _insert(self, table: Table, rows: Iterable[Row]) -> int:
        marks_ = ", ".join("?" * len(table.columns))
        # A row that does not fit (a flipped bit in a key) is lost; the next one is not.
        statement = f"INSERT OR IGNORE INTO {table.name} VALUES ({marks_})"  # noqa: S608
        inserted = 0
        kinds = [_kinds(column) for column in table.columns]
        for row in rows:
            if not all(isinstance(value, kind) for value, kind in zip(row, kinds, strict=True)):
                self._lose(table, repr(row[:2]))
                continue
            try:
                inserted += self._target.execute(statement, row).rowcount
            except sqlite3.Error:
                self._lose(table, repr(row[:2]))
        return inserted

    def _ranges(self, stream_rows: Iterable[int]) -> Iterator[Row]:
        """The ledger as far as its seals fit, and whatever the log has: where a range is lost, that is left."""
        known: dict[int, IdRanges] = {row: IdRanges() for row in stream_rows}
        for stream, first, last, sealed in self._each(stored_ranges, "stream_id", known):
            if sealed == seal(stream, first, last):
                known[stream].add_range(first, last)
            else:
                self._lose(stored_ranges, f"{stream} {first}")
        for stream, id_ in self._target.execute("SELECT stream_id, id FROM events ORDER BY id"):
            if stream in known:
                known[stream].add(id_)
        for stream, ranges in known.items():
            for first, last in ranges:
                yield stream, first, last, seal(stream, first, last)

    def _copy_log(self, upto: int) -> None:
        named = {
            row[0]: (row[1], row[2])
            for row in self._target.execute(
                "SELECT streams.id, devices.name, streams.name FROM streams JOIN devices ON devices.id = device_id"
            )
        }
        known: dict[str, int] = dict(self._target.execute("SELECT name, value FROM marks"))
        highest = max(self._highest(events, "cursor"), known.get("folded", 0), upto)
        deleted = IdRanges(self._target.execute("SELECT first, last FROM erased").fetchall())
        for low in range(known.get("pruned", 0) + 1, highest + 1, _CHUNK):
            high = min(low + _CHUNK, highest + 1)
            rows = {row[0]: row for row in self._log_range(low, high)}
            good = [row for row in rows.values() if row[1] in named and _is_whole(row, *named[row[1]])]
            self._done.events += self._insert(events, good)
            whole = {row[0] for row in good}
            for cursor in range(low, high):
                never = known.get("restored", 0) < cursor <= known.get("floor", 0)
                if cursor not in whole and cursor not in deleted and not never:
                    self._lose_event(cursor)
            self._progress("salvaging events", high - 1, highest)

    def _log_range(self, low: int, high: int) -> Iterator[Row]:
        try:
            yield from self._select(events, "cursor >= ? AND cursor < ?", low, high)
        except _UNREADABLE:
            if high - low > 1:
                middle = (low + high) // 2
                yield from self._log_range(low, middle)
                yield from self._log_range(middle, high)

    def _lose_event(self, cursor: int) -> None:
        self._done.corrupt += 1
        ranges = self._done.corrupt_cursors
        if ranges and ranges[-1][1] == cursor - 1:
            ranges[-1] = (ranges[-1][0], cursor)
        else:
            ranges.append((cursor, cursor))

    def _lose(self, table: Table, what: str) -> None:
        self._misses[table.name] += 1
        if self._misses[table.name] < _PATIENCE:
            self._done.lost.append(f"{table.name} {what}")

    def _given_up(self, table: Table) -> bool:
        """Whether so much of a table cannot be read that it is no use to look at single rows."""
        return self._misses[table.name] > _PATIENCE


def _kinds(column: Column[Any]) -> tuple[type, ...]:
    """What a value of this column may be: a flipped bit makes text of a number."""
    kind: tuple[type, ...] = (str,) if isinstance(column.type, Text) else (int, float)
    if isinstance(column.type, BigInteger):
        kind = (int,)
    return (*kind, type(None)) if column.nullable else kind


def _is_whole(row: Row, device: str, stream: str) -> bool:
    cursor, _, id_, event, taken_at, received_at, body, digest = row
    logged = LoggedEvent(cursor, device, stream, id_, event, taken_at, received_at, body)
    return bool(logged.fingerprint() == digest)
