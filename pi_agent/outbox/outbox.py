"""The outbox as the agent's threads see it, and the one thread that writes its file."""

import logging
import sqlite3
import threading
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import msgspec

from pi_agent.outbox.files import Files, is_damage
from pi_agent.outbox.reader import Batch, Reader
from pi_agent.outbox.reserve import Reserve
from pi_agent.outbox.rows import OUTGOING, Row, Stamp, encode
from pi_agent.outbox.store import Draft, Store
from shared.clock import Clock, monotonic_s
from shared.contract.events import SENSOR_DATA_PUB_PI
from shared.contract.payloads import DropReason
from shared.contract.spec import EventSpec
from shared.errors import Code, Refusal

log = logging.getLogger(__name__)

_SPACING_S = 0.8
"""Samples that follow a commit this closely wait for the next one: a promise of 1 s, less what a slow card takes."""
_MOST_DRAFTS = 1000
"""Events that wait in memory for a disk that does not take them; the oldest are dropped, on record."""
_SETTLE_ROWS = 500
_SETTLE_S = 30.0
"""Settled rows go with the next commit; without one, after so many or so long."""
_ROW_BYTES = 256
"""What a row takes beside its fields, generously."""
_RETRY_S = 2.0
_UPKEEP_S = 60.0


class Outbox:
    """Keeps events until they are settled.

    `append` may be called from any thread and never waits for the disk. `read` and `rows` are the sender's alone,
    `work` and `step` the writer's.
    """

    def __init__(self, files: Files, clock: Clock, *, max_bytes: int, max_age_s: float, reserve: Reserve) -> None:
        self.on_commit: Callable[[], None] = lambda: None
        """Called by the writer's thread after every commit. Must not block."""
        self.on_kept: Callable[[Sequence[Any]], None] = lambda _: None
        """Called by the writer's thread with the receipts of the events that are on disk now, before they can go."""
        self.on_due: Callable[[], None] = lambda: None
        """Called on any thread when the writer has something to do. Must not block."""
        self.taken: Counter[str] = Counter()
        """How many events of each name were given an id, and are on disk, since the start."""
        self._files = files
        self._clock = clock
        self._max_bytes = max_bytes
        self._max_age_ns = round(max_age_s * 1e9)
        self._reserve = reserve
        self._progress = files.store.progress
        self._lock = threading.RLock()
        self._stopping = False
        # Guarded by `_lock`:
        self._drafts: deque[tuple[float, Draft]] = deque()
        self._writing = 0
        self._urgent = False
        self._overflowed = 0
        self._given_up: list[Any] = []
        self._settled: tuple[str, int] = ("", 0)
        self._settled_s = 0.0
        self._losses: dict[tuple[str, int, int], None] = {}
        self._refusals: dict[tuple[str, int], tuple[Row, str, str]] = {}
        self._broken: tuple[int, str] | None = None
        """Which generation of the file is damaged, as the sender found, and how."""
        # The writer's own:
        self._committed_s = float("-inf")
        self._upkeep_s = float("-inf")
        self._retry_s = float("-inf")
        self._failing = False
        # The sender's own:
        self._reader: Reader | None = None
        self._reader_generation = -1

    # --- for those who have something to say --------------------------------------------------------------------

    def append(
        self, spec: EventSpec, fields: Mapping[str, Any], monotonic_ns: int | None = None, receipt: Any = None
    ) -> None:
        """Keep an event; `fields` is its body without id, stream, device and time.

        `monotonic_ns` is when it was true, by default now. `receipt` comes back through `on_kept` once the event is on
        disk, or given up on record. Raises `Refusal` (`invalid_payload`) for a body that is not
        the event's; one that is too long becomes a dead letter.
        """
        stamp = Stamp.of(self._clock, monotonic_ns)
        try:
            draft = Draft(spec.name, encode(spec, fields, stamp, self._clock), stamp, receipt=receipt)
        except Refusal as refusal:
            if refusal.code is not Code.TOO_LARGE:
                raise
            log.error("event too long, never sent: event=%s: %s", spec.name, refusal.message)
            whole = msgspec.json.encode(fields)
            draft = Draft(spec.name, whole, stamp, DropReason.OVERSIZE, refusal.message, receipt)
        with self._lock:
            self._drafts.append((monotonic_s(self._clock), draft))
            if len(self._drafts) > _MOST_DRAFTS:
                self._overflow()
            # People wait for a change or a movement; of samples, fast ones may share a commit.
            self._urgent = self._urgent or spec is not SENSOR_DATA_PUB_PI
            self.on_due()

    # --- for the sender -----------------------------------------------------------------------------------------

    @property
    def stream(self) -> str:
        """The present stream; it changes only when a damaged file had to be replaced."""
        return self._progress.stream

    @property
    def low(self) -> int:
        """Everything below this id is settled."""
        return self._progress.low

    @property
    def depth(self) -> int:
        """How many events are not settled yet, those included that the disk does not have yet."""
        with self._lock:
            progress = self._progress
            kept = progress.next_id - max(progress.low, self._settled_through(progress.stream) + 1)
            return kept + len(self._drafts) + self._writing

    @property
    def dropped(self) -> Counter[str]:
        """How many events were given up on record since the start, by reason."""
        return self._files.store.dropped

    def read(self, after: int, limit: int) -> Sequence[Row]:
        """Up to `limit` durable events above id `after`, in order. Empty while the file cannot be read."""
        if after + 1 >= self._progress.next_id:
            return ()  # the sender asks at every turn, mostly for nothing
        rows = self._reading(lambda reader: reader.after(after, limit)) or ()
        for row in rows:
            if row.event not in OUTGOING:
                self.refuse(row, Code.UNKNOWN_EVENT, "this version of the agent does not know the event")
        return [row for row in rows if row.event in OUTGOING]

    def rows(self, ids: Sequence[int]) -> Sequence[Row] | None:
        """Those of `ids` that are still kept, in order; None while the file cannot be read."""
        return self._reading(lambda reader: reader.rows(ids))

    def kept(self, events: Collection[str]) -> Iterator[tuple[str, dict[str, Any]]]:
        """Name and body of every event of these names that is still on disk, the newest first."""
        reader = self._files.reader()
        try:
            for row in reader.of(events):
                yield row.event, msgspec.json.decode(row.fields)
        finally:
            reader.close()

    def settle(self, stream: str, through: int) -> None:
        """The relay has stored everything of `stream` up to id `through`."""
        with self._lock:
            if (stream, through) != self._settled:
                if self._settled_through(stream) < self._progress.low:
                    self._settled_s = monotonic_s(self._clock)
                self._settled = (stream, through)
                self.on_due()

    def refuse(self, row: Row, code: str, message: str) -> None:
        """The relay will never take `row`."""
        log.error("event refused for good: event=%s id=%d code=%s: %s", row.event, row.id, code, message)
        with self._lock:
            self._refusals[row.stream, row.id] = (row, code, message)
            self.on_due()

    # --- the writer ---------------------------------------------------------------------------------------------

    def work(self) -> Iterator[float]:
        """Write what comes, until `stop`; then what is left."""
        while not self._stopping:
            if self.due_in_s() <= 0:
                self.step()
            yield self.due_in_s()
        self.flush()

    def stop(self) -> None:
        """Let `work` write what is left and return."""
        with self._lock:
            self._stopping = True
            self.on_due()

    def flush(self) -> None:
        """Write everything now, as far as the disk takes it."""
        self._retry_s = float("-inf")
        self.step()

    def forget_drafts(self) -> int:
        """Lose what is not on disk, as a power cut does. Returns how many events that were."""
        with self._lock:
            lost = len(self._drafts)
            self._drafts.clear()
        return lost

    def close(self) -> None:
        """Close the files; what was not written is lost, and said so."""
        if self._drafts:
            log.error("events lost, the disk does not take them: count=%d", len(self._drafts))
        if self._reader is not None:
            self._reader.close()
        self._files.close()

    def due_in_s(self) -> float:
        """How long until `step` has something to do, in seconds; 0 or less: now."""
        now = monotonic_s(self._clock)
        if self._retry_s > now:
            return self._retry_s - now
        due = self._upkeep_s + _UPKEEP_S
        with self._lock:
            if self._broken or self._urgent or self._losses or self._refusals:
                return 0.0
            if self._drafts:
                due = min(due, max(self._drafts[0][0], self._committed_s + _SPACING_S))
            waiting = self._settled_through(self._progress.stream) - self._progress.low + 1
            if waiting >= _SETTLE_ROWS:
                return 0.0
            if waiting > 0:
                due = min(due, self._settled_s + _SETTLE_S)
        return due - now

    def step(self) -> None:
        """One commit of all that waits."""
        try:
            if self._broken and self._broken[0] == self._files.generation:
                self._replace(self._broken[1])
            self._broken = None
            try:
                self._write()
            except sqlite3.Error as error:
                if not self._remedy(error):
                    raise
                self._write()
        except (sqlite3.Error, OSError) as error:
            self._retry_s = monotonic_s(self._clock) + _RETRY_S
            if not self._failing:
                self._failing = True
                log.error("outbox cannot write: %s; events wait in memory, at most %d", error, _MOST_DRAFTS)
            return
        if self._failing:
            self._failing = False
            log.info("outbox writes again: depth=%d", self.depth)

    def _write(self) -> None:
        with self._lock:
            drafts, self._drafts = self._drafts, deque()
            self._writing = len(drafts)
            self._urgent = False
            overflowed = self._overflowed
            receipts, self._given_up = self._given_up, []
            settled = self._settled_through(self._progress.stream)
            losses, refusals = list(self._losses), dict(self._refusals)
        store = self._files.store
        stamp = Stamp.of(self._clock)
        try:
            with store.commit():
                # Before the settling, which forgets rows without asking why.
                self._give_up(losses, refusals.values(), stamp)
                store.settle(settled)
                if overflowed:
                    store.record_unnumbered(DropReason.DISK_FULL, overflowed, stamp)
                for _, draft in drafts:
                    store.append(draft)
                self._bound(store, stamp)
        except BaseException:
            self._put_back(drafts, receipts)
            raise
        self._committed_s = monotonic_s(self._clock)
        self.taken.update(draft.event for _, draft in drafts)
        with self._lock:
            self._progress = store.progress
            self._writing = 0
            self._overflowed -= overflowed
            for span in losses:
                self._losses.pop(span, None)
            for key in refusals:
                self._refusals.pop(key, None)
        self._files.mark()
        self.on_commit()
        if receipts := [*receipts, *(draft.receipt for _, draft in drafts if draft.receipt is not None)]:
            self.on_kept(receipts)

    def _give_up(
        self, losses: Iterable[tuple[str, int, int]], refusals: Iterable[tuple[Row, str, str]], stamp: Stamp
    ) -> None:
        store = self._files.store
        for stream, first, last in losses:
            if stream == store.progress.stream:
                log.error("outbox rows damaged: from_id=%d to_id=%d", first, last)
                store.lose(first, last, DropReason.CORRUPT, stamp, "damaged or missing on the disk")
        for row, code, message in refusals:
            if row.stream == store.progress.stream:
                store.refuse(row, code, message, stamp)

    def _put_back(self, drafts: deque[tuple[float, Draft]], given_up: list[Any]) -> None:
        with self._lock:
            self._given_up[:0] = given_up
            self._writing = 0
            self._drafts.extendleft(reversed(drafts))
            while len(self._drafts) > _MOST_DRAFTS:
                self._overflow()

    def _overflow(self) -> None:
        """The oldest draft goes, on record; its receipt comes with that record."""
        _, draft = self._drafts.popleft()
        self._overflowed += 1
        if draft.receipt is not None:
            self._given_up.append(draft.receipt)

    def _bound(self, store: Store, stamp: Stamp) -> None:
        """Keep the file within its size and age. The age is looked at now and then."""
        while store.used_bytes() > self._max_bytes:
            dropped = store.drop_oldest(DropReason.OVERFLOW, stamp)
            if not dropped:
                break
            log.warning("outbox full, oldest events dropped: count=%d", dropped)
        if stamp.monotonic_ns / 1e9 < self._upkeep_s + _UPKEEP_S:
            return
        self._upkeep_s = stamp.monotonic_ns / 1e9
        self._reserve.fill()
        while dropped := store.drop_oldest(DropReason.AGE, stamp, lambda then: self._too_old(then, stamp)):
            log.warning("events too old, dropped: count=%d", dropped)

    def _too_old(self, then: Stamp, now: Stamp) -> bool:
        if then.boot_id == now.boot_id:
            return now.monotonic_ns - then.monotonic_ns > self._max_age_ns
        # Of another boot only wall clocks tell, and only those that somebody had set.
        return then.synchronised and now.synchronised and (now.wall_ms - then.wall_ms) * 1_000_000 > self._max_age_ns

    # --- when the disk fails ------------------------------------------------------------------------------------

    def _remedy(self, error: sqlite3.Error) -> bool:
        """Do something about a failed commit; True when it is worth trying again at once."""
        if is_damage(error):
            self._replace(str(error))
            return True
        if getattr(error, "sqlite_errorcode", 0) & 0xFF != sqlite3.SQLITE_FULL:
            return False
        if self._reserve.spend():
            return True
        return self._drop_for_room()

    def _drop_for_room(self) -> bool:
        """The oldest make room for the newest, until the file itself has enough: then more would not help."""
        store = self._files.store
        with self._lock:
            needed = sum(2 * len(draft.fields) + _ROW_BYTES for _, draft in self._drafts)
        total = 0
        with suppress(sqlite3.Error):
            store.checkpoint()
            while store.free_bytes() < needed:
                with store.commit():
                    dropped = store.drop_oldest(DropReason.DISK_FULL, Stamp.of(self._clock))
                self._progress = store.progress
                total += dropped
                if not dropped:
                    break
        if total:
            log.warning("disk full, oldest events dropped: count=%d", total)
        return total > 0

    def _replace(self, why: str) -> None:
        self._files.replace(why)
        self._progress = self._files.store.progress

    # --- parts --------------------------------------------------------------------------------------------------

    def _settled_through(self, stream: str) -> int:
        return self._settled[1] if self._settled[0] == stream else 0

    def _reading(self, question: Callable[[Reader], Batch]) -> Sequence[Row] | None:
        """The rows that answer `question`; what the disk has lost among them goes to the writer."""
        try:
            if self._reader is None or self._reader_generation != self._files.generation:
                if self._reader is not None:
                    self._reader.close()
                self._reader_generation = self._files.generation
                self._reader = self._files.reader()
            batch = question(self._reader)
        except sqlite3.Error as error:
            if not is_damage(error):
                log.warning("outbox cannot be read: %s", error)
                return None
            with self._lock:
                self._broken = (self._reader_generation, str(error))
                self.on_due()
            return None
        if batch.lost:
            with self._lock:
                self._losses.update({(self.stream, first, last): None for first, last in batch.lost})
                self.on_due()
        return batch.rows
