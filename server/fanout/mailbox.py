"""What one connection of the stock path, or a long poll, has not been sent yet."""

from collections.abc import Callable
from typing import Any

from gevent.queue import JoinableQueue


class Mailbox(JoinableQueue):  # type: ignore[type-arg]
    """The unsent packets of one connection, bounded. One that overflows is emptied and ended, never waited for."""

    def __init__(self, events: int, size: int, overflowed: Callable[["Mailbox"], None]) -> None:
        super().__init__()
        self._events = events
        self._bytes = size
        self._overflowed = overflowed
        self._over = False
        self.unsent_bytes = 0

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        """Queue a packet (None ends the connection)."""
        if self._over and item is not None:
            return
        self.unsent_bytes += _size(item)
        if item is not None and (self.qsize() >= self._events or self.unsent_bytes > self._bytes):
            self._over = True
            while self.qsize():
                super().get(block=False)
                self.task_done()
            self._overflowed(self)
            super().put(None)
            return
        super().put(item, block, timeout)

    def tell(self, item: Any) -> None:
        """Queue a last packet of a mailbox that has overflowed."""
        super().put(item)

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        """The next packet."""
        item = super().get(block, timeout)
        self.unsent_bytes = max(0, self.unsent_bytes - _size(item))
        return item


def _size(item: Any) -> int:
    data = getattr(item, "data", None)
    return len(data) if isinstance(data, str | bytes) else 0
