"""What one connection of the stock path, or a long poll, has not been sent yet."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from engineio import packet as engineio_packet
from gevent.queue import JoinableQueue

from server.fanout import outgoing
from server.fanout.backlog import Backlog, Gap, Terms

_TOKEN = object()
_BINARY_EVENT = "5"
"""What a Socket.IO message begins with whose body follows it in a packet of its own."""


class Mailbox(JoinableQueue):  # type: ignore[type-arg]
    """The unsent packets of one connection, bounded. One that overflows is emptied and ended, never waited for.

    The packets wait in a backlog; what is in the queue itself says only how many there are to be taken.
    """

    def __init__(self, terms: Terms, overflowed: Callable[["Mailbox"], None]) -> None:
        super().__init__()
        self.backlog: Backlog[list[Any] | None] = Backlog(terms, _notice, patient=True)
        self._overflowed = overflowed
        self._over = False
        self._head: Any = None
        """Of a message in two packets, until the second one comes."""
        self._parts: list[Any] = []
        """The rest of what was taken last."""

    @property
    def unsent(self) -> int:
        """Events and other packets that wait."""
        return self.backlog.events

    @property
    def unsent_bytes(self) -> int:
        """How much waits."""
        return self.backlog.bytes

    def put(self, item: Any, *_: object, **__: object) -> None:
        """Queue a packet (None ends the connection)."""
        if item is None:
            self._keep(None)
        elif self._head is not None:
            parts, self._head = [self._head, item], None
            self._offer(parts)
        elif outgoing.told_of(item) is not None and item.data[:1] == _BINARY_EVENT:
            self._head = item
        else:
            self._offer([item])

    def tell(self, item: Any) -> None:
        """Queue a last packet of a mailbox that has overflowed."""
        self._keep([item])

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        """The next packet."""
        if self._parts:
            return self._parts.pop(0)
        super().get(block, timeout)
        parts = self.backlog.take()
        self.backlog.moved()
        if not self.backlog:
            self.backlog.rest()
        if parts is None:
            return None
        first, *self._parts = parts
        return first

    def task_done(self) -> None:
        """A packet has been sent. The second one of a message does not count."""
        with suppress(ValueError):
            super().task_done()

    def drain(self) -> Iterator[list[Any]]:
        """Take all that waits: the packets of each message."""
        while self.qsize():
            super().get(block=False)
            self.task_done()
            parts = self.backlog.take()
            if parts is not None:
                yield parts
        self.backlog.rest()

    def give_up(self) -> None:
        """It is too slow: nothing that waits is sent any more, but for what is told after this."""
        if self._over:
            return
        self._over = True
        self._sync(-len(self.backlog))
        self.backlog.clear()
        self._overflowed(self)
        self._keep(None)

    def _offer(self, parts: list[Any]) -> None:
        if self._over:
            return
        before = len(self.backlog)
        self.backlog.begin()
        if self.backlog.add(parts, sum(map(_size, parts)), outgoing.told_of(parts[0])):
            self._sync(len(self.backlog) - before)
        else:
            self._sync(len(self.backlog) - before)
            self.give_up()

    def _keep(self, parts: list[Any] | None) -> None:
        """Queue what has no bound."""
        self.backlog.begin()
        self.backlog.append(parts)
        self._sync(1)

    def _sync(self, more: int) -> None:
        """So many more are to be taken, or fewer."""
        for _ in range(more):
            super().put(_TOKEN)
        for _ in range(-more):
            super().get(block=False)
            self.task_done()


def _notice(gap: Gap) -> list[Any]:
    return [engineio_packet.Packet(engineio_packet.MESSAGE, gap.text())]


def _size(item: Any) -> int:
    data = getattr(item, "data", None)
    return len(data) if isinstance(data, str | bytes) else 0
