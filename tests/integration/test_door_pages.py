"""What the pages on MQTT and telemetry show, works."""

import json
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

from server.settings import RelaySettings
from shared.contract.door_payloads import TelemetryPacket
from shared.contract.payloads import parse
from shared.settings import load
from tests.support import processes
from tests.support.broker import broker
from tests.support.processes import ROOT, RelayProcess, wait_for

MQTT = (ROOT / "docs" / "mqtt.md").read_text(encoding="utf-8")
TELEMETRY = (ROOT / "docs" / "telemetry.md").read_text(encoding="utf-8")


def blocks(page: str, language: str) -> list[str]:
    found: list[str] = re.findall(rf"^```{language}\n(.*?)^```", page, re.M | re.S)
    assert found
    return found


def test_the_settings_on_the_mqtt_page_are_settings(tmp_path: Path) -> None:
    for number, block in enumerate(blocks(MQTT, "toml")):
        file = tmp_path / f"{number}.toml"
        file.write_text(block, encoding="utf-8")
        assert load(RelaySettings, file, {}, "PI_RELAY_").mqtt.topics
        assert tomllib.loads(block)


def test_the_messages_on_the_mqtt_page_are_taken(tmp_path: Path) -> None:
    with broker(tmp_path / "broker") as mosquitto, processes.relay(tmp_path, MQTT__URL=mosquitto.url) as relay:
        wait_for("the broker is connected", lambda: relay.get("/websocket/status")["brokerConnected"])
        for line in "".join(blocks(MQTT, "sh")).splitlines():
            subprocess.run([*shlex.split(line), "-h", "127.0.0.1", "-p", str(mosquitto.port)], check=True, timeout=20)
        known = wait_for(
            "both are there", lambda: (r := relay.device("shed").get("readings", {})) and "coPpm" in r and r
        )
        assert known["temperature"]["value"] == 4.5


def test_the_packet_on_the_telemetry_page_is_one() -> None:
    [packet] = blocks(TELEMETRY, "json")
    assert parse(TelemetryPacket, json.loads(packet)).seq == 17


def test_the_program_on_the_telemetry_page_runs(relay: RelayProcess) -> None:
    [program] = blocks(TELEMETRY, "python")
    done = subprocess.run(
        [sys.executable, "-c", program.replace("http://127.0.0.1:5000", relay.url)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("'accepted'") == 2
