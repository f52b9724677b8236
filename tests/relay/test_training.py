"""Who asks for training gets the device's own answer, at once, and is on record."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from server.fanout.broadcast import Broadcast
from server.services import training
from server.services.training import Training
from server.state.devices import Registry
from shared.contract.events import MODEL_TRAIN_PUBLISH_SERVER
from shared.contract.payloads import DeviceProfile, Payload, PiHello
from shared.contract.spec import EventSpec
from shared.errors import Code, Refusal
from tests.support.clock import FakeClock


class Wire:
    """Delivery to a device that answers `answer`; None: it says nothing."""

    def __init__(self, answer: object) -> None:
        self.answer = answer
        self.sent: list[tuple[str, Payload, list[str]]] = []

    def emit(self, spec: EventSpec, payload: Payload, to: Any, acked: Callable[..., None] | None = None) -> None:
        self.sent.append((spec.name, payload, list(to)))
        if acked is not None and self.answer is not None:
            acked(self.answer)

    def reaches(self, namespace: str, to: Any) -> bool:
        return True

    def close(self, spec: EventSpec, sid: str, payload: Payload) -> None:
        raise AssertionError("nobody is sent away")


class House:
    def __init__(self, answer: object = None, **hello: Any) -> None:
        self.clock = FakeClock()
        self.registry = Registry({})
        self.wire = Wire(answer)
        self.records: list[tuple[str, Any, str]] = []
        store: Any = SimpleNamespace(record=lambda *row: self.records.append(row))
        self.training = Training(self.registry, Broadcast(self.wire), store)
        said = PiHello.build(**{"contract": "1.0", **hello})
        self.registry.connected("pi", "sid", said, self.clock.now())

    def refused(self) -> Code:
        with pytest.raises(Refusal) as refusal:
            self.training.request("pi", "anna")
        assert self.records == []
        return refusal.value.code


def test_a_device_that_begins_is_told_who_asked_by_a_number_and_it_is_on_record() -> None:
    house = House({"ok": True, "code": "accepted"})
    ack = house.training.request("pi", "anna")
    assert (ack.ok, ack.code, ack.devices) == (True, Code.ACCEPTED, ("pi",))
    [(event, body, to)] = house.wire.sent
    assert (event, to) == (MODEL_TRAIN_PUBLISH_SERVER.name, ["sid"])
    assert body.command == ack.command  # type: ignore[attr-defined]  # its own body
    assert house.records == [("pi", {"train": ack.command}, "anna")]


@pytest.mark.parametrize("code", [Code.BUSY, Code.UNKNOWN_EVENT, Code.FORBIDDEN])
def test_a_device_that_refuses_is_the_one_who_says_why(code: Code) -> None:
    assert House({"ok": False, "code": code, "message": "no"}).refused() is code


@pytest.mark.parametrize("answer", [None, "yes", {"ok": "yes"}, [True, "receive", 200]])
def test_no_answer_or_what_is_none_is_no_answer(answer: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "_ANSWER_S", 0.01)
    assert House(answer).refused() is Code.NO_ANSWER


def test_nobody_is_asked_who_cannot_be() -> None:
    house = House({"ok": True, "code": "accepted"})
    with pytest.raises(Refusal) as refusal:
        house.training.request("nobody", "anna")
    assert refusal.value.code is Code.UNKNOWN_DEVICE
    house.registry.disconnected("pi", "sid", house.clock.now())
    assert house.refused() is Code.DEVICE_OFFLINE
    house.registry.describe(DeviceProfile(device="pi", retired=True))
    assert house.refused() is Code.RETIRED
    assert House({"ok": True, "code": "accepted"}, contract=None).refused() is Code.UNKNOWN_EVENT
    assert House({"ok": True, "code": "accepted"}, door="esp32").refused() is Code.UNKNOWN_EVENT
    assert house.wire.sent == []
