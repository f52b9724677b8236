"""The ledger of completeness: of each stream, which ids are stored, which are missing, which were dropped and why."""

from collections.abc import Iterable, Iterator

from msgspec import Struct
from sqlalchemy import Connection, func, select

from server.storage.dialect import Dialect
from server.storage.ranges import IdRanges
from server.storage.sealed import read_ranges
from server.storage.tables import devices, drops, events, marks, stored_ranges, streams

FIRST_ID = 1
"""Where a stream begins."""


class DroppedRange(Struct, frozen=True):
    """Ids that the device gave up: from `first` to `last`, both included."""

    first: int
    last: int
    reason: str


class StreamLedger(Struct, frozen=True):
    """What became of each id of one stream, up to the highest that is known of."""

    device: str
    stream: str
    stored: int
    """How many ids are stored, or were before retention removed them."""
    highest: int
    late: int
    """How many of them came after a higher one."""
    missing: tuple[tuple[int, int], ...]
    """Ranges (first, last) of which nobody knows: on their way, or lost."""
    dropped: tuple[DroppedRange, ...]


class Hole(Struct, frozen=True):
    """Ids from `first` to `last` that are not stored, between two that are."""

    first: int
    last: int
    missing: tuple[tuple[int, int], ...]
    dropped: tuple[DroppedRange, ...]


class StreamRecord(Struct, frozen=True):
    """One stream as the tables have it."""

    row: int
    device: str
    name: str
    late: int
    stored: tuple[tuple[int, int], ...]
    drops: tuple[tuple[int, int, str], ...]

    def ledger(self) -> StreamLedger:
        """What became of each id."""
        holes = list(self.holes())
        return StreamLedger(
            self.device,
            self.name,
            stored=sum(last - first + 1 for first, last in self.stored),
            highest=self._highest(),
            late=self.late,
            missing=tuple(missing for hole in holes for missing in hole.missing),
            dropped=tuple(dropped for hole in holes for dropped in hole.dropped),
        )

    def holes(self) -> Iterator[Hole]:
        """The ids that are not stored, in order, and what is known of them."""
        for first, last in IdRanges(self.stored).holes(FIRST_ID, self._highest()):
            dropped = tuple(_explained((first, last), self.drops))
            missing = IdRanges((drop.first, drop.last) for drop in dropped).holes(first, last)
            yield Hole(first, last, tuple(missing), dropped)

    def _highest(self) -> int:
        return max([0, *(last for _, last in self.stored), *(last for _, last, _ in self.drops)])


def stream_records(dialect: Dialect, connection: Connection, device: str | None = None) -> Iterator[StreamRecord]:
    """The streams of one device, or of all, in the order in which they began."""
    named = (
        select(streams.c.id, devices.c.name, streams.c.name.label("stream"), streams.c.late)
        .select_from(streams.join(devices))
        .order_by(streams.c.id)
    )
    dropped = select(drops.c.stream_id, drops.c.first, drops.c.last, drops.c.reason).order_by(drops.c.cursor)
    of_ranges = None
    if device is not None:
        named = named.where(devices.c.name == device)
        of_device = select(streams.c.id).select_from(streams.join(devices)).where(devices.c.name == device)
        of_ranges = stored_ranges.c.stream_id.in_(of_device)
        dropped = dropped.where(drops.c.stream_id.in_(of_device))
    stored_of, _ = read_ranges(dialect, connection, of_ranges)
    drops_of: dict[int, list[tuple[int, int, str]]] = {}
    for row, first, last, reason in dialect.rows(connection, dropped):
        drops_of.setdefault(row, []).append((first, last, reason))
    # What is not folded yet is in the log alone.
    folded = select(marks.c.value).where(marks.c.name == "folded").scalar_subquery()
    tail = select(events.c.stream_id, events.c.id).where(events.c.cursor > func.coalesce(folded, 0))
    for row, id_ in dialect.rows(connection, tail):
        stored_of.setdefault(row, []).append((id_, id_))
    for row, name, stream, late in dialect.rows(connection, named):
        stored = tuple(IdRanges(stored_of.get(row, ())))
        yield StreamRecord(row, name, stream, late, stored, tuple(drops_of.get(row, ())))


def _explained(hole: tuple[int, int], drops_: Iterable[tuple[int, int, str]]) -> Iterator[DroppedRange]:
    """The parts of `hole` that were dropped, each once: what was told first is the reason."""
    rest = [hole]
    for first, last, reason in drops_:
        still = []
        for low, high in rest:
            inside = max(low, first), min(high, last)
            if inside[0] > inside[1]:
                still.append((low, high))
                continue
            yield DroppedRange(*inside, reason)
            still += [part for part in ((low, inside[0] - 1), (inside[1] + 1, high)) if part[0] <= part[1]]
        rest = still
