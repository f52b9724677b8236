"""Says whether a device comes and goes so often that each time is no longer news."""

from collections import deque

from server.rules import AvailabilitySettings


class Damper:
    """The comings and goings of one device. All times are monotonic seconds."""

    def __init__(self, settings: AvailabilitySettings) -> None:
        self._settings = settings
        self._changes: deque[float] = deque(maxlen=settings.flapping_changes)
        self.flapping = False

    def changed(self, now_s: float) -> bool:
        """It came or went. Returns whether this is to be told: the first ones, and the one that makes it flapping."""
        self._changes.append(now_s)
        if self.flapping:
            return False
        first_s = self._changes[0]
        full = len(self._changes) == self._settings.flapping_changes
        self.flapping = full and now_s - first_s <= self._settings.flapping_window_s
        return True

    def ended(self, now_s: float) -> bool:
        """Whether it has just been quiet for long enough: then what it is now is told."""
        if not self.flapping or now_s - self._changes[-1] < self._settings.flapping_window_s:
            return False
        self.flapping = False
        self._changes.clear()
        return True
