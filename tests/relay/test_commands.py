"""Every command gets exactly one final result per device, and none says more than the device has read back."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.fanout.broadcast import Broadcast
from server.services.commands import Commands
from server.state.devices import Registry
from shared.contract.events import (
    COMMAND_RESULT_PUB_CLIENT,
    LED_OFF_PUBLISH_SERVER,
    LED_ON_PUBLISH_SERVER,
    LED_STATUS_CHECK_PUB_SYSTEM,
    SERVER_CLEAN_PUB,
)
from shared.contract.payloads import FINAL_STATES, AccessoryInfo, AccessoryStatus, Ack, CommandRequest, PiHello
from shared.errors import Code, Refusal
from tests.support.clock import FakeClock
from tests.support.wire import RecordingEmitter

LED = "breath_light"


class House:
    """Commands over recorded delivery, and devices that answer as a test says."""

    def __init__(self, *devices: str, original: bool = False, groups: dict[str, tuple[str, ...]] | None = None) -> None:
        self.clock = FakeClock()
        self.wire = RecordingEmitter()
        self.registry = Registry(groups or {})
        self.commands = Commands(self.registry, Broadcast(self.wire), self.clock, 10.0, defer=lambda work: work())
        for device in devices:
            hello = PiHello() if original else PiHello.build(contract="1.0", accessories=(self.info(),))
            self.registry.connected(device, f"sid-{device}", hello, self.clock.now())

    @staticmethod
    def info() -> AccessoryInfo:
        return AccessoryInfo.build(accessory=LED, pin=18, sensor=False)

    def request(self, **fields: Any) -> str:
        ack = self.commands.request(CommandRequest.build(**fields), by="tester")
        assert ack.ok
        return ack.command or ""

    def report(self, device: str, status: bool, **fields: Any) -> None:
        body = AccessoryStatus.build(status=status, **fields)
        self.commands.reported(self.registry.get(device), LED, body)

    def results(self, command: str) -> list[tuple[str, str, str]]:
        bodies = self.wire.bodies(COMMAND_RESULT_PUB_CLIENT)
        return [(body["device"], body["state"], body["code"]) for body in bodies if body["command"] == command]


def test_off_is_sent_accepted_and_verified_by_the_read_back() -> None:
    house = House("kitchen")
    command = house.request(action="off", accessory=LED, device="kitchen")
    [sent] = house.wire.of(LED_OFF_PUBLISH_SERVER)
    assert sent.to == ("sid-kitchen",)
    assert sent.body == {
        "command": command,
        "ttl_s": 10.0,
        "pin": 18,
        "mode": "BCM",
        "code": 200,
        "accessory": LED,
        "status": False,
        "type": "BreathLightCloseSuccess",
        "msg": "turn breath_light off",
    }
    sent.acked({"ok": True, "code": "accepted"})
    house.report("kitchen", False, command=command)
    assert house.results(command) == [
        ("kitchen", "sent", "accepted"),
        ("kitchen", "accepted", "accepted"),
        ("kitchen", "verified", "verified"),
    ]
    assert house.commands.get(command).final


def test_a_pin_that_reads_back_otherwise_fails_the_command() -> None:
    house = House("kitchen")
    command = house.request(action="on", accessory=LED, device="kitchen", lease_s=60)
    assert house.wire.bodies(LED_ON_PUBLISH_SERVER)[0]["lease_s"] == 60
    house.report("kitchen", False, command=command)
    assert house.results(command)[-1] == ("kitchen", "failed", "readback_differs")


def test_a_fault_that_the_device_names_is_the_result() -> None:
    house = House("kitchen")
    command = house.request(action="on", accessory=LED, device="kitchen")
    house.report("kitchen", False, command=command, fault={"code": "hardware_fault", "message": "pin 18 is gone"})
    assert house.results(command)[-1] == ("kitchen", "failed", "hardware_fault")


def test_what_the_device_refuses_is_refused() -> None:
    house = House("kitchen")
    command = house.request(action="off", accessory=LED, device="kitchen")
    house.wire.of(LED_OFF_PUBLISH_SERVER)[0].acked({"ok": False, "code": "queue_full", "retry": True})
    assert house.results(command)[-1] == ("kitchen", "refused", "queue_full")


def test_silence_expires_once_and_a_late_answer_changes_nothing() -> None:
    house = House("kitchen")
    command = house.request(action="off", accessory=LED, device="kitchen", ttl_s=2)
    house.clock.advance(2.5)
    house.commands.tick()
    assert not house.commands.get(command).final
    house.clock.advance(0.6)
    house.commands.tick()
    house.commands.tick()
    house.report("kitchen", False, command=command)
    assert house.results(command) == [("kitchen", "sent", "accepted"), ("kitchen", "expired", "no_answer")]


def test_a_devices_long_words_do_not_cost_the_result() -> None:
    house = House("kitchen")
    refused = house.request(action="off", accessory=LED, device="kitchen")
    house.wire.of(LED_OFF_PUBLISH_SERVER)[0].acked({"ok": False, "code": "queue_full", "message": "x" * 600})
    faulty = house.request(action="off", accessory=LED, device="kitchen")
    house.report("kitchen", False, command=faulty, fault={"code": "hardware_fault", "message": "y" * 500})
    assert house.results(refused)[-1] == ("kitchen", "refused", "queue_full")
    assert house.results(faulty)[-1] == ("kitchen", "failed", "hardware_fault")


def test_an_accessory_that_is_not_in_the_contract_is_refused_and_no_part_of_clean() -> None:
    house = House("kitchen")
    hello = PiHello.build(contract="1.0", accessories=(House.info(), AccessoryInfo.build(accessory="toaster")))
    house.registry.connected("odd", "sid-odd", hello, house.clock.now())
    with pytest.raises(Refusal) as refused:
        house.request(action="off", accessory="toaster", device="odd")
    assert refused.value.code is Code.UNKNOWN_ACCESSORY
    command = house.request(action="clean", device="odd")
    house.report("odd", False, command=command)
    assert house.results(command)[-1] == ("odd", "verified", "verified")


def test_commands_do_not_pile_up_at_a_device_that_answers_nothing() -> None:
    house = House("kitchen", "hall")
    for _ in range(200):
        house.request(action="check", accessory=LED, device="kitchen", ttl_s=86400)
    one_more = house.request(action="check", accessory=LED, all=True)
    assert set(house.results(one_more)) == {("kitchen", "refused", "queue_full"), ("hall", "sent", "accepted")}


def test_a_command_that_has_not_begun_is_not_final() -> None:
    house = House("kitchen")
    begin: list[Any] = []
    commands = Commands(house.registry, Broadcast(house.wire), house.clock, 10.0, defer=begin.append)
    ack = commands.request(CommandRequest.build(action="check", accessory=LED, device="kitchen"), by="tester")
    assert not commands.get(ack.command or "").final


def test_an_offline_device_is_sent_nothing() -> None:
    house = House("kitchen")
    house.registry.disconnected("kitchen", "sid-kitchen", house.clock.now())
    command = house.request(action="off", accessory=LED, device="kitchen")
    assert house.results(command) == [("kitchen", "refused", "device_offline")]
    assert house.wire.of(LED_OFF_PUBLISH_SERVER) == []
    assert house.registry.get("kitchen").record(LED).desired is None


def test_a_connection_that_ends_fails_what_it_has_not_confirmed() -> None:
    house = House("kitchen")
    command = house.request(action="off", accessory=LED, device="kitchen")
    house.commands.disconnected("kitchen")
    assert house.results(command)[-1] == ("kitchen", "failed", "device_offline")


def test_a_status_without_the_commands_id_confirms_nothing() -> None:
    house = House("kitchen")
    command = house.request(action="off", accessory=LED, device="kitchen")
    house.report("kitchen", False)
    house.report("kitchen", False, command="another")
    assert house.results(command) == [("kitchen", "sent", "accepted")]


def test_an_original_agent_is_checked_and_verified_by_its_next_status() -> None:
    house = House("old", original=True)
    command = house.request(action="off", accessory=LED, device="old")
    assert [sent.spec for sent in house.wire.sent[1:]] == [LED_OFF_PUBLISH_SERVER, LED_STATUS_CHECK_PUB_SYSTEM]
    house.wire.sent[1].acked(None)
    house.report("old", False, method="被動")
    assert house.results(command) == [("old", "sent", "accepted"), ("old", "verified", "verified")]


def test_a_periodic_report_that_was_on_its_way_does_not_fail_an_original_agents_command() -> None:
    house = House("old", original=True)
    command = house.request(action="off", accessory=LED, device="old")
    house.report("old", True)
    assert house.results(command) == [("old", "sent", "accepted")]
    house.report("old", True, method="被動")
    assert house.results(command)[-1] == ("old", "failed", "readback_differs")


def test_every_device_of_all_answers_for_itself() -> None:
    house = House("a", "b", "c")
    house.registry.disconnected("c", "sid-c", house.clock.now())
    command = house.request(action="off", accessory=LED, all=True)
    house.report("a", False, command=command)
    house.report("b", True, command=command)
    assert {result for result in house.results(command) if result[1] not in ("sent", "accepted")} == {
        ("a", "verified", "verified"),
        ("b", "failed", "readback_differs"),
        ("c", "refused", "device_offline"),
    }


def test_a_group_names_its_devices() -> None:
    house = House("a", "b", "c", groups={"lab": ("a", "c", "never-seen")})
    house.request(action="check", accessory=LED, tag="lab")
    assert [sent.to for sent in house.wire.of(LED_STATUS_CHECK_PUB_SYSTEM)] == [("sid-a",), ("sid-c",)]


def test_clean_awaits_every_accessory_that_is_no_sensor() -> None:
    house = House("kitchen")
    command = house.request(action="clean", device="kitchen")
    [sent] = house.wire.of(SERVER_CLEAN_PUB)
    assert sent.body == {"action": "clean", "command": command, "ttl_s": 10.0}
    house.report("kitchen", False, command=command)
    assert house.results(command)[-1] == ("kitchen", "verified", "verified")


def test_clean_of_a_device_with_only_sensors_is_done_when_it_is_accepted() -> None:
    house = House()
    sensor = AccessoryInfo.build(accessory="infrared_sensor", sensor=True)
    hello = PiHello.build(contract="1.0", accessories=(sensor,))
    house.registry.connected("hall", "sid-hall", hello, house.clock.now())
    command = house.request(action="clean", device="hall")
    house.wire.of(SERVER_CLEAN_PUB)[0].acked({"ok": True, "code": "accepted"})
    assert house.results(command)[-1] == ("hall", "verified", "verified")


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"device": "nowhere"}, Code.UNKNOWN_DEVICE),
        ({"tag": "nothing"}, Code.UNKNOWN_GROUP),
        ({"device": "kitchen", "accessory": "toaster"}, Code.UNKNOWN_ACCESSORY),
    ],
)
def test_a_command_to_nobody_is_refused_at_once(fields: dict[str, str], code: Code) -> None:
    house = House("kitchen")
    with pytest.raises(Refusal) as refused:
        house.request(**{"action": "off", "accessory": LED, **fields})
    assert refused.value.code is code


def test_all_of_no_device_is_refused() -> None:
    with pytest.raises(Refusal) as refused:
        House().request(action="clean", all=True)
    assert refused.value.code is Code.UNKNOWN_DEVICE


def test_only_so_many_commands_are_remembered() -> None:
    house = House("kitchen")
    first = house.request(action="check", accessory=LED, device="kitchen")
    house.report("kitchen", True, command=first)
    for _ in range(1_000):
        command = house.request(action="check", accessory=LED, device="kitchen")
        house.report("kitchen", True, command=command)
    assert house.commands.get(command).final
    with pytest.raises(Refusal) as refused:
        house.commands.get(first)
    assert refused.value.code is Code.UNKNOWN_COMMAND


STEPS = st.lists(
    st.sampled_from(["off", "on", "check", "ack", "refuse", "report_on", "report_off", "leave", "come", "wait"]),
    max_size=30,
)


@given(STEPS)
def test_whatever_happens_a_command_has_one_final_result_and_verified_means_read_back(steps: list[str]) -> None:
    house = House("a")
    asked: dict[str, str] = {}
    pin: dict[str, bool] = {}
    for step in steps:
        last = next(reversed(asked), None)
        if step in ("off", "on", "check"):
            asked[house.request(action=step, accessory=LED, device="a", ttl_s=5)] = step
        elif step in ("ack", "refuse"):
            for sent in [sent for sent in house.wire.sent if sent.acked]:
                sent.acked(Ack(ok=step == "ack", code=Code.ACCEPTED if step == "ack" else Code.QUEUE_FULL))
        elif step.startswith("report") and last:
            pin.setdefault(last, step == "report_on")
            house.report("a", step == "report_on", command=last)
        elif step == "leave":
            house.registry.disconnected("a", "sid-a", house.clock.now())
            house.commands.disconnected("a")
        elif step == "come":
            house.registry.connected("a", "sid-a", PiHello.build(contract="1.0"), house.clock.now())
        elif step == "wait":
            house.clock.advance(3)
            house.commands.tick()
    house.clock.advance(60)
    house.commands.tick()
    for command, action in asked.items():
        states = [state for _, state, _ in house.results(command)]
        assert len([state for state in states if state in FINAL_STATES]) == 1
        assert states[-1] in FINAL_STATES
        if states[-1] == "verified" and action != "check":
            assert pin[command] is (action == "on")
