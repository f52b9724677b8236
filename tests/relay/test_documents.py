"""The documents of the contract: valid by their own standards, complete, and about what is really there."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
from openapi_spec_validator import validate

from server.app import Relay, Storage, create_app
from server.doors.http.openapi import document, routes
from server.doors.mqtt import described
from server.settings import HomeAssistantSettings, MqttSettings, RelaySettings
from shared.contract.asyncapi import document as of_events
from shared.contract.examples import example_of
from shared.contract.payloads import parse
from shared.contract.schemas import body_types, every_event, schema_files
from shared.contract.spec import EventSpec, Namespace, Role
from tests.support.clock import FakeClock

ROOT = Path(__file__).parents[2]
ASYNCAPI = ROOT / "server/dashboard/node_modules/@asyncapi/specs/schemas/3.0.0-without-$id.json"
MQTT = MqttSettings(url="mqtt://broker.lan", home_assistant=HomeAssistantSettings(enabled=True))


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Relay]:
    settings, clock = RelaySettings(demo=True), FakeClock()
    storage = Storage.open(f"sqlite:///{tmp_path_factory.mktemp('documents') / 'relay.db'}", settings.retention, clock)
    yield create_app(settings, storage, clock)
    storage.close()


@pytest.fixture(scope="module")
def openapi(relay: Relay) -> dict[str, Any]:
    served: dict[str, Any] = msgspec.json.decode(
        msgspec.json.encode(document(relay.flask, "http://127.0.0.1:5000/", demo=False))
    )
    return served


@pytest.fixture(scope="module")
def asyncapi() -> dict[str, Any]:
    return described.document(MQTT, "127.0.0.1:5000")


def test_every_route_is_described(relay: Relay) -> None:
    assert [f"{method} {rule.rule}" for rule, method, operation in routes(relay.flask) if operation is None] == []


def test_every_described_operation_is_a_route(relay: Relay, openapi: dict[str, Any]) -> None:
    served = relay.flask.url_map.bind("127.0.0.1")
    for path, methods in openapi["paths"].items():
        for method, operation in methods.items():
            shown = {parameter["name"]: str(parameter.get("example")) for parameter in operation.get("parameters", ())}
            assert served.test(path.format(**shown), method.upper()), path


def test_every_operation_says_who_may_what_it_answers_and_how_it_refuses(openapi: dict[str, Any]) -> None:
    for path, methods in openapi["paths"].items():
        for method, operation in methods.items():
            responses = operation["responses"]
            assert operation["summary"].endswith("."), (path, method)
            assert any(status.startswith("2") for status in responses), (path, method)
            assert ("401" in responses) >= bool(operation["x-roles"]), (path, method)
            assert all(response["description"] for response in responses.values())


def test_the_openapi_document_is_one(openapi: dict[str, Any]) -> None:
    validate(openapi)
    for schema in openapi["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)


def test_the_bodies_that_the_openapi_document_shows_are_valid(openapi: dict[str, Any]) -> None:
    shown = 0
    for methods in openapi["paths"].values():
        for operation in methods.values():
            for media in operation.get("requestBody", {}).get("content", {}).values():
                schema = {**media["schema"], "components": openapi["components"]}
                jsonschema.Draft202012Validator(schema).validate(media["example"])
                shown += 1
    assert shown >= 8


@pytest.mark.skipif(not ASYNCAPI.exists(), reason="the page's packages are not installed: make dashboard")
@pytest.mark.parametrize("settings", [MqttSettings(), MQTT], ids=["without a broker", "with one"])
def test_the_asyncapi_document_is_one(settings: MqttSettings) -> None:
    schema = json.loads(ASYNCAPI.read_text(encoding="utf-8"))
    jsonschema.Draft7Validator(schema).validate(described.document(settings, "127.0.0.1:5000"))


def test_a_document_that_is_none_is_noticed(openapi: dict[str, Any]) -> None:
    with pytest.raises(Exception, match="info"):
        validate({key: value for key, value in openapi.items() if key != "info"})


def test_the_asyncapi_document_has_every_event_once_and_none_besides(asyncapi: dict[str, Any]) -> None:
    told = sorted(
        (
            resolve(asyncapi, operation["channel"])["address"],
            resolve(asyncapi, resolve(asyncapi, operation["messages"][0]))["name"],
            operation["action"],
        )
        for key, operation in asyncapi["operations"].items()
        if not key.startswith(("mqtt_", "ha_"))
    )
    ours = sorted(
        (str(spec.namespace), spec.name, "receive" if spec.subscriber is Role.RELAY else "send")
        for spec in every_event()
    )
    assert told == ours
    assert {str(namespace) for namespace in Namespace} <= {c["address"] for c in asyncapi["channels"].values()}


def test_the_asyncapi_document_has_the_topics_of_the_settings(asyncapi: dict[str, Any]) -> None:
    addresses = {channel["address"] for channel in asyncapi["channels"].values()}
    assert {topic.topic for topic in MQTT.topics} <= addresses
    assert {"breathlight/{device}/{accessory}/set", "homeassistant/device/breathlight_{device}/config"} <= addresses
    assert asyncapi["servers"]["broker"]["host"] == "broker.lan:1883"
    retained = {
        resolve(asyncapi, operation["channel"])["address"]
        for operation in asyncapi["operations"].values()
        if operation.get("bindings", {}).get("mqtt", {}).get("retain")
    }
    assert "breathlight/{device}/availability" in retained
    assert "breathlight/{device}/state" not in retained


def resolve(document: dict[str, Any], reference: dict[str, str]) -> Any:
    found: Any = document
    for part in reference["$ref"].removeprefix("#/").split("/"):
        found = found[part]
    return found


def test_without_a_broker_there_are_no_topics() -> None:
    assert "broker" not in described.document(MqttSettings(), "127.0.0.1:5000")["servers"]


@pytest.mark.parametrize("spec", every_event(), ids=lambda spec: f"{spec.namespace}-{spec.name}-{spec.subscriber}")
def test_the_example_of_an_event_is_a_valid_body(spec: EventSpec) -> None:
    parse(spec.payload, example_of(spec))


def test_the_schemas_are_those_of_the_files() -> None:
    for name, schema in schema_files().items():
        assert json.loads((ROOT / f"docs/schemas/{name}.json").read_text(encoding="utf-8")) == schema
    assert len(schema_files()) == len(body_types())
    assert of_events("127.0.0.1:5000")["components"]["schemas"].keys() >= schema_files().keys()
