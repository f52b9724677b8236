"""What has come and was not taken yet: bounded, in order, across threads."""

import threading
from collections import deque
from typing import Any

from shared.contract.spec import EventSpec

BOUND = 10_000
"""Events. Beyond that the connection is given up; what is missed is replayed from where its reader stands."""

Item = tuple[EventSpec, Any]


class Ended(Exception):
    """Nothing more will come."""


class Inbox:
    """One connection's events."""

    def __init__(self, bound: int = BOUND) -> None:
        self._items: deque[Item] = deque()
        self._bound = bound
        self._ended = False
        self._changed = threading.Condition()

    def put(self, item: Item) -> bool:
        """False where there is no room: nothing after it is taken either, so that there is no gap."""
        with self._changed:
            if self._ended or len(self._items) >= self._bound:
                self._ended = True
            else:
                self._items.append(item)
            self._changed.notify_all()
            return not self._ended

    def end(self) -> None:
        """Nothing more will come; what is there can still be taken."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    @property
    def ended(self) -> bool:
        """Whether the connection has come to its end."""
        return self._ended

    def take(self, timeout_s: float | None) -> Item | None:
        """The next one; None after `timeout_s` without one. Raises `Ended`."""
        with self._changed:
            self._changed.wait_for(lambda: self._items or self._ended, timeout_s)
            if self._items:
                return self._items.popleft()
            if self._ended:
                raise Ended
            return None
