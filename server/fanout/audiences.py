"""Who is in which rooms: resolved once, not once per event."""

from collections.abc import Callable, Iterable
from typing import Any

from server.fanout.batch import Audience, Batch

Rooms = tuple[Any, ...]
"""Names of rooms, each with its namespace."""


class Audiences:
    """Remembers audiences by rooms, until somebody enters or leaves one of them."""

    def __init__(self, batch: Batch) -> None:
        self._batch = batch
        self._known: dict[Rooms, Audience] = {}
        self._naming: dict[Any, set[Rooms]] = {}
        """By room: what is wrong when it changes."""

    def changed(self, room: Any) -> None:
        """Somebody has entered or left `room`."""
        for rooms in self._naming.pop(room, ()):
            del self._known[rooms]
            for other in rooms:
                if other != room and (naming := self._naming.get(other)) is not None:
                    naming.discard(rooms)

    def get(self, rooms: Rooms, find: Callable[[Rooms], tuple[Iterable[Any], Any]]) -> Audience:
        """Everybody in one of `rooms`. `find` returns the subscribers here, and what is beyond this process."""
        found = self._known.get(rooms)
        if found is not None and found.epoch == self._batch.epoch.number:
            return found
        here, beyond = find(rooms) if found is None else (found.to, found.beyond)
        audience = self._batch.audience(here, beyond)
        if len(audience.to) > 1 or beyond is not None:
            self._known[rooms] = audience
            for room in rooms:
                self._naming.setdefault(room, set()).add(rooms)
        return audience
