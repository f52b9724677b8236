"""The topics of the broker as the AsyncAPI document tells of them; which there are, the settings say."""

from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlsplit

from server.doors.mqtt.discovery import CLEAN, OFFLINE, ON, ONLINE, PRESS, Topics, bridge_topic
from server.settings import MqttSettings, MqttTopic
from shared.contract import asyncapi

_DEVICE: Final = "{device}"
_WORD = {"type": "string"}


def document(settings: MqttSettings, host: str) -> dict[str, Any]:
    """The AsyncAPI document of the relay at `host`, with the topics of its broker, where it has one."""
    where = urlsplit(settings.url)
    broker = f"{where.hostname}:{where.port or (8883 if where.scheme == 'mqtts' else 1883)}" if settings.url else ""
    return asyncapi.document(host, topics(settings) if broker else (), broker)


def topics(settings: MqttSettings) -> Iterator[asyncapi.MqttTopic]:
    """What the relay subscribes to and publishes."""
    for number, topic in enumerate(settings.topics):
        yield _sensor(number, topic)
    if settings.home_assistant.enabled:
        yield from _home_assistant(settings)


def _sensor(number: int, topic: MqttTopic) -> asyncapi.MqttTopic:
    key, address = f"mqtt_{number}", topic.topic
    if topic.value is not None:
        about = f"{topic.value}: a bare number."
        return asyncapi.MqttTopic(key, address, about, sends=False, schema={"type": "number"}, example=21.5)
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {
            topic.device: {"type": ["string", "integer"], "description": "Whose readings they are."},
            topic.timestamp: {"type": ["number", "string"], "description": "Unix (s or ms), or ISO 8601 with a zone."},
            "stream": {"type": "string", "description": "With `id`: the same one twice is stored once."},
            "id": {"type": "integer", "minimum": 0},
        },
        "required": [] if topic.device_level is not None else [topic.device],
        "additionalProperties": {"type": ["number", "boolean", "null"], "description": "A reading."},
    }
    shown = {"temperature": 4.5} if topic.device_level is not None else {topic.device: "shed", "temperature": 4.5}
    about = "Readings of one device. Acknowledged to the broker after they were committed."
    return asyncapi.MqttTopic(key, address, about, sends=False, schema=schema, example=shown)


def _home_assistant(settings: MqttSettings) -> Iterator[asyncapi.MqttTopic]:
    options = settings.home_assistant
    # Made by the class that makes the real ones, for a name that stands for any; its slug is the name itself.
    named = Topics(options.prefix, options.discovery_prefix, "DEVICE")

    def of(topic: str) -> str:
        return topic.replace("DEVICE", _DEVICE)

    there = {"type": "string", "enum": [ONLINE, OFFLINE]}
    yield asyncapi.MqttTopic(
        "ha_discovery",
        of(named.config),
        "A device, as Home Assistant discovers it.",
        sends=True,
        schema={"type": "object"},
        example={"dev": {"name": "demo-pi"}},
        retain=True,
    )
    yield asyncapi.MqttTopic(
        "ha_bridge",
        bridge_topic(options.prefix),
        "Whether the relay is there: birth and last will.",
        sends=True,
        schema=there,
        example=ONLINE,
        retain=True,
    )
    yield asyncapi.MqttTopic(
        "ha_availability",
        of(named.availability),
        "Whether the device is there.",
        sends=True,
        schema=there,
        example=ONLINE,
        retain=True,
    )
    yield asyncapi.MqttTopic(
        "ha_state",
        of(named.state),
        "Every value of the device, and what its accessories read back.",
        sends=True,
        schema={"type": "object"},
        example={"temperature": 21.4, "breath_light": ON},
    )
    yield asyncapi.MqttTopic(
        "ha_set",
        of(named.command("{accessory}")),
        "Switch an accessory. What the broker kept is not obeyed.",
        sends=False,
        schema={"type": "string", "enum": ["ON", "OFF"]},
        example=ON,
        qos=0,
    )
    yield asyncapi.MqttTopic(
        "ha_clean",
        of(named.command(CLEAN)),
        "Turn everything off but the sensors.",
        sends=False,
        schema={"const": PRESS},
        example=PRESS,
        qos=0,
    )
    yield asyncapi.MqttTopic(
        "ha_status",
        f"{options.discovery_prefix}/status",
        "Home Assistant comes or goes; all is told anew.",
        sends=False,
        schema=_WORD,
        example=ONLINE,
        qos=0,
    )
