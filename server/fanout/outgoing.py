"""Socket.IO events as packets that know what they are, for the time that they may have to wait."""

from typing import Any

from engineio import packet as engineio_packet
from socketio import packet as socketio_packet

from server.fanout.backlog import Told
from shared.contract.payloads import Payload
from shared.wire import StrictPacket, event_text


class Outgoing(engineio_packet.Packet):  # type: ignore[misc]  # the library is not typed
    """An Engine.IO message that is, or begins, an event."""

    told: Told | None = None

    def __init__(self, packet_type: int, data: str | bytes) -> None:
        # What the library's does, for data that is there and encoded.
        self.packet_type, self.data, self.binary, self.encode_cache = packet_type, data, isinstance(data, bytes), None


def packets(event: str, data: Any, namespace: str) -> list[Any]:
    """An event as it goes out: one packet, and a second one where its body is binary."""
    if isinstance(data, Payload):
        # Nearly all are. The library's packets take longer to make than to encode.
        parts = [event_text(namespace, event, data)]
    else:
        args = list(data) if isinstance(data, tuple) else [] if data is None else [data]
        encoded = StrictPacket(socketio_packet.EVENT, namespace=namespace, data=[event, *args]).encode()
        parts = encoded if isinstance(encoded, list) else [encoded]
    made = [Outgoing(engineio_packet.MESSAGE, part) for part in parts]
    made[0].told = (namespace, event, data)
    return made


def told_of(packet: Any) -> Told | None:
    """Which event a packet is; None for all else."""
    return getattr(packet, "told", None)


def again(packet: Any) -> Any:
    """The same packet for a further subscriber: a packet remembers how it was encoded, for websocket or polling."""
    copy = type(packet)(packet.packet_type, packet.data)
    if isinstance(copy, Outgoing):
        copy.told = packet.told
    return copy
