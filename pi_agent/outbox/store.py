"""What writes the outbox file. One thread writes through a `Store`; another may read through a `Reader`.

Invariant: an id from `low` to below `next_id` is in `event`, or accounted for in `gone`. Whatever else is missing has
been lost by the disk, and is found when the rows are read to be sent.
"""

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

import msgspec

from pi_agent.outbox.mark import Declaration, Progress
from pi_agent.outbox.reader import ROW, checked, checked_progress
from pi_agent.outbox.rows import Row, Stamp
from pi_agent.outbox.schema import connect, migrate
from shared.contract.events import DROP_PUB_PI
from shared.contract.payloads import DropReason

_DEAD_LETTERS = 100
"""As many are kept, for people to look at; the oldest go first."""
_DEAD_FIELDS_BYTES = 4_096
_FEWEST_DROPPED = 64
_SHARE_DROPPED = 50
"""When the file is full, one part in so many goes at once: a drop record per event would fill it again."""


@dataclass(frozen=True)
class Draft:
    """An event that has no id yet. `trouble`: it can never be sent, and becomes a dead letter at once."""

    event: str
    fields: bytes
    stamp: Stamp
    trouble: DropReason | None = None
    message: str = ""
    receipt: Any = None
    """Whoever wrote it wants to know when it is on disk."""


