"""What reads the outbox file to send it: rows in order, each checked against its hash."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pi_agent.outbox.mark import Progress
from pi_agent.outbox.rows import Row, Stamp
from pi_agent.outbox.schema import connect_reader

ROW: Final = "id, event, fields, boot_id, monotonic_ns, wall_ms, synchronised, digest"
"""The columns of an event that `checked` takes."""


@dataclass(frozen=True)
class Batch:
    """What a read found."""

    rows: Sequence[Row] = ()
    lost: Sequence[tuple[int, int]] = ()
    """Spans of ids, first and last, whose rows are damaged or missing."""


class Reader:
    """The sender's side: rows in order, each checked against its hash."""

    def __init__(self, path: Path) -> None:
        self._db = connect_reader(path)

    def after(self, id: int, limit: int) -> Batch:
        """Up to `limit` rows with an id above `id`, and the spans between them that the disk has lost."""
        self._db.execute("BEGIN")
        try:
            stream, next_id, low = self._db.execute("SELECT name, next_id, low FROM stream").fetchone()
            found = self._db.execute(
                f"SELECT {ROW} FROM event WHERE id > ? ORDER BY id LIMIT ?",  # noqa: S608 (a constant)
                (id, limit),
            ).fetchall()
            # Nothing more than what was read can be judged: a row may follow the last one.
            end = found[-1][0] if len(found) == limit else next_id - 1
            gone = self._db.execute("SELECT first_id, last_id FROM gone WHERE last_id > ?", (id,)).fetchall()
        finally:
            self._db.execute("ROLLBACK")
        rows, damaged = [], []
        for columns in found:
            row = checked(stream, columns)
            if row is None:
                damaged.append((columns[0], columns[0]))
            else:
                rows.append(row)
        present = [(columns[0], columns[0]) for columns in found]
        missing = _uncovered(max(id + 1, low), end, sorted(present + gone))
        return Batch(rows, sorted(damaged + missing))

    def rows(self, ids: Sequence[int]) -> Batch:
        """The rows with these `ids`, in order, and those that the disk has lost since they were first read."""
        marks = ", ".join("?" * len(ids))
        self._db.execute("BEGIN")
        try:
            stream = self._db.execute("SELECT name FROM stream").fetchone()[0]
            found = self._db.execute(f"SELECT {ROW} FROM event WHERE id IN ({marks}) ORDER BY id", ids).fetchall()  # noqa: S608
            gone = self._db.execute("SELECT first_id, last_id FROM gone").fetchall()
        finally:
            self._db.execute("ROLLBACK")
        rows = [row for columns in found if (row := checked(stream, columns))]
        whole = {row.id for row in rows}
        lost = [key for key in ids if key not in whole and not any(first <= key <= last for first, last in gone)]
        return Batch(rows, [(key, key) for key in lost])

    def of(self, events: Collection[str]) -> Iterator[Row]:
        """The rows of these events that are whole, the newest first."""
        marks = ", ".join("?" * len(events))
        stream = self._db.execute("SELECT name FROM stream").fetchone()[0]
        query = f"SELECT {ROW} FROM event WHERE event IN ({marks}) ORDER BY id DESC"  # noqa: S608
        for columns in self._db.execute(query, list(events)):
            if row := checked(stream, columns):
                yield row

    def close(self) -> None:
        """Close the file."""
        self._db.close()


def checked_progress(columns: Sequence[object] | None) -> Progress | None:
    """Where the stream stands, from its name, next id, low and digest; None where they do not match the hash."""
    if columns is None or not isinstance(columns[0], str):
        return None
    _, next_id, low, digest = columns
    if not (isinstance(next_id, int) and isinstance(low, int)):
        return None
    progress = Progress(columns[0], next_id, low)
    return progress if progress.digest() == digest else None


def checked(stream: str, columns: Sequence[object]) -> Row | None:
    """The row of `columns`, or None where it does not match its hash."""
    row_id, event, fields, boot_id, monotonic_ns, wall_ms, synchronised, digest = columns
    kinds = ((row_id, int), (event, str), (fields, bytes), (boot_id, str), (monotonic_ns, int), (wall_ms, int))
    if not all(isinstance(value, kind) for value, kind in kinds):
        return None
    row = Row(stream, row_id, event, fields, Stamp(boot_id, monotonic_ns, wall_ms, bool(synchronised)))  # type: ignore[arg-type]
    return row if row.digest() == digest else None


def _uncovered(first: int, last: int, covered: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """The parts of `first`..`last` that none of the sorted spans `covered` covers."""
    holes = []
    for from_id, to_id in covered:
        if from_id > first:
            holes.append((first, min(from_id - 1, last)))
        first = max(first, to_id + 1)
        if first > last:
            return holes
    return [*holes, (first, last)] if first <= last else holes
