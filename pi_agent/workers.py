"""A thread that somebody owns: started, named, watched and joined. One that dies or hangs ends the process."""

import logging
import math
import threading
from collections.abc import Callable, Iterator
from typing import Protocol

from shared.clock import Clock, monotonic_s

log = logging.getLogger(__name__)

_LONGEST_WAIT_S = 5.0
"""A thread that has nothing to do says so often that it lives."""

Work = Callable[[], Iterator[float]]
"""A loop that ends when it is told to stop. It yields how long nothing is due, in seconds; `wake` cuts that short."""


class Hand(Protocol):
    """What does one loop's work: a `Worker`, or a share of threads that many use."""

    def start(self) -> None:
        """Begin."""

    def wake(self) -> None:
        """Something is due now. Safe on any thread; never blocks."""

    def beat(self) -> None:
        """Say that it lives; for work that takes long, on its own thread."""

    def trouble(self) -> str | None:
        """Why this work cannot be relied on any more; None while it is done."""

    def excuse(self) -> None:
        """Count its silence anew."""

    def join(self, timeout_s: float | None) -> bool:
        """Wait until the work has ended; False when it has not after `timeout_s` (None: however long that takes)."""


class Hire(Protocol):
    """Finds somebody who does the work of a loop."""

    def __call__(self, name: str, work: Work, clock: Clock, silence_s: float = math.inf, /) -> Hand:
        """`silence_s`: a loop that is not heard of for longer counts as hung."""


class Worker:
    """One thread around a loop, which is resumed when it is due or woken. See `Hand`."""

    def __init__(self, name: str, work: Work, clock: Clock, silence_s: float = math.inf) -> None:
        self.name = name
        self._work = work
        self._clock = clock
        self._silence_s = silence_s
        self._beat_s = 0.0
        self._ended = False
        # Stays set until the loop is resumed: what came while it worked is not slept through.
        self._woken = threading.Event()
        # A daemon, so that one that hangs in a system call cannot keep the process alive.
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self.beat()
        self._thread.start()

    def wake(self) -> None:
        """Resume the loop. Never blocks: library callbacks call it."""
        self._woken.set()

    def beat(self) -> None:
        """Say that it lives."""
        self._beat_s = monotonic_s(self._clock)

    def trouble(self) -> str | None:
        """Why this worker cannot be relied on any more; None while it works."""
        if self._ended:
            return f"thread {self.name} has ended"
        silent_s = monotonic_s(self._clock) - self._beat_s
        return f"thread {self.name} has been silent for {silent_s:.0f} s" if silent_s > self._silence_s else None

    def excuse(self) -> None:
        """Count its silence anew."""
        self.beat()

    def join(self, timeout_s: float | None) -> bool:
        """Wait until the thread has ended; False when it has not after `timeout_s`."""
        self._thread.join(None if timeout_s is None else max(0.0, timeout_s))
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            for wait_s in self._work():
                self.beat()
                self._woken.wait(min(max(wait_s, 0.0), _LONGEST_WAIT_S))
                self._woken.clear()
                self.beat()
        except Exception:
            # The thread ends here; whoever watches it ends the process.
            log.exception("thread failed: name=%s", self.name)
        finally:
            self._ended = True
