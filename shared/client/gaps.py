"""Events that the relay left out for a client that was slow: asked for again, and put where they belong.

While a replay runs, what is new is held back: what comes again goes first. So every event comes once and in order.
"""

from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

from shared.contract.spec import EventSpec

HELD = 10_000
"""Events. Where more come during one replay, the connection is given up, and begins anew from the cursor."""

Item = tuple[EventSpec, Any]
Key = tuple[Any, ...]


def key_of(body: Any) -> Key | None:
    """By what an event is known that a replay may tell again; None for all else."""
    if body.get("id") is None or body.get("stream") is None:
        return None
    return (body.get("device"), body["stream"], body["id"])


class Gaps:
    """Whether something is missing, how far it has come, and what is held back until it has."""

    def __init__(self, cursor: int | None) -> None:
        self.cursor = cursor
        """Up to here nothing is missing."""
        self._open = self._again = False
        self._welcome = True
        """What came while this client was away is being replayed, as on each connection, until its snapshot comes."""
        self._held: OrderedDict[Key, Item] = OrderedDict()

    @property
    def overfull(self) -> bool:
        """Whether more is held back than should be."""
        return len(self._held) > HELD

    def missed(self, since: int) -> bool:
        """Something after cursor `since` was left out. Whether to ask for it now: where a replay runs, after that."""
        self.cursor = min(since, since if self.cursor is None else self.cursor)
        self._open, self._again = True, self._open or self._welcome
        return not self._again

    def welcomed(self) -> bool:
        """The snapshot of a connection has come. Whether to ask for what was left out before it."""
        self._welcome = False
        return self._open and self.replayed(None)

    def take(self, item: Item) -> bool:
        """Whether an event may be told now. A new one is held back while a replay runs; of a replay that had a gap,
        what comes after that is passed over: the next one brings it in its order.
        """
        body = item[1]
        key = key_of(body)
        again = bool(body.get("replayed"))
        if self._open and not again and key is not None:
            self._held[key] = item
            return False
        if again and self._again:
            return False
        if again or not self._open:
            self._reached(body.get("cursor"))
        if key is not None:
            self._held.pop(key, None)
        return True

    def replayed(self, cursor: int | None) -> bool:
        """A replay has come to its end, at `cursor`. Whether to ask for one more, as this one had gaps."""
        if self._again:
            self._again = False
            return True
        self._open = False
        self._reached(cursor)
        return False

    def release(self) -> Iterator[Item]:
        """What was held back, in the order in which it came, once nothing is missing."""
        while self._held and not self._open:
            item = self._held.popitem(last=False)[1]
            self._reached(item[1].get("cursor"))
            yield item

    def begin_anew(self) -> None:
        """A new connection brings all from the cursor on."""
        self._held.clear()
        self._open = self._again = False
        self._welcome = True

    def _reached(self, cursor: int | None) -> None:
        if cursor:
            self.cursor = max(self.cursor or 0, cursor)
