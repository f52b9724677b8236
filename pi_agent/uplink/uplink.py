"""The one thread that talks to the relay: it connects, sends, waits for acks, and connects again."""

import logging
import math
import queue
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

from pi_agent.accessories.commands import Door
from pi_agent.accessories.relay_time import RelayTime
from pi_agent.uplink.heart import STREAM, Heart
from pi_agent.uplink.inbound import Inbound, Tend, Train
from pi_agent.uplink.link import Answered, Inbox, Joined, Link, Lost, Receive
from pi_agent.uplink.live import LiveSender
from pi_agent.uplink.sender import OutboxSender
from pi_agent.uplink.verdict import Fate, LinkDown, Token
from shared.backoff import Backoff
from shared.clock import Clock, monotonic_s
from shared.contract.payloads import ErrorBody
from shared.contract.spec import EventSpec
from shared.errors import Code

log = logging.getLogger(__name__)

_INBOX = 2048
"""More than can be on its way at once; an ack that does not fit is lost, and its event is sent again."""
_GOODBYE_S = 0.3
_REFUSED_FOR_GOOD = {Code.UNAUTHENTICATED, Code.FORBIDDEN, Code.HOST_REFUSED, Code.ORIGIN_REFUSED}
"""A relay that does not know this device will not know it a second later."""


@dataclass(frozen=True)
class _Told:
    """The relay said what it thinks of this connection."""

    error: ErrorBody


class Connection(Protocol):
    """A `Link`, or a test's stand-in."""

    def open(self) -> None: ...
    def emit(self, spec: EventSpec, body: Mapping[str, Any], token: Token) -> None: ...
    def close(self) -> None: ...


class Gate(Protocol):
    """Where commands go: see `pi_agent.accessories.commands.Commands`."""

    @property
    def relay_time(self) -> RelayTime: ...
    def connect(self) -> Door: ...
    def proven(self) -> None: ...
    def wake(self) -> None: ...


Dial = Callable[[str, Mapping[str, Any], Inbox, Receive], Connection]
"""Makes a connection to a relay's address, with what the agent says first."""


