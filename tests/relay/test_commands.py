"""Every command gets exactly one final result per device, and none says more than the device has read back."""

from typing import Any

import pytest

from server.fanout.broadcast import Broadcast
from server.services.commands import Commands, Records, Restart
from server.services.relay_time import RelayTime
from server.state.devices import Registry
from server.storage.commands import Answer
from shared.contract.events import (
    COMMAND_RESULT_PUB_CLIENT,
    FURTHER,
    LED_OFF_PUBLISH_SERVER,
    LED_ON_PUBLISH_SERVER,
    LED_STATUS_CHECK_PUB_SYSTEM,
    SERVER_CLEAN_PUB,
)
from shared.contract.payloads import (
    AccessoryInfo,
    AccessoryStatus,
    CommandApplied,
    CommandRequest,
    DeviceProfile,
    PiHello,
)
from shared.errors import Code, Refusal
from tests.support.book import MemoryBook
from tests.support.clock import FakeClock
from tests.support.wire import RecordingEmitter

LED = "breath_light"


class House:
    """Commands over recorded delivery, and devices that answer as a test says."""

    def __init__(self, *devices: str, original: bool = False, groups: dict[str, tuple[str, ...]] | None = None) -> None:
        self.clock = FakeClock()
        self.wire = RecordingEmitter()
        self.groups = groups or {}
        self.book = MemoryBook()
        self.deferred: list[Any] | None = None
        self.start_relay()
        for device in devices:
            self.come(device, original=original)

    def start_relay(self) -> None:
        """A new process on the same database."""
        self.registry = Registry(self.groups)
        self.time = RelayTime(self.clock)
        self.commands = Commands(
            self.registry, Broadcast(self.wire), self.book, self.clock, self.time, 10.0, defer=self._defer
        )
        Restart(self.commands, self.registry, self.book, self.clock, self.time).run()

    def _defer(self, work: Any) -> None:
        work() if self.deferred is None else self.deferred.append(work)

    def come(self, device: str, *, original: bool = False, session: str = "", **hello: Any) -> None:
        fields = {"contract": "1.0", "heartbeat_interval_s": 5.0, "accessories": (self.info(),)} | hello
        said = PiHello() if original else PiHello.build(**fields)
        known, _ = self.registry.connected(device, session or f"sid-{device}", said, self.clock.now())
        self.commands.connected(known)

    def leave(self, device: str) -> None:
        known = self.registry.get(device)
        self.registry.disconnected(device, known.session or "", self.clock.now())
        self.commands.disconnected(device)

    def final(self, command: str) -> bool:
        return Records(self.commands.ledger, self.book).get(command).final

    @staticmethod
    def info() -> AccessoryInfo:
        return AccessoryInfo.build(accessory=LED, pin=18, sensor=False)

    def request(self, **fields: Any) -> str:
        ack = self.commands.request(CommandRequest.build(**fields), by="tester")
        assert ack.ok
        return ack.command or ""

    def report(self, device: str, status: bool, accessory: str = LED, **fields: Any) -> None:
        body = AccessoryStatus.build(status=status, **fields)
        self.commands.reported(self.registry.get(device), accessory, body)

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
        "ledger": "ledger-1",
        "seq": 1,
        "ttl_s": 10.0,
        "expires_ms": house.time.ms() + 10_000,
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
    assert house.final(command)


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


def test_silence_fails_once_and_a_late_answer_is_noted_beside_the_result() -> None:
    house = House("kitchen")
    command = house.request(action="off", accessory=LED, device="kitchen", ttl_s=2)
    house.clock.advance(2.5)
    house.commands.tick()
    assert not house.final(command)
    house.clock.advance(0.6)
    house.commands.tick()
    house.commands.tick()
    house.report("kitchen", False, command=command)
    assert house.results(command) == [("kitchen", "sent", "accepted"), ("kitchen", "failed", "no_answer")]
    [(late, _, words)] = house.book.late
    assert late == command
    assert '"status": false' in words


def test_a_devices_long_words_do_not_cost_the_result() -> None:
    house = House("kitchen")
    refused = house.request(action="off", accessory=LED, device="kitchen")
    house.wire.of(LED_OFF_PUBLISH_SERVER)[0].acked({"ok": False, "code": "queue_full", "message": "x" * 600})
    faulty = house.request(action="off", accessory=LED, device="kitchen")
    house.report("kitchen", False, command=faulty, fault={"code": "hardware_fault", "message": "y" * 500})
    assert house.results(refused)[-1] == ("kitchen", "refused", "queue_full")
    assert house.results(faulty)[-1] == ("kitchen", "failed", "hardware_fault")


