"""Telemetry: packets of producers go on to loggers, as they came.

A logger connects with `?type=logger` and gets every packet, JSON and protobuf, until it chooses sources. A connection
without a type sees the JSON ones. Nothing is stored: a logger is where packets are kept.
"""

from collections.abc import Mapping
from typing import Any

from server.doors.guard import Answer, Connection, Handler
from server.doors.root import EVERYTHING, sender, watches
from server.fanout.port import Port
from server.security.identity import Role
from shared.contract import telemetry_proto
from shared.contract.door_events import (
    LOG_TELEMETRY,
    LOG_TELEMETRY_OUT,
    TELEMETRY_CHOOSE,
    TELEMETRY_LOG,
    TELEMETRY_LOG_OUT,
)
from shared.contract.door_payloads import TelemetryChoice, TelemetryPacket
from shared.contract.payloads import Ack, parse
from shared.contract.spec import EventSpec, Namespace
from shared.errors import Code, Refusal

LOGGER = "logger"
EVERY_SOURCE = "telemetry"
"""The room of loggers that chose none."""


def source_room(source: str) -> str:
    """The room of loggers that chose `source`."""
    return f"telemetry:{source}"


class TelemetryDoor:
    """Passes packets on."""

    def __init__(self, port: Port) -> None:
        self._port = port
        self._rooms: dict[str, tuple[str, ...]] = {}

    def handlers(self) -> Mapping[EventSpec, Handler]:
        """See `Part`."""
        return {
            LOG_TELEMETRY: lambda who, body: self._packet(LOG_TELEMETRY_OUT, who, body),
            TELEMETRY_LOG: lambda who, body: self._packet(TELEMETRY_LOG_OUT, who, body),
            TELEMETRY_CHOOSE: self._choose,
        }

    def joined(self, connection: Connection, kind: str | None) -> None:
        """See `Part`."""
        if kind == LOGGER and watches(connection.identity):
            self._move(connection.sid, (EVERY_SOURCE,))

    def left(self, connection: Connection) -> None:
        """See `Part`."""
        self._rooms.pop(connection.sid, None)

    def _packet(self, out: EventSpec, connection: Connection, body: Any) -> Answer:
        if isinstance(body, bytes):
            packet = telemetry_proto.decode(body)
        elif isinstance(body, dict):
            packet = parse(TelemetryPacket, body)
        else:
            raise Refusal(Code.INVALID_PAYLOAD, "a packet is an object, or a protobuf message")
        source = sender(connection.identity, packet.source, "")
        rooms = [EVERY_SOURCE] + ([source_room(source)] if source else [])
        if not isinstance(body, bytes):
            rooms.append(EVERYTHING)
        self._port.pass_on(out, body, rooms, skip=connection.sid)
        return Ack(ok=True, code=Code.ACCEPTED)

    def _choose(self, connection: Connection, body: TelemetryChoice) -> Answer:
        if not watches(connection.identity):
            connection.identity.require(Role.VIEWER, Role.OPERATOR)
        self._move(connection.sid, tuple(map(source_room, body.sources)) or (EVERY_SOURCE,))
        return Ack(ok=True, code=Code.ACCEPTED)

    def _move(self, sid: str, rooms: tuple[str, ...]) -> None:
        self._port.leave(sid, Namespace.ROOT, EVERYTHING)
        for room in self._rooms.get(sid, ()):
            self._port.leave(sid, Namespace.ROOT, room)
        self._rooms[sid] = rooms
        for room in rooms:
            self._port.join(sid, Namespace.ROOT, room)
