"""MQTT in: each message is read, stored and only then acknowledged to the broker.

The broker keeps what is not acknowledged: QoS 1, a persistent session, manual acks. So a relay that dies between the
disk and the ack gets a message again: where its sensor said when it was measured, or numbered it, the second one is
known and not stored twice. What can never be stored goes to the dead letters, and is acknowledged.

What a broker has kept under a topic (retained) comes again at every connection. Such a message tells something only
where its sensor said when that was; else it is passed over: a value of some time ago is none of now.
"""

import logging
from collections.abc import Mapping

import gevent
from gevent.event import Event
from paho.mqtt.client import MQTTMessage

from server.doors.guard import Connection, Handler
from server.doors.mqtt.broker import BrokerClient
from server.doors.mqtt.topics import FIELDS, Message, read
from server.doors.root import EVERYTHING, FRONTEND
from server.fanout.broadcast import Broadcast
from server.metrics import Metrics
from server.services.ingest import Ingest
from server.services.presence import Presence
from server.settings import MqttSettings
from server.state.devices import Registry
from server.storage.dead_letters import DeadLetters
from server.storage.history import History
from shared.backoff import Backoff
from shared.clock import Clock, iso_utc
from shared.contract.door_events import CONNECTION_INFO, SENSOR_DATA
from shared.contract.door_payloads import ConnectionInfo, MqttSensorData
from shared.contract.payloads import Ack
from shared.contract.spec import EventSpec
from shared.errors import Code, Refusal

log = logging.getLogger(__name__)

DOOR = "mqtt"
_MOST_UNACKED = 10_000
_MOST_AT_WORK = 1_000
"""Messages of QoS 0 that wait for the disk; those of QoS 1 wait at the broker, which sends few at a time."""
_TRY_AGAIN = (Code.UNAVAILABLE, Code.QUEUE_FULL, Code.RATE_LIMITED, Code.INTERNAL)


