"""A client of the broker, as both sides of MQTT need it: connected for ever, with the settings' identity and trust."""

import logging
import ssl
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from server.settings import MqttSettings, secret
from shared.settings import SettingsError

log = logging.getLogger(__name__)

_KEEPALIVE_S = 30
_PORTS = {"mqtt": 1883, "mqtts": 8883}


class BrokerClient:
    """One connection. Its callbacks run on a greenlet of the library's, as everything here is patched."""

    def __init__(
        self, settings: MqttSettings, client_id: str, on_message: Callable[[MQTTMessage], None], *, persistent: bool
    ) -> None:
        """`persistent`: the broker keeps what comes while the relay is away, and each message waits for `ack`.

        Raises `SettingsError` for a password or certificate that cannot be read.
        """
        parts = urlsplit(settings.url)
        self._host, self._port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
        self.where = f"{parts.scheme}://{self._host}:{self._port}"
        self.connected = False
        self.connection = 0
        """Counts connections: an ack belongs to the one by which its message came."""
        self.on_connected: Callable[[], None] = lambda: None
        self._client = Client(
            CallbackAPIVersion.VERSION2, client_id=client_id, clean_session=not persistent, manual_ack=persistent
        )
        if settings.username is not None:
            self._client.username_pw_set(settings.username, secret(settings.password_file, "mqtt.password_file"))
        if parts.scheme == "mqtts":
            try:
                self._client.tls_set(ca_certs=settings.ca_file, tls_version=ssl.PROTOCOL_TLS_CLIENT)
            except OSError as error:
                raise SettingsError("mqtt.ca_file", str(settings.ca_file), f"cannot be read ({error})") from None
        self._client.reconnect_delay_set(1, 30)
        self._client.on_connect = self._connected
        self._client.on_disconnect = self._disconnected
        self._client.on_message = lambda _client, _data, message: on_message(message)

    def will(self, topic: str, payload: str) -> None:
        """What the broker says when the connection ends without a word; retained. Before `start`."""
        self._client.will_set(topic, payload, qos=1, retain=True)

    def start(self) -> None:
        """Connect, now or as soon as the broker is there; again whenever the connection ends."""
        self._client.connect_async(self._host, self._port, _KEEPALIVE_S)
        self._client.loop_start()

    def stop(self) -> None:
        """Disconnect with a word."""
        self._client.disconnect()
        self._client.loop_stop()

    def subscribe(self, *topics: str, qos: int = 1) -> None:
        """Get what is said there. Before each use of a connection: see `on_connected`."""
        self._client.subscribe([(topic, qos) for topic in topics])

    def publish(self, topic: str, payload: str | bytes, *, retain: bool = False) -> None:
        """Say something; lost while there is no connection: `on_connected` says all anew."""
        if self.connected:
            self._client.publish(topic, payload, qos=1, retain=retain)

    def ack(self, message: MQTTMessage) -> None:
        """A persistent client has done with a message."""
        self._client.ack(message.mid, message.qos)

    def _connected(
        self, _client: Client, _data: Any, flags: ConnectFlags, reason: ReasonCode, _more: Properties | None
    ) -> None:
        if reason.is_failure:
            log.warning("broker refuses: url=%s reason=%s", self.where, reason)
            return
        self.connected = True
        self.connection += 1
        log.info("broker connected: url=%s session=%s", self.where, "kept" if flags.session_present else "new")
        self.on_connected()

    def _disconnected(
        self, _client: Client, _data: Any, _flags: DisconnectFlags, reason: ReasonCode, _more: Properties | None
    ) -> None:
        if self.connected:
            log.warning("broker gone, it is tried again: url=%s reason=%s", self.where, reason)
        self.connected = False
