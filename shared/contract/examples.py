"""A body of each event, as a program would send it: for documents and for programs that try a relay out.

What is not written here is made from the schema: required fields alone, each with the first example, choice or bound
that its type names.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from shared.contract import door_events, door_payloads, events, payloads
from shared.contract.payloads import Accessory, Action, TrainingPhase
from shared.contract.spec import EventSpec

_NOW = "2026-01-31T12:00:00.000Z"
_KEY = "Zy3kQ0aV9w"

_ROUND = {
    "id": 1,
    "datetime": "2026-01-31 12:00:00",
    "fail": [],
    "data": {"temperature": 21.4, "humidity": 48.2},
}
_SWITCH = {
    "pin": 18,
    "mode": "BCM",
    "code": 200,
    "accessory": Accessory.BREATH_LIGHT,
    "status": False,
    "type": "BreathLightCloseSuccess",
    "msg": "off",
}
_SAMPLE = {
    "id": 1,
    "timestamp": _NOW,
    "hr": 71,
    "temp": 33.1,
    "eda": 0.4,
    "stress_level": "normal",
    "confidence": 87.5,
    "device_id": "esp32-1",
}

_WRITTEN: Final[Mapping[type, Mapping[str, Any]]] = {
    payloads.SensorData: _ROUND,
    payloads.ClientSensorData: {**_ROUND, "device": "demo-pi", "cursor": 1},
    payloads.AccessoryStatus: {"status": True},
    payloads.AccessoryState: {
        "datatime": "2026-01-31 12:00:00",
        "accessory": Accessory.BREATH_LIGHT,
        "status": True,
        "device": "demo-pi",
    },
    payloads.CheckCommand: {"action": "check"},
    payloads.CleanCommand: {"action": "clean"},
    payloads.SwitchCommand: _SWITCH,
    payloads.ModelTrain: {"status": False, "phase": TrainingPhase.FINISHED},
    payloads.Heartbeat: {"interval_s": 5},
    payloads.CareReport: {"request": _KEY, "ok": True, "code": "accepted", "text": "{}"},
    payloads.CommandApplied: {"command": _KEY, "accessory": Accessory.BREATH_LIGHT},
    payloads.CommandRequest: {"device": "demo-pi", "action": Action.CHECK, "accessory": Accessory.BREATH_LIGHT},
    payloads.AlertRequest: {"alert": "ALERT", "state": "acknowledged"},
    payloads.ReplayRequest: {"since": 0},
    payloads.Dropped: {"id": 2, "reason": "overflow", "count": 1},
    door_payloads.StressReading: {"hr": 71, "temp": 33.1, "eda": 0.4},
    door_payloads.StressSample: _SAMPLE,
    door_payloads.StressAlert: {
        "type": door_events.STRESS_ALERT.name,
        "level": "high_stress",
        "confidence": 82.0,
        "message": "high stress",
        "sensor_data": _SAMPLE,
    },
    door_payloads.StressHistoryRequest: {"limit": 10},
    door_payloads.TelemetryPacket: {"source": "lathe", "values": {"rpm": 1480.5}},
    door_payloads.TelemetryChoice: {"sources": ["lathe"]},
    door_payloads.MqttSensorData: {"timestamp": _NOW, "data": {"_id": 1, "temperature": 4.5}, "device": "shed"},
}

_PATTERNS: Final = {
    r"^\d{4}-\d{2}-\d{2}T": _NOW,
    r"^\d{4}-\d{2}-\d{2} ": "2026-01-31 12:00:00",
    r"^[A-Za-z0-9][": "demo-pi",
    r"^[A-Za-z0-9_-]": _KEY,
}


def example_of(spec: EventSpec) -> dict[str, Any]:
    """A valid body of an event."""
    # One type for three events: the one that all further accessories share must say which is meant.
    named = {"accessory": "fan"} if spec is events.ACCESSORY_STATUS_PUB_PI else {}
    return example(spec.payload) | named


def example(kind: type) -> dict[str, Any]:
    """A valid body of the type `kind`."""
    if kind in _WRITTEN:
        return dict(_WRITTEN[kind])
    schema, known = msgspec.json.schema_components([kind], ref_template="{name}")
    made: dict[str, Any] = _made(schema[0], known)
    return made


def _made(schema: Mapping[str, Any], known: Mapping[str, Any]) -> Any:
    if "$ref" in schema:
        return _made(known[schema["$ref"]], known)
    if "anyOf" in schema:
        return _made(schema["anyOf"][0], known)
    if schema.get("examples"):
        return schema["examples"][0]
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type")
    if kind == "object":
        properties = schema.get("properties", {})
        return {name: _made(properties[name], known) for name in schema.get("required", ())}
    if kind == "string":
        return _text(schema)
    return {"array": [], "integer": 1, "number": schema.get("minimum", 0), "boolean": True}.get(str(kind))


def _text(schema: Mapping[str, Any]) -> str:
    pattern = str(schema.get("pattern", ""))
    for beginning, text in _PATTERNS.items():
        if pattern.startswith(beginning) and re.fullmatch(pattern, text):
            return text
    return "text"
