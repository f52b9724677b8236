"""A device's connection, looked at: how long its acks take, what is refused, and which commands come by."""

import threading
from collections.abc import Callable, Mapping
from typing import Any

from pi_agent.fleet.tally import Asked, Seen, Tally
from pi_agent.uplink.exchange import Exchange, SharedLink
from pi_agent.uplink.heart import STREAM as HEARTBEAT
from pi_agent.uplink.inbound import COMMANDS
from pi_agent.uplink.link import Answered, Inbox, Joined, Lost, Receive
from pi_agent.uplink.verdict import Fate, LinkDown, Token, judge
from shared.clock import Clock, monotonic_s
from shared.contract.events import SENSOR_DATA_PUB_PI
from shared.contract.payloads import Ack
from shared.contract.spec import EventSpec


class Wire:
    """What lies between one device and the relay, from one connection to the next."""

    def __init__(self, exchange: Exchange, tally: Tally, clock: Clock) -> None:
        self.exchange = exchange
        self.tally = tally
        self.clock = clock
        self.seen = Seen()
        self.asked = Asked()
        self.lock = threading.Lock()
        """Guards `seen` and `asked`: acks and commands come on one thread, `forget_through` on another."""
        self._mended_s = float("-inf")
        self._line: Line | None = None

    def dial(self, url: str, hello: Mapping[str, Any], inbox: Inbox, receive: Receive) -> "Line":
        """See `pi_agent.uplink.uplink.Dial`."""
        self._line = Line(url, hello, inbox, receive, self)
        return self._line

    def cut(self, for_s: float = 0.0) -> None:
        """Cut the connection, and let none be made `for_s`."""
        self._mended_s = monotonic_s(self.clock) + for_s
        if self._line is not None:
            self._line.cut()

    def mend(self) -> None:
        """Let connections be made again."""
        self._mended_s = float("-inf")

    @property
    def is_cut(self) -> bool:
        """True while no connection can be made."""
        return monotonic_s(self.clock) < self._mended_s


class Line(SharedLink):
    """One connection. Everything passes as it is."""

    def __init__(self, url: str, hello: Mapping[str, Any], inbox: Inbox, receive: Receive, wire: Wire) -> None:
        super().__init__(url, hello, self._watched(inbox), self._overheard(receive), exchange=wire.exchange)
        self._wire = wire
        self._sent: dict[Token, tuple[float, EventSpec, str | None]] = {}

    def open(self) -> None:
        """Reach the relay, unless the wire is cut. Raises `LinkDown`."""
        if self._wire.is_cut:
            raise LinkDown("the link is cut, as the fleet was told to")
        super().open()

    def emit(self, spec: EventSpec, body: Mapping[str, Any], token: Token) -> None:
        """Send an event. Raises `LinkDown`."""
        self._sent[token] = (monotonic_s(self._wire.clock), spec, body.get("command"))
        super().emit(spec, body, token)

    def _watched(self, inbox: Inbox) -> Inbox:
        def take(item: Joined | Lost | Answered) -> None:
            if isinstance(item, Answered):
                self._answered(item)
            elif isinstance(item, Lost) and item.code:
                self._wire.tally.refuse(item.code)
            inbox(item)

        return take

    def _overheard(self, receive: Receive) -> Callable[[str, tuple[Any, ...]], Ack | None]:
        def take(name: str, bodies: tuple[Any, ...]) -> Ack | None:
            command = bodies[0].get("command") if name in COMMANDS and bodies and isinstance(bodies[0], dict) else None
            if isinstance(command, str):
                with self._wire.lock:
                    new = self._wire.asked.came(command)
                if new:
                    self._wire.tally.command(came=True)
            return receive(name, bodies)

        return take

    def _answered(self, item: Answered) -> None:
        sent = self._sent.pop(item.token, None)
        if sent is None:
            return
        sent_s, spec, command = sent
        verdict, wire = judge(item.answer), self._wire
        if verdict.fate is not Fate.DONE:
            wire.tally.refuse(verdict.code or "unreadable")
            return
        stream = item.token.stream
        with wire.lock:
            new = stream not in (None, HEARTBEAT) and wire.seen.first(str(stream), item.token.id)
            answered = command is not None and wire.asked.answered(command)
        if stream not in (None, HEARTBEAT):
            ms = (monotonic_s(wire.clock) - sent_s) * 1e3
            wire.tally.ack(ms, new=new, is_round=spec is SENSOR_DATA_PUB_PI)
        if answered:
            wire.tally.command(came=False)