def test_whatever_a_device_declares_is_switched_and_cleaned_and_nothing_else() -> None:
    house = House("kitchen")
    house.come("odd", accessories=(House.info(), AccessoryInfo.build(accessory="fan", pin=24)))
    on = house.request(action="on", accessory="fan", device="odd")
    [sent] = house.wire.of(FURTHER.on)
    assert (sent.body["accessory"], sent.body["pin"], sent.body["command"]) == ("fan", 24, on)
    house.report("odd", True, accessory="fan", command=on)
    assert house.results(on)[-1] == ("odd", "verified", "verified")
    with pytest.raises(Refusal, match="odd has no accessory 'toaster'"):
        house.request(action="off", accessory="toaster", device="odd")
    clean = house.request(action="clean", device="odd")
    house.report("odd", False, command=clean)
    assert house.results(clean)[-1][1] == "sent"
    house.report("odd", False, accessory="fan", command=clean)
    assert house.results(clean)[-1] == ("odd", "verified", "verified")


def test_clean_waits_for_all_and_says_which_one_did_not_follow() -> None:
    house = House()
    house.come("odd", accessories=(House.info(), AccessoryInfo.build(accessory="fan")))
    clean = house.request(action="clean", device="odd")
    house.report("odd", True, accessory="fan", command=clean, fault={"code": "readback_differs", "message": "stuck"})
    assert house.results(clean)[-1][1] == "sent"
    house.report("odd", False, command=clean)
    assert house.results(clean)[-1] == ("odd", "failed", "readback_differs")
    assert house.wire.bodies(COMMAND_RESULT_PUB_CLIENT)[-1]["message"] == "fan: stuck"


def test_commands_do_not_pile_up_at_a_device_that_answers_nothing() -> None:
    house = House("kitchen", "hall")
    for _ in range(200):
        house.request(action="check", accessory=LED, device="kitchen", ttl_s=86400)
    one_more = house.request(action="check", accessory=LED, all=True)
    assert set(house.results(one_more)) == {("kitchen", "refused", "queue_full"), ("hall", "sent", "accepted")}


def test_a_command_that_has_not_begun_is_on_record_and_not_final() -> None:
    house = House("kitchen")
    house.deferred = []
    assert not house.final(house.request(action="check", accessory=LED, device="kitchen"))
    assert house.wire.sent == []


def test_an_offline_device_is_sent_nothing() -> None:
    house = House("kitchen")
    house.registry.disconnected("kitchen", "sid-kitchen", house.clock.now())
    command = house.request(action="off", accessory=LED, device="kitchen")
    assert house.results(command) == [("kitchen", "refused", "device_offline")]
    assert house.wire.of(LED_OFF_PUBLISH_SERVER) == []
    assert house.registry.get("kitchen").record(LED).desired is None


def test_a_program_without_a_journal_has_forgotten_what_it_did_not_confirm() -> None:
    house = House()
    house.come("kitchen", heartbeat_interval_s=None)
    command = house.request(action="off", accessory=LED, device="kitchen")
    house.leave("kitchen")
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
    assert (sent.body["action"], sent.body["command"], sent.body["ttl_s"]) == ("clean", command, 10.0)
    house.report("kitchen", False, command=command)
    assert house.results(command)[-1] == ("kitchen", "verified", "verified")


def test_clean_of_a_device_with_only_sensors_is_done_when_it_is_accepted() -> None:
    house = House()
    house.come("hall", accessories=(AccessoryInfo.build(accessory="infrared_sensor", sensor=True),))
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


def test_a_command_is_known_as_long_as_the_database_has_it() -> None:
    house = House("kitchen")
    command = house.request(action="check", accessory=LED, device="kitchen")
    house.report("kitchen", True, command=command)
    house.start_relay()
    assert house.final(command)
    with pytest.raises(Refusal) as refused:
        house.final("never-heard-of")
    assert refused.value.code is Code.UNKNOWN_COMMAND


def test_an_off_for_a_device_that_is_away_waits_where_that_is_asked_for() -> None:
    house = House("kitchen")
    house.leave("kitchen")
    command = house.request(action="off", accessory=LED, device="kitchen", queue=True, ttl_s=60)
    [told] = house.wire.bodies(COMMAND_RESULT_PUB_CLIENT)
    assert (told["state"], told["code"], told["expires_at"]) == ("queued", "queued", "2026-03-01T12:01:00.000Z")
    assert house.registry.get("kitchen").record(LED).desired is False
    assert [result.command for result in house.registry.get("kitchen").snapshot().commands] == [command]
    house.clock.advance(20)
    house.come("kitchen")
    [sent] = house.wire.of(LED_OFF_PUBLISH_SERVER)
    assert sent.body["ttl_s"] == 40
    house.report("kitchen", False, command=command)
    assert [state for _, state, _ in house.results(command)] == ["queued", "sent", "verified"]
    assert house.registry.get("kitchen").snapshot().commands == ()


