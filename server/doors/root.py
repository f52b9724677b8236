"""The default namespace, which the other doors share: stress monitor, temperature page, telemetry, MQTT sensors.

A connection without a `type` gets every text event of these doors, `type=frontend` those of the stress monitor,
`type=esp32` only replies to itself. The type grants no rights: the token does.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Protocol
from urllib.parse import parse_qs

from server.doors.guard import Connection, Guard, Handler, Tell
from server.doors.welcome import serve
from server.fanout.arduino import is_esp32
from server.fanout.port import Port
from server.security.front import is_from_disk
from server.security.identity import Gatekeeper, Identity, Role, token_from
from shared.contract.payloads import DeviceId, Payload, Text, parse
from shared.contract.spec import EventSpec, Namespace
from shared.errors import Code, Refusal

EVERYTHING = "doors"
"""The room of connections without a type."""
STRESS_PAGES = "doors:stress"
"""The room of pages of the stress monitor."""

ESP32, FRONTEND = "esp32", "frontend"


class RootHello(Payload, frozen=True, kw_only=True):
    """The Socket.IO `auth` object, where there is one."""

    token: Text | None = None


class Part(Protocol):
    """One door of several in this namespace."""

    def handlers(self) -> Mapping[EventSpec, Handler]:
        """What it takes."""

    def joined(self, connection: Connection, kind: str | None) -> None:
        """Somebody has connected, with `?type=` of this kind. Must not block."""

    def left(self, connection: Connection) -> None:
        """Somebody's connection has ended."""


class RootDoor:
    """Lets connections in, and tells the parts."""

    def __init__(
        self,
        port: Port,
        guard: Guard,
        gatekeeper: Gatekeeper,
        parts: Sequence[Part],
        tells: Mapping[EventSpec, Tell] = MappingProxyType({}),
    ) -> None:
        """`tells`: see `Guard.bind`."""
        self._port = port
        self._guard = guard
        self._gatekeeper = gatekeeper
        self._from_device = from_device(gatekeeper)
        self._parts = parts
        guard.bind({spec: handler for part in parts for spec, handler in part.handlers().items()}, tells)
        serve(port, Namespace.ROOT, self._connect, self._disconnect)

    def _connect(self, sid: str, environ: Mapping[str, Any], auth: object) -> None:
        hello = parse(RootHello, auth or {})
        if is_from_disk(environ) and not self._from_device(environ):
            # Another worker may have let it in so far: it knows no tokens.
            raise Refusal(Code.ORIGIN_REFUSED)
        kind = parse_qs(str(environ.get("QUERY_STRING", ""))).get("type", [None])[0]
        demo_role = Role.DEVICE if kind == ESP32 else Role.OPERATOR
        identity = self._gatekeeper.identify(token_from(environ, hello.token), demo_role)
        connection = Connection(sid, identity, device=_device_of(identity))
        self._guard.admit(connection)
        self._port.spawn(self._welcome, connection, kind)

    def _welcome(self, connection: Connection, kind: str | None) -> None:
        """Once the peer knows that it is connected."""
        if watches(connection.identity):
            room = {None: EVERYTHING, FRONTEND: STRESS_PAGES}.get(kind)
            if room is not None:
                self._port.join(connection.sid, Namespace.ROOT, room)
        for part in self._parts:
            part.joined(connection, kind)

    def sweep(self) -> None:
        """Forget connections that ended without a word, such as one that left while its token was looked up."""
        for connection in self._guard.admitted():
            if not self._port.connected(connection.sid, Namespace.ROOT):
                self._disconnect(connection.sid)

    def _disconnect(self, sid: str) -> None:
        connection = self._guard.forget(sid)
        if connection is not None:
            for part in self._parts:
                part.left(connection)


def from_device(gatekeeper: Gatekeeper) -> Callable[[Mapping[str, Any]], bool]:
    """For `Front`: whether a request comes from a device. In demo mode there is only the door that it asks for."""

    def check(environ: Mapping[str, Any]) -> bool:
        if gatekeeper.demo:
            return is_esp32(environ)
        try:
            return gatekeeper.identify(token_from(environ), Role.DEVICE).role is Role.DEVICE
        except Refusal:
            return False

    return check


def watches(identity: Identity) -> bool:
    """Whether it may see what others send: a device's token shows nobody else's readings."""
    return identity.token is None or identity.role is not Role.DEVICE


def sender(identity: Identity, claimed: str | None, otherwise: str) -> str:
    """The device in whose name a peer of these doors may send.

    Outside demo mode the token decides, whatever the body says. Raises `Refusal` with `forbidden` for a viewer.
    """
    if identity.token is None:
        return claimed or otherwise
    identity.require(Role.DEVICE)
    return identity.name


def _device_of(identity: Identity) -> str | None:
    if identity.token is None or identity.role is not Role.DEVICE:
        return None
    try:
        return parse(DeviceId, identity.name)
    except Refusal:
        return None
