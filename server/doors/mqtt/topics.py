"""What a message of an MQTT sensor says: pure functions from topic and bytes to a device and its readings."""

from datetime import datetime
from typing import Any

import msgspec
from paho.mqtt.client import topic_matches_sub

from server.doors.moment import moment
from server.settings import MqttTopic
from shared.clock import iso_utc, local_text
from shared.contract.payloads import Count, DeviceId, Key, SensorData, parse
from shared.errors import Code, Refusal
from shared.wire import StrictJson

MAX_BYTES = 16_384
"""Of one message."""
FIELDS = (
    *("temperature", "humidity", "aqi", "eco2", "tvoc", "coPpm", "ch4Ppm", "lpgPpm"),
    *("co2", "alcohol", "toluene", "acetone", "flameDetected", "flameIntensity"),
)
"""What the original's pages are told of a device, in its order."""


class Message(msgspec.Struct, frozen=True):
    """One message, read."""

    device: str
    body: SensorData
    told_time: bool
    """Whether the sensor itself said when: two messages with the same bytes are then one."""

    @property
    def told_when(self) -> bool:
        """Whether it can be told from others, by its time or its number: it may come again and is still one."""
        return self.told_time or self.body.stream is not None


def read(topic: str, payload: bytes | bytearray, topics: tuple[MqttTopic, ...], now: datetime) -> Message:
    """The message's device and readings. Raises `Refusal`: `too_large`, `malformed`, `invalid_payload`."""
    mapping = next((one for one in topics if topic_matches_sub(one.topic, topic)), None)
    if mapping is None:
        raise Refusal(Code.INVALID_PAYLOAD, f"topic {topic[:100]!r} is not one of the settings mqtt.topics")
    if len(payload) > MAX_BYTES:
        raise Refusal(Code.TOO_LARGE, f"{len(payload)} bytes; a message may have {MAX_BYTES}")
    decoded = StrictJson.loads(bytes(payload))
    fields: dict[str, Any] = decoded if isinstance(decoded, dict) else {mapping.value or "value": decoded}
    device = _device(topic, fields, mapping)
    told = fields.get(mapping.timestamp)
    taken_at = iso_utc(now) if told is None else iso_utc(moment(told))
    body: dict[str, Any] = {"id": 0, "datetime": local_text(now), "fail": (), "taken_at": taken_at}
    body["data"] = _readings(fields, mapping)
    if "stream" in fields and "id" in fields:
        body |= {"stream": parse(Key, fields["stream"]), "id": parse(Count, fields["id"])}
    return Message(device, SensorData.build(**body), told is not None)


def _device(topic: str, fields: dict[str, Any], mapping: MqttTopic) -> str:
    if mapping.device_level is not None:
        levels = topic.split("/")
        name: object = levels[mapping.device_level] if mapping.device_level < len(levels) else None
    else:
        name = fields.get(mapping.device)
        # The original's sensors number themselves.
        name = str(name) if isinstance(name, int) and not isinstance(name, bool) else name
    try:
        return parse(DeviceId, name)
    except Refusal:
        where = f"`{mapping.device}`" if mapping.device_level is None else f"level {mapping.device_level} of the topic"
        raise Refusal(
            Code.INVALID_PAYLOAD, f"{where} is {str(name)[:60]!r}, not a device's name (letters, digits, . _ -)"
        ) from None


def _readings(fields: dict[str, Any], mapping: MqttTopic) -> dict[str, float | None]:
    """Every number of the message, under the name that the settings give it."""
    skipped = {mapping.device, mapping.timestamp, "stream", "id"}
    found: dict[str, float | None] = {}
    for name, value in fields.items():
        if name in skipped:
            continue
        if isinstance(value, bool):
            found[mapping.rename.get(name, name)] = float(value)
        elif isinstance(value, int | float) or (value is None and name in FIELDS):
            found[mapping.rename.get(name, name)] = value
        elif name in FIELDS or name in mapping.rename:
            raise Refusal(Code.INVALID_PAYLOAD, f"`{name[:60]}` is {str(value)[:40]!r}, not a number")
    if not found:
        raise Refusal(Code.INVALID_PAYLOAD, "there is no number in it")
    return found
