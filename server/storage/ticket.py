"""A promise that an event will be stored, or refused."""

from collections.abc import Callable
from typing import Generic, TypeVar

from server.storage.bridge import Outcome, Pause, soon
from server.storage.ledger import DeviceEntry, Stream
from server.storage.records import Event, Stored

T = TypeVar("T")


class Promise(Generic[T]):
    """What will be known later. Made and kept on the hub."""

    __slots__ = ("_outcome", "_pauses", "_then")

    def __init__(self) -> None:
        self._outcome: Outcome[T] | None = None
        self._pauses: list[Pause[None]] = []
        self._then: list[Callable[[Outcome[T]], None]] = []

    @property
    def done(self) -> bool:
        """Whether the outcome is known."""
        return self._outcome is not None

    def wait(self) -> T:
        """Wait for the outcome; the calling greenlet alone is blocked. Returns its value or raises its error."""
        if self._outcome is None:
            pause: Pause[None] = Pause()
            self._pauses.append(pause)
            pause.get()
        if self._outcome is None:
            raise RuntimeError("woken without an outcome")
        return self._outcome.get()

    def then(self, told: Callable[[Outcome[T]], None]) -> None:
        """Call `told` with the outcome, on the hub, where it must not block: for a caller without a greenlet."""
        if self._outcome is None:
            self._then.append(told)
        else:
            self._tell(told, self._outcome)

    def keep(self, outcome: Outcome[T]) -> None:
        """Make the outcome known. On the hub: each who waits goes on at once, until it waits for something else."""
        self._outcome = outcome
        for told in self._then:
            self._tell(told, outcome)
        for pause in self._pauses:
            pause.switch(None)

    @staticmethod
    def _tell(told: Callable[[Outcome[T]], None], outcome: Outcome[T]) -> None:
        # By way of the hub: what a listener raises is its own matter.
        soon(lambda: told(outcome))


class Ticket(Promise[Stored]):
    """One event that was offered."""

    __slots__ = ("device", "event", "fresh", "stream")

    def __init__(self, event: Event, device: DeviceEntry, stream: Stream, *, fresh: bool) -> None:
        self._outcome, self._pauses, self._then = None, [], []
        self.event = event
        self.device = device
        self.stream = stream
        self.fresh = fresh
        """True where this is no resend: it may be shown at once, before it is stored."""
