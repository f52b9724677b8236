"""Backups: made while the relay runs, verified by restoring them, put back while it does not."""

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct
from sqlalchemy import Connection, func, select

from server.storage import dump
from server.storage.bridge import from_thread, in_thread
from server.storage.engine import Database, Progress, dialect_of, silent
from server.storage.examine import Report, examine
from server.storage.failures import DatabaseFailed
from server.storage.fold import highest_given, set_mark
from server.storage.sqlite import FileClaim
from server.storage.tables import events, readings
from shared.settings import SettingsError

_PAGES = 2_000
"""Pages per step: how often progress is told."""


class Backup(Struct, frozen=True):
    """One verified backup."""

    path: str
    size_bytes: int
    events: int
    readings: int
    cursor: int
    """The last that is in it."""


class Counts(Struct, frozen=True):
    """What a copy must have."""

    events: int
    readings: int
    cursor: int


def back_up(database: Database, target: Path, progress: Progress = silent) -> Backup:
    """Copy a database that is in use to the file `target`, restore the copy beside it, and check every row of that.

    A PostgreSQL database needs `pg_dump` and `pg_restore`, and a user who may create the database in which the copy is
    checked. Nothing is left at `target` unless the check succeeds. Raises `SettingsError` and `DatabaseFailed`.
    """
    part = target.with_name(target.name + ".part")
    try:
        # For its owner alone, as the database is.
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600))
        if database.dialect.path is None:
            counts = _dump(database, part, progress)
        else:
            thread = database.thread(writes=False)
            told = from_thread(progress)
            try:
                counts = thread.call(lambda link: link.direct(lambda connection: _copy(connection, part, told)))
            finally:
                thread.close()
            _verify_file(part, counts, progress)
        size = part.stat().st_size
        part.replace(target)
        _sync(target.parent)
    except OSError as error:
        raise SettingsError("backup", str(target), f"cannot be written ({error.strerror or error})") from None
    finally:
        part.unlink(missing_ok=True)
    return Backup(str(target), size, counts.events, counts.readings, counts.cursor)


def restore(backup: Path, url: str, progress: Progress = silent) -> Counts:
    """Put `backup` in the place of the database at `url`; the relay must not be running.

    The backup is checked first. No cursor that the lost database gave is given again. Raises `SettingsError` where the
    backup is damaged or a relay is running, and `DatabaseFailed`.
    """
    dialect = dialect_of(url)
    if not backup.is_file():
        raise SettingsError("backup", str(backup), "there is no such file")
    if dialect.path is None:
        return _restore_dump(backup, url, progress)
    return _restore_file(backup, url, dialect.path, progress)


def count(connection: Connection) -> Counts:
    """How much there is."""
    rows, highest = connection.execute(select(func.count(), func.max(events.c.cursor))).one()
    return Counts(rows, connection.scalar(select(func.count()).select_from(readings)) or 0, highest or 0)


# --- SQLite -----------------------------------------------------------------------------------------------------------


def _copy(connection: Connection, part: Path, told: Callable[[str, int, int], None]) -> Counts:
    """Copy page by page within one read transaction: what is written meanwhile does not start it anew."""
    with connection.begin():
        counts = count(connection)
        source = connection.connection.driver_connection
        target = sqlite3.connect(part)
        try:
            source.backup(  # type: ignore[union-attr]
                target, pages=_PAGES, progress=lambda _, rest, total: told("copying", total - rest, total)
            )
            # A backup is one file.
            target.execute("PRAGMA journal_mode=DELETE")
        finally:
            target.close()
    _sync(part)
    return counts


def _verify_file(copy: Path, counts: Counts, progress: Progress) -> None:
    with tempfile.TemporaryDirectory(prefix=".verify-", dir=copy.parent) as directory:
        restored = Path(directory) / "restored.db"
        in_thread(lambda: shutil.copyfile(copy, restored))
        _verify(f"sqlite:///{restored}", lambda found: found == counts, progress)


def _restore_file(backup: Path, url: str, path: Path, progress: Progress) -> Counts:
    claim = FileClaim(path, str(path))
    try:
        part = path.with_name(path.name + ".restoring")
        in_thread(lambda: shutil.copyfile(backup, part))
        try:
            _verify(f"sqlite:///{part}", lambda _: True, progress)
            counts = _begin_above(f"sqlite:///{part}", max(claim.mark, _highest(url)))
            _sync(part)
            for suffix in ("-wal", "-shm"):
                path.with_name(path.name + suffix).unlink(missing_ok=True)
                part.with_name(part.name + suffix).unlink(missing_ok=True)
            part.replace(path)
            _sync(path.parent)
        finally:
            part.unlink(missing_ok=True)
    finally:
        claim.release()
    return counts


def _highest(url: str) -> int:
    """The highest cursor of the database that is about to go, as far as it can be told."""
    try:
        database = Database.open(url)
    except SettingsError:
        return 0
    try:
        return database.read(highest_given)
    except DatabaseFailed:
        return 0
    finally:
        database.close()


def _sync(path: Path) -> None:
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)


# --- PostgreSQL -------------------------------------------------------------------------------------------------------


def _dump(database: Database, part: Path, progress: Progress) -> Counts:
    before = database.read(count)
    progress("dumping", 0, 1)
    dump.write(database.dialect, part)
    progress("dumping", 1, 1)
    after = database.read(count)
    found = before
    with dump.scratch(database.dialect) as url:
        dump.read(url, part)

        def between(counts: Counts) -> bool:
            nonlocal found
            found = counts
            return before.cursor <= counts.cursor <= after.cursor

        _verify(url, between, progress)
    return found


def _restore_dump(backup: Path, url: str, progress: Progress) -> Counts:
    database = Database.open(url)
    try:
        claim = database.claim()
        highest = database.read(highest_given)
        with dump.scratch(database.dialect) as scratch:
            dump.read(scratch, backup)
            _verify(scratch, lambda _: True, progress)
        progress("restoring", 0, 1)
        dump.read(url, backup)
        claim.release()
    finally:
        database.close()
    return _begin_above(url, highest)


# --- both -------------------------------------------------------------------------------------------------------------


def _verify(url: str, as_expected: Callable[[Counts], bool], progress: Progress) -> Report:
    database = Database.open(url)
    try:
        report = examine(database, progress)
        counts = database.read(count)
    finally:
        database.close()
    if not report.sound:
        raise SettingsError(
            "backup",
            database.dialect.where,
            f"it is damaged: {report.corrupt} corrupt and {report.lost} lost events, {report.wrong_rollups} wrong "
            f"roll-ups, {len(report.structure) + len(report.unreadable)} faults of the file; see pi-relay doctor",
        )
    if not as_expected(counts):
        raise SettingsError("backup", database.dialect.where, "it has not as many rows as the database; try again")
    return report


def _begin_above(url: str, highest: int) -> Counts:
    database = Database.open(url)
    try:
        counts = database.read(count)
        if highest > counts.cursor:

            def note(connection: Connection) -> None:
                set_mark(database.dialect, connection, "restored", counts.cursor)
                set_mark(database.dialect, connection, "floor", highest)

            database.write(note)
        if database.dialect.path is not None:
            database.on_writer(lambda link: link.direct(_checkpoint))
        return counts
    finally:
        database.close()


def _checkpoint(connection: Connection) -> None:
    cursor = connection.connection.cursor()
    cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    cursor.close()
