"""The door of the agents: namespace `/pi`."""

import logging
import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import msgspec

from server.doors.guard import Answer, Connection, Guard, Handler, Result
from server.doors.welcome import serve
from server.fanout.port import Port
from server.security.identity import Gatekeeper, Role, token_from
from server.security.rate import RateLimit
from server.services.care import Care
from server.services.commands import Commands
from server.services.ingest import Ingest
from server.services.presence import Presence
from server.state.devices import Registry
from shared.clock import Clock
from shared.contract.events import (
    ACCESSORIES,
    ACCESSORY_STATUS_PUB_PI,
    CARE_PUB_PI,
    COMMAND_APPLIED_PUB_PI,
    DROP_PUB_PI,
    HEARTBEAT_PUB_PI,
    MODEL_TRAIN_PUB_PI,
    MOTION_PUB_PI,
    SENSOR_DATA_PUB_PI,
)
from shared.contract.payloads import (
    AccessoryStatus,
    Ack,
    CareReport,
    CommandApplied,
    Dropped,
    Heartbeat,
    ModelTrain,
    Motion,
    PiHello,
    SensorData,
    parse,
)
from shared.contract.spec import EventSpec, Namespace
from shared.errors import Code, Refusal

log = logging.getLogger(__name__)

ORIGINAL_ACK = (True, "receive", 200)
"""What an original agent expects on success."""


_CONNECTS_PER_S = 20
"""Of one device, averaged over ten seconds."""


