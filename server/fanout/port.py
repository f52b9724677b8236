"""The one file that touches the internals of Flask-SocketIO, python-socketio and python-engineio.

What it adds to the stock server (each has a test in tests/relay/fanout/ or tests/integration/):
binary frames are refused, a connection that joins nothing is closed, unsent messages per connection are bounded, a
command is refused for a device that does not take it, and a slow consumer is told and closed. Built on the same
internals, for this package alone: the direct path in `server.fanout.session` and `server.fanout.direct`, the stock
path's rooms in `server.fanout.stock` and its websocket driver in `server.fanout.websocket`.
"""

import logging
import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import gevent
from flask_socketio import SocketIO

from server.fanout import arduino, session, slow
from server.fanout.batch import Batch
from server.fanout.connections import Connections, told
from server.fanout.direct import DirectManager
from server.fanout.far import Carrier, Far
from server.fanout.framing import FRAME_BYTES
from server.fanout.hot import Hot, HotHandler
from server.fanout.mailbox import Mailbox
from server.fanout.path import Path
from server.fanout.session import Session
from server.fanout.stock import StockManager
from server.fanout.versions import direct_is_known, refuse_gevent_websocket
from server.fanout.websocket import WebSocket
from server.settings import Fanout, LimitSettings
from shared.clock import Clock
from shared.contract.events import ERROR_PUB
from shared.contract.payloads import Payload
from shared.contract.spec import EventSpec, Namespace, WhenSlow
from shared.errors import Code, Refusal
from shared.logs import quiet
from shared.wire import MAX_EVENT_CHARS, StrictPacket

log = logging.getLogger(__name__)

_GRACE_S = 5.0
_PARTING_S = 0.5
_DRAIN_S = 0.02
HEAD = re.compile(r"(?P<kind>[0-6])(?:\d{1,9}-)?(?P<namespace>/[^,?]*)?")
_PING_INTERVAL_S, _PING_TIMEOUT_S = 10, 20


