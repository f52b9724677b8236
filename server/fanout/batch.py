"""What is to go out in this turn of the hub: encoded once, and written once to each subscriber.

Frames for the same subscribers join into one write. All of it goes out in the order in which it came, so what one
subscriber sees is in order too; a turn with very many subscribers is cut into slices, so that others have theirs.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import repeat
from operator import call
from typing import Any, Protocol

from server.fanout import outgoing
from server.fanout.wire import Epoch, Wire

SLICE = 256
"""Subscribers that are written to before others have their turn."""


class Subscriber(Protocol):
    """Who gets frames."""

    wire: Wire | None
    upgraded: bool

    def put(self, pkt: Any) -> None:
        """Send a packet now."""


class Audience:
    """Some subscribers, as they were at one time: whose wires are ready comes first."""

    __slots__ = ("beyond", "epoch", "members", "sends", "to")

    def __init__(self, subscribers: Iterable[Any], epoch: int, beyond: Any = None) -> None:
        """`beyond` is what its maker knows of subscribers that are not here; None for nobody."""
        first: list[Any] = []
        then: list[Any] = []
        for one in subscribers:
            (first if one.upgraded and one.wire is not None and one.wire.ready else then).append(one)
        self.epoch = epoch
        self.beyond = beyond
        self.to: Sequence[Any] = first + then
        # Of each of the first: one object to look at per delivery, where a subscriber and its wire would be seven.
        self.sends: Sequence[Callable[[bytes], int]] = [one.wire.send for one in first]
        self.members = frozenset(self.to)


@dataclass(eq=False, slots=True)
class _Run:
    """Frames for the same subscribers."""

    audience: Audience
    packets: list[Any]
    pieces: list[tuple[int, Any]]
    """What the packets are, for those who do not take them at once; see `wire.Pieces`."""
    data: bytes = b""
    at: int = -1
    """How many have got it; -1 before it has begun."""


class Batch:
    """Frames on their way to many."""

    def __init__(
        self,
        encode: Callable[[Iterable[Any]], bytes],
        soon: Callable[[Callable[[], None]], Any],
        later: Callable[[Callable[[], None]], Any],
    ) -> None:
        """`encode` makes websocket frames of packets. `soon` calls back in the hub, after what already waits there;
        `later` after what has come in by then has been served too.
        """
        self._encode = encode
        self._soon = soon
        self._later = later
        self._runs: deque[_Run] = deque()
        self._scheduled = False
        self.epoch = Epoch()

    def __contains__(self, subscriber: object) -> bool:
        """Whether frames for `subscriber` wait."""
        return bool(self._runs) and any(subscriber in run.audience.members for run in self._runs)

    def audience(self, subscribers: Iterable[Any], beyond: Any = None) -> Audience:
        """These subscribers as they are now; see `Audience`."""
        return Audience(subscribers, self.epoch.number, beyond)

    def add(self, audience: Audience, packets: list[Any]) -> None:
        """Send packets, the whole of one event or of one message, to all of `audience`."""
        if self._runs and (last := self._runs[-1]).at < 0:
            same = last.audience is audience or (len(audience.to) == 1 and last.audience.to == audience.to)
            if same:
                last.packets += packets
                last.pieces.append((len(packets), outgoing.told_of(packets[0])))
                return
        self._runs.append(_Run(audience, packets, [(len(packets), outgoing.told_of(packets[0]))]))
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
            self._later(self._pump)

    def _slice(self) -> None:
        run = self._runs[0]
        audience = run.audience
        if run.at < 0:
            run.at = 0
            run.data = self._encode(run.packets)
        start, run.at = run.at, min(len(audience.to), run.at + SLICE)
        if run.at == len(audience.to):
            self._runs.popleft()
        if audience.epoch == self.epoch.number:
            start = self._straight(run, start, min(run.at, len(audience.sends)))
        for subscriber in audience.to[start : run.at]:
            if subscriber.upgraded and subscriber.wire is not None:
                subscriber.wire.write(run.data, run.pieces)
            else:
                for packet in run.packets:
                    subscriber.put(outgoing.again(packet))

    @staticmethod
    def _straight(run: _Run, start: int, until: int) -> int:
        """Write to those who were ready and still are. Returns who comes next."""
        audience, data = run.audience, run.data
        # What each took. What one raises ends the `extend`, but what was counted before it stays.
        counts: list[int] = []
        while (at := start + len(counts)) < until:
            try:
                counts.extend(map(call, audience.sends[at:until], repeat(data)))
            except BlockingIOError:
                counts.append(0)
            except OSError:
                counts.append(-1)
        if counts.count(len(data)) < len(counts):
            for subscriber, count in zip(audience.to[start:until], counts, strict=True):
                if count != len(data):
                    subscriber.wire.sent(data, count, run.pieces)
        return max(start, until)
