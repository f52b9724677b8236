"""How long what is kept: readings, then their minutes, then their hours; the log; and a bound on all of it.

Work is done in slices, each a short transaction of the writer, so that events go on being stored in between. What the
ledger knows of ids is never removed: an old resend stays a duplicate.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Table, delete, func, select, update

from server.settings import Keep, RetentionPolicy
from server.storage.engine import Database, Progress, silent
from server.storage.failures import DiskFull
from server.storage.fold import marks_of, set_mark
from server.storage.space import Reserve
from server.storage.tables import (
    alerts,
    availability,
    commands,
    devices,
    erased,
    events,
    hours,
    minutes,
    notifications,
    readings,
    series,
)
from shared.clock import Clock, to_ms

log = logging.getLogger(__name__)

DAY_MS = 86_400_000
_SLICE = 2_000
"""Rows that one transaction removes."""
_TIGHTER = 0.8
_TIGHTEST = 0.01
_LEAP_MS = 30 * DAY_MS
"""A clock that went this far since the last time, or back, must be known to be right."""


@dataclass
class Pruned:
    """What one run removed."""

    events: int = 0
    readings: int = 0
    minutes: int = 0
    hours: int = 0
    records: int = 0
    """Commands and the like."""
    used_bytes: int = 0
    """What is in use after it."""
    shortened_to: float = 1.0
    """The part of the policy's times that the size allowed."""
    skipped: str = ""
    """Why nothing was done."""


@dataclass(frozen=True)
class _Level:
    """One table of readings, and when to remove from it."""

    name: str
    table: Table
    time: Any
    days: Callable[[Keep], float]
    since: str | None
    """The column of `series` that notes what has gone."""


_LEVELS = (
    _Level("readings", readings, readings.c.taken_at, lambda keep: keep.raw_days, "raw_since"),
    _Level("minutes", minutes, minutes.c.start, lambda keep: keep.minute_days, "minutes_since"),
    _Level("hours", hours, hours.c.start, lambda keep: keep.hour_days, None),
)

_RECORDS: tuple[tuple[Any, Any], ...] = (
    (commands.c.id, commands.c.ended_at),
    (alerts.c.id, alerts.c.closed_at),
    (notifications.c.id, notifications.c.ended_at),
    (availability.c.id, availability.c.at),
)
"""Of other tables that are kept as long as the log: the key, and the time after which a row may go; null: it stays."""


_STAYS: dict[str, tuple[Any, ...]] = {
    # The newest of each device says since when it is away.
    "availability": (availability.c.id.not_in(select(func.max(availability.c.id)).group_by(availability.c.device)),),
}


