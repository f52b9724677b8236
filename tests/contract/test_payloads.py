"""Bodies: the original's minimal ones are taken, whatever cannot be true is refused."""

import json
import math
from pathlib import Path

import jsonschema
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contract import payloads
from shared.contract.events import CATALOGUE
from shared.contract.payloads import CommandRequest, Payload, SensorData, extend, parse
from shared.contract.quantities import QUANTITIES
from shared.errors import Code, Refusal
from shared.wire import StrictJson

SCHEMAS = Path(__file__).parents[2] / "docs" / "schemas"

ORIGINAL_BODIES = {
    "sensor_data_pub_pi": {
        "id": 0,
        "datetime": "2026-01-31 23:59:59",
        "fail": ["PMS"],
        "data": {"temperature": 21.4, "humidity": 48.0, "PM2.5": None},
    },
    "sensor_data_pub_client": {"id": 0, "datetime": "2026-01-31 23:59:59", "fail": [], "data": {"temperature": 21.4}},
    "server_clean_pub": {"action": "clean"},
    "accessory_status_pub_client": {
        "datatime": "2026-01-31 23:59:59",
        "accessory": "breath_light",
        "status": True,
    },
    "LED_status_check_pub_system": {"action": "check"},
    "LED_status_pub_pi": {"status": False, "method": "被動"},
    "LED_off_publish_server": {
        "pin": 18,
        "mode": "BCM",
        "code": 200,
        "accessory": "breath_light",
        "status": False,
        "type": "BreathLightCloseSuccess",
        "msg": "off",
    },
    "infrared_status_check_pub_system": {"action": "check"},
    "infrared_status_pub_pi": {"status": True},
    "infrared_off_publish_server": {
        "pin": 23,
        "mode": "BCM",
        "code": 200,
        "accessory": "infrared_sensor",
        "status": False,
        "type": "InfraredSensorCloseSuccess",
        "msg": "off",
    },
    "model_train_pub_pi": {"status": False},
    "model_train_pub_client": {"datatime": "2026-01-31 23:59:59", "accessory": "face_model", "status": True},
}
BY_NAME = {spec.name: spec for spec in CATALOGUE}


@pytest.mark.parametrize(("name", "body"), ORIGINAL_BODIES.items(), ids=ORIGINAL_BODIES)
def test_the_original_body_is_taken_and_comes_back_whole(name: str, body: dict[str, object]) -> None:
    payload = parse(BY_NAME[name].payload, body)
    assert json.loads(StrictJson.dumps(payload)) == body
    assert parse(BY_NAME[name].payload, {**body, "a field of the future": {"deep": [1]}}) == payload


@pytest.mark.parametrize(("name", "body"), ORIGINAL_BODIES.items(), ids=ORIGINAL_BODIES)
def test_the_published_schema_takes_the_original_body(name: str, body: dict[str, object]) -> None:
    schema = json.loads((SCHEMAS / f"{BY_NAME[name].payload.__name__}.json").read_text(encoding="utf-8"))
    jsonschema.validate(body, schema)


@pytest.mark.parametrize(("name", "body"), ORIGINAL_BODIES.items(), ids=ORIGINAL_BODIES)
def test_a_field_of_the_wrong_type_is_refused(name: str, body: dict[str, object]) -> None:
    for field in body:
        with pytest.raises(Refusal) as refused:
            parse(BY_NAME[name].payload, {**body, field: {"not": ["it"]} if field != "data" else 7})
        assert refused.value.code is Code.INVALID_PAYLOAD


def test_a_field_of_the_original_is_always_sent_even_where_it_is_empty() -> None:
    sent = json.loads(StrictJson.dumps(SensorData.build(id=0, datetime="2026-01-31 23:59:59", fail=(), data={})))
    assert sent == {"id": 0, "datetime": "2026-01-31 23:59:59", "fail": [], "data": {}}


@given(st.sampled_from(sorted(QUANTITIES)), st.floats(allow_nan=True, allow_infinity=True))
def test_a_value_that_cannot_be_is_refused_and_one_that_can_is_kept(name: str, value: float) -> None:
    quantity = QUANTITIES[name]
    fields = {"id": 1, "datetime": "2026-01-31 23:59:59", "fail": (), "data": {name: value}}
    if math.isfinite(value) and quantity.low <= value <= quantity.high:
        assert SensorData.build(**fields).data == {name: value}
    else:
        with pytest.raises(Refusal):
            SensorData.build(**fields)


@given(st.dictionaries(st.text(max_size=5), st.floats(allow_nan=True, allow_infinity=True), max_size=3))
def test_what_is_built_is_always_strict_json(data: dict[str, float]) -> None:
    try:
        payload = SensorData.build(id=1, datetime="2026-01-31 23:59:59", fail=(), data=data)
    except Refusal:
        return
    assert parse(SensorData, StrictJson.loads(StrictJson.dumps(payload))) == payload


@pytest.mark.parametrize("value", [True, "21.4", [21.4]])
def test_numbers_are_numbers(value: object) -> None:
    with pytest.raises(Refusal):
        SensorData.build(id=1, datetime="2026-01-31 23:59:59", fail=(), data={"temperature": value})


@pytest.mark.parametrize(
    "body",
    [
        {"action": "off", "accessory": "breath_light"},
        {"action": "off", "accessory": "breath_light", "device": "a", "all": True},
        {"action": "off", "device": "a"},
        {"action": "off", "accessory": "breath_light", "device": "a", "lease_s": 5},
        {"action": "explode", "accessory": "breath_light", "device": "a"},
        {"action": "on", "accessory": "breath_light", "device": "../etc"},
        {"action": "on", "accessory": "breath_light", "device": "a", "ttl_s": -1},
        {"action": "clean", "all": False},
    ],
)
def test_a_command_that_makes_no_sense_is_refused(body: dict[str, object]) -> None:
    with pytest.raises(Refusal) as refused:
        parse(CommandRequest, body)
    assert refused.value.code is Code.INVALID_PAYLOAD


def test_every_float_of_every_body_has_bounds() -> None:
    """NaN passes no bound, and msgspec would encode it as null."""
    kinds = {spec.payload for spec in CATALOGUE}
    _, components = msgspec.json.schema_components(kinds)
    unbounded = [
        f"{name}.{field}"
        for name, schema in components.items()
        for field, detail in schema.get("properties", {}).items()
        for option in [detail, *detail.get("anyOf", []), detail.get("additionalProperties") or {}]
        if isinstance(option, dict)
        and option.get("type") == "number"
        and not ({"minimum", "exclusiveMinimum"} & option.keys() and {"maximum", "exclusiveMaximum"} & option.keys())
    ]
    assert unbounded == []


def test_extending_keeps_every_field() -> None:
    body = SensorData.build(id=7, datetime="2026-01-31 23:59:59", fail=("dht",), data={"temperature": None})
    extended = extend(payloads.ClientSensorData, body, cursor=9, device="kitchen")
    assert (extended.id, extended.fail, extended.data, extended.cursor) == (7, ("dht",), {"temperature": None}, 9)
    assert isinstance(extended, Payload)
