"""A thread that somebody owns: started, named, watched and joined. One that dies or hangs ends the process."""

import logging
import threading
from collections.abc import Callable

from shared.clock import Clock, monotonic_s

log = logging.getLogger(__name__)


class Worker:
    """One thread around a loop `target(beat)`, which returns when it is told to stop.

    The loop calls `beat` at least every `silence_s` seconds, else it counts as hung.
    """

    def __init__(self, name: str, target: Callable[[Callable[[], None]], None], clock: Clock, silence_s: float) -> None:
        self.name = name
        self._target = target
        self._clock = clock
        self._silence_s = silence_s
        self._beat_s = 0.0
        self._ended = False
        # A daemon, so that one that hangs in a system call cannot keep the process alive.
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._beat()
        self._thread.start()

    def trouble(self) -> str | None:
        """Why this worker cannot be relied on any more; None while it works."""
        if self._ended:
            return f"thread {self.name} has ended"
        silent_s = monotonic_s(self._clock) - self._beat_s
        return f"thread {self.name} has been silent for {silent_s:.0f} s" if silent_s > self._silence_s else None

    def excuse(self) -> None:
        """Count its silence anew."""
        self._beat()

    def join(self, timeout_s: float) -> bool:
        """Wait until the thread has ended; False when it has not after `timeout_s`."""
        self._thread.join(max(0.0, timeout_s))
        return not self._thread.is_alive()

    def _beat(self) -> None:
        self._beat_s = monotonic_s(self._clock)

    def _run(self) -> None:
        try:
            self._target(self._beat)
        except Exception:
            # The thread ends here; whoever watches it ends the process.
            log.exception("thread failed: name=%s", self.name)
        finally:
            self._ended = True
