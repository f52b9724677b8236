"""What waits for one connection that does not take what is sent: bounded, in order, by the policy of each event.

A state that waits is replaced by a newer one of the same thing. Past the bound the oldest samples are left out, and in
their place stands a notice of how many, and from where they can be replayed. What may not be left out makes it full.
See docs/fanout.md.
"""

import heapq
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from shared.clock import Clock, monotonic_s
from shared.contract.door_events import EVERY_DOOR
from shared.contract.events import CATALOGUE, ERROR_PUB, REPLAY_REQUEST_CLIENT
from shared.contract.payloads import ErrorBody
from shared.contract.spec import EventSpec, Namespace, Role, WhenSlow
from shared.errors import Code
from shared.wire import event_text

T = TypeVar("T")

Told = tuple[str, str, Any]
"""An event on its way: namespace, name, body. Nobody looks into it until it has to wait."""

_PUBLISHED = {(str(spec.namespace), spec.name): spec for spec in CATALOGUE + EVERY_DOOR if spec.publisher is Role.RELAY}


@dataclass(slots=True)
class Tally:
    """What has become of events that waited."""

    conflated: int = 0
    """States that a newer one replaced."""
    dropped: int = 0
    """Events that were left out, and told so."""
    noticed: int = 0
    """Notices of that."""


@dataclass(frozen=True)
class Terms:
    """What all connections have in common."""

    events: int
    bytes: int
    clock: Clock
    tally: Tally = field(default_factory=Tally)
    """Of all connections, also of those that have ended."""


@dataclass(slots=True)
class Gap:
    """Stands where events of one namespace were left out."""

    namespace: Namespace
    missed: int
    since: int | None
    """A replay from this cursor brings them all; None: there is none."""

    def text(self) -> str:
        """The notice, as a Socket.IO message."""
        words = f"{self.missed} events were left out: this connection did not take them"
        if self.since is not None:
            words += f"; `{REPLAY_REQUEST_CLIENT.name}` with since={self.since} brings them"
        body = ErrorBody.build(code=Code.MISSED, message=words, missed=self.missed, since=self.since)
        return event_text(self.namespace, ERROR_PUB[self.namespace].name, body)


@dataclass(slots=True)
class _Waiting(Generic[T]):
    item: T
    size: int
    namespace: str = ""
    since: int | None = None
    """A replay from this cursor would bring it."""
    key: tuple[Any, ...] | None = None
    """Of a state: what it tells of."""
    on_record: bool = False
    """It is an event too, which a replay would bring."""