class Uplink:
    """Owns the connection. `wake` may be called from any thread; `work` is one thread's, `turn` a test's."""

    def __init__(
        self,
        url: str,
        hello: Callable[[Door], Mapping[str, Any]],
        outbox: OutboxSender,
        live: LiveSender,
        gate: Gate,
        clock: Clock,
        *,
        heartbeat_interval_s: float = 10.0,
        on_joined: Callable[[], None] = lambda: None,
        on_train: Train = lambda _: False,
        on_care: Tend = lambda _: Code.FORBIDDEN,
        longest_delay_s: float = 30.0,
        start_jitter_s: float = 5.0,
        join_timeout_s: float = 20.0,
        replaced_delay_s: float = 300.0,
        dial: Dial = Link,
    ) -> None:
        """`on_joined` is called on the uplink's thread after every admission; it must not block."""
        self.on_due: Callable[[], None] = lambda: None
        """Called on any thread when `turn` has something to do. Must not block."""
        self._url = url
        self._hello = hello
        self._outbox = outbox
        self._live = live
        self._clock = clock
        self._on_joined = on_joined
        self._on_train = on_train
        self._on_care = on_care
        # A relay on this machine has no crowd of agents to fear.
        self._jitter_s = 0.0 if _is_local(url) else start_jitter_s
        self._longest_delay_s = longest_delay_s
        self._join_timeout_s = join_timeout_s
        self._replaced_delay_s = replaced_delay_s
        self._dial = dial
        self._gate = gate
        self._heart = Heart(heartbeat_interval_s, clock, gate.relay_time)
        self._inbox: queue.Queue[Joined | Lost | Answered | _Told] = queue.Queue(_INBOX)
        self._backoff = Backoff(longest_s=longest_delay_s)
        self._link: Connection | None = None
        self._joined = False
        self._deadline_s = 0.0
        """While a link is not joined: until when it may take. Without a link: when to connect."""
        self._told = ""
        self._was_lost = False
        self._stopping = False
        self._ending = False

    @property
    def joined(self) -> bool:
        """True while the relay has admitted the agent."""
        return self._joined

    def wake(self) -> None:
        """There is something new to send. Never blocks."""
        self.on_due()

    def stop(self, *, ending: bool = False) -> None:
        """Let `work` close the connection and return; `ending`: with a word that the agent ends as it was told to."""
        self._ending = ending
        self._stopping = True
        self.wake()

    def work(self) -> Iterator[float]:
        """Talk to the relay until `stop`."""
        self._deadline_s = monotonic_s(self._clock) + random.uniform(0, self._jitter_s)
        while not self._stopping:
            yield self.turn()
        if (link := self._link) is not None:
            if self._joined and self._ending:
                yield from self._goodbye(link)
            link.close()

    def turn(self) -> float:
        """Handle what has come, then do what is due. Returns how long until something is due again, in seconds."""
        while not self._inbox.empty():
            self._take(self._inbox.get_nowait())
        now = monotonic_s(self._clock)
        if self._link is None and now >= self._deadline_s:
            self._connect(now)
        elif self._link is not None and not self._joined and now >= self._deadline_s:
            self._lost("it did not admit the agent in time")
        if self._link is not None and self._joined:
            self._pump(self._link)
        if not self._joined:
            return self._deadline_s - monotonic_s(self._clock)
        due = [at for at in (self._outbox.due_s(), self._live.due_s(), self._heart.due_s()) if at is not None]
        return min(due, default=math.inf) - monotonic_s(self._clock)

    # --- the connection -----------------------------------------------------------------------------------------

    def _connect(self, now: float) -> None:
        self._told = ""
        door = self._gate.connect()
        inbound = Inbound(door.submit, lambda error: self._put(_Told(error)), self._on_train, self._on_care)
        self._link = self._dial(self._url, self._hello(door), self._put, inbound.receive)
        self._deadline_s = now + self._join_timeout_s
        try:
            self._link.open()
        except LinkDown as error:
            self._link = None
            self._again(f"cannot be reached: {error}", "")

    def _pump(self, link: Connection) -> None:
        try:
            # First: commands wait for the relay's time.
            self._heart.pump(link.emit)
            # A change before the report that follows it; but nothing live waits behind a backlog.
            if not self._outbox.backlogged:
                self._outbox.pump(link.emit)
            self._live.pump(self._outbox.stream, link.emit)
            self._outbox.pump(link.emit)
        except LinkDown as error:
            self._lost(str(error))

    def _take(self, item: Joined | Lost | Answered | _Told) -> None:
        if isinstance(item, _Told):
            self._told = item.error.code
            log.warning("relay says: code=%s event=%s: %s", item.error.code, item.error.event, item.error.message)
        elif item.link is not self._link:
            return  # of an earlier connection
        elif isinstance(item, Joined):
            self._joined = True
            self._was_lost = False
            log.info("relay connected: url=%s", self._url)
            self._heart.joined()
            self._gate.proven()
            self._on_joined()
        elif isinstance(item, Lost):
            self._lost(item.reason, item.code)
        else:
            self._answered(item)

    def _answered(self, item: Answered) -> None:
        self._gate.proven()
        if item.token.stream == STREAM:
            verdict = self._heart.acked(item.token, item.answer)
            self._gate.wake()
        else:
            verdict = (self._live if item.token.stream is None else self._outbox).acked(item.token, item.answer)
        if verdict is None:
            return
        if verdict.fate is Fate.LINK:
            self._lost(verdict.message, verdict.code)
        elif verdict.fate is Fate.DONE:
            # Only now: a relay that admits and then drops everybody must not be hammered.
            self._backoff.reset()

    def _lost(self, reason: str, code: str = "") -> None:
        link, self._link = self._link, None
        self._joined = False
        self._outbox.connection_lost()
        self._live.connection_lost()
        self._heart.connection_lost()
        if link is not None:
            link.close()
        self._again(reason, code or self._told)

    def _again(self, reason: str, code: str) -> None:
        """Choose when to connect again, and say why once."""
        if code == Code.REPLACED:
            wait_s = self._replaced_delay_s
            log.error(
                "replaced: another program connected as this device; give each its own name or token. retry_in_s=%.0f",
                wait_s,
            )
        elif code in _REFUSED_FOR_GOOD:
            wait_s = self._longest_delay_s
            if not self._was_lost:
                log.error(
                    "relay refuses this device: url=%s code=%s: %s retry_in_s=%.0f", self._url, code, reason, wait_s
                )
        else:
            wait_s = self._backoff.next_s() + random.uniform(0, self._jitter_s)
            wait_s = min(wait_s, self._longest_delay_s)
            log.log(
                logging.DEBUG if self._was_lost else logging.WARNING,
                "relay lost: url=%s outbox_depth=%d retry_in_s=%.1f: %s",
                *(self._url, self._outbox.depth, wait_s, reason),
            )
        self._was_lost = True
        self._deadline_s = monotonic_s(self._clock) + wait_s

    def _goodbye(self, link: Connection) -> Iterator[float]:
        """The last heartbeat. Its ack is waited for: closing would overtake it."""
        deadline_s = monotonic_s(self._clock) + _GOODBYE_S
        try:
            last = self._heart.beat(link.emit, ending=True)
        except LinkDown:
            return
        while (left_s := deadline_s - monotonic_s(self._clock)) > 0:
            while not self._inbox.empty():
                item = self._inbox.get_nowait()
                if isinstance(item, Lost) or (isinstance(item, Answered) and item.token == last):
                    return
                if isinstance(item, Answered):
                    self._answered(item)
            yield left_s
        log.debug("the relay did not hear that the agent ends")

    def _put(self, item: Joined | Lost | Answered | _Told) -> None:
        try:
            self._inbox.put_nowait(item)
        except queue.Full:
            # The ack will be asked for again.
            log.warning("uplink too busy: lost %s", type(item).__name__)
        self.on_due()


def _is_local(url: str) -> bool:
    return urlsplit(url).hostname in ("localhost", "127.0.0.1", "::1")
