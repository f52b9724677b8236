"""The composition root of the relay: the only place where parts meet."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flask import Flask

from server import gauges, listener
from server.alerting import Alerting
from server.doors.client import ClientDoor
from server.doors.esp32 import Esp32Door
from server.doors.guard import Guard
from server.doors.http.alerts import alert_routes, rule_routes
from server.doors.http.answers import handle_errors
from server.doors.http.care import care_routes
from server.doors.http.commands import command_routes
from server.doors.http.connections import connection_routes
from server.doors.http.contract import contract_routes
from server.doors.http.devices import device_routes
from server.doors.http.esp32 import esp32_routes
from server.doors.http.health import health_routes
from server.doors.http.history import history_routes
from server.doors.http.log import log_routes
from server.doors.http.mqtt import mqtt_routes
from server.doors.http.page import page_routes
from server.doors.http.session import session_routes
from server.doors.http.training import training_routes
from server.doors.mqtt import described
from server.doors.mqtt.home_assistant import HomeAssistant
from server.doors.mqtt.sensors import MqttSensors
from server.doors.pi import PiDoor
from server.doors.root import RootDoor, from_device
from server.doors.telemetry import TelemetryDoor
from server.doors.temperature import TemperatureDoor
from server.fanout.broadcast import Broadcast
from server.fanout.port import Port
from server.fanout.slow import Totals
from server.metrics import Metrics
from server.security.front import MAX_BODY_BYTES, Front, proxied
from server.security.identity import Gatekeeper, Identity, Role
from server.security.rate import RateLimit
from server.services.care import Care
from server.services.commands import Commands, Records, Restart
from server.services.ingest import Ingest
from server.services.insights import KeptInsights
from server.services.log import DeviceLog
from server.services.presence import Presence
from server.services.profiles import Profiles
from server.services.relay_time import RelayTime
from server.services.replay import LiveFrames, Replay
from server.services.restore import restore
from server.services.snapshot import Snapshots
from server.services.stress import StressMonitor, shipped_predictor
from server.services.training import Training
from server.settings import RelaySettings, RetentionPolicy
from server.state.devices import Registry
from server.storage.commands import CommandBook
from server.storage.dead_letters import DeadLetters
from server.storage.engine import Database
from server.storage.failures import DatabaseFailed
from server.storage.history import History
from server.storage.insights import InsightStore
from server.storage.log import Log
from server.storage.profiles import ProfileStore
from server.storage.recorder import Recorder
from server.storage.retention import Retention
from server.storage.rounds import Rounds
from server.storage.tokens import Tokens
from server.stress.alerts import AlertPolicy
from server.upkeep import Upkeep, open_database
from shared.clock import Clock
from shared.contract.payloads import FINAL_STATES, CommandResult
from shared.contract.spec import Namespace

if TYPE_CHECKING:
    from server.cluster.primary import Primary

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Storage:
    """The parts of the relay's memory."""

    database: Database
    recorder: Recorder
    history: History
    tokens: Tokens
    upkeep: Upkeep

    @classmethod
    def open(cls, url: str, policy: RetentionPolicy, clock: Clock) -> "Storage":
        """Open the database, migrating it forward, and start its one writer. Raises `SettingsError`."""
        database = open_database(url, clock)
        try:
            recorder = Recorder.start(database, clock)
        except BaseException:
            database.close()
            raise
        retention = Retention(database, clock, policy, settle=recorder.settle)
        return cls(
            database,
            recorder,
            History(database, clock, settle=recorder.settle),
            Tokens(database, clock),
            Upkeep(database, retention, policy, clock),
        )

    def tick(self) -> None:
        """Settle what is quiet, remove what is old. Raises when only a restart can repair the database."""
        self.recorder.tick()
        # A database server has means of its own, and nothing that a restart of ours could do.
        if self.recorder.damaged and self.database.dialect.path is not None:
            raise RuntimeError("the database file is damaged; a restart saves what can be saved")
        if self.recorder.superseded:
            raise RuntimeError("another relay writes the database now; a restart makes this one a worker beside it")
        try:
            self.upkeep.tick(healthy=self.recorder.healthy())
        except DatabaseFailed as failure:
            log.warning("upkeep put off: reason=%s", failure.reason)

    def close(self) -> None:
        """Commit what waits, and close."""
        self.recorder.close()
        self.database.close()


@dataclass(frozen=True)
class Relay:
    """A relay, built and not yet listening."""

    flask: Flask
    port: Port
    doors: tuple[PiDoor, ClientDoor, RootDoor]
    guards: tuple[Guard, ...]
    storage: Storage
    brokers: tuple[MqttSensors, HomeAssistant]
    primary: "Primary | None"
    """The other workers, where there may be some."""
    alerting: Alerting
    ticking: tuple[Callable[[], None], ...]
    """What is to be called several times a second."""

    def tick(self) -> None:
        """Let everything that waits for a time look at the clock."""
        for part in self.ticking:
            part()

    def sweep(self) -> None:
        """End what has come to nothing: connections without a door, peers that went without a word."""
        self.port.reap()
        if self.primary is not None:
            self.primary.tick()
        for door in self.doors:
            door.sweep()
        self.alerting.tick()

    def expel_revoked(self) -> None:
        """End connections whose token was revoked, maybe by another process."""
        try:
            valid = {token.id for token in self.storage.tokens.list() if token.revoked_at is None}
        except DatabaseFailed:
            # The recorder has said so. Nobody is sent away, and it is asked again.
            return
        for guard in self.guards:
            guard.expel(valid)


