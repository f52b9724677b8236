"""PostgreSQL, through psycopg 3."""

from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg import errors, waiting
from sqlalchemy import URL, Connection, Engine, Select, Text, create_engine, event, func
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from server.storage.dialect import Rows
from server.storage.failures import ClaimTaken, Damaged, DatabaseFailed, DiskFull, KeyTaken, RowRefused

_CONNECT_S = 5
_SCHEMA_LOCK = 0x42_4C_53_43
_WRITER_LOCK = 0x42_4C_57_52
"""Keys of advisory locks."""
_OPTIONS = (
    "-c synchronous_commit=on -c statement_timeout=0 -c lock_timeout=10s -c timezone=UTC "
    # The server must learn within seconds that our machine is gone: until then nobody else can be the one writer.
    "-c tcp_keepalives_idle=3 -c tcp_keepalives_interval=1 -c tcp_keepalives_count=3"
)

_TAKE_IN = """
WITH new_events AS (
    INSERT INTO events (cursor, stream_id, id, event, taken_at, received_at, body, hash)
    SELECT %(first)s::bigint + n - 1, (v ->> 0)::bigint, (v ->> 1)::bigint, v ->> 2, (v ->> 3)::bigint,
           %(received_at)s::bigint, v ->> 4, v ->> 5
    FROM jsonb_array_elements(%(events)s::jsonb) WITH ORDINALITY AS given (v, n)
), new_readings AS (
    INSERT INTO readings (series_id, taken_at, cursor, value)
    SELECT (v ->> 0)::bigint, (v ->> 1)::bigint, %(first)s::bigint + (v ->> 2)::bigint, (v ->> 3)::double precision
    FROM jsonb_array_elements(%(readings)s::jsonb) AS given (v)
)
INSERT INTO drops (cursor, stream_id, first, last, reason)
SELECT %(first)s::bigint + (v ->> 0)::bigint, (v ->> 1)::bigint, (v ->> 2)::bigint, (v ->> 3)::bigint, v ->> 4
FROM jsonb_array_elements(%(drops)s::jsonb) AS given (v)
"""


class Postgres:
    """A database on a server."""

    name = "postgresql"

    def __init__(self, url: URL) -> None:
        self.url = url
        self.where = url.render_as_string(hide_password=True)
        # Every connection is used in a native thread, where waiting is right. psycopg sees a patched `select` and
        # would wait for every answer through a hub of its own in each of them (to connect, it still does).
        waiting.wait = getattr(waiting, "wait_c", waiting.wait)

    @property
    def path(self) -> None:
        """It has no file of ours."""

    def engine(self, *, writes: bool) -> Engine:
        """An engine for one native thread."""
        engine = create_engine(
            self.url,
            poolclass=NullPool,
            connect_args={"connect_timeout": _CONNECT_S, "autocommit": True, "options": _OPTIONS},
        )

        @event.listens_for(engine, "begin")
        def begin(connection: Connection) -> None:
            mode = "READ WRITE" if writes else "ISOLATION LEVEL REPEATABLE READ READ ONLY"
            connection.exec_driver_sql(f"BEGIN TRANSACTION {mode}")

        return engine

    def take_in(self, connection: Connection, first: int, received_at: int, rows: Rows) -> None:
        """Write one group: one statement, one round trip, one commit."""
        values = {
            "first": first,
            "received_at": received_at,
            "events": rows.events,
            "readings": rows.readings,
            "drops": rows.drops,
        }
        cursor = connection.connection.cursor()
        try:
            cursor.execute(_TAKE_IN, values)
        finally:
            cursor.close()

    def source(self, columns: Sequence[str]) -> str:
        """Rows of one JSON parameter."""
        values = ", ".join(f"(v ->> {index})::{kind}" for index, kind in enumerate(columns))
        return f"SELECT {values} FROM jsonb_array_elements(%s::jsonb) AS given (v) WHERE true"  # noqa: S608

    def rows(self, connection: Connection, select_: Select[Any]) -> list[list[Any]]:
        """Fetch all rows: they come in one answer."""
        return [list(row) for row in connection.execute(select_).all()]

    def iso_text(self, column: Any, /) -> Any:
        """ISO 8601 text."""
        moment = func.timezone("UTC", func.to_timestamp(column / 1000.0))
        return func.to_char(moment, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"', type_=Text)

    def failure(self, error: BaseException) -> DatabaseFailed | None:
        """What an error of the driver means."""
        cause = error.orig if isinstance(error, DBAPIError) else error
        if not isinstance(cause, psycopg.Error):
            return None
        text = " ".join(str(cause).split())
        state = cause.sqlstate or ""
        if isinstance(cause, errors.UniqueViolation):
            return KeyTaken(text)
        if state.startswith("XX"):
            return Damaged(f"{text}; put back a backup: pi-relay db restore")
        if isinstance(cause, errors.DiskFull):
            return DiskFull(text)
        if isinstance(cause, psycopg.DataError | errors.NotNullViolation | errors.CheckViolation):
            return RowRefused(text)
        return DatabaseFailed(text or type(cause).__name__)

    def note_damage(self) -> None:
        """The server's own affair."""

    def lock_schema(self, connection: Connection) -> None:
        """An advisory lock, until the transaction ends."""
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_SCHEMA_LOCK})")

    def claim(self, connection: Connection) -> "SessionClaim":
        """An advisory lock of the writer's connection: it ends with it."""
        claim = SessionClaim(self.where)
        claim.renew(connection)
        return claim

    def used_bytes(self, connection: Connection) -> int:
        """Size of the database on its server."""
        return int(connection.exec_driver_sql("SELECT pg_database_size(current_database())").scalar_one())


class SessionClaim:
    """An advisory lock that the server releases when the connection ends."""

    mark = 0

    def __init__(self, where: str) -> None:
        self._where = where

    def note(self, _: int, /) -> None:
        """The server's own log keeps what it committed."""

    def renew(self, connection: Connection) -> None:
        """Lock; wait a while for the server to notice that the last holder died."""
        cursor = connection.connection.cursor()
        try:
            cursor.execute("SET lock_timeout = '3s'")
            cursor.execute(f"SELECT pg_advisory_lock({_WRITER_LOCK})")
            cursor.execute("RESET lock_timeout")
        except errors.LockNotAvailable:
            raise ClaimTaken(
                "database", self._where, "another relay writes it; stop that one, or use another database"
            ) from None
        finally:
            cursor.close()

    def release(self) -> None:
        """The connection is about to be closed."""
