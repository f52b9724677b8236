"""What of an event must arrive as it was made, and its hash.

Compared: the event's name, every field of its own, and of `clock` what was true when it was made. Not compared:

    id, stream           they are the key by which journal and database are brought together
    device               the relay takes it from the connection; the key has it
    taken_at, datetime   a sample taken before the clock was set is dated again; `redated` says so, and it alone may
    clock.redated        is set in transit, see above
    calibration          the relay's own: what it added, on record; these devices have none
    unknown fields       of a newer version; an older relay does not keep them

A field that holds its default need not be sent. The table below is written by hand and not derived from the product's
payloads: a field that the product forgets must be missed here.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from shared.contract import events

_STATUS = {
    "status": None,
    "method": None,
    "accessory": None,
    "level": None,
    "light": None,
    "lease_left_s": None,
    "command": None,
    "cause": None,
    "fault": None,
}

COMPARED: Mapping[str, Mapping[str, Any]] = {
    events.SENSOR_DATA_PUB_PI.name: {"data": {}, "fail": [], "quality": {}, "insight": None},
    events.MOTION_PUB_PI.name: {"motion": None, "count": 0},
    events.LED_STATUS_PUB_PI.name: _STATUS,
    events.INFRARED_STATUS_PUB_PI.name: _STATUS,
    events.ACCESSORY_STATUS_PUB_PI.name: _STATUS,
    events.MODEL_TRAIN_PUB_PI.name: {
        "status": None,
        "job": None,
        "phase": None,
        "reason": None,
        "progress": None,
        "samples": None,
        "duration_s": None,
        "metrics": {},
        "trigger": None,
        "command": None,
        "model_version": None,
        "days": None,
        "peak_rss_bytes": None,
        "horizons": [],
        "plot": [],
    },
    events.DROP_PUB_PI.name: {
        "reason": None,
        "count": None,
        "first_id": None,
        "last_id": None,
        "of_stream": None,
        "message": "",
    },
}
"""For each event its own fields, and what they are where a body does not tell."""

NOT_COMPARED = frozenset({"id", "stream", "device", "taken_at", "datetime", "clock", "calibration"})
"""`clock` is compared in parts."""

_PARTS = {"quality": {"state": None, "reason": ""}, "fault": {"code": None, "message": ""}}
_CLOCK = {"boot_id": None, "monotonic_ns": None, "synchronised": None}


def fingerprint(event: str, body: Mapping[str, Any]) -> str:
    """SHA-256, in hex, over what must not change of an event. `body` is decoded JSON."""
    kept: dict[str, Any] = {}
    for name, default in COMPARED[event].items():
        kept[name] = body.get(name, default)
    kept["quality"] = {name: _known(part, _PARTS["quality"]) for name, part in (kept.get("quality") or {}).items()}
    kept["fault"] = _known(kept.get("fault"), _PARTS["fault"])
    kept["clock"] = _known(body.get("clock"), _CLOCK)
    text = json.dumps([event, _plain(kept)], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _known(part: Mapping[str, Any] | None, defaults: Mapping[str, Any]) -> dict[str, Any] | None:
    return None if part is None else {name: part.get(name, default) for name, default in defaults.items()}


def _plain(value: Any) -> Any:
    """21 and 21.0 are the same number in JSON."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {name: _plain(inner) for name, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list | tuple) else value
