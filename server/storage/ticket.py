"""A promise that an event will be stored, or refused."""

import logging
from collections.abc import Callable, Iterable
from functools import partial
from typing import Generic, TypeVar

from server.storage.bridge import Outcome, Pause, soon
from server.storage.ledger import DeviceEntry, Stream
from server.storage.records import Event, Stored

log = logging.getLogger(__name__)

T = TypeVar("T")


class Promise(Generic[T]):
    """What will be known later. Made and kept on the hub."""

    __slots__ = ("_outcome", "_pauses", "_then")

    def __init__(self) -> None:
        self._outcome: Outcome[T] | None = None
        self._pauses: tuple[Pause[None], ...] = ()
        self._then: tuple[Callable[[Outcome[T]], None], ...] = ()

    @property
    def done(self) -> bool:
        """Whether the outcome is known."""
        return self._outcome is not None

    def wait(self) -> T:
        """Wait for the outcome; the calling greenlet alone is blocked. Returns its value or raises its error."""
        if self._outcome is None:
            pause: Pause[None] = Pause()
            self._pauses += (pause,)
            pause.get()
        if self._outcome is None:
            raise RuntimeError("woken without an outcome")
        return self._outcome.get()

    def then(self, told: Callable[[Outcome[T]], None]) -> None:
        """Call `told` with the outcome, on the hub, where it must not block: for a caller without a greenlet."""
        if self._outcome is None:
            self._then += (told,)
        else:
            soon(partial(_tell, ((told, self._outcome),)))

    def keep(self, outcome: Outcome[T]) -> None:
        """Make the outcome known. On the hub: each who waits goes on at once, until it waits for something else."""
        keep_all(((self, outcome),))


def keep_all(promises: Iterable[tuple[Promise[T], Outcome[T]]]) -> None:
    """Keep many promises; those who only want to be told are told in one turn of the hub, in order."""
    listeners: list[tuple[Callable[[Outcome[T]], None], Outcome[T]]] = []
    pauses: list[Pause[None]] = []
    for promise, outcome in promises:
        promise._outcome = outcome  # noqa: SLF001  # its own module
        for told in promise._then:  # noqa: SLF001
            listeners.append((told, outcome))  # noqa: PERF401  # one list for all of them, not one for each
        pauses += promise._pauses  # noqa: SLF001
        # Who is told may know the promise: as a cycle, both would stay until the garbage collector comes.
        promise._then = ()  # noqa: SLF001
    if listeners:
        soon(partial(_tell, listeners))
    for pause in pauses:
        pause.switch(None)


def _tell(listeners: Iterable[tuple[Callable[[Outcome[T]], None], Outcome[T]]]) -> None:
    for told, outcome in listeners:
        try:
            told(outcome)
        except Exception:  # its own matter; the others are told all the same
            log.exception("nobody was told what became of an event")


class Ticket(Promise[Stored]):
    """One event that was offered."""

    __slots__ = ("device", "event", "fresh", "stream")

    def __init__(self, event: Event, device: DeviceEntry, stream: Stream, *, fresh: bool) -> None:
        self._outcome, self._pauses, self._then = None, (), ()
        self.event = event
        self.device = device
        self.stream = stream
        self.fresh = fresh
        """True where this is no resend: it may be shown at once, before it is stored."""
