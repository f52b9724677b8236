"""The hardened Socket.IO packet: strict JSON, no reserved names, a bounded length, binary where it is asked for alone.

A stock packet raises inside the library when it cannot be decoded: the sender learns nothing and the log fills with
tracebacks. `StrictPacket` turns whatever cannot be an event into one whose `Inbound.refusal` says why, so that one
guard answers everything.
"""

from dataclasses import dataclass
from typing import Any

import msgspec
from socketio import packet as socketio_packet

from shared.contract.door_events import EVERY_DOOR
from shared.errors import Code, Refusal

MAX_EVENT_CHARS = 65_536
"""The longest JSON text of one event. Senders check it before they queue: a longer one is refused for ever."""

RESERVED_EVENTS = frozenset(
    {"connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener", "*"}
)
"""Names that Socket.IO uses for itself; a peer that emits one would run the lifecycle handlers."""

BINARY_EVENTS = frozenset((spec.namespace, spec.name) for spec in EVERY_DOOR if spec.raw)
"""Events whose body may be binary."""

EVENT = "2"
"""What the message of an event begins with."""

NOT_AN_EVENT = "not an event"
"""Stands for the name of a message that has none; it is in no catalogue, so the guard meets it."""


class StrictJson:
    """JSON without NaN and infinities, in the shape in which Socket.IO wants a JSON library."""

    @staticmethod
    def dumps(value: object, **_: object) -> str:
        """Compact JSON text. msgspec structs are encoded as they are, without a copy."""
        return msgspec.json.encode(value).decode()

    @staticmethod
    def loads(text: str | bytes) -> Any:
        """Decode JSON. Raises `Refusal` with `malformed` or `too_large`."""
        if len(text) > MAX_EVENT_CHARS:
            raise Refusal(Code.TOO_LARGE, f"{len(text)} characters; an event may have {MAX_EVENT_CHARS}")
        return _decoded(text)


class LongJson(StrictJson):
    """The same without the bound: what a relay says of a thousand devices is long, and right."""

    @staticmethod
    def loads(text: str | bytes) -> Any:
        """Decode JSON. Raises `Refusal` with `malformed`."""
        return _decoded(text)


def event_text(namespace: str, name: str, body: object) -> str:
    """An event with one body as a Socket.IO message; no ack is asked for."""
    return EVENT + in_namespace(namespace) + StrictJson.dumps((name, body))


def in_namespace(namespace: str) -> str:
    """How a message says its namespace, after its type: the default one goes without saying."""
    return "" if namespace == "/" else f"{namespace},"


def _decoded(text: str | bytes) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise Refusal(Code.MALFORMED, f"not strict JSON: {error}") from None


@dataclass(frozen=True, slots=True)
class Inbound:
    """What arrived under an event's name."""

    args: tuple[Any, ...]
    wants_ack: bool
    refusal: Refusal | None = None


class JsonPacket(socketio_packet.Packet):  # type: ignore[misc]  # the library is not typed
    """A Socket.IO packet in strict JSON, for the side that trusts its peer's framing."""

    uses_binary_events = False
    json: type[StrictJson] = LongJson
    packet_type: int
    data: Any
    id: int | None


class StrictPacket(JsonPacket):
    """A Socket.IO packet for the side that trusts nobody."""

    json = StrictJson

    def __init__(
        self,
        packet_type: int = socketio_packet.EVENT,
        data: Any = None,
        *,
        encoded_packet: str | None = None,
        **more: Any,
    ) -> None:
        # Not the library's search through all of the data: only a body that is bytes itself is ever sent.
        if packet_type == socketio_packet.EVENT and isinstance(data, list) and isinstance(data[-1], bytes):
            packet_type = socketio_packet.BINARY_EVENT
        # The library takes an empty message for no message and leaves the packet without data.
        super().__init__(packet_type, data, encoded_packet=" " if encoded_packet == "" else encoded_packet, **more)

    def decode(self, encoded_packet: str) -> int:
        """Decode; never raise on what a peer sent. Returns how many attachments follow: none, or the body of one of
        `BINARY_EVENTS`.
        """
        try:
            attachments = super().decode(encoded_packet)
            if attachments == 1 and self._takes_binary():
                return 1
            if attachments or self.packet_type in (socketio_packet.BINARY_EVENT, socketio_packet.BINARY_ACK):
                raise Refusal(Code.BINARY_REFUSED)
            self._check()
        except Refusal as refusal:
            self._refuse(refusal)
        except (ValueError, TypeError, IndexError) as error:
            self._refuse(Refusal(Code.MALFORMED, f"not a Socket.IO packet: {error}"))
        return 0

    def add_attachment(self, attachment: object) -> bool:
        """Take what follows the head of a binary event; it is complete then, whatever it was."""
        name = self.data[0]
        if not isinstance(attachment, bytes):
            self._refuse(Refusal(Code.MALFORMED, "a binary event's body did not follow it"))
        elif len(attachment) > MAX_EVENT_CHARS:
            self._refuse(Refusal(Code.TOO_LARGE, f"{len(attachment)} bytes; an event may have {MAX_EVENT_CHARS}"))
        else:
            self.data = [name, Inbound((attachment,), self.id is not None)]
        self.packet_type = socketio_packet.BINARY_EVENT
        return True

    def _takes_binary(self) -> bool:
        return (
            self.packet_type == socketio_packet.BINARY_EVENT
            and isinstance(self.data, list)
            and len(self.data) == 2
            and isinstance(self.data[0], str)
            and (self.namespace or "/", self.data[0]) in BINARY_EVENTS
            and self.data[1] == {"_placeholder": True, "num": 0}
        )

    def _check(self) -> None:
        if self.packet_type in (socketio_packet.CONNECT, socketio_packet.DISCONNECT):
            return
        if self.packet_type == socketio_packet.ACK:
            if self.id is None or not isinstance(self.data, list):
                raise Refusal(Code.MALFORMED, "an ack has an id and a list")
        elif self.packet_type == socketio_packet.EVENT:
            if not isinstance(self.data, list) or not self.data or not isinstance(self.data[0], str):
                raise Refusal(Code.MALFORMED, 'an event is a list that begins with its name: ["name", {…}]')
            name, *args = self.data
            refusal = Refusal(Code.UNKNOWN_EVENT, f"{name!r} is a reserved name") if name in RESERVED_EVENTS else None
            self.data = [NOT_AN_EVENT if refusal else name, Inbound(tuple(args), self.id is not None, refusal)]
        else:
            raise Refusal(Code.MALFORMED, f"packet type {self.packet_type!r} is not for a server")

    def _refuse(self, refusal: Refusal) -> None:
        if self.packet_type == socketio_packet.CONNECT:
            # The connect handler takes only an object; this makes it refuse.
            self.data = [refusal.code]
            return
        self.packet_type = socketio_packet.EVENT
        self.data = [NOT_AN_EVENT, Inbound((), self.id is not None, refusal)]