class PiDoor:
    """Takes in what agents publish; tells presence who came and went."""

    def __init__(
        self,
        port: Port,
        guard: Guard,
        gatekeeper: Gatekeeper,
        registry: Registry,
        presence: Presence,
        ingest: Ingest,
        commands: Commands,
        care: Care,
        clock: Clock,
    ) -> None:
        self._port = port
        self._guard = guard
        # Each one costs a line in the log, a row in the database and an event to every page.
        self._connects = RateLimit(_CONNECTS_PER_S, clock)
        self._gatekeeper = gatekeeper
        self._registry = registry
        self._presence = presence
        self._ingest = ingest
        self._commands = commands
        self._care = care
        guard.bind(self._handlers())
        guard.hasten(SENSOR_DATA_PUB_PI, self._sensor_data_soon)
        serve(port, Namespace.PI, self._connect, self._disconnect)

    def _handlers(self) -> dict[EventSpec, Handler]:
        statuses: dict[EventSpec, Handler] = {
            events.status: partial(self._status, accessory) for accessory, events in ACCESSORIES.items()
        }
        handlers: dict[EventSpec, Handler] = {
            SENSOR_DATA_PUB_PI: self._sensor_data,
            MOTION_PUB_PI: self._motion,
            MODEL_TRAIN_PUB_PI: self._model_train,
            DROP_PUB_PI: self._dropped,
            HEARTBEAT_PUB_PI: self._heartbeat,
            CARE_PUB_PI: self._cared,
            COMMAND_APPLIED_PUB_PI: self._applied,
            ACCESSORY_STATUS_PUB_PI: self._further_status,
            **statuses,
        }
        # Whatever a device says, it is alive.
        return {spec: self._heard(handler) for spec, handler in handlers.items()}

    def _heard(self, handler: Handler) -> Handler:
        def handle(connection: Connection, body: Any) -> Answer:
            self._presence.heard(_device(connection))
            return handler(connection, body)

        return handle

    def _connect(self, sid: str, environ: Mapping[str, Any], auth: object) -> None:
        # Whoever speaks here is behind this door, whatever it says: the names of other doors' devices are theirs.
        hello = msgspec.structs.replace(parse(PiHello, auth or {}), door=None)
        identity = self._gatekeeper.identify(token_from(environ, hello.token), Role.DEVICE)
        identity.require(Role.DEVICE)
        # Outside demo mode the token decides the name, whatever the program says it is.
        name = identity.name if identity.token is not None else hello.device or self._named_after(environ)
        self._connects.hit(name)
        if self._registry.profile(name).retired:
            raise Refusal(Code.RETIRED, f"{name} is retired; its events wait in its outbox until it is reinstated")
        if self._registry.knows(name) and self._registry.get(name).hello.door is not None:
            raise Refusal(Code.CONFLICT, f"{name!r} is the name of a device behind another door; choose another")
        self._registry.require_room(name)
        self._guard.admit(Connection(sid, identity, device=name, original=hello.contract is None))
        self._presence.connected(name, sid, hello)

    def sweep(self) -> None:
        """Forget connections that ended without a word, such as one that left while its token was looked up."""
        for connection in self._guard.admitted():
            if not self._port.connected(connection.sid, Namespace.PI):
                self._disconnect(connection.sid)

    def _disconnect(self, sid: str) -> None:
        connection = self._guard.forget(sid)
        if connection is not None and connection.device is not None:
            self._presence.disconnected(connection.device, sid)
            self._care.disconnected(connection.device)

    def _named_after(self, environ: Mapping[str, Any]) -> str:
        """A name for a program that tells none: its address, numbered where several share it."""
        base = "pi-" + (re.sub(r"[^A-Za-z0-9.]+", "-", str(environ.get("REMOTE_ADDR", ""))).strip("-") or "unknown")
        taken = {device.name for device in self._registry if device.online}
        number = 1
        while (name := base if number == 1 else f"{base}-{number}") in taken:
            number += 1
        return name

    # --- events -------------------------------------------------------------------------------------------------

    def _sensor_data(self, connection: Connection, body: SensorData) -> Answer:
        return _ack(connection, self._ingest.sensor_data(_device(connection), body))

    def _sensor_data_soon(self, connection: Connection, body: SensorData, told: Callable[[Result], None]) -> None:
        device = _device(connection)
        self._presence.heard(device)
        if connection.original:
            self._ingest.sensor_data_soon(
                device, body, lambda ack: told(ack if isinstance(ack, Exception) else _ack(connection, ack))
            )
        else:
            self._ingest.sensor_data_soon(device, body, told)

    def _motion(self, connection: Connection, body: Motion) -> Answer:
        return _ack(connection, self._ingest.motion(_device(connection), body))

    def _model_train(self, connection: Connection, body: ModelTrain) -> Answer:
        return _ack(connection, self._ingest.model_train(_device(connection), body))

    def _dropped(self, connection: Connection, body: Dropped) -> Answer:
        return _ack(connection, self._ingest.dropped(_device(connection), body))

    def _heartbeat(self, connection: Connection, body: Heartbeat) -> Answer:
        return self._presence.heartbeat(_device(connection), body)

    def _cared(self, connection: Connection, body: CareReport) -> Answer:
        self._care.reported(_device(connection), body)
        return Ack(ok=True, code=Code.ACCEPTED)

    def _applied(self, connection: Connection, body: CommandApplied) -> Answer:
        self._commands.applied(_device(connection), body)
        return Ack(ok=True, code=Code.ACCEPTED)

    def _further_status(self, connection: Connection, body: AccessoryStatus) -> Answer:
        if body.accessory is None or body.accessory in ACCESSORIES:
            raise Refusal(Code.INVALID_PAYLOAD, "`accessory` must name an accessory that has no event of its own")
        return self._status(body.accessory, connection, body)

    def _status(self, accessory: str, connection: Connection, body: AccessoryStatus) -> Answer:
        return _ack(connection, self._ingest.status(_device(connection), accessory, body))


def _device(connection: Connection) -> str:
    if connection.device is None:
        raise Refusal(Code.INTERNAL, "a connection of this door belongs to a device")
    return connection.device


def _ack(connection: Connection, ack: Ack) -> Answer:
    return ORIGINAL_ACK if connection.original and ack.ok else ack
