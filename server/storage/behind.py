"""Small writes that nobody waits for: to the disk in groups, in order, and told of after COMMIT."""

import logging
from collections import deque
from collections.abc import Callable

from sqlalchemy import Connection

from server.storage.bridge import Outcome, soon
from server.storage.engine import Database, Link
from server.storage.failures import DatabaseFailed, KeyTaken, RowRefused
from shared.clock import Clock, monotonic_s

log = logging.getLogger(__name__)

Work = Callable[[Connection], None]

_GROUP = 500
_PAUSE_S = 1.0


class WriteBehind:
    """A queue of writes. While the database fails they wait; when there are too many the oldest are given up."""

    def __init__(self, database: Database, clock: Clock, limit: int = 20_000) -> None:
        self._database = database
        self._clock = clock
        self._limit = limit
        self._queue: deque[tuple[Work, Callable[[], None]]] = deque()
        self._busy = False
        self._scheduled = False
        self._alone = False
        """The last group was refused: its parts are written one by one, as only one of them is at fault."""
        self._retry_at_s = 0.0
        self.dropped = 0
        """Writes that were given up."""

    def submit(self, work: Work, done: Callable[[], None] = lambda: None) -> None:
        """Run `work` in a transaction, soon; then `done` on the hub, where it must not block. Returns at once."""
        if len(self._queue) >= self._limit:
            self._queue.popleft()
            self.dropped += 1
            if self.dropped == 1:
                log.error("the database takes nothing, and too much waits: the oldest news of devices and alerts go")
        self._queue.append((work, done))
        self._wake()

    def tick(self) -> None:
        """Try again what failed. Call it once a second."""
        if self._queue:
            self._wake()

    def close(self) -> None:
        """Write what waits, in the calling greenlet; what cannot be written is logged. For the relay's end."""
        works = [work for work, _ in self._queue]
        self._queue.clear()
        try:
            # After what is under way: the writer works in the order in which it was asked.
            self._database.write(lambda connection: _all(connection, works))
        except DatabaseFailed as failure:
            log.warning("not stored at the end: writes=%d reason=%s", len(works), failure.reason)

    def _wake(self) -> None:
        # At the end of the hub's turn, so that what a thousand devices bring at once makes few groups.
        if not self._scheduled and not self._busy and monotonic_s(self._clock) >= self._retry_at_s:
            self._scheduled = True
            soon(self._write)

    def _write(self) -> None:
        self._scheduled = False
        if self._busy or not self._queue:
            return
        count = 1 if self._alone else min(len(self._queue), _GROUP)
        group = [self._queue.popleft() for _ in range(count)]
        works = [work for work, _ in group]
        self._busy = True

        def run(link: Link) -> None:
            link.transaction(lambda connection: _all(connection, works))

        self._database.post(run, lambda outcome: self._written(group, outcome))

    def _written(self, group: list[tuple[Work, Callable[[], None]]], outcome: Outcome[None]) -> None:
        self._busy = False
        error = outcome.error
        if error is None:
            for _, done in group:
                soon(done)
            self._alone = self._alone and bool(self._queue)
        elif isinstance(error, DatabaseFailed) and not isinstance(error, RowRefused | KeyTaken):
            self._queue.extendleft(reversed(group))
            self._retry_at_s = monotonic_s(self._clock) + _PAUSE_S
            log.warning("not stored, trying again: writes=%d reason=%s", len(self._queue), error.reason)
        elif len(group) > 1:
            self._queue.extendleft(reversed(group))
            self._alone = True
        else:
            self.dropped += 1
            log.error("not stored, and never will be", exc_info=error)
        if self._queue:
            self._wake()


def _all(connection: Connection, works: list[Work]) -> None:
    for work in works:
        work(connection)