class Backlog(Generic[T]):
    """Events that wait, the first one first. `bytes` is how much."""

    __slots__ = (
        "_droppable",
        "_gaps",
        "_items",
        "_newest",
        "_notice",
        "_patient",
        "_serial",
        "_terms",
        "bytes",
        "moved_s",
        "own",
        "since_s",
    )

    def __init__(self, terms: Terms, notice: Callable[[Gap], T], *, patient: bool = False) -> None:
        """`notice` makes of a gap what is sent. `patient`: that something waits does not say yet that its peer is slow;
        it is when more than a tenth of the bound waits.
        """
        self._patient = patient
        self._terms = terms
        self._notice = notice
        self._items: OrderedDict[int, _Waiting[T] | Gap] = OrderedDict()
        self._newest: dict[tuple[Any, ...], int] = {}
        self._droppable: list[int] = []
        """A heap of serials: the oldest first."""
        self._gaps: dict[str, int] = {}
        self._serial = 0
        self.bytes = 0
        self.own = Tally()
        self.since_s: float | None = None
        """Since when something waits, monotonic."""
        self.moved_s = 0.0
        """When the peer last took anything of it."""

    def __len__(self) -> int:
        return len(self._items)

    @property
    def events(self) -> int:
        """How many wait, the notices not among them."""
        return len(self._items) - len(self._gaps)

    @property
    def full(self) -> bool:
        """Whether nothing more should be sent that cannot be left out."""
        return self.events >= self._terms.events or self.bytes >= self._terms.bytes

    @property
    def light(self) -> bool:
        """Whether most of what was sent has been taken."""
        return self.events <= self._terms.events // 10 and self.bytes <= self._terms.bytes // 10

    def begin(self) -> None:
        """The peer does not take what is sent."""
        if self.since_s is None:
            self.since_s = self.moved_s = monotonic_s(self._terms.clock)

    def moved(self) -> None:
        """It has taken something."""
        self.moved_s = monotonic_s(self._terms.clock)

    def rest(self) -> None:
        """It has taken all."""
        self.since_s = None

    def age_s(self) -> float:
        """For how long something has waited, in seconds; 0 where nothing does."""
        return 0.0 if self.since_s is None else monotonic_s(self._terms.clock) - self.since_s

    def stalled_s(self) -> float:
        """For how long it has taken nothing, in seconds; 0 where nothing waits."""
        return 0.0 if self.since_s is None else monotonic_s(self._terms.clock) - self.moved_s

    def add(self, item: T, size: int, told: Told | None = None) -> bool:
        """Let one more wait, `size` bytes long. False where it may not be left out and there is no room: it is not in.

        The bound may be passed by one event: a large one must get through too.
        """
        spec = _PUBLISHED.get(told[:2]) if told is not None else None
        policy = WhenSlow.KEEP if spec is None else spec.when_slow
        key = None
        if spec is not None and told is not None and policy is WhenSlow.CONFLATE:
            key = _thing(spec, told)
            if not (self._patient and self.light):
                self._outdate(key)
        while (self.events >= self._terms.events or self.bytes + size > self._terms.bytes) and self._drop_oldest():
            pass
        self._serial += 1
        waiting = _Waiting(item, size)
        if told is not None:
            # Not the body itself: that takes more room than what is sent.
            waiting.namespace, waiting.since = told[0], _before(told[2])
            waiting.key, waiting.on_record = key, getattr(told[2], "id", None) is not None
        if self.full:
            if policy is WhenSlow.DROP:
                self._leave_out(self._serial, waiting)
                return True
            return False
        self._items[self._serial] = waiting
        self.bytes += size
        if policy is WhenSlow.DROP:
            heapq.heappush(self._droppable, self._serial)
        elif key is not None:
            self._newest[key] = self._serial
        return True

    def append(self, item: T) -> None:
        """Let one more wait that has no bound: the last ones, and the end."""
        self._serial += 1
        self._items[self._serial] = _Waiting(item, 0)

    def take(self) -> T | None:
        """The next one, or the notice of what should have been; None where nothing waits."""
        if not self._items:
            return None
        serial, waiting = self._items.popitem(last=False)
        if isinstance(waiting, Gap):
            del self._gaps[waiting.namespace]
            self.own.noticed += 1
            self._terms.tally.noticed += 1
            return self._notice(waiting)
        self._forget(serial, waiting)
        if self._droppable and self._droppable[0] == serial:
            heapq.heappop(self._droppable)
        return waiting.item

    def clear(self) -> None:
        """Nothing of it is sent any more."""
        self._items.clear()
        self._newest.clear()
        self._droppable.clear()
        self._gaps.clear()
        self.bytes = 0

    def _forget(self, serial: int, waiting: _Waiting[T]) -> None:
        self.bytes -= waiting.size
        if waiting.key is not None and self._newest.get(waiting.key) == serial:
            del self._newest[waiting.key]

    def _outdate(self, key: tuple[Any, ...]) -> None:
        """A newer state of the same thing comes: the one that waits need not be told.

        One that is on record is news that a replay would tell too; it goes only when there is no room.
        """
        serial = self._newest.pop(key, None)
        if serial is None:
            return
        waiting = self._items[serial]
        if isinstance(waiting, Gap):
            raise TypeError("a gap is the state of nothing")
        if waiting.on_record:
            heapq.heappush(self._droppable, serial)
            return
        del self._items[serial]
        self.bytes -= waiting.size
        self.own.conflated += 1
        self._terms.tally.conflated += 1

    def _drop_oldest(self) -> bool:
        """Leave the oldest sample out. False where there is none."""
        if not self._droppable:
            return False
        serial = heapq.heappop(self._droppable)
        waiting = self._items[serial]
        if isinstance(waiting, Gap):
            raise TypeError("a gap cannot be left out")
        self._forget(serial, waiting)
        self._leave_out(serial, waiting)
        return True

    def _leave_out(self, serial: int, waiting: _Waiting[T]) -> None:
        """Note that what had `serial` is not coming: at the place of the first, so that all after it come after it."""
        self.own.dropped += 1
        self._terms.tally.dropped += 1
        namespace = waiting.namespace
        gap = Gap(Namespace(namespace), 1, waiting.since)
        before = self._gaps.get(namespace)
        if before is not None and isinstance(known := self._items[before], Gap):
            gap.missed += known.missed
            gap.since = _earlier(gap.since, known.since)
            if before < serial:
                self._items.pop(serial, None)
                serial = before
            else:
                del self._items[before]
        self._items[serial] = gap
        self._gaps[namespace] = serial


def _thing(spec: EventSpec, told: Told) -> tuple[Any, ...]:
    """What a state tells of."""
    return (*told[:2], *(getattr(told[2], name, None) for name in spec.same_by))


def _before(body: Any) -> int | None:
    """A cursor after which an event is replayed: it has its body's where it was replayed itself, else a later one."""
    cursor = getattr(body, "cursor", None)
    return None if cursor is None else max(0, cursor - 1)


def _earlier(one: int | None, other: int | None) -> int | None:
    return min(one, other) if one is not None and other is not None else other if one is None else one
