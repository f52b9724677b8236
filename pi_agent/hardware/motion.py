"""What every infrared sensor shares: when a state counts, and the loop that tells of it."""

import math
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from pi_agent.hardware.base import EdgeListener
from pi_agent.workers import Hand, Hire, Worker
from shared.clock import Clock

_UNREAD_EDGES = 256


class EdgeSource(Protocol):
    """Where edges come from: a pin, a simulated room, a recording. Edges are (active, monotonic ns)."""

    def begin(self, now_ns: int) -> None:
        """Forget the past: the state counts as inactive. If it is not, `take` tells so."""

    def take(self, now_ns: int) -> Iterator[tuple[bool, int]]:
        """The edges since the last call, the oldest first."""

    def next_ns(self) -> int | None:
        """When `take` has something again, as far as is known; None: only after a `wake`."""


class Teller:
    """Tells a listener the edges of a source, on a thread of its own unless `hire` finds it another one.

    The loop is a thin one around `step`, which tests call themselves after moving the clock.
    """

    def __init__(self, name: str, clock: Clock, source: EdgeSource, hire: Hire = Worker) -> None:
        self._name = name
        self._clock = clock
        self._source = source
        self._hire = hire
        # Held while a listener is told: `stop` waits for that. Re-entrant, so that a listener may call `stop`.
        self._lock = threading.RLock()
        self._listener: EdgeListener | None = None
        self._told = False
        self._hand: Hand | None = None
        self._telling: threading.Thread | None = None

    def start(self, listener: EdgeListener) -> None:
        """Tell `listener` from now on; nothing changes if somebody is told already."""
        with self._lock:
            if self._listener is not None:
                return
            self._source.begin(self._clock.monotonic_ns())
            self._listener = listener
            self._told = False
            self._hand = self._hire(self._name, self._work, self._clock)
            self._hand.start()

    def stop(self) -> None:
        """Nothing is told after this returns."""
        with self._lock:
            self._listener = None
            hand, self._hand = self._hand, None
        if hand is None:
            return
        hand.wake()
        # A listener that stops us must not wait for itself; the loop ends as soon as it returns.
        if self._telling is not threading.current_thread():
            hand.join(None)

    @property
    def started(self) -> bool:
        """True between `start` and `stop`."""
        return self._listener is not None

    @property
    def alive(self) -> bool:
        """True while the loop runs; started but not alive is a fault."""
        hand = self._hand
        return hand is not None and hand.trouble() is None

    def wake(self) -> None:
        """The source has something. Never blocks: library callbacks call it."""
        if (hand := self._hand) is not None:
            hand.wake()

    def step(self) -> None:
        """Tell what is due by now."""
        with self._lock:
            if not self.started:
                return
            self._telling = threading.current_thread()
            try:
                for active, at_ns in self._source.take(self._clock.monotonic_ns()):
                    # Asked each time: a listener may call `stop`.
                    if self._listener is not None and active != self._told:
                        self._told = active
                        self._listener(active, at_ns)
            finally:
                self._telling = None

    def _work(self) -> Iterator[float]:
        hand = self._hand
        while True:
            self.step()
            if self._hand is not hand:
                return
            due_ns = self._source.next_ns()
            yield math.inf if due_ns is None else (due_ns - self._clock.monotonic_ns()) / 1e9


@dataclass
class Debouncer:
    """Edges of a noisy pin: a state counts once it has held for `hold_ns`, from the time at which it began.

    `level` asks the pin. Before `warm_ns` nothing counts: a PIR that was just switched on sees people everywhere.
    """

    level: Callable[[], bool]
    hold_ns: int
    warm_ns: int
    _unread: deque[tuple[bool, int]] = field(default_factory=lambda: deque(maxlen=_UNREAD_EDGES), init=False)
    _state: bool = field(default=False, init=False)
    _candidate: bool = field(default=False, init=False)
    _since_ns: int = field(default=0, init=False)

    def changed(self, active: bool, at_ns: int) -> None:
        """Note an edge. Safe on any thread, never blocks; of a storm only the newest edges are kept."""
        self._unread.append((active, at_ns))

    def begin(self, now_ns: int) -> None:
        """Start from inactive; the pin's level now is the first candidate."""
        self._unread.clear()
        self._state = False
        self._candidate, self._since_ns = self.level(), max(now_ns, self.warm_ns)

    def take(self, now_ns: int) -> Iterator[tuple[bool, int]]:
        """The states that held long enough, the oldest first."""
        while self._unread:
            active, at_ns = self._unread.popleft()
            if at_ns > self._since_ns:
                yield from self._settled(at_ns)
            if active != self._candidate:
                self._candidate, self._since_ns = active, max(at_ns, self.warm_ns)
        yield from self._settled(now_ns)

    def next_ns(self) -> int | None:
        """When the candidate will have held long enough, unless it changes before."""
        return None if self._candidate == self._state else self._since_ns + self.hold_ns

    def _settled(self, at_ns: int) -> Iterator[tuple[bool, int]]:
        if self._candidate != self._state and at_ns >= self._since_ns + self.hold_ns:
            self._state = self._candidate
            yield self._state, self._since_ns