class Retention:
    """Removes what is older than the policy keeps. Run it once an hour, and when the disk is full."""

    def __init__(
        self, database: Database, clock: Clock, policy: RetentionPolicy, settle: Callable[[], None] = lambda: None
    ) -> None:
        """`settle` is `Recorder.settle`: only what has been folded is removed."""
        self._database = database
        self._clock = clock
        self._policy = policy
        self._settle = settle
        self._reserve = Reserve(database.dialect.path)

    def run(self, progress: Progress = silent) -> Pruned:
        """Remove what is too old, or too much. Raises `DatabaseFailed`."""
        self._reserve.make()
        try:
            return self._run(progress, 1.0)
        except DiskFull:
            # To remove rows takes room too: that is what the reserve is for.
            if not self._reserve.release():
                raise
            log.warning("disk full: using the reserve to remove old data: database=%s", self._database.dialect.where)
            return self._run(progress, _TIGHTER)

    def _run(self, progress: Progress, part: float) -> Pruned:
        self._settle()
        pruned = Pruned()
        now = to_ms(self._clock.now())
        marks = self._database.read(marks_of)
        last = marks.get("retention_at")
        if last is not None and not last - DAY_MS < now < last + _LEAP_MS and not self._clock.synchronised():
            pruned.skipped = "the clock leapt and nothing confirms it"
            log.warning("nothing removed: reason=%s", pruned.skipped)
            return pruned
        while True:
            pruned.shortened_to = part
            self._prune(now, part, marks.get("folded", 0), pruned, progress)
            pruned.used_bytes = self._database.read(self._database.dialect.used_bytes)
            # The size of a PostgreSQL database does not fall when rows go; there, ages are the only bound.
            if self._database.dialect.path is None or pruned.used_bytes <= self._policy.max_bytes or part < _TIGHTEST:
                break
            part *= _TIGHTER
            log.warning("database too large, keeping less: used_bytes=%d part=%.2f", pruned.used_bytes, part)
        self._database.write(lambda connection: set_mark(self._database.dialect, connection, "retention_at", now))
        return pruned

    def _prune(self, now: int, part: float, folded: int, pruned: Pruned, progress: Progress) -> None:
        before = now - round(self._policy.log_days * part * DAY_MS)
        pruned.events += self._prune_log(before, folded, progress)
        for key, ended in _RECORDS:
            pruned.records += self._prune_records(key, ended, before)
        for level in _LEVELS:
            removed = self._prune_level(level, now, part, progress)
            setattr(pruned, level.name, getattr(pruned, level.name) + removed)

    def _prune_log(self, before: int, folded: int, progress: Progress) -> int:
        removed = 0
        while True:
            count = self._database.write(lambda connection: self._slice_of_log(connection, before, folded))
            removed += count
            progress("removing old events", removed, removed)
            if count < _SLICE:
                return removed

    def _prune_records(self, key: Any, ended: Any, before: int) -> int:
        removed = 0
        while True:
            old = select(key).where(ended < before, *_STAYS.get(key.table.name, ())).limit(_SLICE)
            count: int = self._database.write(
                lambda connection, old=old: connection.execute(delete(key.table).where(key.in_(old))).rowcount  # type: ignore[misc]
            )
            removed += count
            if count < _SLICE:
                return removed

    def _slice_of_log(self, connection: Connection, before: int, folded: int) -> int:
        oldest = (
            select(events.c.cursor, events.c.received_at)
            .where(events.c.cursor <= folded)
            .order_by(events.c.cursor)
            .limit(_SLICE)
            .subquery()
        )
        upto = connection.scalar(select(func.max(oldest.c.cursor)).where(oldest.c.received_at < before))
        if upto is None:
            return 0
        set_mark(self._database.dialect, connection, "pruned", upto)
        connection.execute(delete(erased).where(erased.c.last <= upto))
        return connection.execute(delete(events).where(events.c.cursor <= upto)).rowcount

    def _prune_level(self, level: _Level, now: int, part: float, progress: Progress) -> int:
        first = select(func.min(level.time)).where(level.table.c.series_id == series.c.id).scalar_subquery()
        known = self._database.rows(
            select(series.c.id, series.c.quantity, first.label("first")).select_from(series.join(devices))
        )
        removed = 0
        for done, (row, quantity, oldest) in enumerate(known, 1):
            before = now - round(level.days(self._policy.keep(quantity)) * part * DAY_MS)
            while oldest is not None and oldest < before:
                count = self._database.write(
                    lambda connection, row=row, before=before: _slice(connection, level, row, before)  # type: ignore[misc]
                )
                removed += count
                if count < _SLICE:
                    break
            progress(f"removing old {level.name}", done, len(known))
        return removed


def _slice(connection: Connection, level: _Level, row: int, before: int) -> int:
    """Remove up to about a slice of one series, oldest first."""
    own = level.table.c.series_id == row
    beyond = connection.scalar(
        select(level.time).where(own, level.time < before).order_by(level.time).offset(_SLICE).limit(1)
    )
    # Never within one millisecond: what is left of it would look whole.
    stop = before if beyond is None else beyond + 1
    if level.since is not None:
        column = series.c[level.since]
        older = (column.is_(None)) | (column < stop)
        connection.execute(update(series).where(series.c.id == row, older).values({level.since: stop}))
    return connection.execute(delete(level.table).where(own, level.time < stop)).rowcount
