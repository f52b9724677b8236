"""What nobody keeps for the relay, and the disk does not take, does not fill its memory."""

from typing import Any

import pytest
from paho.mqtt.client import MQTTMessage

from server.doors.mqtt import sensors
from server.doors.mqtt.sensors import MqttSensors
from server.settings import MqttSettings
from tests.support.clock import FakeClock


class Refusals:
    """Counts what is refused."""

    def __init__(self) -> None:
        self.codes: list[str] = []

    def refusal(self, _door: str, code: str) -> None:
        self.codes.append(code)


def message(qos: int) -> MQTTMessage:
    made = MQTTMessage(mid=1, topic=b"sensor/data/temp")
    made.qos = qos
    return made


def test_messages_without_quality_of_service_are_given_up_past_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[tuple[Any, ...]] = []
    monkeypatch.setattr(sensors.gevent, "spawn", lambda *work: begun.append(work))
    monkeypatch.setattr(sensors, "_MOST_AT_WORK", 10)
    refused: Any = Refusals()
    others: Any = None
    door = MqttSensors(MqttSettings(url="mqtt://127.0.0.1:1"), *[others] * 6, metrics=refused, clock=FakeClock())
    for _ in range(15):
        door._arrived(message(0))
    door._arrived(message(1))
    assert len(begun) == 11
    assert refused.codes == ["queue_full"] * 5