class Store:
    """The writer's side of one outbox file."""

    def __init__(self, path: Path, begin: Progress) -> None:
        """Open `path`; a new file begins at `begin`.

        Raises `sqlite3.DatabaseError` when the file is damaged, `NewerSchema` when it is too new.
        """
        self.path = path
        self.declared: dict[int, Declaration] = {}
        """By its own id each drop record that is not settled, but for those about events that had no ids."""
        self.dropped: Counter[str] = Counter()
        """Events given up on record by this process, by reason."""
        self._db = connect(path)
        try:
            migrate(self._db)
            self._db.execute(
                "INSERT OR IGNORE INTO stream VALUES (1, ?, ?, ?, ?)",
                (begin.stream, begin.next_id, begin.low, begin.digest()),
            )
            self.progress = self._read_progress()
        except BaseException:
            self._db.close()
            raise

    @contextmanager
    def commit(self) -> Iterator[None]:
        """One transaction. What happens inside is durable when this ends, and has not happened when it raises."""
        before, declared, dropped = self.progress, self.declared.copy(), self.dropped.copy()
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            if self.progress != before:
                now = self.progress
                self._db.execute(
                    "UPDATE stream SET next_id = ?, low = ?, digest = ?", (now.next_id, now.low, now.digest())
                )
            self._db.execute("COMMIT")
        except BaseException:
            self.progress, self.declared, self.dropped = before, declared, dropped
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    # --- within a commit ----------------------------------------------------------------------------------------

    def append(self, draft: Draft) -> int:
        """Give the draft the next id and keep it. Returns the id."""
        progress = self.progress
        row = Row(progress.stream, progress.next_id, draft.event, draft.fields, draft.stamp)
        self.progress = Progress(progress.stream, row.id + 1, progress.low)
        if draft.trouble is None:
            self._db.execute("INSERT INTO event VALUES (?, ?, ?, ?, ?, ?, ?, ?)", _columns(row))
        else:
            self._bury(row.id, row.event, row.fields, row.stamp.wall_ms, draft.trouble, draft.message)
            self._record(draft.trouble, row.id, row.id, 1, draft.stamp, message=draft.message)
        return row.id

    def adopt(self, rows: Sequence[Row], gone: Sequence[tuple[int, int]]) -> None:
        """Take over rows of this stream, with the ids they have, from a damaged file."""
        self._db.executemany("INSERT OR IGNORE INTO event VALUES (?, ?, ?, ?, ?, ?, ?, ?)", map(_columns, rows))
        self._db.executemany("INSERT OR REPLACE INTO gone VALUES (?, ?)", gone)

    def settle(self, through: int) -> None:
        """Everything up to id `through` is stored by the relay: forget it."""
        progress = self.progress
        through = min(through, progress.next_id - 1)
        if through < progress.low:
            return
        self._db.execute("DELETE FROM event WHERE id <= ?", (through,))
        self._db.execute("DELETE FROM gone WHERE last_id <= ?", (through,))
        self.progress = Progress(progress.stream, progress.next_id, through + 1)
        self.declared = {record_id: said for record_id, said in self.declared.items() if record_id > through}

    def drop_oldest(self, reason: DropReason, stamp: Stamp, only: Callable[[Stamp], bool] = lambda _: True) -> int:
        """Give up a share of the oldest events, as far as `only` agrees, on record. Returns how many.

        One record stands for all between the first and the last. Earlier records of the same kind that lie among them
        are absorbed, else an agent that is alone for long enough would keep nothing but records.
        """
        progress = self.progress
        share = max(_FEWEST_DROPPED, (progress.next_id - progress.low) // _SHARE_DROPPED)
        oldest = self._db.execute(
            "SELECT id, boot_id, monotonic_ns, wall_ms, synchronised FROM event WHERE event != ? ORDER BY id LIMIT ?",
            (DROP_PUB_PI.name, share),
        ).fetchall()
        chosen = [row[0] for row in takewhile(lambda row: only(Stamp(row[1], row[2], row[3], bool(row[4]))), oldest)]
        if not chosen:
            return 0
        first, last, count = chosen[0], chosen[-1], len(chosen)
        self._db.execute("DELETE FROM event WHERE id <= ? AND event != ?", (last, DROP_PUB_PI.name))
        for record_id, record in self._records(reason, last):
            self._db.execute("DELETE FROM event WHERE id = ?", (record_id,))
            self.declared.pop(record_id, None)
            first = min(first, record["first_id"])
            count += record["count"] + 1
        self._account(reason, first, last, len(chosen))
        self._append_record(reason, count, stamp, first=first, last=last)
        return len(chosen)

    def lose(self, first: int, last: int, reason: DropReason, stamp: Stamp, message: str = "") -> None:
        """Give up the ids `first` to `last`, on record. Damaged rows are kept among the dead letters."""
        if reason is DropReason.CORRUPT:
            damaged = self._db.execute(
                "SELECT id, event, fields, wall_ms FROM event WHERE id BETWEEN ? AND ?", (first, last)
            ).fetchall()
            for row_id, event, fields, wall_ms in damaged:
                self._bury(row_id, event, fields, wall_ms, reason, message)
        self._db.execute("DELETE FROM event WHERE id BETWEEN ? AND ?", (first, last))
        self._record(reason, first, last, last - first + 1, stamp, message=message)
        for record_id in [lost for lost in self.declared if first <= lost <= last]:
            self.declare_again(self.declared.pop(record_id), stamp)

    def recall(self, said: Declaration, recorded_in: str, stamp: Stamp) -> None:
        """`said` was not settled when the mark was written, its record being in the stream `recorded_in`."""
        if recorded_in != self.progress.stream:
            self.declare_again(said, stamp)
        elif said.record_id >= self.progress.low:
            row = self._db.execute(f"SELECT {ROW} FROM event WHERE id = ?", (said.record_id,)).fetchone()  # noqa: S608
            if row and checked(recorded_in, row):
                self.declared[said.record_id] = said
            else:
                self.declare_again(said, stamp)

    def declare_again(self, said: Declaration, stamp: Stamp) -> None:
        """Make a drop record again that was lost before the relay had it."""
        other = None if said.stream == self.progress.stream else said.stream
        self._append_record(said.reason, said.count, stamp, first=said.first, last=said.last, of_stream=other)

    def refuse(self, row: Row, code: str, message: str, stamp: Stamp) -> None:
        """The relay will never take `row`: make it a dead letter, on record."""
        if not self._db.execute("DELETE FROM event WHERE id = ?", (row.id,)).rowcount:
            return
        self._bury(row.id, row.event, row.fields, row.stamp.wall_ms, code, message)
        if row.event == DROP_PUB_PI.name:
            # A relay that refuses drop records would refuse the record of this one too, without end.
            self._account(DropReason.REFUSED, row.id, row.id, 1)
            self.declared.pop(row.id, None)
        else:
            self._record(DropReason.REFUSED, row.id, row.id, 1, stamp, message=f"{code}: {message}")

    def record_unnumbered(self, reason: DropReason, count: int, stamp: Stamp) -> None:
        """Put on record events that were given up before they had an id."""
        self._append_record(reason, count, stamp)
        self._count(reason, count)

    def record_lost_stream(self, lost: Progress, stamp: Stamp, message: str) -> None:
        """Put on record that another stream's unsettled events are lost."""
        count = lost.next_id - lost.low
        self._append_record(
            DropReason.CORRUPT,
            count,
            stamp,
            first=lost.low,
            last=lost.next_id - 1,
            of_stream=lost.stream,
            message=message,
        )
        self._count(DropReason.CORRUPT, count)

    def skip_to(self, next_id: int, stamp: Stamp) -> None:
        """Ids below `next_id` were given away by commits that the disk has lost: never again."""
        progress = self.progress
        self.progress = Progress(progress.stream, next_id, progress.low)
        self._record(
            DropReason.CORRUPT, progress.next_id, next_id - 1, next_id - progress.next_id, stamp, message="commits lost"
        )

    # --- beside commits -----------------------------------------------------------------------------------------

    def used_bytes(self) -> int:
        """What the rows take, in whole pages; free pages of the file are not counted."""
        pages, free, size = (
            self._db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
        )
        return int((pages - free) * size)

    def free_bytes(self) -> int:
        """What the file has in pages that no row takes."""
        free, size = (self._db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("freelist_count", "page_size"))
        return int(free * size)

    def checkpoint(self) -> None:
        """Move the log into the file, so that its space can be used again."""
        self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    # --- parts --------------------------------------------------------------------------------------------------

    def _records(self, reason: DropReason, before: int) -> list[tuple[int, dict[str, Any]]]:
        """Drop records of one kind and of this stream with an id below `before`, and what they say."""
        found = self._db.execute(
            f"SELECT {ROW} FROM event WHERE id < ? AND event = ?",  # noqa: S608 (a constant)
            (before, DROP_PUB_PI.name),
        ).fetchall()
        rows = [row for columns in found if (row := checked(self.progress.stream, columns))]
        records = [(row.id, msgspec.json.decode(row.fields)) for row in rows]
        return [found for found in records if found[1]["reason"] == reason and "first_id" in found[1]]

    def _read_progress(self) -> Progress:
        found = self._db.execute("SELECT name, next_id, low, digest FROM stream").fetchone()
        progress = checked_progress(found)
        if progress is None:
            raise sqlite3.DatabaseError("the stream does not match its hash")
        return progress

    def _record(self, reason: DropReason, first: int, last: int, count: int, stamp: Stamp, message: str = "") -> None:
        self._account(reason, first, last, count)
        self._append_record(reason, count, stamp, first=first, last=last, message=message)

    def _account(self, reason: DropReason, first: int, last: int, count: int) -> None:
        self._db.execute("INSERT OR REPLACE INTO gone VALUES (?, ?)", (first, last))
        self._count(reason, count)

    def _append_record(
        self,
        reason: DropReason,
        count: int,
        stamp: Stamp,
        *,
        first: int | None = None,
        last: int | None = None,
        of_stream: str | None = None,
        message: str = "",
    ) -> None:
        fields = {
            "reason": reason,
            "count": count,
            "first_id": first,
            "last_id": last,
            "of_stream": of_stream,
            "message": message[:500],
        }
        told = {name: value for name, value in fields.items() if value not in (None, "")}
        record_id = self.append(Draft(DROP_PUB_PI.name, msgspec.json.encode(told), stamp))
        if first is not None and last is not None:
            stream = of_stream or self.progress.stream
            self.declared[record_id] = Declaration(record_id, stream, first, last, count, reason)

    def _count(self, reason: str, events: int) -> None:
        self._db.execute(
            "INSERT INTO tally VALUES (?, ?) ON CONFLICT (reason) DO UPDATE SET events = events + excluded.events",
            (reason, events),
        )
        self.dropped[reason] += events

    def _bury(self, id: int, event: object, fields: object, wall_ms: object, code: str, message: str) -> None:
        # The columns of a damaged row may hold anything.
        blob = fields if isinstance(fields, bytes) else repr(fields).encode()
        self._db.execute(
            "INSERT INTO dead (id, event, fields, wall_ms, code, message) VALUES (?, ?, ?, ?, ?, ?)",
            (
                id,
                str(event),
                blob[:_DEAD_FIELDS_BYTES],
                wall_ms if isinstance(wall_ms, int) else 0,
                code,
                message[:500],
            ),
        )
        self._db.execute("DELETE FROM dead WHERE number <= (SELECT max(number) FROM dead) - ?", (_DEAD_LETTERS,))


def _columns(row: Row) -> tuple[object, ...]:
    stamp = row.stamp
    return (
        row.id,
        row.event,
        row.fields,
        stamp.boot_id,
        stamp.monotonic_ns,
        stamp.wall_ms,
        int(stamp.synchronised),
        row.digest(),
    )