class MqttSensors:
    """Subscribes to the sensors' topics, and shows pages what came in."""

    def __init__(
        self,
        settings: MqttSettings,
        registry: Registry,
        ingest: Ingest,
        presence: Presence,
        history: History,
        dead_letters: DeadLetters,
        broadcast: Broadcast,
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        """Raises `SettingsError` for a password or certificate that cannot be read."""
        self._settings = settings
        self._registry = registry
        self._ingest = ingest
        self._presence = presence
        self._history = history
        self._dead_letters = dead_letters
        self._broadcast = broadcast
        self._metrics = metrics
        self._clock = clock
        self._pages: set[str] = set()
        self._unacked: set[tuple[int, bytes]] = set()
        """Of an earlier connection: what is stored and could not be acknowledged any more."""
        self._at_work = 0
        self._storing: dict[bytes, Event] = {}
        """By topic and payload: messages on their way to the disk, each with what is set once it is there."""
        self._broker: BrokerClient | None = None
        if settings.url:
            self._broker = broker = BrokerClient(settings, settings.client_id, self._arrived, persistent=True)
            broker.on_connected = lambda: broker.subscribe(*(one.topic for one in settings.topics))

    # --- the broker ---------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Connect."""
        if self._broker is not None:
            self._broker.start()

    def stop(self) -> None:
        """Disconnect; the broker keeps what comes meanwhile."""
        if self._broker is not None:
            self._broker.stop()

    @property
    def connected(self) -> bool:
        """Whether there is a broker, and a connection to it."""
        return self._broker is not None and self._broker.connected

    def _arrived(self, message: MQTTMessage) -> None:
        # One greenlet each: a message that waits for the disk must not keep the next from joining its commit. They
        # begin in the order in which they came, so each device's order is kept.
        if self._broker is None:
            return
        if message.qos == 0 and self._at_work >= _MOST_AT_WORK:
            # Nobody keeps it for us, and what the disk does not take must not fill the memory.
            self._metrics.refusal(DOOR, Code.QUEUE_FULL)
            return
        self._at_work += 1
        gevent.spawn(self._take, self._broker, message)

    # --- a message ----------------------------------------------------------------------------------------------

    def _take(self, broker: BrokerClient, raw: MQTTMessage) -> None:
        try:
            self._take_one(broker, raw)
        finally:
            self._at_work -= 1

    def _take_one(self, broker: BrokerClient, raw: MQTTMessage) -> None:
        said = raw.topic.encode() + raw.payload
        connection, known = broker.connection, (raw.mid, said)
        while (same := self._storing.get(said)) is not None:
            # Only what is on disk is known to have been there before.
            same.wait()
        if raw.dup and known in self._unacked:
            self._unacked.discard(known)
        else:
            self._storing[said] = stored = Event()
            try:
                self._keep(raw)
            finally:
                del self._storing[said]
                stored.set()
        if broker.connection == connection and broker.connected:
            broker.ack(raw)
        elif raw.qos:
            # The broker sends it again; to acknowledge it now might mean another message of the same number.
            if len(self._unacked) >= _MOST_UNACKED:
                self._unacked.clear()
            self._unacked.add(known)

    def _keep(self, raw: MQTTMessage) -> None:
        """Have a message stored, or put on record as a dead letter, however long that takes."""
        backoff = Backoff()
        while True:
            try:
                message = read(raw.topic, raw.payload, self._settings.topics, self._clock.now())
                if raw.retain and not message.told_when:
                    log.info("kept by the broker, and nobody knows since when: topic=%s", raw.topic[:100])
                    break
                ack = self._store(message)
            except Refusal as refusal:
                if refusal.code not in _TRY_AGAIN and (raw.retain or self._buried(raw, refusal)):
                    break
            except Exception:
                # What it is is not known, so it is not given up either: the fault is ours and is logged whole.
                log.exception("message not taken: topic=%s", raw.topic[:100])
            else:
                self._metrics.event(DOOR, SENSOR_DATA.name, ack.code)
                if ack.code is not Code.DUPLICATE:
                    self._show(message.device)
                break
            gevent.sleep(backoff.next_s())

    def _store(self, message: Message) -> Ack:
        device = self._presence.spoke(message.device, DOOR)
        # A broker that was killed sends again what it does not know that it sent: not marked as such.
        if message.told_time and self._history.has_round(device.name, message.body):
            return Ack(ok=True, code=Code.DUPLICATE)
        return self._ingest.sensor_data(device.name, message.body)

    def _buried(self, raw: MQTTMessage, refusal: Refusal) -> bool:
        """Whether a message that can never be stored is on record now."""
        try:
            self._dead_letters.keep(DOOR, raw.topic, raw.payload, refusal)
        except Refusal:
            return False
        self._metrics.refusal(DOOR, refusal.code)
        log.warning("dead letter: topic=%s code=%s: %s", raw.topic[:100], refusal.code, refusal.message[:200])
        return True

    def _show(self, name: str) -> None:
        device = self._registry.get(name)
        known = {quantity: device.readings[quantity].value for quantity in FIELDS if quantity in device.readings}
        now = iso_utc(self._clock.now())
        data = {"_id": f"{name}-{now}", **dict.fromkeys(FIELDS), **known, "timestamp": now}
        frame = MqttSensorData.build(timestamp=now, data=data, device=name)
        self._broadcast.to_rooms(SENSOR_DATA, frame, EVERYTHING)

    # --- the pages ----------------------------------------------------------------------------------------------

    def handlers(self) -> Mapping[EventSpec, Handler]:
        """It takes nothing from pages."""
        return {}

    def joined(self, connection: Connection, kind: str | None) -> None:
        """A page learns who it is, and how many there are."""
        if kind in (None, FRONTEND):
            self._pages.add(connection.sid)
            info = ConnectionInfo.build(clientId=connection.sid, totalClients=self.pages)
            self._broadcast.to_page(CONNECTION_INFO, info, connection.sid)

    def left(self, connection: Connection) -> None:
        """See `Part`."""
        self._pages.discard(connection.sid)

    @property
    def pages(self) -> int:
        """How many pages are connected."""
        return len(self._pages)
