"""MQTT out: each device as Home Assistant knows devices, with states, availability and commands.

States are gathered and told a few times a second. A command goes the way of every other one; one that the broker kept
is not obeyed: nothing switches on by surprise when a connection comes back.
"""

import logging

from paho.mqtt.client import MQTTMessage

from server.doors.mqtt.broker import BrokerClient
from server.doors.mqtt.discovery import (
    CLEAN,
    OFF,
    OFFLINE,
    ON,
    ONLINE,
    PRESS,
    Topics,
    bridge_topic,
    config,
    state,
)
from server.fanout.broadcast import Broadcast
from server.services.commands import Commands
from server.settings import MqttSettings
from server.state.devices import Device, Registry
from shared.clock import Clock, monotonic_s, parse_iso_utc
from shared.contract.events import DEVICE_REMOVED_PUB_CLIENT
from shared.contract.payloads import Action, CommandRequest, DeviceRemoved, LastReading, Payload
from shared.contract.spec import EventSpec
from shared.errors import Refusal
from shared.wire import StrictJson

log = logging.getLogger(__name__)

BY = "home-assistant"
_GATHER_S = 0.25
_BIRTH = "status"


class HomeAssistant:
    """Keeps Home Assistant's picture of the devices true."""

    def __init__(
        self, settings: MqttSettings, registry: Registry, commands: Commands, broadcast: Broadcast, clock: Clock
    ) -> None:
        """Raises `SettingsError` for a password or certificate that cannot be read."""
        self._registry = registry
        self._commands = commands
        self._clock = clock
        self._options = settings.home_assistant
        self._changed: set[str] = set()
        self._told: dict[str, tuple[str, str]] = {}
        """By device: the discovery and the availability that were last published on this connection."""
        self._asked: dict[str, tuple[str, str]] = {}
        """By command topic: the device and what is switched there."""
        self._next_s = 0.0
        self._broker: BrokerClient | None = None
        if settings.url and self._options.enabled:
            # A session of its own, which the broker forgets: a command is never obeyed late.
            self._broker = BrokerClient(settings, f"{settings.client_id}-ha", self._heard, persistent=False)
            self._broker.will(bridge_topic(self._options.prefix), OFFLINE)
            self._broker.on_connected = self._begin
            broadcast.listeners.append(self._note)

    def start(self) -> None:
        """Connect."""
        if self._broker is not None:
            self._broker.start()

    def stop(self) -> None:
        """Say that the relay is gone, and disconnect."""
        if self._broker is not None:
            self._broker.publish(bridge_topic(self._options.prefix), OFFLINE, retain=True)
            self._broker.stop()

    def tick(self) -> None:
        """Tell what has changed. Call it several times a second."""
        now = monotonic_s(self._clock)
        if self._broker is None or not self._broker.connected or not self._changed or now < self._next_s:
            return
        self._next_s = now + _GATHER_S
        changed, self._changed = self._changed, set()
        for name in sorted(changed):
            if self._registry.knows(name) and not self._registry.get(name).profile.retired:
                self._tell(self._broker, self._registry.get(name))
            else:
                self._forget(self._broker, name)

    # --- what has changed ---------------------------------------------------------------------------------------

    def _note(self, spec: EventSpec, payload: Payload, device: str | None) -> None:
        if spec is DEVICE_REMOVED_PUB_CLIENT and isinstance(payload, DeviceRemoved):
            self._changed.add(payload.device)
        if device is not None:
            self._changed.add(device)

    def _begin(self) -> None:
        """A connection: say everything anew, as nobody knows what the broker still has."""
        assert self._broker is not None  # noqa: S101 - it is what calls this
        prefix = self._options.prefix
        self._broker.publish(bridge_topic(prefix), ONLINE, retain=True)
        self._broker.subscribe(f"{prefix}/+/+/set", qos=0)
        self._broker.subscribe(f"{self._options.discovery_prefix}/{_BIRTH}", qos=0)
        self._everything()

    def _everything(self) -> None:
        self._told.clear()
        self._changed.update(device.name for device in self._registry)

    # --- telling ------------------------------------------------------------------------------------------------

    def _topics(self, device: str) -> Topics:
        return Topics(self._options.prefix, self._options.discovery_prefix, device)

    def _tell(self, broker: BrokerClient, device: Device) -> None:
        topics, snapshot = self._topics(device.name), device.snapshot()
        discovery = StrictJson.dumps(config(snapshot, topics))
        availability = ONLINE if device.online else OFFLINE
        told = self._told.get(device.name, ("", ""))
        if told[0] != discovery:
            broker.publish(topics.config, discovery, retain=True)
            for what in (*(info.accessory for info in device.infos), CLEAN):
                self._asked[topics.command(what)] = (device.name, what)
        if told[1] != availability:
            broker.publish(topics.availability, availability, retain=True)
        self._told[device.name] = (discovery, availability)
        fresh = {name for name, reading in device.readings.items() if self._is_fresh(reading)}
        broker.publish(topics.state, StrictJson.dumps(state(snapshot, fresh)))

    def _forget(self, broker: BrokerClient, name: str) -> None:
        """An empty discovery takes a device away."""
        topics = self._topics(name)
        broker.publish(topics.config, "", retain=True)
        broker.publish(topics.availability, "", retain=True)
        self._told.pop(name, None)
        self._asked = {topic: asked for topic, asked in self._asked.items() if asked[0] != name}

    def _is_fresh(self, reading: LastReading) -> bool:
        if reading.value is None or reading.stale_after_s is None:
            return reading.value is not None
        return (self._clock.now() - parse_iso_utc(reading.taken_at)).total_seconds() <= reading.stale_after_s

    # --- hearing ------------------------------------------------------------------------------------------------

    def _heard(self, message: MQTTMessage) -> None:
        text = bytes(message.payload[:100]).decode("utf-8", "replace")
        if message.topic == f"{self._options.discovery_prefix}/{_BIRTH}":
            if text == ONLINE:
                self._everything()
            return
        if message.retain:
            log.warning("a command that the broker kept is not obeyed: topic=%s", message.topic[:100])
            return
        try:
            request = self._request(message.topic, text)
            if request is not None:
                self._commands.request(request, by=BY)
        except Refusal as refusal:
            log.warning("command refused: topic=%s code=%s: %s", message.topic[:100], refusal.code, refusal.message)

    def _request(self, topic: str, text: str) -> CommandRequest | None:
        device, what = self._asked.get(topic, ("", ""))
        if what == CLEAN and text == PRESS:
            return CommandRequest.build(action=Action.CLEAN, device=device)
        if what and what != CLEAN and text in (ON, OFF):
            return CommandRequest.build(action=Action.ON if text == ON else Action.OFF, accessory=what, device=device)
        log.warning("not a command: topic=%s payload=%r", topic[:100], text)
        return None