class Port(Connections):
    """The Socket.IO server, hardened, behind `server.fanout.broadcast.Emitter`."""

    def __init__(self, limits: LimitSettings, clock: Clock, fanout: Fanout, route: str = "") -> None:
        """The ids of its connections begin with `route`, by which a proxy in front finds this worker among others."""
        refuse_gevent_websocket()
        self._direct = fanout is Fanout.DIRECT and direct_is_known()
        self._batch = Batch(session.frames, lambda call: gevent.get_hub().loop.run_callback(call), self._after_io)
        self._timer: Any = None
        self._path: Path | None = None
        self._hot = Hot(self._sid_in)
        super().__init__(limits, clock)
        self._route = route
        self.refused_binary = 0
        self.socketio = SocketIO(
            async_mode="gevent",
            client_manager=DirectManager(self._batch) if self._direct else StockManager(),
            serializer=StrictPacket,
            # The front has checked Host and Origin already, for HTTP and Socket.IO alike.
            cors_allowed_origins=[],
            manage_session=False,
            max_http_buffer_size=FRAME_BYTES,
            ping_interval=_PING_INTERVAL_S,
            ping_timeout=_PING_TIMEOUT_S,
            http_compression=False,
            logger=False,
            engineio_logger=quiet("engineio.quiet"),
        )

    def attach(self, app: Any) -> None:
        """Join the Flask application; call once."""
        self.socketio.init_app(app)
        app.wsgi_app = arduino.served(app.wsgi_app)
        self._server = self.socketio.server
        self._server.logger = quiet("socketio.quiet")
        eio = self._server.eio
        if self._route:
            generate = eio.generate_id
            eio.generate_id = lambda: f"{self._route}-{generate()}"
        eio._async = {  # noqa: SLF001
            **eio._async,  # noqa: SLF001
            "queue": partial(Mailbox, self.terms, self._overflowed),
            "websocket": partial(WebSocket, self._websockets),
        }
        self._deliver = eio.handlers["message"]
        eio.on("message", self._message)
        if self._direct:
            self._path = Path(
                terms=self.terms,
                websockets=self._websockets,
                room=lambda: len(self._websockets) < self._limits.connections,
                overflowed=self._unread,
                hot=self._lane(),
                after_hot=self._hot.after,
                batch=self._batch,
                sockets=eio.sockets,
                environs=self._server.environ,
                patience_s=_PING_TIMEOUT_S,
            )
            # See `Path.ping`.
            eio.start_service_task = False
            self._opened = eio.handlers["connect"]
            eio.on("connect", self._adopt)

    # --- what the doors use -------------------------------------------------------------------------------------

    def on(self, name: str, namespace: str, handler: Callable[..., Any]) -> None:
        """Call `handler(sid, …)` for an event, `connect`, `disconnect` or `*`, without a Flask request context."""
        self._server.on(name, handler, namespace=namespace)

    def hot(self, spec: EventSpec, handler: HotHandler) -> None:
        """Give an event a fast lane, beside the handler that `on` gave it, where the path has one."""
        self._hot.add(spec, handler)

    def join(self, sid: str, namespace: str, room: str) -> None:
        """Put a connection into a room, unless it has gone by now."""
        if self.connected(sid, namespace):
            self._server.enter_room(sid, room, namespace=namespace)

    def leave(self, sid: str, namespace: str, room: str) -> None:
        """Take a connection out of a room."""
        if self.connected(sid, namespace):
            self._server.leave_room(sid, room, namespace=namespace)

    def spawn(self, work: Callable[..., None], *args: Any) -> None:
        """Run `work` after the running handler has yielded; a connect handler's answer is sent by then."""
        self.socketio.start_background_task(work, *args)

    def drained(self, sid: str, namespace: str = Namespace.CLIENT) -> bool:
        """Wait until a connection has taken most of what was sent to it. False when it has gone."""
        first = self._socket(sid, namespace)
        if isinstance(first, Far):
            return first.carrier.drained(first.sid)
        return self._taken(lambda: self._socket(sid, namespace))

    def _taken(self, find: Callable[[], Any]) -> bool:
        while True:
            socket = find()
            if socket is None:
                return False
            if slow.is_light(socket):
                return True
            gevent.sleep(_DRAIN_S)

    def connected(self, sid: str, namespace: str) -> bool:
        """Whether a connection is still there."""
        return self._socket(sid, namespace) is not None

    def _socket(self, sid: str, namespace: str) -> Any:
        manager = self._server.manager
        if not manager.is_connected(sid, namespace):
            return None
        return self._server.eio.sockets.get(manager.eio_sid_from_sid(sid, namespace))

    # --- Emitter ------------------------------------------------------------------------------------------------

    def emit(
        self, spec: EventSpec, payload: Payload, to: Sequence[str], acked: Callable[..., None] | None = None
    ) -> None:
        """See `Emitter`."""
        if spec.when_slow is WhenSlow.REFUSE:
            for sid in to:
                socket = self._socket(sid, spec.namespace)
                if socket is not None and slow.is_full(socket):
                    raise Refusal(Code.QUEUE_FULL, "the device's connection does not take what is sent to it")
        self._server.manager.emit(spec.name, payload, spec.namespace, list(to), None, acked)

    def reaches(self, namespace: str, to: Sequence[str]) -> bool:
        """See `Emitter`."""
        rooms = self._server.manager.rooms.get(namespace)
        return bool(rooms) and not rooms.keys().isdisjoint(to)

    def pass_on(self, spec: EventSpec, body: dict[str, Any] | bytes, to: Sequence[str], skip: str) -> None:
        """Send a body as it came, JSON or binary, to each of `to` but its sender."""
        self._server.emit(spec.name, body, to=list(to), namespace=spec.namespace, skip_sid=skip)

    def close(self, spec: EventSpec, sid: str, payload: Payload) -> None:
        """See `Emitter`."""
        self.emit(spec, payload, [sid])
        self.spawn(self._close, sid, spec.namespace)

    def _close(self, sid: str, namespace: str) -> None:
        self._server.disconnect(sid, namespace=namespace)

    # --- what other workers hold ----------------------------------------------------------------------------------

    def carry(self, eio_sid: str, environ: dict[str, str], carrier: Carrier) -> Far:
        """A connection begins that another worker holds. Its messages are to be given to what is returned."""
        far = Far(eio_sid, self._server.eio, carrier, self._lane(), self._hot.after)
        self._server.eio.sockets[eio_sid] = far
        self._opened(eio_sid, environ)
        return far

    def _message(self, eio_sid: str, data: Any) -> None:
        """One Engine.IO message: what is addressed goes to the packet class, which refuses what is no event.

        The rest would be dropped without a word: it is told to every namespace that its sender has joined.
        """
        if eio_sid in self._server._binary_packet:  # noqa: SLF001
            # The body of a binary event, or whatever came in its place.
            self._deliver(eio_sid, data)
            return
        if Namespace.ROOT not in dict(self._joined(eio_sid)):
            if arduino.joins_unasked(self._server.environ.get(eio_sid, {}), data):
                self._deliver(eio_sid, arduino.JOIN)
        elif arduino.joins_again(self._server.environ.get(eio_sid, {}), data):
            return
        if isinstance(data, bytes):
            self.refused_binary += 1
            code = Code.BINARY_REFUSED
        elif not is_message(data) or (head := HEAD.match(data)) is None:
            code = Code.MALFORMED
        elif head["kind"] in "01" or any((head["namespace"] or "/") == joined for joined, _ in self._joined(eio_sid)):
            self._deliver(eio_sid, data)
            return
        else:
            code = Code.UNAUTHENTICATED
        for namespace, sid in self._joined(eio_sid):
            self.emit(ERROR_PUB[namespace], told(code), [sid])

    def _after_io(self, call: Callable[[], None]) -> None:
        """Call in the hub's next round. Its callbacks alone would follow each other without a look at what comes in."""
        if self._timer is None:
            self._timer = gevent.get_hub().loop.timer(0.0)
        self._timer.start(call)

    def _adopt(self, eio_sid: str, environ: dict[str, Any]) -> Any:
        """A connection begins on the direct path."""
        if self._path is not None:
            Session.adopt(self._server.eio.sockets[eio_sid], self._path)
        return self._opened(eio_sid, environ)

    def _lane(self) -> Callable[[Session | Far, str], bool]:
        """What takes hot events at once."""
        return self._hot.take

    def _sid_in(self, connection: Session | Far, namespace: Namespace) -> str | None:
        sid: str | None = self._server.manager.sid_from_eio_sid(connection.sid, namespace)
        return sid


def is_message(data: object) -> bool:
    """Whether it is what it should be. The library decodes a long poll's message that looks like JSON."""
    if isinstance(data, str):
        try:
            data.encode()
        except UnicodeEncodeError:
            return False
        return True
    return isinstance(data, bytes)


assert FRAME_BYTES >= 4 * MAX_EVENT_CHARS  # noqa: S101  # an event of any characters fits one frame
