"""The door of pages and programs: namespace `/client`."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

from server.doors.guard import Answer, Connection, Guard
from server.doors.welcome import serve
from server.fanout.broadcast import EVERY_PAGE, Broadcast, page_room
from server.fanout.port import Port
from server.security.identity import Gatekeeper, Role, token_from
from server.services.alerts.service import Alerts
from server.services.commands import Commands
from server.services.replay import Replay
from server.services.snapshot import Snapshots
from server.services.training import Training
from shared.contract.events import (
    ALERT_REQUEST_CLIENT,
    COMMAND_REQUEST_CLIENT,
    REPLAY_REQUEST_CLIENT,
    SNAPSHOT_PUB_CLIENT,
    TRAIN_REQUEST_CLIENT,
)
from shared.contract.payloads import (
    Ack,
    AlertRequest,
    ClientHello,
    CommandRequest,
    DeviceId,
    ReplayRequest,
    TrainRequest,
    parse,
)
from shared.contract.spec import Namespace
from shared.errors import Code


class ClientDoor:
    """Shows pages what is, and takes their commands."""

    def __init__(
        self,
        port: Port,
        guard: Guard,
        gatekeeper: Gatekeeper,
        broadcast: Broadcast,
        snapshots: Snapshots,
        replay: Replay,
        commands: Commands,
        alerts: Alerts,
        training: Training,
    ) -> None:
        self._training = training
        self._alerts = alerts
        self._port = port
        self._guard = guard
        self._gatekeeper = gatekeeper
        self._broadcast = broadcast
        self._snapshots = snapshots
        self._replay = replay
        self._commands = commands
        guard.bind(
            {
                COMMAND_REQUEST_CLIENT: self._command,
                ALERT_REQUEST_CLIENT: self._alert,
                REPLAY_REQUEST_CLIENT: self._replay_since,
                TRAIN_REQUEST_CLIENT: self._train,
            }
        )
        serve(port, Namespace.CLIENT, self._connect, self._disconnect)

    def _connect(self, sid: str, environ: Mapping[str, Any], auth: object) -> None:
        hello = parse(ClientHello, auth or {})
        identity = self._gatekeeper.identify(token_from(environ, hello.token), Role.OPERATOR)
        identity.require(Role.VIEWER, Role.OPERATOR)
        wanted = parse_qs(str(environ.get("QUERY_STRING", ""))).get("device", [None])[0]
        device = parse(DeviceId, wanted) if wanted is not None else None
        connection = Connection(sid, identity, device=device)
        self._guard.admit(connection)
        self._port.spawn(self._welcome, connection, hello.since)

    def _welcome(self, connection: Connection, since: int | None) -> None:
        """What was missed, in order; then a snapshot; then all that is live. Nothing falls between."""

        def join() -> None:
            self._port.join(
                connection.sid, Namespace.CLIENT, page_room(connection.device) if connection.device else EVERY_PAGE
            )
            snapshot = self._snapshots.take(connection.identity.role, connection.device)
            self._broadcast.to_page(SNAPSHOT_PUB_CLIENT, snapshot, connection.sid)

        self._replay.catch_up(connection.sid, since, connection.device, join)

    def sweep(self) -> None:
        """Forget connections that ended without a word, such as one that left while its token was looked up."""
        for connection in self._guard.admitted():
            if not self._port.connected(connection.sid, Namespace.CLIENT):
                self._disconnect(connection.sid)

    def _disconnect(self, sid: str) -> None:
        self._guard.forget(sid)

    def _command(self, connection: Connection, body: CommandRequest) -> Answer:
        connection.identity.require(Role.OPERATOR)
        return self._commands.request(body, by=connection.identity.name)

    def _alert(self, connection: Connection, body: AlertRequest) -> Answer:
        connection.identity.require(Role.OPERATOR)
        change = self._alerts.close if body.state == "closed" else self._alerts.acknowledge
        change(body.alert, connection.identity.name)
        return Ack(ok=True, code=Code.ACCEPTED)

    def _train(self, connection: Connection, body: TrainRequest) -> Answer:
        connection.identity.require(Role.OPERATOR)
        return self._training.request(body.device, by=connection.identity.name)

    def _replay_since(self, connection: Connection, body: ReplayRequest) -> Ack:
        return self._replay.answer(connection.sid, body.since, connection.device)
