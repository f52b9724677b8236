"""The one writer of the log: events come in from many greenlets, go to disk in groups, and are acked after COMMIT.

While one group is being written the next one gathers, so a group is as large as the load makes it and an idle relay
waits for nothing. All bookkeeping is done on the hub; the native thread runs one statement per group.

    offer ─▶ queue ─▶ [names without rows: register] ─▶ take_in ─▶ fold, ledger, tickets
                              every few seconds: save the fold
                              after any failure: load everything anew, as nobody knows what was committed
"""

import logging
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import msgspec
from sqlalchemy import Connection, select, tuple_

from server.storage import fold as folding
from server.storage import registry, reload
from server.storage.bridge import Outcome, soon
from server.storage.dialect import Claim
from server.storage.engine import Database, Link
from server.storage.failures import ClaimTaken, Damaged, DatabaseFailed, KeyTaken, RowRefused, Superseded
from server.storage.group import Group
from server.storage.ledger import Ledger
from server.storage.records import Event, Stored
from server.storage.reload import Snapshot
from server.storage.tables import events
from server.storage.ticket import Promise, Ticket, keep_all
from shared.clock import Clock, monotonic_s, to_ms
from shared.errors import Code, Refusal

__all__ = ["Limits", "Recorder", "Ticket"]

log = logging.getLogger(__name__)

T = TypeVar("T")

_DUPLICATE: Outcome[Stored] = Outcome(value=Stored(duplicate=True, cursor=None))


@dataclass(frozen=True)
class Limits:
    """Bounds of the recorder."""

    queue_events: int = 20_000
    """Events that may wait; further ones are refused."""
    queue_bytes: int = 64 * 1024 * 1024
    group_events: int = 1_000
    """Events in one transaction."""
    group_bytes: int = 4 * 1024 * 1024
    fold_events: int = 10_000
    """Events after which what is derived from them is saved."""
    fold_s: float = 15.0
    """Seconds after which it is."""
    pause_s: float = 1.0
    """After a failure, events are refused for this long before the database is tried again."""


@dataclass(frozen=True)
class _Chore:
    """Work on what is stored, between two groups."""

    work: Callable[[Connection], None]
    gone: str
    done: Promise[None]


