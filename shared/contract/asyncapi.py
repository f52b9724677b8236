"""The AsyncAPI 3 document: every event of every namespace, and the topics of MQTT, from the relay's side.

A channel is a Socket.IO namespace, its messages are the events; an operation is `receive` for what the relay takes and
`send` for what it publishes. The ack of an event is its reply. MQTT's channels are handed in: which topics there are is
a setting of the relay.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from shared import VERSION
from shared.contract import CONTRACT_VERSION
from shared.contract.examples import example_of
from shared.contract.payloads import Ack
from shared.contract.schemas import components, every_event
from shared.contract.spec import EventSpec, Namespace, Role
from shared.errors import MEANING

_ACK: Final = "Ack"
_REF = "#/components/schemas/{name}"
_CHANNELS: Final = {
    Namespace.PI: ("pi", "Agents: what they measured and did, and what they are asked to do."),
    Namespace.CLIENT: ("client", "Pages and programs of people: what is, live, and their commands."),
    Namespace.ROOT: ("doors", "The other doors: stress monitor, temperature page, telemetry, MQTT sensors."),
}
_ABOUT = f"""The events of a Breathlight relay, contract {CONTRACT_VERSION}. System is the agent, Flask the relay.

A token travels in the Socket.IO `auth` object (`{{"token": "bl_…"}}`), a bearer header or the cookie; in demo mode none
is needed. An ack is one object with a stable `code`, sent whenever it was asked for; a refusal that nobody asked an ack
for comes as `error_pub`. Unknown fields are ignored. The schemas and HTTP: `/api/schemas`, `/api/openapi.json`.
"""
_QUERIES: Final = {
    Namespace.CLIENT: {"device": "One device alone."},
    Namespace.ROOT: {"type": "esp32, frontend or logger; none: every text event of these doors."},
}


@dataclass(frozen=True)
class MqttTopic:
    """One topic of the broker. `sends`: the relay publishes there; else it subscribes."""

    key: str
    address: str
    description: str
    sends: bool
    schema: Mapping[str, Any]
    example: Any
    qos: int = 1
    retain: bool = False


def document(host: str, mqtt: Iterable[MqttTopic] = (), broker: str = "") -> dict[str, Any]:
    """The document of the relay at `host` (`name:port`), with the topics `mqtt` of a `broker` (`name:port`)."""
    messages: dict[str, Any] = {_ACK: _message(_ACK, "What became of an event.", Ack, {"ok": True, "code": "accepted"})}
    channels: dict[str, Any] = {}
    operations: dict[str, Any] = {}
    for namespace, (key, about) in _CHANNELS.items():
        specs = [spec for spec in every_event() if spec.namespace is namespace]
        channels[key] = _channel(namespace, about, specs)
        for spec in specs:
            messages[_key(spec)] = _event(spec)
            operations[_key(spec)] = _operation(spec, key)
    for topic in mqtt:
        channels[topic.key] = _topic_channel(topic)
        messages[topic.key] = _topic_message(topic)
        operations[topic.key] = _topic_operation(topic)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Breathlight relay",
            "version": VERSION,
            "description": _ABOUT,
            "license": {"name": "MIT"},
        },
        "defaultContentType": "application/json",
        "servers": _servers(host, broker),
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages, "schemas": components(_REF)},
        "x-codes": {str(code): meaning for code, meaning in MEANING.items()},
    }


def _servers(host: str, broker: str) -> dict[str, Any]:
    servers = {
        "relay": {
            "host": host,
            "pathname": "/socket.io",
            "protocol": "ws",
            "protocolVersion": "13",
            "description": "Socket.IO 5 over Engine.IO 4: websocket, or long polling.",
        }
    }
    if broker:
        servers["broker"] = {
            "host": broker,
            "protocol": "mqtt",
            "protocolVersion": "3.1.1",
            "description": "The broker.",
        }
    return servers


def _key(spec: EventSpec) -> str:
    """Unique: one name may go both ways, or stand in several namespaces."""
    way = "" if spec.subscriber is Role.RELAY else "_sent"
    return f"{_CHANNELS[spec.namespace][0]}_{spec.name}{way}"


def _channel(namespace: Namespace, about: str, specs: list[EventSpec]) -> dict[str, Any]:
    queries = {name: {"type": "string", "description": text} for name, text in _QUERIES.get(namespace, {}).items()}
    names = [*(_key(spec) for spec in specs), _ACK]
    return {
        "address": str(namespace),
        "title": f"Namespace {namespace}",
        "description": about,
        "servers": [{"$ref": "#/servers/relay"}],
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names},
        "bindings": {"ws": {"method": "GET", "query": {"type": "object", "properties": queries}}},
    }


def _message(name: str, summary: str, body: type, shown: Any) -> dict[str, Any]:
    return {
        "name": name,
        "title": name,
        "summary": summary,
        "contentType": "application/json",
        "payload": {"$ref": _REF.format(name=body.__name__)},
        "examples": [{"name": "example", "payload": shown}],
    }


def _event(spec: EventSpec) -> dict[str, Any]:
    return {
        **_message(spec.name, spec.description, spec.payload, example_of(spec)),
        "x-publisher": str(spec.publisher),
        "x-subscriber": str(spec.subscriber),
        "x-timeout-s": spec.timeout_s,
        "x-broadcast": spec.broadcast,
        "x-delivery": str(spec.delivery),
        "x-when-slow": None if spec.when_slow is None else str(spec.when_slow),
        "x-same-by": list(spec.same_by),
        "x-addition": spec.addition,
        "x-binary": spec.raw,
    }


def _operation(spec: EventSpec, channel: str) -> dict[str, Any]:
    taken = spec.subscriber is Role.RELAY
    said: dict[str, Any] = {
        "action": "receive" if taken else "send",
        "channel": {"$ref": f"#/channels/{channel}"},
        "summary": spec.description,
        "messages": [{"$ref": f"#/channels/{channel}/messages/{_key(spec)}"}],
    }
    if taken:
        said["reply"] = {
            "channel": {"$ref": f"#/channels/{channel}"},
            "messages": [{"$ref": f"#/channels/{channel}/messages/{_ACK}"}],
        }
    return said


def _topic_channel(topic: MqttTopic) -> dict[str, Any]:
    return {
        "address": topic.address,
        "title": topic.address,
        "description": topic.description,
        "servers": [{"$ref": "#/servers/broker"}],
        "messages": {topic.key: {"$ref": f"#/components/messages/{topic.key}"}},
    }


def _topic_message(topic: MqttTopic) -> dict[str, Any]:
    return {
        "name": topic.key,
        "title": topic.address,
        "summary": topic.description,
        "contentType": "application/json",
        "payload": dict(topic.schema),
        "examples": [{"name": "example", "payload": topic.example}],
        "bindings": {"mqtt": {"bindingVersion": "0.2.0"}},
    }


def _topic_operation(topic: MqttTopic) -> dict[str, Any]:
    return {
        "action": "send" if topic.sends else "receive",
        "channel": {"$ref": f"#/channels/{topic.key}"},
        "summary": topic.description,
        "messages": [{"$ref": f"#/channels/{topic.key}/messages/{topic.key}"}],
        "bindings": {"mqtt": {"qos": topic.qos, "retain": topic.retain, "bindingVersion": "0.2.0"}},
    }
