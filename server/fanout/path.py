"""What the connections of the direct path share."""

from collections import deque
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass, field
from time import time
from typing import TYPE_CHECKING, Any

from server.fanout.backlog import Terms
from server.fanout.batch import Batch

if TYPE_CHECKING:
    from server.fanout.session import Session


@dataclass
class Path:
    """What one connection needs of its surroundings."""

    terms: Terms
    """On which events may wait for one connection."""
    websockets: MutableMapping[Any, Any]
    """Wires by session, for as long as they are open."""
    room: Callable[[], bool]
    """Whether another websocket may come."""
    overflowed: Callable[["Session"], None]
    """A session did not read. Must not block."""
    hot: Callable[["Session", str], bool]
    """Take a message at once; False where it is none of the hot events. Must not block."""
    after_hot: Callable[["Session", Callable[[], None]], bool]
    """Call when the hot events of a session have been handled; False where none waits."""
    batch: Batch
    environs: MutableMapping[str, dict[str, Any]]
    """What the library keeps of each connection's first request."""
    pings: deque["Session"] = field(default_factory=deque)
    """Sessions that wait for their next ping, the next one first."""

    def ping(self) -> None:
        """Ask everybody whose time has come whether they are there. Call it every second or so."""
        now = time()
        while self.pings and self.pings[0].due <= now:
            self.pings.popleft().ping()
