"""What one connection has sent and what is not handled yet: in order, and no further ahead than the relay follows."""

from collections import deque
from collections.abc import Callable
from typing import Protocol

import gevent

_READ_AHEAD = 100
"""Messages that may be read and not yet handled; further ones wait in the kernel, and so at their sender."""

Message = str | bytes | None
"""None: no further one will come."""


class Owner(Protocol):
    """Whose messages they are."""

    def handle(self, message: Message) -> None:
        """Do what a message says. May block; must not raise."""

    def pause(self) -> None:
        """Read no further for now."""

    def resume(self) -> None:
        """Read on."""


class Inbox:
    """Hands one message after the other to a greenlet that lives while there are any."""

    __slots__ = ("_after_hot", "_behind", "_owner", "_waiting")

    def __init__(self, owner: Owner, after_hot: Callable[[Callable[[], None]], bool]) -> None:
        """`after_hot` calls its argument once the owner's hot events are handled; False where none waits."""
        self._owner = owner
        self._after_hot = after_hot
        self._waiting: deque[Message] | None = None
        self._behind = 0
        """Messages that wait for hot ones before them."""

    @property
    def idle(self) -> bool:
        """Whether nothing that came before waits, but hot events."""
        return self._waiting is None and not self._behind

    def put(self, message: Message) -> None:
        """Handle a message after all that came before it."""

        def add() -> None:
            self._behind -= 1
            self._add(message)

        if self._after_hot(add):
            self._behind += 1
        else:
            self._add(message)

    def _add(self, message: Message) -> None:
        if self._waiting is None:
            self._waiting = deque((message,))
            gevent.spawn(self._work)
            return
        self._waiting.append(message)
        if len(self._waiting) == _READ_AHEAD:
            self._owner.pause()

    def _work(self) -> None:
        waiting = self._waiting
        while waiting:
            message = waiting.popleft()
            self._owner.handle(message)
            if message is None:
                break
            if len(waiting) == _READ_AHEAD // 2:
                self._owner.resume()
            if waiting:
                # What this one has set going comes before the next one: no sender delays the others.
                gevent.sleep(0)
        self._waiting = None
