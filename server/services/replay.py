"""What a page missed, in order, then live, without a gap between.

A page counts by the relay's cursor: it says how far it came, gets every stored event after that, then the frames that
were already shown but are not stored yet, then joins. All from the last look at the database on happens in one turn.
"""

from collections import deque
from collections.abc import Callable

import msgspec

from server.fanout.broadcast import Broadcast
from server.services import frames
from server.storage.history import History
from server.storage.recorder import Recorder
from server.storage.records import LoggedEvent
from server.storage.ticket import Ticket
from shared.clock import from_ms
from shared.contract.events import ERROR_PUB_CLIENT
from shared.contract.payloads import Ack, ErrorBody, Payload
from shared.contract.spec import EventSpec
from shared.errors import Code, Refusal

_PAGE = 200


Frame = Callable[[], Payload]
"""Makes what pages are shown: when nobody looks, nothing is made."""


class LiveFrames:
    """Frames that pages were shown and the database has not committed yet, oldest first."""

    def __init__(self) -> None:
        self._frames: deque[tuple[Ticket, EventSpec, Frame]] = deque()

    def show(self, ticket: Ticket, spec: EventSpec, frame: Frame) -> None:
        """A frame goes out. It stays until its event is stored, or refused, and another one comes."""
        while self._frames and self._frames[0][0].done:
            self._frames.popleft()
        self._frames.append((ticket, spec, frame))

    def uncommitted(self, device: str | None) -> list[tuple[EventSpec, Payload]]:
        """The frames of `device` (None: of all) that no replay finds."""
        return [
            (spec, frame())
            for ticket, spec, frame in self._frames
            if not ticket.done and device in (None, ticket.event.device)
        ]


class Replay:
    """Brings a page up to date."""

    def __init__(
        self,
        recorder: Recorder,
        history: History,
        live: LiveFrames,
        broadcast: Broadcast,
        drained: Callable[[str], bool],
    ) -> None:
        """`drained(sid)` waits until a connection has taken what was sent; False where it has gone."""
        self._recorder = recorder
        self._history = history
        self._live = live
        self._broadcast = broadcast
        self._drained = drained
        self._running: set[str] = set()

    def catch_up(self, sid: str, since: int | None, device: str | None, join: Callable[[], None]) -> None:
        """Send what came after `since` (None: nothing), then call `join` in the turn in which nothing is missing."""
        if since is not None:
            try:
                self._send(sid, since, device)
            except Refusal as refusal:
                body = ErrorBody.build(code=refusal.code, message=refusal.message)
                self._broadcast.to_page(ERROR_PUB_CLIENT, body, sid)
            self._not_yet_stored(sid, device)
        join()

    def answer(self, sid: str, since: int, device: str | None) -> Ack:
        """Serve a `replay_request_client`. Raises `Refusal`: `replay_incomplete`, `queue_full` while one runs."""
        cursor = self._send(sid, since, device)
        # Some of what is not stored yet may be what it missed.
        self._not_yet_stored(sid, device)
        return Ack(ok=True, code=Code.ACCEPTED, cursor=cursor)

    def _not_yet_stored(self, sid: str, device: str | None) -> None:
        for spec, frame in self._live.uncommitted(device):
            self._again(spec, frame, sid)

    def _send(self, sid: str, since: int, device: str | None) -> int:
        """Every committed event after `since`. Returns the last cursor."""
        if sid in self._running:
            raise Refusal(Code.QUEUE_FULL, "a replay is running already; wait for its end")
        self._running.add(sid)
        try:
            return self._pages(sid, since, device)
        finally:
            self._running.discard(sid)

    def _pages(self, sid: str, since: int, device: str | None) -> int:
        while True:
            before = self._recorder.cursor
            rows = self._history.replay(since, _PAGE)
            for row in rows:
                # The database may be a moment ahead of what this thread knows; those are live frames still.
                if row.cursor > self._recorder.cursor or not self._drained(sid):
                    break
                since = row.cursor
                if device in (None, row.device):
                    self._one(sid, row)
            if since >= self._recorder.cursor or not self._drained(sid):
                return since
            if not rows and before == self._recorder.cursor:
                # What is missing is damaged: it does not come.
                return since

    def _one(self, sid: str, row: LoggedEvent) -> None:
        shown = frames.replayed(row.event, row.device, row.body, from_ms(row.received_at_ms), row.cursor)
        if shown is not None:
            self._again(*shown, sid)

    def _again(self, spec: EventSpec, frame: Payload, sid: str) -> None:
        self._broadcast.to_page(spec, msgspec.structs.replace(frame, replayed=True), sid)
