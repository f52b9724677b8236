"""Which events are on their way: pure bookkeeping, without clock, disk or socket."""

from collections.abc import Sequence


class SendWindow:
    """At most `size` ids of one stream are sent and not acked. An id is settled once it and all before it are.

    Ids come in ascending order and are first sent so; one that must be sent again keeps its place.
    """

    def __init__(self, size: int, timeout_s: float, stream: str = "", cursor: int = 0) -> None:
        self.stream = stream
        self.cursor = cursor
        """The last id taken from the outbox."""
        self._size = size
        self._timeout_s = timeout_s
        # Ascending. When each was last sent, or None where it must be sent (again).
        self._open: dict[int, float | None] = {}

    def __len__(self) -> int:
        return len(self._open)

    def __contains__(self, id: int) -> bool:
        return id in self._open

    @property
    def room(self) -> int:
        """How many more may be taken."""
        return self._size - len(self._open)

    @property
    def settled(self) -> int:
        """Everything up to this id is acked or given up."""
        return next(iter(self._open), self.cursor + 1) - 1

    def take(self, id: int) -> None:
        """The next event of the outbox is to be sent. Raises `ValueError` unless `id` is above all before it."""
        if id <= self.cursor or self.room <= 0:
            raise ValueError(f"id {id} after {self.cursor}, room {self.room}")
        self._open[id] = None
        self.cursor = id

    def sent(self, id: int, now_s: float) -> None:
        """`id` was handed to the connection."""
        if id in self._open:
            self._open[id] = now_s

    def done(self, id: int) -> bool:
        """`id` was acked, or given up. False when it was not waited for any more."""
        if id not in self._open:
            return False
        del self._open[id]
        return True

    def again(self, id: int) -> None:
        """The relay could not take `id` now."""
        if id in self._open:
            self._open[id] = None

    def all_again(self) -> None:
        """The connection was lost, and every ack with it."""
        self._open = dict.fromkeys(self._open)

    def expire(self, now_s: float) -> int:
        """Those whose ack is overdue must be sent again. Returns how many."""
        late = [key for key, sent_s in self._open.items() if sent_s is not None and sent_s + self._timeout_s <= now_s]
        for overdue in late:
            self._open[overdue] = None
        return len(late)

    def unsent(self) -> Sequence[int]:
        """Those that must be sent, in order."""
        return [key for key, sent_s in self._open.items() if sent_s is None]

    def next_timeout_s(self) -> float | None:
        """When the next ack will be overdue."""
        times = [sent_s for sent_s in self._open.values() if sent_s is not None]
        return min(times) + self._timeout_s if times else None
