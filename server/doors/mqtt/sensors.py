"""MQTT in: each message is read, stored and only then acknowledged to the broker.

The broker keeps what is not acknowledged: QoS 1, a persistent session, manual acks. So a relay that dies between the
disk and the ack gets a message again: where its sensor said when it was measured, or numbered it, the second one is
known and not stored twice. What can never be stored goes to the dead letters, and is acknowledged.
"""

import logging
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import gevent
from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from server.doors.guard import Connection, Handler
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
from shared.settings import SettingsError

log = logging.getLogger(__name__)

DOOR = "mqtt"
_QOS = 1
_KEEPALIVE_S = 30
_PORTS = {"mqtt": 1883, "mqtts": 8883}
_MOST_UNACKED = 10_000
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
        self._connection = 0
        """Counts connections: an ack belongs to the one by which its message came."""
        self._unacked: set[tuple[int, bytes]] = set()
        """Of an earlier connection: what is stored and could not be acknowledged any more."""
        self._client = self._made() if settings.url else None
        self.connected = False

    # --- the broker ---------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Connect, now or as soon as the broker is there; again whenever the connection ends."""
        if self._client is not None:
            parts = urlsplit(self._settings.url)
            self._client.connect_async(parts.hostname or "", parts.port or _PORTS[parts.scheme], _KEEPALIVE_S)
            self._client.loop_start()

    def stop(self) -> None:
        """Disconnect; the broker keeps what comes meanwhile."""
        if self._client is not None:
            self._client.disconnect()
            self._client.loop_stop()

    def _made(self) -> Client:
        settings = self._settings
        client = Client(CallbackAPIVersion.VERSION2, client_id=settings.client_id, clean_session=False, manual_ack=True)
        if settings.username is not None:
            client.username_pw_set(settings.username, _password(settings))
        if urlsplit(settings.url).scheme == "mqtts":
            try:
                client.tls_set(ca_certs=settings.ca_file, tls_version=ssl.PROTOCOL_TLS_CLIENT)
            except OSError as error:
                raise SettingsError("mqtt.ca_file", str(settings.ca_file), f"cannot be read ({error})") from None
        client.reconnect_delay_set(1, 30)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        return client

    def _on_connect(
        self, client: Client, _data: Any, flags: ConnectFlags, reason: ReasonCode, _properties: Properties | None
    ) -> None:
        if reason.is_failure:
            log.warning("broker refuses: url=%s reason=%s", self._where, reason)
            return
        self.connected = True
        self._connection += 1
        log.info("broker connected: url=%s session=%s", self._where, "kept" if flags.session_present else "new")
        client.subscribe([(one.topic, _QOS) for one in self._settings.topics])

    def _on_disconnect(
        self, _client: Client, _data: Any, _flags: DisconnectFlags, reason: ReasonCode, _properties: Properties | None
    ) -> None:
        if self.connected:
            log.warning("broker gone, it is tried again: url=%s reason=%s", self._where, reason)
        self.connected = False

    def _on_message(self, client: Client, _data: Any, message: MQTTMessage) -> None:
        # One greenlet each: a message that waits for the disk must not keep the next from joining its commit. They
        # begin in the order in which they came, so each device's order is kept.
        gevent.spawn(self._take, client, message)

    @property
    def _where(self) -> str:
        parts = urlsplit(self._settings.url)
        return f"{parts.scheme}://{parts.hostname}:{parts.port or _PORTS[parts.scheme]}"

    # --- a message ----------------------------------------------------------------------------------------------

    def _take(self, client: Client, raw: MQTTMessage) -> None:
        connection, known = self._connection, (raw.mid, raw.topic.encode() + raw.payload)
        if raw.dup and known in self._unacked:
            self._unacked.discard(known)
        else:
            self._keep(raw)
        if self._connection == connection and self.connected:
            client.ack(raw.mid, raw.qos)
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
                ack = self._store(message, again=raw.dup)
            except Refusal as refusal:
                if refusal.code not in _TRY_AGAIN and self._buried(raw, refusal):
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

    def _store(self, message: Message, *, again: bool) -> Ack:
        device = self._presence.spoke(message.device, DOOR)
        if again and message.told_time and self._history.has_round(device.name, message.body):
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


def _password(settings: MqttSettings) -> str | None:
    if settings.password_file is None:
        return None
    try:
        return Path(settings.password_file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise SettingsError("mqtt.password_file", settings.password_file, "cannot be read") from None
