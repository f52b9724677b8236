"""The fast lane: an event that comes often, from frame to handler without a greenlet of its own or a second decoding.

It is handled as it comes, or with others at the end of the hub's turn, by one greenlet that all of them share.

What is not quite as expected is left to the usual lane, which knows an answer to everything.
"""

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import gevent
import msgspec
from gevent import getcurrent

from server.fanout.words import Rounds
from shared.contract.payloads import SensorData
from shared.contract.spec import EventSpec, Namespace
from shared.wire import EVENT, MAX_EVENT_CHARS, StrictJson, in_namespace

log = logging.getLogger(__name__)

Reply = Callable[[Any], None]
"""Takes the values of the ack, an `Ack` or a tuple; call it once."""
HotHandler = Callable[[str, Any, Reply | None], None]
"""Takes (sid, payload, reply or None where no ack is wanted). What it waits for delays the other hot events."""

_ACK = "3"
_DIGITS = "0123456789"
_LONGEST_HEAD = 32
"""Of a message: its type, its namespace and the number of its ack."""
_TURN = 32
"""Events that are handled in one turn of the hub: others have theirs."""
_MOST, _FEW = 512, 128
"""Events that may wait before their senders do, and that are left when those go on."""


class Sender(Protocol):
    """Who sent an event."""

    def pause(self) -> None:
        """Send no more for now, where it can be made to."""

    def resume(self) -> None:
        """Go on."""

    def say(self, *messages: str) -> None:
        """Send Socket.IO messages together; nothing where the connection has ended."""


@dataclass(frozen=True, slots=True)
class _Lane:
    namespace: Namespace
    ack: str
    """How the ack of an event begins, up to its number."""
    opening: str
    decode: Callable[[str], tuple[str, Any]]
    handle: HotHandler


class Hot:
    """The hot events, by how their frames begin. One greenlet serves them all: a new one costs more than an event."""

    def __init__(self, sid_of: Callable[[Any, Namespace], str | None]) -> None:
        """`sid_of` finds a sender's sid in a namespace."""
        self._sid_of = sid_of
        self._lanes: dict[str, list[_Lane]] = {}
        """By how their messages name the namespace."""
        self._waiting: deque[tuple[Sender, Callable[[], None]]] = deque()
        self._paused: set[Sender] = set()
        self._greenlet: Any = None
        self._hub: Any = None
        self._rests = False
        """Whether the greenlet waits for more."""
        self._left = _TURN
        """Events that may still be handled in this turn."""
        self._turning = False
        """Whether something is to be done at its end."""
        self._acks: dict[Sender, list[str]] = {}
        """What is to go out then: what is committed together is acked in one write."""

    def add(self, spec: EventSpec, handle: HotHandler) -> None:
        """Serve `spec` here."""
        namespace = in_namespace(spec.namespace)
        kind: Any = spec.payload
        decoder: Any = Rounds() if kind is SensorData else msgspec.json.Decoder(tuple[str, kind])
        lane = _Lane(spec.namespace, _ACK + namespace, f'["{spec.name}",', decoder.decode, handle)
        self._lanes.setdefault(namespace, []).append(lane)

    def take(self, sender: Sender, message: str) -> bool:
        """Take one Socket.IO message. False where it is for the usual lane."""
        start = message.find("[", 0, _LONGEST_HEAD)
        if start < 0 or message[0] != EVENT or len(message) - start > MAX_EVENT_CHARS:
            return False
        head = message[1:start]
        namespace = head.rstrip(_DIGITS)
        for lane in self._lanes.get(namespace, ()):
            if message.startswith(lane.opening, start):
                sid = self._sid_of(sender, lane.namespace)
                ack = lane.ack + head[len(namespace) :] if head != namespace else None
                return sid is not None and self._put(lane, message[start:], sid, ack, sender)
        return False

    def after(self, sender: Sender, call: Callable[[], None]) -> bool:
        """Call once all that waits of `sender` has been handled; False where nothing does."""
        waits = any(one is sender for one, _ in self._waiting)
        if waits:
            self._waiting.append((sender, call))
        return waits

    def _put(self, lane: _Lane, body: str, sid: str, ack: str | None, sender: Sender) -> bool:
        try:
            _, payload = lane.decode(body)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            return False

        reply = None if ack is None else partial(self._reply, sender, ack)
        self._waiting.append((sender, partial(lane.handle, sid, payload, reply)))
        if len(self._waiting) > _MOST:
            sender.pause()
            self._paused.add(sender)
        if self._greenlet is None or self._greenlet.dead:
            self._hub, self._rests, self._greenlet = gevent.get_hub(), False, gevent.spawn(self._serve)
        elif self._rests:
            self._at_the_end()
            # The first one of a turn at once; where many come, one after the other: each step of so many is faster.
            if self._left == _TURN and getcurrent() is self._hub:
                self._work()
        return True

    def _reply(self, sender: Sender, ack: str, values: Any) -> None:
        message = ack + StrictJson.dumps(values if isinstance(values, tuple) else (values,))
        self._at_the_end()
        if (acks := self._acks.get(sender)) is None:
            self._acks[sender] = [message]
        else:
            acks.append(message)

    def _at_the_end(self) -> None:
        """Be called at the end of the hub's turn."""
        if not self._turning:
            self._turning = True
            self._hub.loop.run_callback(self._turn)

    def _turn(self) -> None:
        self._turning, self._left = False, _TURN
        acks, self._acks = self._acks, {}
        for sender, messages in acks.items():
            try:
                sender.say(*messages)
            except Exception:  # one connection's fault is no other's
                log.exception("acks could not be sent")
        if self._waiting and self._rests:
            self._work()

    def _work(self) -> None:
        """On the hub: have what waits handled, until the greenlet has done it or waits for something else."""
        self._rests = False
        self._greenlet.switch()

    def _serve(self) -> None:
        while True:
            while self._waiting and self._left:
                self._left -= 1
                # No name is kept for it, as it would be until the next one comes.
                self._waiting.popleft()[1]()
                if len(self._waiting) == _FEW:
                    while self._paused:
                        self._paused.pop().resume()
            self._rests = True
            self._at_the_end()
            self._hub.switch()