def test_what_waited_too_long_is_never_sent() -> None:
    house = House("kitchen")
    house.leave("kitchen")
    command = house.request(action="clean", device="kitchen", queue=True, ttl_s=60)
    house.clock.advance(60)
    house.come("kitchen")
    house.commands.tick()
    assert house.wire.of(SERVER_CLEAN_PUB) == []
    assert house.results(command)[-1] == ("kitchen", "expired", "expired")


def test_a_newer_command_supersedes_one_that_waits_for_the_same_accessory() -> None:
    house = House("kitchen")
    house.leave("kitchen")
    first = house.request(action="off", accessory=LED, device="kitchen", queue=True)
    second = house.request(action="clean", device="kitchen", queue=True)
    assert house.results(first)[-1] == ("kitchen", "superseded", "superseded")
    house.come("kitchen")
    assert house.wire.of(LED_OFF_PUBLISH_SERVER) == []
    assert house.wire.bodies(SERVER_CLEAN_PUB)[0]["command"] == second


def test_after_a_cut_link_an_off_is_sent_again_and_an_on_is_given_up() -> None:
    house = House("kitchen")
    off = house.request(action="off", accessory=LED, device="kitchen")
    on = house.request(action="on", accessory=LED, device="kitchen")
    house.leave("kitchen")
    house.clock.advance(3)
    assert house.results(off)[-1][1] == house.results(on)[-1][1] == "sent"
    house.come("kitchen", session="another")
    again = house.wire.of(LED_OFF_PUBLISH_SERVER)
    assert [(sent.to, sent.body["seq"], sent.body["ttl_s"]) for sent in again] == [
        (("sid-kitchen",), 1, 10),
        (("another",), 1, 7),
    ]
    assert len(house.wire.of(LED_ON_PUBLISH_SERVER)) == 1
    assert house.results(on)[-1] == ("kitchen", "failed", "device_offline")


def test_after_a_cut_link_what_the_device_has_taken_is_waited_for() -> None:
    house = House("kitchen")
    on = house.request(action="on", accessory=LED, device="kitchen")
    house.leave("kitchen")
    house.come("kitchen", session="another", ledger="ledger-1", seq=1)
    assert len(house.wire.of(LED_ON_PUBLISH_SERVER)) == 1
    house.report("kitchen", True, command=on)
    assert house.results(on)[-1] == ("kitchen", "verified", "verified")


def test_what_was_sent_over_this_connection_is_not_given_up_at_its_begin() -> None:
    house = House("kitchen")
    house.leave("kitchen")
    house.deferred = []
    house.come("kitchen", session="another")
    on = house.request(action="on", accessory=LED, device="kitchen")
    for work in reversed(house.deferred):
        work()
    assert house.results(on) == [("kitchen", "sent", "accepted")]


def test_a_program_that_died_without_a_word_is_cleaned_and_a_cut_link_is_not() -> None:
    house = House()
    house.come("kitchen", run="one")
    house.leave("kitchen")
    house.come("kitchen", run="one")
    assert house.wire.of(SERVER_CLEAN_PUB) == []
    house.leave("kitchen")
    house.come("kitchen", run="two")
    [clean] = house.wire.bodies(SERVER_CLEAN_PUB)
    assert clean["cause"] == "clean"
    assert house.wire.bodies(COMMAND_RESULT_PUB_CLIENT)[-1]["by"] == "relay"
    house.registry.get("kitchen").ended = True
    house.leave("kitchen")
    house.come("kitchen", run="three")
    assert len(house.wire.of(SERVER_CLEAN_PUB)) == 1


@pytest.mark.parametrize(
    ("code", "state"),
    [("superseded", "superseded"), ("expired", "expired"), ("interrupted", "failed"), ("hardware_fault", "failed")],
)
def test_what_the_device_says_became_of_it_is_the_result(code: str, state: str) -> None:
    house = House("kitchen")
    command = house.request(action="on", accessory=LED, device="kitchen")
    house.report("kitchen", False, command=command, fault={"code": code})
    assert house.results(command)[-1] == ("kitchen", state, code)


def test_answers_that_come_twice_late_or_contradict_each_other_change_nothing() -> None:
    house = House("kitchen")
    command = house.request(action="on", accessory=LED, device="kitchen")
    [sent] = house.wire.of(LED_ON_PUBLISH_SERVER)
    house.commands.applied("kitchen", CommandApplied.build(command=command, accessory=LED))
    sent.acked({"ok": True, "code": "accepted"})
    house.report("kitchen", True, command=command)
    house.report("kitchen", True, command=command)
    house.report("kitchen", False, command=command, fault={"code": "hardware_fault"})
    sent.acked({"ok": False, "code": "queue_full"})
    house.commands.applied("kitchen", CommandApplied.build(command=command, accessory=LED))
    assert [state for _, state, _ in house.results(command)] == ["sent", "applied", "verified"]