class Recorder:
    """Takes events into the log, each once."""

    def __init__(self, database: Database, clock: Clock, claim: Claim, limits: Limits) -> None:
        """Use `start`."""
        self._database = database
        self._dialect = database.dialect
        self._clock = clock
        self._claim = claim
        self._limits = limits
        self._ledger = Ledger()
        self._fold = folding.Fold()
        self._fold_since_s = monotonic_s(clock)
        self._cursor = 0
        self._queue: deque[Ticket] = deque()
        self._queue_bytes = 0
        self._again: deque[list[Ticket]] = deque()
        """Parts of a group that was refused, to be written apart."""
        self._in_flight: Group | None = None
        self._ready: Group | None = None
        """The next group, built while the one before it is being written."""
        self._waiting = 0
        self._settlers: list[Promise[None]] = []
        self._chores: deque[_Chore] = deque()
        self._scheduled = False
        self._working = False
        self._asked = False
        """Whether to try the database again though nothing waits."""
        self._trouble: DatabaseFailed | None = None
        """Why events cannot be stored. From then on the ledger may differ from the database, until it is loaded."""
        self._retry_at_s = 0.0
        self._closed = False

    @classmethod
    def start(cls, database: Database, clock: Clock, limits: Limits = Limits()) -> "Recorder":
        """Become the one writer of `database`.

        Raises `SettingsError` where another process is, and `DatabaseFailed`.
        """
        claim = database.claim()
        recorder = cls(database, clock, claim, limits)
        try:
            recorder._take_over(database.on_writer(recorder._load))
        except BaseException:
            claim.release()
            raise
        return recorder

    # --- for those who have events ------------------------------------------------------------------------------

    @property
    def cursor(self) -> int:
        """The last cursor that is committed."""
        return self._cursor

    @property
    def waiting(self) -> int:
        """Events that are offered and not yet committed."""
        return self._waiting

    @property
    def damaged(self) -> bool:
        """True when the database file is damaged: a restart repairs it, see `server.storage.salvage`."""
        return isinstance(self._trouble, Damaged)

    @property
    def superseded(self) -> bool:
        """True when another process is the one writer now."""
        return isinstance(self._trouble, Superseded)

    def healthy(self) -> bool:
        """Whether events can be stored, as last seen. While they cannot, each call after a pause tries again."""
        if self._trouble is not None and monotonic_s(self._clock) >= self._retry_at_s:
            self._asked = True
            self._wake()
        return self._trouble is None

    def seen(self, device: str, stream: str, id_: int) -> bool:
        """Whether this event is stored, or was ever offered since the start: whatever comes now is a resend."""
        known = self._ledger.known(device, stream)
        return known is not None and id_ in known.given

    def offer(self, event: Event) -> Ticket:
        """Put an event on its way to the log. Returns at once.

        Raises `Refusal`: `queue_full`, `unavailable`, or `invalid_payload` when the device has too many streams.
        """
        device = self._ledger.device(event.device)
        stream = device.stream(event.stream)
        if event.drop is not None:
            device.stream(event.drop.stream)
        fresh = event.id not in stream.given
        ticket = Ticket(event, device, stream, fresh=fresh)
        if not fresh and self._answered(ticket):
            return ticket
        # What is refused here was not given: its resend is as fresh as it was.
        self._admit(event)
        stream.given.add(event.id)
        stream.waiting[event.id] = ticket
        self._waiting += 1
        self._queue.append(ticket)
        self._queue_bytes += len(event.body)
        self._wake()
        if self._working and len(self._queue) == self._limits.group_events:
            soon(self._prepare)
        return ticket

    def _answered(self, ticket: Ticket) -> bool:
        """Whether a resend needs no place in the queue: it is stored, or the one before it is on its way."""
        stream, id_ = ticket.stream, ticket.event.id
        if id_ in stream.stored:
            ticket.keep(_DUPLICATE)
            return True
        first = stream.waiting.get(id_)
        if first is not None:
            first.then(lambda outcome: ticket.keep(_DUPLICATE if outcome.error is None else outcome))
        return first is not None

    def submit(self, event: Event) -> Stored:
        """Store an event; returns after COMMIT. Blocks the calling greenlet alone. Raises `Refusal` as `offer` does."""
        return self.offer(event).wait()

    def introduce(self, device: str, info: Mapping[str, object]) -> None:
        """A device connected and says this of itself. Returns at once: nobody waits for it, and it may be lost."""
        now_ms, text = to_ms(self._clock.now()), msgspec.json.encode(info).decode()

        def introduced(outcome: Outcome[None]) -> None:
            if outcome.error is not None:
                log.warning("device not noted: device=%s reason=%s", device, outcome.error)

        self._database.post(
            lambda link: link.transaction(
                lambda connection: registry.introduce(self._dialect, connection, device, text, now_ms)
            ),
            introduced,
        )

    def settle(self) -> None:
        """Bring roll-ups, ledger and newest values in line with the log. Raises `DatabaseFailed`."""
        if not self._fold.events and not self._working and self._trouble is None:
            return
        promise: Promise[None] = Promise()
        self._settlers.append(promise)
        self._wake()
        promise.wait()

    def rearrange(self, work: Callable[[Connection], None], gone: str) -> None:
        """Run `work`, which changes whose events are whose, in one transaction; afterwards device `gone` is unknown.

        Raises what `work` raises, then nothing has changed; `DatabaseFailed`; `Refusal` with `conflict` while events
        of `gone` are on their way.
        """
        if any(stream.waiting for stream in self._ledger.device(gone).streams.values()):
            raise Refusal(Code.CONFLICT, f"events of {gone} are being stored; try again in a moment")
        chore = _Chore(work, gone, Promise())
        self._chores.append(chore)
        self._wake()
        chore.done.wait()

    def tick(self) -> None:
        """Call it every few seconds, so that a quiet relay settles too."""
        if self._fold.events and self._fold_is_due():
            self._wake()

    def close(self) -> None:
        """Store what was offered, and give up being the writer. Idempotent."""
        if self._closed:
            return
        self._closed = True
        for ticket in self._ledger.waiting():
            try:
                ticket.wait()
            except Refusal as refusal:
                log.warning("not stored at the end: device=%s reason=%s", ticket.device.name, refusal.message)
        try:
            self.settle()
        except DatabaseFailed as failure:
            # Nothing is lost: the next start reads it from the log.
            log.warning("not settled at the end: reason=%s", failure.reason)
        self._claim.release()

    def _admit(self, event: Event) -> None:
        if self._closed:
            raise Refusal(Code.UNAVAILABLE, "the relay is stopping")
        if self._trouble is not None and monotonic_s(self._clock) < self._retry_at_s:
            raise DatabaseFailed(self._trouble.reason)
        limits = self._limits
        if len(self._queue) >= limits.queue_events or self._queue_bytes + len(event.body) > limits.queue_bytes:
            raise Refusal(Code.QUEUE_FULL)

    # --- the writer's turn: on the hub, one job in the native thread at a time ------------------------------------

    def _wake(self) -> None:
        # At the end of the hub's turn, so that all that it brought makes one group.
        if not self._scheduled and not self._working:
            self._scheduled = True
            soon(self._work)

    def _work(self) -> None:
        self._scheduled = False
        if self._working:
            return
        if self._trouble is not None:
            if self._asked or self._settlers or self._waiting or self._chores:
                self._asked = False
                self._post(self._load, self._loaded)
        elif self._settlers or self._fold_is_due():
            self._save_fold()
        elif self._ready is not None:
            group, self._ready = self._ready, None
            self._send(group)
        elif self._chores:
            self._rearrange()
        elif tickets := self._next_group():
            self._write(tickets)

    def _post(self, work: Callable[[Link], T], done: Callable[[Outcome[T]], None]) -> None:
        self._working = True

        def finished(outcome: Outcome[T]) -> None:
            self._working = False
            try:
                done(outcome)
            except Exception as error:  # the end of the writer's turn: nobody may be left waiting for ever
                self._give_up(error)
            self._work()

        self._database.post(work, finished)

    def _next_group(self) -> list[Ticket]:
        while self._again or self._queue:
            tickets = self._again.popleft() if self._again else self._from_queue()
            stored = [ticket for ticket in tickets if ticket.event.id in ticket.stream.stored]
            if not stored:
                return tickets
            # A commit whose outcome was not known had succeeded.
            for ticket in stored:
                self._keep(ticket, _DUPLICATE)
            self._again.appendleft([ticket for ticket in tickets if ticket.event.id not in ticket.stream.stored])
        return []

    def _from_queue(self) -> list[Ticket]:
        tickets: list[Ticket] = []
        size = 0
        while self._queue and len(tickets) < self._limits.group_events and size < self._limits.group_bytes:
            ticket = self._queue.popleft()
            size += len(ticket.event.body)
            tickets.append(ticket)
        self._queue_bytes -= size
        return tickets

    def _prepare(self) -> None:
        # Only behind a group in flight, whose last cursor is then known.
        full = len(self._queue) >= self._limits.group_events
        if self._ready is None and self._in_flight is not None and not self._again and full:
            tickets = self._next_group()
            if registry.wanted(tickets):
                self._again.append(tickets)
            else:
                self._ready = Group.of(tickets, self._in_flight.last + 1, to_ms(self._clock.now()))

    # --- a group --------------------------------------------------------------------------------------------------

    def _write(self, tickets: list[Ticket]) -> None:
        now_ms = to_ms(self._clock.now())
        names = registry.wanted(tickets)
        if names:
            self._post(
                lambda link: link.transaction(
                    lambda connection: registry.register(self._dialect, connection, names, now_ms)
                ),
                lambda outcome: self._registered(tickets, outcome),
            )
            return
        self._send(Group.of(tickets, self._cursor + 1, now_ms))

    def _send(self, group: Group) -> None:
        self._in_flight = group
        self._post(
            lambda link: link.direct(
                lambda connection: self._dialect.take_in(connection, group.first, group.received_at, group.rows)
            ),
            lambda outcome: self._written(group, outcome),
        )

    def _registered(self, tickets: list[Ticket], outcome: Outcome[registry.Rows]) -> None:
        if outcome.error is not None:
            self._not_written(tickets, outcome.error)
            return
        registry.note(self._ledger, outcome.get())
        self._again.appendleft(tickets)

    def _written(self, group: Group, outcome: Outcome[None]) -> None:
        self._in_flight = None
        if outcome.error is not None:
            if self._ready is not None:
                # Its cursors follow on a group that is not there.
                self._again.append(self._ready.tickets)
                self._ready = None
            self._not_written(group.tickets, outcome.error)
            return
        self._cursor = group.last
        self._claim.note(group.last)
        if not self._settlers and not self._fold_is_due():
            # The next group goes to the disk while this one is taken into the books.
            self._work()
        if not self._fold.events:
            self._fold_since_s = monotonic_s(self._clock)
        group.committed(self._fold)
        self._waiting -= len(group.tickets)
        keep_all(
            [
                (ticket, Outcome(value=Stored(duplicate=False, cursor=cursor)))
                for cursor, ticket in enumerate(group.tickets, group.first)
            ]
        )

    def _not_written(self, tickets: list[Ticket], error: Exception) -> None:
        if isinstance(error, KeyTaken):
            # The ledger did not know of it: the unique key is the last defence against storing an event twice.
            self._post(
                lambda link: link.transaction(lambda connection: _stored_keys(connection, tickets)),
                lambda outcome: self._found(tickets, error, outcome),
            )
        elif isinstance(error, RowRefused) and len(tickets) == 1:
            (ticket,) = tickets
            log.error("event refused: device=%s id=%d reason=%s", ticket.device.name, ticket.event.id, error.reason)
            self._keep(ticket, Outcome(error=Refusal(Code.INVALID_PAYLOAD, error.reason)))
        elif isinstance(error, RowRefused):
            # One event that cannot be stored must not stop the others.
            middle = len(tickets) // 2
            self._again.extendleft((tickets[middle:], tickets[:middle]))
        else:
            self._fail(tickets, error)

    def _found(self, tickets: list[Ticket], taken: KeyTaken, outcome: Outcome[set[tuple[int, int]]]) -> None:
        keys = outcome.value or set()
        stored = [ticket for ticket in tickets if (ticket.stream.row, ticket.event.id) in keys]
        if not stored:
            self._fail(tickets, outcome.error or taken)
            return
        for ticket in stored:
            self._fold.already_stored(ticket.device, ticket.stream, ticket.event.id)
        self._again.appendleft(tickets)

    def _keep(self, ticket: Ticket, outcome: Outcome[Stored]) -> None:
        del ticket.stream.waiting[ticket.event.id]
        self._waiting -= 1
        ticket.keep(outcome)

    # --- what is derived --------------------------------------------------------------------------------------------

    def _fold_is_due(self) -> bool:
        fold = self._fold
        return fold.events >= self._limits.fold_events or (
            fold.events > 0 and monotonic_s(self._clock) - self._fold_since_s >= self._limits.fold_s
        )

    def _save_fold(self) -> None:
        if not self._fold.changed:
            self._tell_settlers(Outcome())
            self._work()
            return
        parcel = self._fold.parcel()
        self._post(
            lambda link: link.transaction(lambda connection: folding.save(self._dialect, connection, parcel)),
            self._saved,
        )

    def _saved(self, outcome: Outcome[None]) -> None:
        if outcome.error is not None:
            self._fail([], outcome.error)
            return
        self._fold = folding.Fold(upto=self._cursor)
        self._tell_settlers(Outcome())

    def _rearrange(self) -> None:
        if self._fold.changed:
            self._save_fold()
            return
        chore = self._chores.popleft()

        def run(link: Link) -> Snapshot:
            link.transaction(chore.work)
            return self._load(link)

        self._post(run, lambda outcome: self._rearranged(chore, outcome))

    def _rearranged(self, chore: _Chore, outcome: Outcome[Snapshot]) -> None:
        if outcome.error is not None:
            if isinstance(outcome.error, DatabaseFailed) or not isinstance(outcome.error, Refusal):
                # Whether it was committed is not known: everything is loaded anew.
                self._fail([], outcome.error)
            chore.done.keep(Outcome(error=outcome.error))
            return
        entry = self._ledger.devices.get(chore.gone)
        if entry is not None and not any(stream.waiting for stream in entry.streams.values()):
            del self._ledger.devices[chore.gone]
        self._take_over(outcome.get())
        chore.done.keep(Outcome())

    def _tell_settlers(self, outcome: Outcome[None]) -> None:
        settlers, self._settlers = self._settlers, []
        for promise in settlers:
            promise.keep(outcome)

    # --- failure and recovery ---------------------------------------------------------------------------------------

    def _load(self, link: Link) -> Snapshot:
        link.direct(self._claim.renew)
        return link.transaction(lambda connection: reload.load(self._dialect, connection))

    def _loaded(self, outcome: Outcome[Snapshot]) -> None:
        if outcome.error is not None:
            self._give_up(outcome.error)
            return
        log.info("database takes events again")
        self._take_over(outcome.get())

    def _give_up(self, error: Exception) -> None:
        """Nothing that waits can be stored. Its senders will try again, some of them before the last one is told."""
        self._queue.clear()
        self._again.clear()
        self._queue_bytes = 0
        self._ready = None
        self._fail(self._ledger.waiting(), error)

    def _take_over(self, snapshot: Snapshot) -> None:
        self._fold = reload.rebuild(self._ledger, snapshot)
        self._fold_since_s = monotonic_s(self._clock)
        self._trouble = None
        if snapshot.damaged:
            log.error("ledger damaged, using the log instead: streams=%s", snapshot.damaged)
        stored = snapshot.highest
        if self._claim.mark > stored:
            log.error(
                "events that were acked are gone, the file was damaged or replaced: cursors=%d-%d remedy=%s",
                stored + 1,
                self._claim.mark,
                "pi-relay doctor shows which; restore a backup that has them",
            )
        self._cursor = max(stored, self._claim.mark)

    def _fail(self, tickets: list[Ticket], error: Exception) -> None:
        if isinstance(error, ClaimTaken):
            error = Superseded(str(error))
        failure = error if isinstance(error, DatabaseFailed) else DatabaseFailed(str(error))
        if self._trouble is None:
            # Anything else than the database's own failure is a fault of this program.
            known = isinstance(error, DatabaseFailed)
            log.error("database takes no events: reason=%s", failure.reason, exc_info=None if known else error)
        if isinstance(failure, Damaged):
            self._dialect.note_damage()
        self._trouble = failure
        self._retry_at_s = monotonic_s(self._clock) + self._limits.pause_s
        for ticket in tickets:
            self._keep(ticket, Outcome(error=failure))
        self._tell_settlers(Outcome(error=failure))
        while self._chores:
            self._chores.popleft().done.keep(Outcome(error=failure))


def _stored_keys(connection: Connection, tickets: list[Ticket]) -> set[tuple[int, int]]:
    """Which of the keys (stream, id) the log has."""
    keys = [(ticket.stream.row, ticket.event.id) for ticket in tickets]
    found = connection.execute(
        select(events.c.stream_id, events.c.id).where(tuple_(events.c.stream_id, events.c.id).in_(keys))
    )
    return {(stream, id_) for stream, id_ in found}
