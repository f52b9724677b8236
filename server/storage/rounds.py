"""Single rounds out of the log: the newest of some devices, or the one that has a key."""

from collections.abc import Iterable

from sqlalchemy import Connection, select

from server.storage.engine import Database
from server.storage.history import logged
from server.storage.records import LoggedEvent
from server.storage.tables import devices, events, readings, series, streams


class Rounds:
    """Reads rounds. Every call blocks the calling greenlet alone; each raises `DatabaseFailed`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def newest(self, names: Iterable[str], quantity: str, span: tuple[int, int], limit: int) -> list[LoggedEvent]:
        """At most `limit` rounds of these devices that have a value of `quantity`, newest first.

        `span` is from and to (excluded) in milliseconds, of when they were taken.
        """
        return self._database.read(lambda connection: self._newest(connection, tuple(names), quantity, span, limit))

    def _newest(
        self, connection: Connection, names: tuple[str, ...], quantity: str, span: tuple[int, int], limit: int
    ) -> list[LoggedEvent]:
        rows = self._database.dialect.rows
        of = select(series.c.id).join(devices).where(devices.c.name.in_(names), series.c.quantity == quantity)
        found: list[tuple[int, int]] = []
        for (row,) in rows(connection, of):
            # One series at a time: each is a short walk along its key, however long the log is.
            newest = (
                select(readings.c.taken_at, readings.c.cursor)
                .where(readings.c.series_id == row, readings.c.taken_at >= span[0], readings.c.taken_at < span[1])
                .order_by(readings.c.taken_at.desc(), readings.c.cursor.desc())
                .limit(limit)
            )
            found += [(taken_at, cursor) for taken_at, cursor in rows(connection, newest)]
        cursors = [cursor for _, cursor in sorted(found, reverse=True)[:limit]]
        whole = {
            row[0]: LoggedEvent(*row[:-1]) for row in rows(connection, logged().where(events.c.cursor.in_(cursors)))
        }
        return [whole[cursor] for cursor in cursors if cursor in whole]

    def find(self, device: str, stream: str, id_: int) -> LoggedEvent | None:
        """The event of this key; None where it is not in the log, or no longer."""
        one = logged().where(devices.c.name == device, streams.c.name == stream, events.c.id == id_)
        found = self._database.rows(one)
        return LoggedEvent(*found[0][:-1]) if found else None
