"""SQLite: WAL, `synchronous=FULL`, one file."""

import contextlib
import fcntl
import mmap
import os
import sqlite3
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import URL, Connection, Engine, Select, Text, create_engine, event, func, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from server.storage.dialect import Rows
from server.storage.failures import ClaimTaken, Damaged, DatabaseFailed, DiskFull, KeyTaken, RowRefused
from shared.settings import SettingsError

BUSY_S = 5.0
"""How long to wait for another process (a command in a terminal) to finish its transaction."""

_PRAGMAS = (
    # WAL is a property of the file, the rest of the connection.
    "PRAGMA journal_mode=WAL",
    # A commit is on the disk when it returns: power may fail, not only the process.
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    # Debian's SQLite overwrites what is deleted: retention would write as much as it removes.
    "PRAGMA secure_delete=FAST",
    "PRAGMA cache_size=-32768",
    "PRAGMA temp_store=MEMORY",
    "PRAGMA journal_size_limit=67108864",
)
_TAKE_IN = "INSERT INTO intake (first, received_at, events, readings, drops) VALUES (?, ?, ?, ?, ?)"
_TAKEN = {sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY}
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_REFUSED = {sqlite3.SQLITE_CONSTRAINT_NOTNULL, sqlite3.SQLITE_CONSTRAINT_CHECK, sqlite3.SQLITE_TOOBIG}
_MARK = struct.Struct("<Q")


class Sqlite:
    """A database in one file."""

    name = "sqlite"

    def __init__(self, url: URL) -> None:
        """Raises `SettingsError` for a URL without a file, or in a directory that is not there."""
        self.url = url
        self.where = url.render_as_string()
        if not url.database or url.database == ":memory:":
            raise SettingsError("database", self.where, "name a file: sqlite:////var/lib/breathlight/relay.db")
        self._path = Path(url.database)
        if not self._path.parent.is_dir():
            raise SettingsError("database", self.where, f"there is no directory {self._path.parent}; make it")

    @property
    def path(self) -> Path:
        """The file."""
        return self._path

    def engine(self, *, writes: bool) -> Engine:
        """An engine for one native thread."""
        engine = create_engine(self.url, poolclass=NullPool, connect_args={"timeout": BUSY_S})

        @event.listens_for(engine, "connect")
        def connected(connection: sqlite3.Connection, _: object) -> None:
            connection.isolation_level = None
            for pragma in _PRAGMAS:
                connection.execute(pragma).close()
            if not writes:
                connection.execute("PRAGMA query_only=ON").close()

        @event.listens_for(engine, "begin")
        def begin(connection: Connection) -> None:
            # IMMEDIATE: a transaction that read before it wrote could not wait for another writer.
            connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

        return engine

    def take_in(self, connection: Connection, first: int, received_at: int, rows: Rows) -> None:
        """Write one group through the trigger of the view `intake`: one step, one commit."""
        cursor = connection.connection.cursor()
        try:
            cursor.execute(_TAKE_IN, (first, received_at, rows.events, rows.readings, rows.drops))
        finally:
            cursor.close()

    def source(self, columns: Sequence[str]) -> str:
        """Rows of one JSON parameter. `WHERE true` keeps the parser from taking ON CONFLICT for a join's ON."""
        values = ", ".join(f"value ->> {index}" for index in range(len(columns)))
        return f"SELECT {values} FROM json_each(?) WHERE true"  # noqa: S608

    def rows(self, connection: Connection, select_: Select[Any]) -> list[list[Any]]:
        """Fetch all rows in one step. Numbers that are not whole come with 15 significant digits."""
        inner = select_.subquery()
        text = connection.scalar(select(func.json_group_array(func.json_array(*inner.c))))
        return msgspec.json.decode(text or "[]", type=list[list[Any]])

    def iso_text(self, column: Any, /) -> Any:
        """ISO 8601 text; whole seconds and milliseconds apart, as SQLite rounds fractions of a second."""
        millis = ((column % 1000) + 1000) % 1000
        seconds = func.strftime("%Y-%m-%dT%H:%M:%S", (column - millis) // 1000, "unixepoch", type_=Text)
        return seconds + func.printf(".%03dZ", millis, type_=Text)

    def failure(self, error: BaseException) -> DatabaseFailed | None:
        """What an error of the driver means."""
        cause = error.orig if isinstance(error, DBAPIError) else error
        if isinstance(cause, sqlite3.DataError | OverflowError | UnicodeEncodeError):
            return RowRefused(str(cause))
        if isinstance(cause, UnicodeDecodeError):
            return Damaged(f"{self.path} is damaged: text that is no text")
        if not isinstance(cause, sqlite3.Error):
            return None
        if "BLOB" in str(cause):
            # No table has any: a flipped bit changed the type of a value.
            return Damaged(f"{self.path} is damaged ({cause})")
        code = getattr(cause, "sqlite_errorcode", 0)
        if code in _TAKEN:
            return KeyTaken(str(cause))
        if code & 0xFF in _DAMAGED:
            return Damaged(f"{self.path} is damaged ({cause})")
        if code & 0xFF in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR) and _no_room(self.path):
            return DiskFull(f"the disk of {self.path} is full")
        if code in _REFUSED:
            return RowRefused(str(cause))
        return DatabaseFailed(f"{self.path}: {cause}")

    def note_damage(self) -> None:
        """Leave a note for the next start."""
        with contextlib.suppress(OSError):
            damage_marker(self.path).touch()

    def lock_schema(self, _: Connection, /) -> None:
        """The transaction is immediate: it has the only lock there is."""

    def claim(self, _: Connection, /) -> "FileClaim":
        """Lock the file beside the database."""
        return FileClaim(self.path, self.where)

    def used_bytes(self, connection: Connection) -> int:
        """Pages in use."""
        pages, free, size = (
            int(connection.exec_driver_sql(f"PRAGMA {name}").scalar_one())
            for name in ("page_count", "freelist_count", "page_size")
        )
        return (pages - free) * size


