"""The Engine.IO connections of one process: counted, bounded, and ended when they come to nothing."""

import logging
from collections.abc import Callable, Iterator
from typing import Any

import gevent
from engineio import packet as engineio_packet

from server.fanout import arduino, session, slow
from server.fanout.backlog import Terms
from server.fanout.far import Far
from server.fanout.mailbox import Mailbox
from server.fanout.path import Path
from server.fanout.session import Session
from server.fanout.websocket import WebSocket
from server.settings import LimitSettings
from shared.clock import Clock, monotonic_s
from shared.contract.events import ERROR_PUB
from shared.contract.payloads import ErrorBody
from shared.contract.spec import Namespace
from shared.errors import MEANING, Code
from shared.wire import StrictPacket

log = logging.getLogger(__name__)

_GRACE_S = 5.0
_PARTING_S = 0.5


class Connections:
    """What `server.fanout.port` keeps an eye on. That sets up the server whose connections these are."""

    _server: Any
    """The Socket.IO server."""
    _path: Path | None
    """What the connections of the direct path share; None on the stock one."""
    _deliver: Callable[[str, str | bytes], Any]
    """Hand a message to the Socket.IO server."""

    def __init__(self, limits: LimitSettings, clock: Clock) -> None:
        self._limits = limits
        self._clock = clock
        self._first_seen: dict[str, float] = {}
        self._ushered: set[str] = set()
        self._websockets: dict[Any, WebSocket] = {}
        self._closed_at: dict[Any, float] = {}
        self.terms = Terms(limits.mailbox_events, limits.mailbox_bytes, clock)
        self.slow_consumers = 0
        self.reaped = 0

    def connections(self) -> int:
        """Open Engine.IO connections."""
        return len(self._server.eio.sockets)

    def websockets(self) -> int:
        """Websockets that are being served."""
        return len(self._websockets)

    def unsent_bytes(self) -> int:
        """How much waits for all connections."""
        sockets = list(self._server.eio.sockets.values())
        return sum(slow.holder(socket).unsent_bytes for socket in sockets if not isinstance(socket, Far))

    def behind(self) -> list[slow.Behind]:
        """Who does not take what is sent, the longest first."""
        sockets = list(self._server.eio.sockets.items())
        joined = {eio_sid: tuple(self._joined(eio_sid)) for eio_sid, _ in sockets}
        return slow.behind(sockets, self._server.environ, joined)

    def totals(self) -> slow.Totals:
        """What has become of events for those who did not keep up."""
        tally = self.terms.tally
        return slow.Totals(tally.dropped, tally.conflated, tally.noticed, self.slow_consumers)

    def reap(self) -> None:
        """Close connections that have joined no namespace in time, or take nothing any more, and cut those whose peer
        does not let them end.

        Call it every second or so.
        """
        if self._path is not None:
            self._path.ping()
        now = monotonic_s(self._clock)
        slow.give_up(list(self._server.eio.sockets.values()), self._limits.stalled_s)
        self._reap_strangers(now)
        self._closed_at = {socket: self._closed_at.get(socket, now) for socket in self._websockets if socket.closed}
        for socket, closed_at in self._closed_at.items():
            if now - closed_at >= _GRACE_S and (websocket := self._websockets.get(socket)) is not None:
                websocket.cut()

    def _reap_strangers(self, now: float) -> None:
        sockets, rooms = self._server.eio.sockets, self._server.manager.rooms
        for eio_sid in self._first_seen.keys() - sockets.keys():
            del self._first_seen[eio_sid]
        for eio_sid in sockets.keys() - self._first_seen.keys():
            self._first_seen[eio_sid] = now
        self._ushered &= sockets.keys()
        # Whole sets: to look at each of thousands of connections every second would be a good part of what they cost.
        joined = set().union(*[everybody.values() for room in rooms.values() if (everybody := room.get(None))])
        for eio_sid in sockets.keys() - joined:
            age_s = now - self._first_seen[eio_sid]
            # To end one takes a while: others may have ended by themselves meanwhile.
            if (socket := sockets.get(eio_sid)) is None or age_s < min(arduino.USHER_S, self._limits.join_s):
                continue
            if age_s >= self._limits.join_s:
                self.reaped += 1
                self._end(eio_sid, socket)
            elif eio_sid not in self._ushered and arduino.is_arduino(self._server.environ.get(eio_sid, {})):
                # Its sketch may only listen. Whoever is asked for a token must not hold up the others.
                self._ushered.add(eio_sid)
                gevent.spawn(self._deliver, eio_sid, arduino.JOIN)

    def shut(self) -> None:
        """End every connection, telling its peer."""
        for eio_sid, socket in list(self._server.eio.sockets.items()):
            self._end(eio_sid, socket)
        for websocket in list(self._websockets.values()):
            gevent.spawn_later(_PARTING_S, websocket.cut)

    def _joined(self, eio_sid: str) -> Iterator[tuple[Namespace, str]]:
        """The (namespace, sid) pairs of a connection."""
        manager = self._server.manager
        for namespace in Namespace:
            sid = manager.sid_from_eio_sid(eio_sid, namespace)
            if sid is not None and manager.is_connected(sid, namespace):
                yield namespace, sid

    def _overflowed(self, mailbox: Mailbox) -> None:
        for eio_sid, socket in list(self._server.eio.sockets.items()):
            if getattr(socket, "queue", None) is mailbox:
                self._dismiss(eio_sid, socket, mailbox.unsent_bytes, mailbox.tell)

    def _unread(self, slow: Session) -> None:
        wire = slow.wire
        if wire is not None:
            self._dismiss(slow.sid, slow, wire.unsent_bytes, lambda packet: wire.tell(session.encoded(packet)))

    def _dismiss(self, eio_sid: str, socket: Any, unsent_bytes: int, tell: Callable[[Any], None]) -> None:
        """Tell a slow consumer why, and end its connection."""
        self.slow_consumers += 1
        log.warning("slow consumer closed: connection=%s unsent_bytes=%d", eio_sid, unsent_bytes)
        for namespace, _ in self._joined(eio_sid):
            packet = StrictPacket(data=[ERROR_PUB[namespace].name, told(Code.SLOW_CONSUMER)], namespace=namespace)
            tell(engineio_packet.Packet(engineio_packet.MESSAGE, packet.encode()))
        gevent.spawn(self._end, eio_sid, socket)

    def _end(self, eio_sid: str, socket: Any) -> None:
        """Close a connection; where its peer does not read, `reap` cuts it after a grace time."""
        socket.close(wait=False)
        self._server.eio.sockets.pop(eio_sid, None)


def told(code: Code) -> ErrorBody:
    """A refusal as a peer is told of it."""
    return ErrorBody.build(code=code, message=MEANING[code])
