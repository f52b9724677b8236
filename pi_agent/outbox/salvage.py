"""What can still be read of a damaged outbox file is taken over; one bad page must not cost a whole backlog."""

import logging
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from pi_agent.outbox.mark import Progress
from pi_agent.outbox.reader import ROW, checked, checked_progress
from pi_agent.outbox.rows import Row
from pi_agent.outbox.schema import connect_reader

log = logging.getLogger(__name__)

_SPAN = 512


class Wreck:
    """A damaged file, read as far as it goes."""

    def __init__(self, path: Path) -> None:
        """Raises `sqlite3.Error` where it cannot be opened at all."""
        self._db = connect_reader(path)

    def progress(self) -> Progress | None:
        """Where its stream stood; None where that cannot be read, or does not match its hash."""
        try:
            return checked_progress(self._db.execute("SELECT name, next_id, low, digest FROM stream").fetchone())
        except sqlite3.Error:
            return None

    def rows(self, progress: Progress) -> Iterator[list[Row]]:
        """Every whole row that is not settled, in order, some at a time."""
        for first in range(progress.low, progress.next_id, _SPAN):
            if found := list(self._span(progress.stream, first, min(first + _SPAN, progress.next_id) - 1)):
                yield found

    def gone(self) -> list[tuple[int, int]]:
        """Spans that were accounted for; empty where that cannot be read."""
        try:
            return self._db.execute("SELECT first_id, last_id FROM gone").fetchall()
        except sqlite3.Error:
            return []

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def _span(self, stream: str, first: int, last: int) -> Iterator[Row]:
        """The whole rows of one span; around a bad page it is halved until the page is found."""
        try:
            found = self._db.execute(
                f"SELECT {ROW} FROM event WHERE id BETWEEN ? AND ? ORDER BY id",  # noqa: S608 (a constant)
                (first, last),
            ).fetchall()
        except sqlite3.Error:
            if first < last:
                middle = (first + last) // 2
                yield from self._span(stream, first, middle)
                yield from self._span(stream, middle + 1, last)
            return
        for columns in found:
            if row := checked(stream, columns):
                yield row
