"""How the outbox is sent: in order, in a window, each event until its ack. Stepped by the uplink; owns no thread."""

import logging
from collections.abc import Sequence
from typing import Protocol

from pi_agent.outbox.rows import OUTGOING, Row, wire_body
from pi_agent.uplink.verdict import Emit, Fate, Token, Verdict, judge
from pi_agent.uplink.window import SendWindow
from shared.backoff import Backoff
from shared.clock import Clock, monotonic_s
from shared.errors import Code

log = logging.getLogger(__name__)

_TIMEOUT_S = min(spec.timeout_s for spec in OUTGOING.values() if spec.timeout_s is not None)
_FAULTS_OF_ONE_EVENT = 10
"""An event that makes the relay fail so often, while others pass, is itself the cause."""


class Source(Protocol):
    """The outbox, as far as a sender needs it: see `pi_agent.outbox.outbox.Outbox`."""

    @property
    def stream(self) -> str: ...
    @property
    def low(self) -> int: ...
    @property
    def depth(self) -> int: ...
    def read(self, after: int, limit: int) -> Sequence[Row]: ...
    def rows(self, ids: Sequence[int]) -> Sequence[Row] | None: ...
    def settle(self, stream: str, through: int) -> None: ...
    def refuse(self, row: Row, code: str, message: str) -> None: ...


class OutboxSender:
    """Sends the events of an outbox. An event leaves the outbox only on its ack, or on record."""

    def __init__(self, outbox: Source, device: str, clock: Clock, size: int, backoff: Backoff) -> None:
        self._outbox = outbox
        self._device = device
        self._clock = clock
        self._size = size
        self._backoff = backoff
        self._window = SendWindow(size, _TIMEOUT_S)
        self._paused_until_s = float("-inf")
        self._faults: dict[int, int] = {}
        self._passed: set[int] = set()
        """Those of `_faults` after whose first fault another event was stored."""

    def pump(self, emit: Emit) -> None:
        """Send what may be sent now. Raises `LinkDown`; what was not sent then is sent the next time."""
        now = monotonic_s(self._clock)
        if self._window.stream != self._outbox.stream:
            self._window = SendWindow(self._size, _TIMEOUT_S, self._outbox.stream, self._outbox.low - 1)
        if overdue := self._window.expire(now):
            log.warning("acks overdue, sending again: events=%d", overdue)
        if now < self._paused_until_s:
            return
        self._resend(emit)
        # While a backlog drains, one read for many acks.
        while self._window.room > self._size // 4:
            rows = self._outbox.read(self._window.cursor, self._window.room)
            if not rows or rows[0].stream != self._window.stream:
                return
            for row in rows:
                self._window.take(row.id)
            for row in rows:
                self._send(row, emit)

    def acked(self, token: Token, answer: tuple[object, ...]) -> Verdict | None:
        """An ack came; None when nobody waits for it any more."""
        if token.stream != self._window.stream or token.id not in self._window:
            return None
        verdict = judge(answer)
        if verdict.fate is Fate.DONE:
            self._backoff.reset()
            self._passed.update(self._faults)
            self._done(token.id)
        elif verdict.fate is Fate.NEVER:
            self._refuse(token.id, verdict)
        elif verdict.fate is Fate.LATER:
            self._later(token.id, verdict)
        return verdict

    def connection_lost(self) -> None:
        """No ack will come any more: everything on its way is sent again."""
        self._window.all_again()
        self._paused_until_s = float("-inf")

    @property
    def stream(self) -> str:
        """The outbox's present stream."""
        return self._outbox.stream

    @property
    def depth(self) -> int:
        """How many events wait for their ack."""
        return self._outbox.depth

    @property
    def backlogged(self) -> bool:
        """True while a new event would have to wait its turn."""
        return self._outbox.depth > self._size

    def due_s(self) -> float | None:
        """When `pump` has something to do, beside new events and acks."""
        if self._paused_until_s > monotonic_s(self._clock):
            return self._paused_until_s
        return self._window.next_timeout_s()

    def _resend(self, emit: Emit) -> None:
        ids = self._window.unsent()
        if not ids:
            return
        rows = self._outbox.rows(ids)
        if rows is None:
            return
        for gone in set(ids).difference(row.id for row in rows):
            self._done(gone)  # dropped or lost meanwhile, on record
        for row in rows:
            self._send(row, emit)

    def _send(self, row: Row, emit: Emit) -> None:
        emit(OUTGOING[row.event], wire_body(row, self._device, self._clock), Token(row.stream, row.id))
        self._window.sent(row.id, monotonic_s(self._clock))

    def _done(self, id: int) -> None:
        self._window.done(id)
        self._faults.pop(id, None)
        self._passed.discard(id)
        self._outbox.settle(self._window.stream, self._window.settled)

    def _later(self, id: int, verdict: Verdict) -> None:
        if verdict.code == Code.INTERNAL:
            self._faults[id] = self._faults.get(id, 0) + 1
            if self._faults[id] >= _FAULTS_OF_ONE_EVENT and id in self._passed:
                self._refuse(id, verdict)
                return
        self._window.again(id)
        now = monotonic_s(self._clock)
        if now >= self._paused_until_s:
            # One answer slows down all: the relay is busy, not this event wrong.
            wait_s = self._backoff.next_s()
            self._paused_until_s = now + wait_s
            log.warning("relay takes nothing now: code=%s retry_in_s=%.1f: %s", verdict.code, wait_s, verdict.message)

    def _refuse(self, id: int, verdict: Verdict) -> None:
        rows = self._outbox.rows([id])
        if rows is None:
            self._window.again(id)
            return
        for row in rows:
            self._outbox.refuse(row, verdict.code, verdict.message)
        self._done(id)
