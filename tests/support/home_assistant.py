"""Home Assistant's documented schema of MQTT device discovery, as far as this product uses its platforms.

Written from the documentation of the MQTT integration (device discovery payload; sensor, binary sensor, switch, light,
button), which refuses unknown keys as well as missing ones.
"""

from typing import Any

import jsonschema

_TOPIC = {"type": "string", "pattern": "^[^#+\x00]+$", "maxLength": 200}
_TEMPLATE = {"type": "string", "pattern": r"^\{\{ value_json\.[A-Za-z0-9_]+ \}\}$"}
_COMMON: dict[str, Any] = {
    "unique_id": {"type": "string", "minLength": 1},
    "name": {"type": ["string", "null"]},
    "device_class": {"type": "string"},
    "entity_category": {"enum": ["diagnostic", "config"]},
}
_SENSOR_CLASSES = {
    "temperature": ["°C", "°F", "K"],
    "humidity": ["%"],
    "pm1": ["µg/m³"],
    "pm25": ["µg/m³"],
    "pm10": ["µg/m³"],
    "aqi": [None],
    "carbon_dioxide": ["ppm"],
    "carbon_monoxide": ["ppm"],
    "volatile_organic_compounds_parts": ["ppm", "ppb"],
    "duration": ["d", "h", "min", "s", "ms"],
}


def _platform(name: str, required: list[str], **keys: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {"p": {"const": name}, **_COMMON, **keys},
        "required": ["p", "unique_id", *required],
        "additionalProperties": False,
    }


_ON_OFF = {"command_topic": _TOPIC, "payload_on": {"type": "string"}, "payload_off": {"type": "string"}}

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "dev": {
            "type": "object",
            "properties": {
                "ids": {"type": "array", "items": {"type": "string"}, "minItems": 1},
                "name": {"type": "string"},
                "mf": {"type": "string"},
                "mdl": {"type": "string"},
                "sw": {"type": "string"},
                "sa": {"type": "string"},
            },
            "required": ["ids"],
            "additionalProperties": False,
        },
        "o": {
            "type": "object",
            "properties": {"name": {"type": "string"}, "sw": {"type": "string"}, "url": {"type": "string"}},
            "required": ["name"],
            "additionalProperties": False,
        },
        "cmps": {
            "type": "object",
            "additionalProperties": {
                "oneOf": [
                    _platform(
                        "sensor",
                        [],
                        unit_of_measurement={"type": "string"},
                        state_class={"enum": ["measurement", "total", "total_increasing"]},
                        value_template=_TEMPLATE,
                        suggested_display_precision={"type": "integer", "minimum": 0},
                        expire_after={"type": "integer", "minimum": 1},
                    ),
                    _platform(
                        "binary_sensor",
                        [],
                        payload_on={"type": "string"},
                        payload_off={"type": "string"},
                        value_template=_TEMPLATE,
                    ),
                    _platform(
                        "switch", ["command_topic"], **_ON_OFF, optimistic={"type": "boolean"}, value_template=_TEMPLATE
                    ),
                    _platform(
                        "light",
                        ["command_topic"],
                        **_ON_OFF,
                        optimistic={"type": "boolean"},
                        state_value_template=_TEMPLATE,
                    ),
                    _platform("button", ["command_topic"], command_topic=_TOPIC, payload_press={"type": "string"}),
                ]
            },
        },
        "state_topic": _TOPIC,
        "availability": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"topic": _TOPIC},
                "required": ["topic"],
                "additionalProperties": False,
            },
        },
        "availability_mode": {"enum": ["all", "any", "latest"]},
        "qos": {"enum": [0, 1, 2]},
    },
    "required": ["dev", "o", "cmps"],
    "additionalProperties": False,
}


def problems(config: dict[str, Any]) -> list[str]:
    """What Home Assistant would refuse in a discovery message, beyond its schema: units that a class cannot have."""
    found = [error.message for error in jsonschema.Draft202012Validator(SCHEMA).iter_errors(config)]
    for name, component in config.get("cmps", {}).items():
        units = _SENSOR_CLASSES.get(component.get("device_class", ""))
        if component["p"] == "sensor" and units is not None and component.get("unit_of_measurement") not in units:
            found.append(f"{name}: {component['device_class']} has no unit {component.get('unit_of_measurement')}")
        if component["p"] == "sensor" and component.get("device_class") and units is None:
            found.append(f"{name}: unknown device class {component['device_class']}")
    ids = [component["unique_id"] for component in config.get("cmps", {}).values()]
    if len(ids) != len(set(ids)):
        found.append("unique_id is not unique")
    return found
