"""What a device says of itself may be wrong, or change meanwhile: no other command suffers for it."""

import pytest

from server.services.commands import Records
from server.services.commands.targets import MOST_OPEN
from shared.contract.events import LED_OFF_PUBLISH_SERVER
from shared.contract.payloads import AccessoryInfo
from shared.errors import Code, Refusal
from tests.relay.test_commands import LED, House


def test_numbers_that_nobody_gave_are_not_believed() -> None:
    house = House("a-liar", "kitchen")
    house.leave("a-liar")
    house.come("a-liar", ledger="ledger-1", seq=2**53 - 1)
    command = house.request(action="off", accessory=LED, all=True)
    assert [sent.to for sent in house.wire.of(LED_OFF_PUBLISH_SERVER)] == [("sid-a-liar",), ("sid-kitchen",)]
    assert [result.seq for result in Records(house.commands.ledger, house.book).get(command).results] == [1, 1]


def test_a_ledger_that_was_put_back_from_a_backup_goes_on_after_what_devices_took() -> None:
    house = House("kitchen")
    house.leave("kitchen")
    house.come("kitchen", ledger="ledger-1", seq=40)
    command = house.request(action="off", accessory=LED, device="kitchen")
    assert [result.seq for result in Records(house.commands.ledger, house.book).get(command).results] == [41]


def test_a_device_that_comes_back_without_the_accessory_fails_that_command_alone() -> None:
    house = House("kitchen")
    house.leave("kitchen")
    lost = house.request(action="off", accessory=LED, device="kitchen", queue=True)
    fan = AccessoryInfo.build(accessory="fan", pin=4, sensor=False)
    house.come("kitchen", run="other", accessories=(fan,))
    assert house.results(lost)[-1] == ("kitchen", "failed", "unknown_accessory")


def test_an_accessory_that_goes_between_the_request_and_the_sending_fails_that_device_alone() -> None:
    house = House("attic", "kitchen")
    house.deferred = []
    command = house.request(action="off", accessory=LED, all=True)
    house.come("attic", session="new", accessories=(AccessoryInfo.build(accessory="fan", pin=4, sensor=False),))
    for work in house.deferred:
        work()
    assert ("attic", "failed", "unknown_accessory") in house.results(command)
    assert [sent.to for sent in house.wire.of(LED_OFF_PUBLISH_SERVER)] == [("sid-kitchen",)]


def test_requests_while_the_disk_takes_nothing_fill_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.services.commands.ledger._MOST_UNKEPT", 10)
    house = House("kitchen")
    house.book.broken = True
    said = []
    for _ in range(30):
        with pytest.raises(Refusal) as refused:
            house.request(action="off", accessory=LED, device="kitchen")
        assert refused.value.code is Code.UNAVAILABLE
        said.append(refused.value.message)
        house.commands.tick()
    assert sum("too many results" in message for message in said) == 20
    house.book.broken = False
    house.clock.advance(2)
    house.commands.tick()
    house.request(action="off", accessory=LED, device="kitchen")
    assert [row.state for row in house.book.rows.values()] == ["refused"] * 10 + ["sent"]


def test_a_flood_of_checks_does_not_keep_an_off_from_its_device() -> None:
    house = House("kitchen")
    for _ in range(MOST_OPEN):
        house.request(action="check", accessory=LED, device="kitchen", ttl_s=600)
    refused = house.request(action="check", accessory=LED, device="kitchen")
    assert house.results(refused) == [("kitchen", "refused", "queue_full")]
    house.request(action="off", accessory=LED, device="kitchen")
    assert len(house.wire.of(LED_OFF_PUBLISH_SERVER)) == 1


def test_what_waits_for_a_device_that_is_deleted_ends_with_it() -> None:
    house = House("kitchen")
    house.leave("kitchen")
    command = house.request(action="off", accessory=LED, device="kitchen", queue=True)
    house.registry.remove("kitchen")
    house.commands.removed("kitchen")
    assert house.results(command)[-1] == ("kitchen", "failed", "unknown_device")
    house.come("kitchen")
    assert not house.wire.of(LED_OFF_PUBLISH_SERVER)
