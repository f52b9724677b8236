"""An open database: one native thread that writes, a few that read, a link of its own for each."""

import logging
import os
from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import Connection, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from server.storage import migrate
from server.storage.bridge import Crew, NativeThread, Outcome, from_thread
from server.storage.dialect import Claim, Dialect
from server.storage.failures import Damaged, DatabaseFailed, KeyTaken, RowRefused
from server.storage.sqlite import Sqlite
from shared.settings import SettingsError

log = logging.getLogger(__name__)

T = TypeVar("T")

Progress = Callable[[str, int, int], None]
"""Told, during work of more than a second: what is done, how much of it, of how much. Must not block."""


def silent(_what: str, _done: int, _total: int) -> None:
    """Nobody wants to know."""


class Link:
    """One connection, in one native thread. After an error it is made anew, by the next that needs it."""

    def __init__(self, dialect: Dialect, *, writes: bool) -> None:
        self.dialect = dialect
        self._writes = writes
        self._engine = dialect.engine(writes=writes)
        self._connection: Connection | None = None

    def transaction(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in one transaction. Raises `DatabaseFailed`, and what `work` raises; then nothing has changed."""

        def begun(connection: Connection) -> T:
            with connection.begin():
                return work(connection)

        reused = self._connection is not None
        try:
            return self.direct(begun)
        except DatabaseFailed as failure:
            # A server that was restarted has ended the connections that lay idle. To read again does no harm.
            if self._writes or not reused or isinstance(failure, Damaged):
                raise
            return self.direct(begun)

    def direct(self, work: Callable[[Connection], T]) -> T:
        """Run `work`, which commits for itself. Raises `DatabaseFailed`, and what `work` raises."""
        try:
            if self._connection is None:
                self._connection = self._engine.connect()
            return work(self._connection)
        except Exception as error:
            failure = self.dialect.failure(error)
            # A key that is taken or a value that is refused says nothing against the connection.
            if not isinstance(failure, KeyTaken | RowRefused) or (isinstance(error, DBAPIError) and not self._usable()):
                self._discard()
            if failure is None:
                raise
            if isinstance(failure, Damaged):
                self.dialect.note_damage()
            raise failure from error

    def close(self) -> None:
        """Close the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _discard(self) -> None:
        """Close a connection that may be broken: without a last word to the other end."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.invalidate()
            connection.close()

    def _usable(self) -> bool:
        return self._connection is not None and not self._connection.invalidated and not self._connection.closed


class Database:
    """The relay's database. Its methods block the calling greenlet alone; all SQL runs in native threads."""

    def __init__(self, dialect: Dialect, readers: int) -> None:
        self.dialect = dialect
        self._writer = self.thread(writes=True)
        self._readers = Crew([self.thread(writes=False) for _ in range(readers)])
        self._claim: Claim | None = None

    @classmethod
    def open(cls, url: str, *, readers: int = 2, progress: Progress = silent, claims: bool = False) -> "Database":
        """Open the database at `url` and bring its schema to this program's version.

        `sqlite:////path/relay.db` or `postgresql+psycopg://user:password@host/name`. `claims`: become its one writer
        first, so that nothing is migrated under another one. Raises `SettingsError` when the URL is wrong, the database
        cannot be reached, another process writes it, or its schema is newer than this program.
        """
        database = cls(dialect_of(url), readers)
        try:
            if claims:
                database._claim = database.claim()
            database.migrate(progress)
        except BaseException as error:
            database.close()
            if isinstance(error, DatabaseFailed):
                raise SettingsError("database", database.dialect.where, error.reason) from None
            raise
        return database

    def claim(self) -> Claim:
        """Become the one writer, or take over what `open` has claimed. Raises `ClaimTaken` and `DatabaseFailed`."""
        claim, self._claim = self._claim, None
        return claim or self._writer.call(lambda link: link.direct(self.dialect.claim))

    def migrate(self, progress: Progress = silent) -> None:
        """Bring the schema to this program's version."""
        told = from_thread(progress)
        was = self._writer.call(lambda link: migrate.forward(link, told))
        if was is not None:
            log.warning(
                "schema brought forward, an older program cannot use it: was=%s database=%s", was, self.dialect.where
            )

    def read(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in a transaction that only reads, with one view of the data. Raises `DatabaseFailed`."""
        return self._readers.call(lambda link: link.transaction(work))

    def rows(self, select: Any) -> list[list[Any]]:
        """All rows of a `select` of numbers and text. Raises `DatabaseFailed`."""
        return self.read(lambda connection: self.dialect.rows(connection, select))

    def write(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in a transaction of the one writer; keep it short. Raises `DatabaseFailed`."""
        return self._writer.call(lambda link: link.transaction(work))

    def on_writer(self, work: Callable[[Link], T]) -> T:
        """Run `work` in the writer's thread. Raises `DatabaseFailed`."""
        return self._writer.call(work)

    def post(self, work: Callable[[Link], T], done: Callable[[Outcome[T]], None]) -> None:
        """Run `work` in the writer's thread, then `done` on the hub, where it must not block."""
        self._writer.post(work, done)

    def thread(self, *, writes: bool) -> NativeThread[Link]:
        """A further native thread with a link, for long work. The caller closes it."""
        return NativeThread(lambda: Link(self.dialect, writes=writes), Link.close)

    def close(self) -> None:
        """Finish what runs and close every connection. Idempotent."""
        if self._claim is not None:
            self._claim.release()
        self._readers.close()
        self._writer.close()


def dialect_of(url: str) -> Dialect:
    """The dialect for a database URL. Raises `SettingsError`."""
    remedy = "write sqlite:////path/relay.db or postgresql+psycopg://user:password@host/name"
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise SettingsError("database", url.split("@")[-1], remedy) from None
    if parsed.drivername in ("sqlite", "sqlite+pysqlite"):
        sqlite = Sqlite(parsed)
        _make_private(sqlite)
        return sqlite
    if parsed.drivername in ("postgresql", "postgresql+psycopg"):
        try:
            from server.storage.postgres import Postgres
        except ImportError:
            raise SettingsError(
                "database", parsed.drivername, "install psycopg: pip install breathlight[postgres]"
            ) from None
        return Postgres(parsed.set(drivername="postgresql+psycopg"))
    raise SettingsError("database", parsed.render_as_string(hide_password=True), remedy)


def _make_private(sqlite: Sqlite) -> None:
    """It holds what happens in a home: for its owner alone. SQLite gives its other files the same rights."""
    try:
        os.close(os.open(sqlite.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise SettingsError("database", sqlite.where, f"cannot be opened ({error.strerror})") from None