def create_app(settings: RelaySettings, storage: Storage, clock: Clock) -> Relay:
    """Build a relay on open storage."""
    metrics = Metrics()
    port = Port(settings.limits, clock, settings.fanout, settings.route())
    flask = Flask("server", static_folder=None)
    flask.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    port.attach(flask)
    gatekeeper = Gatekeeper(_finding(storage.tokens), demo=settings.demo)
    flask.wsgi_app = proxied(  # type: ignore[method-assign]
        Front(
            flask.wsgi_app,
            demo=settings.demo,
            allowed_hosts=settings.allowed_hosts,
            allowed_origins=settings.allowed_origins,
            read_body=listener.read_body,
            from_device=from_device(gatekeeper),
        ),
        behind_proxy=settings.behind_proxy,
    )

    registry = Registry(settings.groups)
    broadcast = Broadcast(port)
    live = LiveFrames()
    time = RelayTime(clock)
    book = CommandBook(storage.database)
    commands = Commands(registry, broadcast, book, clock, time, settings.command_ttl_s, defer=port.spawn)
    commands.observers.append(_counting(metrics))
    alerting = Alerting.build(settings, registry, broadcast, commands, storage.database, clock, port.spawn)
    alerts = alerting.alerts
    presence = Presence(registry, broadcast, commands, storage.recorder, clock, time, alerting.availability)
    insights = KeptInsights(InsightStore(storage.database), alerting.behind)
    ingest = Ingest(registry, broadcast, commands, storage.recorder, live, clock, alerts, insights.keep)
    snapshots = Snapshots(registry, clock, lambda: storage.recorder.cursor, alerts.open, demo=settings.demo)
    replay = Replay(storage.recorder, storage.history, live, broadcast, port.drained)
    store = ProfileStore(storage.database, clock)
    care = Care(registry, broadcast, store)
    training = Training(registry, broadcast, store)

    def changed(device: str) -> None:
        alerts.described(device)
        if not registry.knows(device):
            commands.removed(device)

    profiles = Profiles(
        *(registry, store, storage.database),
        *(storage.recorder, storage.history, broadcast),
        changed=changed,
    )
    profiles.restore()
    restore(registry, storage.history.latest_state())
    insights.restore(registry)
    alerting.restore()
    Restart(commands, registry, book, clock, time).run()

    pi_guard = Guard(port, Namespace.PI, RateLimit(settings.limits.device_events_per_s, clock), metrics)
    root_guard = Guard(port, Namespace.ROOT, RateLimit(settings.limits.device_events_per_s, clock), metrics)
    client_guard = Guard(port, Namespace.CLIENT, RateLimit(settings.limits.client_events_per_s, clock), metrics)
    guards = (pi_guard, client_guard, root_guard)
    temperature = TemperatureDoor(registry, broadcast, clock, settings.temperature)
    mqtt = MqttSensors(
        *(settings.mqtt, registry, ingest, presence, storage.history),
        *(DeadLetters(storage.database, clock), broadcast, metrics, clock),
    )
    stress = StressMonitor(
        *(registry, presence, ingest, Rounds(storage.database), storage.recorder.seen),
        *(shipped_predictor(), AlertPolicy()),
    )
    esp32 = Esp32Door(port, broadcast, stress, clock, storage.recorder.healthy)
    home_assistant = HomeAssistant(settings.mqtt, registry, commands, broadcast, clock)
    doors = (
        PiDoor(port, pi_guard, gatekeeper, registry, presence, ingest, commands, care, clock),
        ClientDoor(port, client_guard, gatekeeper, broadcast, snapshots, replay, commands, alerts, training),
        RootDoor(port, root_guard, gatekeeper, (esp32, TelemetryDoor(port), temperature, mqtt), esp32.tells()),
    )
    primary = _primary(settings, port, clock, metrics) if settings.cluster.redis else None

    def totals() -> Totals:
        return port.totals() + primary.totals() if primary is not None else port.totals()

    for routes in (
        page_routes(),
        health_routes(gatekeeper, metrics, storage.recorder.healthy),
        session_routes(gatekeeper),
        device_routes(gatekeeper, registry, snapshots, profiles),
        history_routes(gatekeeper, registry, storage.history, clock),
        alert_routes(gatekeeper, alerts),
        rule_routes(gatekeeper, alerts),
        command_routes(gatekeeper, commands, Records(commands.ledger, book)),
        log_routes(gatekeeper, registry, DeviceLog(Log(storage.database), book)),
        mqtt_routes(gatekeeper, mqtt),
        esp32_routes(gatekeeper, esp32, RateLimit(settings.limits.device_events_per_s, clock), metrics),
        care_routes(gatekeeper, registry, care),
        contract_routes(lambda host: described.document(settings.mqtt, host), demo=settings.demo),
        training_routes(gatekeeper, training),
        connection_routes(gatekeeper, port, guards, totals, clock),
    ):
        flask.register_blueprint(routes)
    handle_errors(flask, metrics)
    gauges.relay(metrics, registry, port, storage, commands)
    alerting.watch(metrics)
    ticking = (commands.tick, esp32.tick, temperature.tick, home_assistant.tick)
    return Relay(flask, port, doors, guards, storage, (mqtt, home_assistant), primary, alerting, ticking)


def _finding(tokens: Tokens) -> Callable[[str], Identity | None]:
    def find(token: str) -> Identity | None:
        found = tokens.find(token)
        return Identity(found.name, Role(found.role), found.id) if found else None

    return find


def _counting(metrics: Metrics) -> Callable[[CommandResult], None]:
    def count(result: CommandResult) -> None:
        if result.state in FINAL_STATES:
            metrics.command(result)

    return count


def _primary(settings: RelaySettings, port: Port, clock: Clock, metrics: Metrics) -> "Primary":
    # Only here: who runs one process needs no Redis, and no library for it.
    from server.cluster.primary import Primary

    primary = Primary(settings.cluster, port, clock)
    gauges.workers(metrics, primary)
    return primary
