"""A few threads that do the work of many loops: what is due is done in turn, one loop never twice at once."""

import heapq
import itertools
import logging
import math
import threading
from collections import deque
from collections.abc import Iterator

from pi_agent.workers import Work
from shared.clock import Clock, monotonic_s

log = logging.getLogger(__name__)


class Crew:
    """The threads. One of those that have nothing to do waits for the next time that something is due."""

    def __init__(self, name: str, threads: int, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._idle = threading.Condition(self._lock)
        self._timer = threading.Condition(self._lock)
        self._changed = threading.Condition(self._lock)
        self._ready: deque[tuple[float, Errand]] = deque()
        self._later: list[tuple[float, int, Errand]] = []
        self._numbers = itertools.count()
        self._timing = False
        self._closing = False
        self._late_s = 0.0
        self._threads = [
            threading.Thread(target=self._run, name=f"{name}-{number}", daemon=True) for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def hire(self, name: str, work: Work, clock: Clock, silence_s: float = math.inf) -> "Errand":
        """See `pi_agent.workers.Hire`."""
        return Errand(self, name, work, clock, silence_s)

    def close(self) -> None:
        """Do no more."""
        with self._lock:
            self._closing = True
            self._idle.notify_all()
            self._timer.notify_all()

    def late_s(self) -> float:
        """By how much the latest start since the last call was late: above a second, this machine is the limit."""
        with self._lock:
            late_s, self._late_s = self._late_s, 0.0
            if self._ready:
                late_s = max(late_s, monotonic_s(self._clock) - self._ready[0][0])
        return late_s

    # --- for errands --------------------------------------------------------------------------------------------

    def due(self, errand: "Errand") -> None:
        """`errand` has something to do now."""
        with self._lock:
            if errand.ended or errand.queued:
                return
            if errand.running:
                errand.again = True
                return
            self._queue(errand, monotonic_s(self._clock))
            (self._timer if self._timing else self._idle).notify()

    def wait_for(self, errand: "Errand", timeout_s: float | None) -> bool:
        """Whether `errand` has ended, within `timeout_s`."""
        with self._lock:
            return self._changed.wait_for(lambda: errand.ended and not errand.running, timeout_s)

    def let_go(self, errand: "Errand") -> None:
        """Never resume `errand`; what it is doing just now it still does."""
        with self._lock:
            errand.ended = True
            self._changed.notify_all()

    # --- the threads --------------------------------------------------------------------------------------------

    def _queue(self, errand: "Errand", at_s: float) -> None:
        errand.queued = True
        self._ready.append((at_s, errand))

    def _run(self) -> None:
        while (errand := self._next()) is not None:
            wait_s = errand.resume()
            with self._lock:
                errand.running = False
                if wait_s is None:
                    errand.ended = True
                if errand.ended:
                    self._changed.notify_all()
                elif errand.again:
                    self._queue(errand, monotonic_s(self._clock))
                elif wait_s is not None and wait_s < math.inf:
                    errand.due_s = monotonic_s(self._clock) + max(0.0, wait_s)
                    heapq.heappush(self._later, (errand.due_s, next(self._numbers), errand))
                    if self._timing and self._later[0][2] is errand:
                        self._timer.notify()  # it waits for a later one
                else:
                    errand.due_s = math.inf

    def _next(self) -> "Errand | None":
        with self._lock:
            while not self._closing:
                now = monotonic_s(self._clock)
                while self._later and self._later[0][0] <= now:
                    due_s, _, errand = heapq.heappop(self._later)
                    # It may have been woken since, and be due at another time now.
                    if errand.due_s == due_s and not (errand.queued or errand.running or errand.ended):
                        self._queue(errand, due_s)
                if self._ready:
                    since_s, errand = self._ready.popleft()
                    errand.queued = errand.again = False
                    if errand.ended:
                        continue
                    errand.running = True
                    errand.due_s = math.inf
                    self._late_s = max(self._late_s, now - since_s)
                    if not self._timing or self._ready:
                        self._idle.notify()
                    return errand
                if self._timing:
                    self._idle.wait()
                else:
                    self._timing = True
                    self._timer.wait(self._later[0][0] - now if self._later else None)
                    self._timing = False
        return None


class Errand:
    """One loop in the hands of a crew. See `pi_agent.workers.Hand`; the marks are the crew's, under its lock."""

    def __init__(self, crew: Crew, name: str, work: Work, clock: Clock, silence_s: float) -> None:
        self.name = name
        self.queued = self.running = self.again = self.ended = False
        self.due_s = math.inf
        self._crew = crew
        self._work = work
        self._loop: Iterator[float] | None = None
        self._clock = clock
        self._silence_s = silence_s
        self._beat_s = 0.0

    def start(self) -> None:
        """Begin."""
        self._crew.due(self)

    def wake(self) -> None:
        """Something is due now."""
        if self._loop is not None:
            self._crew.due(self)

    def beat(self) -> None:
        """Say that it lives."""
        self._beat_s = monotonic_s(self._clock)

    def trouble(self) -> str | None:
        """Why this work cannot be relied on any more; None while it is done. Waiting for its turn is no trouble."""
        if self.ended:
            return f"loop {self.name} has ended"
        silent_s = monotonic_s(self._clock) - self._beat_s
        return f"loop {self.name} hangs for {silent_s:.0f} s" if self.running and silent_s > self._silence_s else None

    def excuse(self) -> None:
        """Count its silence anew."""
        self.beat()

    def join(self, timeout_s: float | None) -> bool:
        """Wait until the work has ended; False when it has not after `timeout_s`."""
        return self._crew.wait_for(self, timeout_s)

    def let_go(self) -> None:
        """Never resume it."""
        self._crew.let_go(self)

    def resume(self) -> float | None:
        """Do what is due; returns how long nothing is then, None at the end."""
        self.beat()
        try:
            if self._loop is None:
                self._loop = self._work()
            return next(self._loop)
        except StopIteration:
            return None
        except Exception:
            # The loop ends here; whoever watches it ends the agent.
            log.exception("loop failed: name=%s", self.name)
            return None
