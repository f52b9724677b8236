"""The catalogue is the mission's table, word for word."""

import json
import re
from pathlib import Path

import jsonschema
import msgspec
import pytest

from shared.contract.door_events import EVERY_DOOR
from shared.contract.events import ACCESSORIES, ADDITIONS, CATALOGUE, THE_TWELVE
from shared.contract.export import generate, stale
from shared.contract.quantities import QUANTITIES
from shared.contract.spec import Delivery, Role, WhenSlow
from shared.errors import MEANING, Code

ROOT = Path(__file__).parents[2]

THE_TABLE = """
sensor_data_pub_pi | /pi | System | Flask | 30 | False | To automate fetch the sensor data and send to Flask server.
sensor_data_pub_client | /client | Flask | Client | None | True | To send realtime sensor data to client.
server_clean_pub | /pi | Flask | System | None | True | To send a force turning off signal to all accessories except the sensors.
accessory_status_pub_client | /client | Flask | Client | None | True | To send the accessories status to client.
LED_status_check_pub_system | /pi | Flask | System | None | True | To emit a signal make the LED report its status.
LED_status_pub_pi | /pi | System | Flask | 30 | False | To receive the status publish to Flask server regularly.
LED_off_publish_server | /pi | Flask | System | None | True | To send the turning off breath light signal.
infrared_status_check_pub_system | /pi | Flask | System | None | True | To emit a signal make the infrared sensor report its status.
infrared_status_pub_pi | /pi | System | Flask | 30 | False | To receive the status publish to Flask server regularly.
infrared_off_publish_server | /pi | Flask | System | None | True | To send the turning off infrared sensor signal.
model_train_pub_pi | /pi | System | Flask | 30 | False | To send the model train finish to Server.
model_train_pub_client | /client | Flask | Client | None | True | To send the model train status to client.
""".strip().splitlines()


def test_the_twelve_are_the_missions_own_word_for_word() -> None:
    ours = [
        f"{spec.name} | {spec.namespace} | {spec.publisher} | {spec.subscriber} "
        f"| {'None' if spec.timeout_s is None else f'{spec.timeout_s:g}'} | {spec.broadcast} | {spec.description}"
        for spec in THE_TWELVE
    ]
    assert ours == THE_TABLE


WORDS = {"temperature", "ping", "pong"}
"""Names of the original that are words, and stand for other things too."""


@pytest.mark.parametrize("spec", CATALOGUE + EVERY_DOOR, ids=lambda spec: f"{spec.namespace}-{spec.name}")
def test_a_wire_name_is_written_once(spec) -> None:
    sources = [
        file
        for package in ("shared", "pi_agent", "server")
        for file in (ROOT / package).rglob("*.py")
        # What a migration has written, it has written.
        if "migrations" not in file.parts
        if re.search(rf"""["']{re.escape(spec.name)}["']""", file.read_text(encoding="utf-8"))
    ]
    if spec.name in WORDS:
        assert ROOT / "shared" / "contract" / "door_events.py" in sources
        return
    written = "events.py" if spec in CATALOGUE else "door_events.py"
    assert sources == [ROOT / "shared" / "contract" / written]
    text = sources[0].read_text(encoding="utf-8")
    assert len(re.findall(rf"""["']{re.escape(spec.name)}["']""", text)) == 1


def test_what_a_pi_publishes_waits_thirty_seconds_for_its_ack() -> None:
    assert {spec.timeout_s for spec in CATALOGUE if spec.publisher is Role.PI} == {30.0}


def test_additions_are_marked_and_the_twelve_are_not() -> None:
    assert all(spec.addition for spec in ADDITIONS)
    assert not any(spec.addition for spec in THE_TWELVE)


def test_commands_to_a_device_are_never_sent_late() -> None:
    to_devices = {spec for events in ACCESSORIES.values() for spec in (events.check, events.on, events.off)}
    assert {spec.delivery for spec in to_devices} == {Delivery.COMMAND}


@pytest.mark.parametrize("spec", CATALOGUE + EVERY_DOOR, ids=lambda spec: f"{spec.namespace}-{spec.name}")
def test_what_the_relay_publishes_says_what_becomes_of_it_when_its_receiver_is_slow(spec) -> None:
    assert (spec.when_slow is not None) is (spec.publisher is Role.RELAY)
    assert not spec.same_by or spec.when_slow is WhenSlow.CONFLATE
    assert set(spec.same_by) <= {field.name for field in msgspec.structs.fields(spec.payload)}
    assert (spec.when_slow is WhenSlow.REFUSE) is (spec.subscriber is Role.PI and spec.delivery is Delivery.COMMAND)


def test_generated_files_are_fresh() -> None:
    assert stale(ROOT) == [], "run `make contract`"


def test_a_stale_file_is_noticed(tmp_path: Path) -> None:
    for path, text in generate().items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
    assert stale(tmp_path) == []
    (tmp_path / "docs/EVENTS.md").write_text("old", encoding="utf-8")
    (tmp_path / "docs/schemas/Gone.json").write_text("{}", encoding="utf-8")
    assert stale(tmp_path) == ["docs/EVENTS.md", "docs/schemas/Gone.json"]


@pytest.mark.parametrize("file", sorted((ROOT / "docs/schemas").glob("*.json")), ids=lambda file: file.stem)
def test_every_schema_is_a_valid_one(file: Path) -> None:
    jsonschema.Draft202012Validator.check_schema(json.loads(file.read_text(encoding="utf-8")))


def test_every_code_has_its_meaning() -> None:
    assert set(MEANING) == set(Code)


def test_quantities_have_a_range() -> None:
    assert all(quantity.low < quantity.high for quantity in QUANTITIES.values())
