"""What is to go out in this turn of the hub: encoded once, and written once to each subscriber.

Frames for the same subscribers join into one write. All of it goes out in the order in which it came, so what one
subscriber sees is in order too; a turn with very many subscribers is cut into slices, so that others have theirs.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

SLICE = 256
"""Subscribers that are written to before others have their turn."""


class Subscriber(Protocol):
    """Who gets frames."""

    wire: Any
    upgraded: bool

    def put(self, pkt: Any) -> None:
        """Send a packet now."""


@dataclass(eq=False, slots=True)
class Run:
    """Frames for the same subscribers."""

    to: Sequence[Any]
    packets: list[Any]
    data: bytes = b""
    begun: bool = False
    at: int = 0
    members: frozenset[Any] = field(default_factory=frozenset)


class Batch:
    """Frames on their way to many."""

    def __init__(self, encode: Callable[[Iterable[Any]], bytes], soon: Callable[[Callable[[], None]], Any]) -> None:
        """`encode` makes websocket frames of packets; `soon` calls back in the hub, after what already waits there."""
        self._encode = encode
        self._soon = soon
        self._runs: deque[Run] = deque()
        self._scheduled = False

    def __contains__(self, subscriber: object) -> bool:
        """Whether frames for `subscriber` wait."""
        return any(subscriber in run.members for run in self._runs)

    def add(self, to: Sequence[Any], packets: list[Any], members: frozenset[Any] | None = None) -> None:
        """Send packets to each of `to`, which must not change afterwards. `members` are the same, as a set."""
        if self._runs and not (last := self._runs[-1]).begun and (last.to is to or (len(to) == 1 and last.to == to)):
            last.packets += packets
            return
        self._runs.append(Run(to, packets, members=frozenset(to) if members is None else members))
        if not self._scheduled:
            self._scheduled = True
            self._soon(self._pump)

    def settle(self, subscriber: object) -> None:
        """Send all that waits, if any of it is for `subscriber`, which is about to end."""
        if subscriber in self:
            while self._runs:
                self._slice()

    def _pump(self) -> None:
        self._scheduled = False
        if self._runs:
            self._slice()
        if self._runs:
            self._scheduled = True
            self._soon(self._pump)

    def _slice(self) -> None:
        run = self._runs[0]
        if not run.begun:
            run.begun = True
            run.data = self._encode(run.packets)
        until = min(len(run.to), run.at + SLICE)
        some, run.at = run.to[run.at : until], until
        if until == len(run.to):
            self._runs.popleft()
        data = run.data
        for subscriber in some:
            if subscriber.upgraded and subscriber.wire is not None:
                subscriber.wire.write(data)
            else:
                for packet in run.packets:
                    # A packet remembers how it was encoded, for websocket or polling.
                    subscriber.put(type(packet)(packet.packet_type, packet.data))
