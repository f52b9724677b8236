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
    sockets: MutableMapping[str, Any]
    """The library's connections, by sid."""
    environs: MutableMapping[str, dict[str, Any]]
    """What the library keeps of each connection's first request."""
    patience_s: float
    """How long somebody who is asked whether he is there may take to answer."""
    pings: deque["Session"] = field(default_factory=deque)
    """Sessions that wait for their next ping, the next one first."""
    ended: deque[str] = field(default_factory=deque)
    """Closed sessions that the library still knows: a poll may be on its way."""
    _asked: deque[tuple[float, "Session"]] = field(default_factory=deque)
    """Until when each must have answered, the first one first."""

    def ping(self) -> None:
        """Ask everybody whose time has come whether they are there; part with who has not answered, and who has ended.

        Call it every second or so. The library would look at one connection after the other, all the time.
        """
        now = time()
        while self.pings and self.pings[0].due <= now:
            session = self.pings.popleft()
            session.ping()
            self._asked.append((now + self.patience_s, session))
        while self.ended:
            self.sockets.pop(self.ended.popleft(), None)
        while self._asked and self._asked[0][0] < now:
            self._asked.popleft()[1].part_if_silent()