def damage_marker(database: Path) -> Path:
    """The file that notes that a database is damaged: `salvage.mend` looks for it at the next start."""
    return database.with_name(database.name + ".damaged")


class FileClaim:
    """A locked file that keeps the highest committed cursor.

    One bit flipped in a write-ahead log and SQLite drops what follows it without a word: the mark tells. It is written
    through a memory map, which outlives the process and costs no system call.
    """

    def __init__(self, database: Path, where: str) -> None:
        """Raises `SettingsError` where another process holds it, or where it cannot be made."""
        path = database.with_name(database.name + ".writer")
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise SettingsError("database", where, f"{path} cannot be written ({error.strerror})") from None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Written, not only sized: a map over a hole would kill the process when the disk is full.
            if os.fstat(self._file).st_size < _MARK.size:
                os.pwrite(self._file, _MARK.pack(0), 0)
        except OSError as error:
            os.close(self._file)
            if isinstance(error, BlockingIOError):
                words = "another relay writes it; stop that one, or use another file"
                raise ClaimTaken("database", where, words) from None
            raise SettingsError("database", where, str(error.strerror)) from None
        self._map = mmap.mmap(self._file, _MARK.size)
        self.mark = int(_MARK.unpack_from(self._map)[0])

    def note(self, cursor: int) -> None:
        """Remember `cursor`."""
        self.mark = cursor
        _MARK.pack_into(self._map, 0, cursor)

    def renew(self, _: Connection, /) -> None:
        """The lock is the process's, not the connection's."""

    def release(self) -> None:
        """Unlock the file. Idempotent."""
        if not self._map.closed:
            self._map.close()
            os.close(self._file)


def _no_room(path: Path) -> bool:
    """True where the file system has no free block left for us; an I/O error is else a fault of the disk."""
    try:
        room = os.statvfs(path.parent)
    except OSError:
        return False
    return room.f_bavail * room.f_frsize < 1024 * 1024