def test_a_result_is_told_once_it_is_on_disk() -> None:
    house = House("kitchen")
    command = house.request(action="on", accessory=LED, device="kitchen")
    house.book.broken = True
    house.report("kitchen", True, command=command)
    assert [state for _, state, _ in house.results(command)] == ["sent"]
    house.book.broken = False
    house.clock.advance(2)
    house.commands.tick()
    house.commands.tick()
    assert [state for _, state, _ in house.results(command)] == ["sent", "verified"]


def test_what_cannot_be_recorded_is_refused_and_never_sent() -> None:
    house = House("kitchen")
    house.book.broken = True
    with pytest.raises(Refusal) as refused:
        house.request(action="off", accessory=LED, device="kitchen")
    assert refused.value.code is Code.UNAVAILABLE
    assert house.wire.sent == []
    house.book.broken = False
    house.commands.tick()
    house.start_relay()
    house.come("kitchen")
    assert house.wire.of(LED_OFF_PUBLISH_SERVER) == []


def test_after_a_restart_of_the_relay_the_answer_still_counts() -> None:
    house = House("kitchen")
    command = house.request(action="on", accessory=LED, device="kitchen")
    house.start_relay()
    house.come("kitchen", ledger="ledger-1", seq=1)
    house.report("kitchen", True, command=command)
    assert house.results(command)[-1] == ("kitchen", "verified", "verified")


def test_an_answer_that_was_stored_before_the_relay_died_is_found_again() -> None:
    house = House("kitchen")
    command = house.request(action="on", accessory=LED, device="kitchen")
    body = f'{{"status":true,"command":"{command}","id":1}}'
    house.book.answers = [Answer("kitchen", "LED_status_pub_pi", body), Answer("kitchen", "motion_pub_pi", "{}")]
    house.start_relay()
    assert house.results(command)[-1] == ("kitchen", "verified", "verified")


def test_after_a_restart_of_the_relay_what_has_ended_meanwhile_is_told_so() -> None:
    house = House("kitchen", "hall")
    house.leave("hall")
    sent = house.request(action="on", accessory=LED, device="kitchen")
    waiting = house.request(action="off", accessory=LED, device="hall", queue=True)
    house.clock.advance(60)
    house.start_relay()
    house.commands.tick()
    assert house.results(sent)[-1] == ("kitchen", "failed", "no_answer")
    assert house.results(waiting)[-1] == ("hall", "expired", "expired")


def test_a_clock_that_was_set_back_while_the_relay_was_away_gives_no_command_more_time() -> None:
    house = House("kitchen")
    command = house.request(action="off", accessory=LED, device="kitchen")
    house.clock.step(-3600)
    house.start_relay()
    house.come("kitchen")
    assert len(house.wire.of(LED_OFF_PUBLISH_SERVER)) == 1
    assert house.results(command)[-1] == ("kitchen", "failed", "no_answer")


def test_numbers_go_on_after_a_restart_and_after_a_backup_was_put_back() -> None:
    house = House("kitchen")
    house.report("kitchen", True, command=house.request(action="on", accessory=LED, device="kitchen"))
    house.start_relay()
    house.come("kitchen", ledger="ledger-1", seq=40)
    house.request(action="on", accessory=LED, device="kitchen")
    assert [body["seq"] for body in house.wire.bodies(LED_ON_PUBLISH_SERVER)] == [1, 41]


def test_a_retired_device_is_not_turned_on() -> None:
    house = House("kitchen", "hall")
    house.registry.describe(DeviceProfile.build(device="kitchen", retired=True))
    with pytest.raises(Refusal) as refused:
        house.request(action="on", accessory=LED, device="kitchen")
    assert refused.value.code is Code.RETIRED
    assert [device for device, _, _ in house.results(house.request(action="clean", all=True))] == ["hall"]


def test_who_switched_it_is_told_until_something_else_does() -> None:
    house = House("kitchen")
    device, now = house.registry.get("kitchen"), house.clock.now()
    on = house.request(action="on", accessory=LED, device="kitchen")
    body = AccessoryStatus.build(status=True, command=on, cause="user")
    shown = device.note_status(LED, body, now, house.commands.by("kitchen", body))
    assert shown is not None
    assert shown.by == "tester"
    check = house.request(action="check", accessory=LED, device="kitchen")
    answer = AccessoryStatus.build(status=True, command=check, cause="user", method="被動")
    assert house.commands.by("kitchen", answer) is None
    assert device.note_status(LED, answer, now).by == "tester"  # type: ignore[union-attr]  # it is no late news
    lease = AccessoryStatus.build(status=False, cause="lease")
    assert device.note_status(LED, lease, now).by is None  # type: ignore[union-attr]  # likewise
