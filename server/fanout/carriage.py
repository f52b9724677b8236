"""The port of a worker that only carries connections: what they send it passes on, what it is told it writes."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol

from engineio import packet as engineio_packet

from server.fanout import slow
from server.fanout.audiences import Audiences
from server.fanout.far import Data, Far, Room
from server.fanout.outgoing import Outgoing
from server.fanout.port import HEAD, Port, is_message
from server.fanout.session import KEPT, Session
from server.settings import Fanout, LimitSettings
from shared.clock import Clock
from shared.contract.spec import Namespace
from shared.settings import SettingsError
from shared.wire import StrictJson

_EVENT = re.compile(r'[25](?:\d{1,9}-)?(?P<namespace>/[^,]*)?,?\d{0,15}(?P<list>\["(?P<name>[^"\\]+)")')
"""Of what was encoded: an event, its namespace and its name."""

_SENSELESS = "?"
"""No message of Socket.IO: what is none of Engine.IO either crosses as this, and is refused like it."""


class Passenger(Protocol):
    """Who is told of connections. Called on the hub; must not block."""

    def opened(self, sid: str, environ: dict[str, str]) -> bool:
        """A connection begins. False where it cannot be carried."""

    def message(self, sid: str, data: Data) -> None:
        """It sent a message."""

    def closed(self, sid: str) -> None:
        """It has ended."""


class Carriage(Port):
    """A `server.fanout.far.Carrier`: the end at which the connections are."""

    def __init__(self, limits: LimitSettings, clock: Clock, passenger: Passenger, route: str) -> None:
        """`route`: see `Port`."""
        super().__init__(limits, clock, Fanout.DIRECT, route)
        if not self._direct:
            raise SettingsError(
                "cluster.redis", "…", "several workers need library versions that the log names; or none"
            )
        self._passenger = passenger
        self._audiences = Audiences(self._batch)
        self._rooms: defaultdict[Room, dict[str, None]] = defaultdict(dict)
        self._rooms_of: defaultdict[str, set[Room]] = defaultdict(set)
        self._namespaces: defaultdict[str, set[Namespace]] = defaultdict(set)

    def attach(self, app: Any) -> None:
        """See `Port`."""
        super().attach(app)
        self._server.eio.on("disconnect", self._gone)

    # --- Carrier --------------------------------------------------------------------------------------------------

    def say(self, sid: str, data: Data) -> None:
        """See `Carrier`."""
        session = self._server.eio.sockets.get(sid)
        if session is None or session.closed:
            return
        if isinstance(data, str) and data[:1] == "0" and (head := HEAD.match(data)) is not None:
            # It may be told in its namespace why it is closed.
            self._namespaces[sid].add(Namespace(head["namespace"] or Namespace.ROOT))
        session.send(_packet(data))

    def cast(self, rooms: Sequence[Room], skip: Sequence[str], data: Sequence[Data]) -> None:
        """See `Carrier`."""
        known = tuple(room for room in rooms if room in self._rooms)
        if skip:
            audience = self._batch.audience(self._members(known, skip))
        else:
            audience = self._audiences.get(known, lambda rooms: (self._members(rooms, ()), None))
        if audience.to:
            self._batch.add(audience, [_packet(part) for part in data])

    def put_in(self, room: Room, sid: str) -> None:
        """See `Carrier`."""
        session = self._server.eio.sockets.get(sid)
        if session is not None and not session.closed:
            self._rooms[room][sid] = None
            self._rooms_of[sid].add(room)
            self._audiences.changed(room)

    def take_out(self, room: Room, sid: str) -> None:
        """See `Carrier`."""
        if (members := self._rooms.get(room)) is not None and sid in members:
            del members[sid]
            if not members:
                del self._rooms[room]
            self._rooms_of[sid].discard(room)
            self._audiences.changed(room)

    def read(self, sid: str, *, on: bool) -> None:
        """See `Carrier`."""
        session = self._server.eio.sockets.get(sid)
        if isinstance(session, Session):
            (session.resume if on else session.pause)()

    def drained(self, sid: str, namespace: str = Namespace.CLIENT) -> bool:  # noqa: ARG002
        """See `Carrier`."""
        return self._taken(lambda: self._server.eio.sockets.get(sid))

    def end(self, sid: str) -> None:
        """See `Carrier`."""
        session = self._server.eio.sockets.get(sid)
        if session is not None:
            self.spawn(self._end, sid, session)

    def lags(self) -> tuple[slow.Lag, ...]:
        """Who is behind, or takes nothing more."""
        found = (slow.lag(sid, socket) for sid, socket in tuple(self._server.eio.sockets.items()))
        return tuple(one for one in found if one is not None)

    # --- connections ----------------------------------------------------------------------------------------------

    def _members(self, rooms: Iterable[Room], skip: Sequence[str]) -> list[Any]:
        sockets = self._server.eio.sockets
        sids = {sid: None for room in rooms for sid in self._rooms[room] if sid not in skip}
        return [sockets[sid] for sid in sids if sid in sockets]

    def _adopt(self, eio_sid: str, environ: dict[str, Any]) -> Any:
        if not self._passenger.opened(eio_sid, {name: str(environ[name]) for name in KEPT if name in environ}):
            return False
        return super()._adopt(eio_sid, environ)

    def _gone(self, eio_sid: str, _reason: object = None) -> None:
        for room in tuple(self._rooms_of.pop(eio_sid, ())):
            self.take_out(room, eio_sid)
        self._rooms_of.pop(eio_sid, None)
        self._namespaces.pop(eio_sid, None)
        self._server.environ.pop(eio_sid, None)
        self._passenger.closed(eio_sid)

    def _message(self, eio_sid: str, data: Any) -> None:
        self._passenger.message(eio_sid, data if is_message(data) else _SENSELESS)

    def _lane(self) -> Callable[[Session | Far, str], bool]:
        return self._passed_on

    def _passed_on(self, connection: Session | Far, message: str) -> bool:
        self._passenger.message(connection.sid, message)
        return True

    def _joined(self, eio_sid: str) -> Iterator[tuple[Namespace, str]]:
        return ((namespace, eio_sid) for namespace in self._namespaces.get(eio_sid, ()))

    def _reap_strangers(self, now: float) -> None:
        """The primary knows who has joined nothing."""


class _Heard:
    """The body of an event that was encoded elsewhere: looked into only where it has to wait."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._fields: dict[str, Any] | None = None

    def __getattr__(self, name: str) -> Any:
        if self._fields is None:
            _, *args = StrictJson.loads(self._text)
            self._fields = args[0] if args and isinstance(args[0], dict) else {}
        try:
            return self._fields[name]
        except KeyError:
            raise AttributeError(name) from None


def _packet(data: Data) -> Outgoing:
    """A message as it goes out. It knows which event it is, as one that was emitted here would."""
    packet = Outgoing(engineio_packet.MESSAGE, data)
    if isinstance(data, str) and (event := _EVENT.match(data)) is not None:
        namespace = event["namespace"] or str(Namespace.ROOT)
        packet.told = (namespace, event["name"], _Heard(data[event.start("list") :]))
    return packet
