"""Commands in the queue, across connections and across restarts of the agent, on a clock that stands still."""

import sqlite3

import pytest

from pi_agent.accessories.base import Conduct
from pi_agent.accessories.command import Command
from pi_agent.accessories.journal import Intent
from pi_agent.hardware.options import FaultKind, SimulatedPart
from shared.contract.payloads import Action
from shared.errors import Code
from tests.support.house import FAN, INFRARED, LIGHT, House


@pytest.fixture
def house():
    it = House()
    it.commands.begin()
    it.sink.take()
    yield it
    it.close()


def numbered(action: Action, seq: int, accessory: str | None = FAN, ledger: str = "L", **more) -> Command:
    return Command(action, accessory, id=f"{ledger}{seq}", ledger=ledger, seq=seq, **more)


def answers(said: list[tuple[str, dict]]) -> list[tuple[str, str | None, bool]]:
    """Command, code and status of every durable answer."""
    return [
        (fields["command"], fields.get("fault", {}).get("code"), fields["status"])
        for way, fields in said
        if way == "change" and "command" in fields
    ]


def run(house: House, *commands: Command) -> list[tuple[str, str | None, bool]]:
    for command in commands:
        assert house.commands.submit(command) is Code.ACCEPTED
    house.commands.step()
    return answers(house.sink.take())


# --- order -----------------------------------------------------------------------------------------------------------


def test_a_newer_command_overtakes_those_that_wait_for_the_same_accessory(house) -> None:
    flips = [Command(Action.ON if number % 2 else Action.OFF, LIGHT, id=f"c{number}") for number in range(6)]
    said = run(house, *flips, Command(Action.ON, FAN, id="other"))
    assert said == [(f"c{number}", "superseded", False) for number in range(5)] + [
        ("c5", None, True),
        ("other", None, True),
    ]


def test_a_check_overtakes_nothing_and_is_not_overtaken(house) -> None:
    run(house, Command(Action.ON, FAN, id="a"))
    for command in (Command(Action.CHECK, FAN, id="x"), Command(Action.OFF, FAN, id="b"), Command(Action.CHECK, FAN)):
        house.commands.submit(command)
    house.commands.step()
    said = house.sink.take()
    assert [(way, fields.get("command"), fields["status"]) for way, fields in said] == [
        ("answer", "x", True),
        ("change", "b", False),
        ("answer", None, False),
    ]


def test_a_clean_overtakes_and_is_overtaken_at_each_accessory_by_itself(house) -> None:
    said = run(house, numbered(Action.ON, 1), numbered(Action.CLEAN, 2, None), numbered(Action.ON, 3))
    assert said == [
        ("L1", "superseded", False),
        ("L2", None, False),  # the light
        ("L2", "superseded", False),  # the fan
        ("L3", None, True),
    ]
    assert house.motor.runs


def test_numbers_decide_where_commands_come_out_of_order(house) -> None:
    assert run(house, numbered(Action.OFF, 8), numbered(Action.ON, 7)) == [
        ("L8", None, False),
        ("L7", "superseded", False),
    ]
    assert run(house, numbered(Action.ON, 5)) == [("L5", "superseded", False)]
    assert run(house, numbered(Action.ON, 6, LIGHT)) == [("L6", None, True)]  # another accessory
    assert run(house, numbered(Action.ON, 9)) == [("L9", None, True)]


def test_another_ledger_counts_by_itself(house) -> None:
    run(house, numbered(Action.ON, 100))
    assert run(house, numbered(Action.OFF, 1, ledger="M")) == [("M1", None, False)]


def test_what_is_too_late_overtakes_nothing(house) -> None:
    house.commands.submit(numbered(Action.OFF, 1, ttl_s=60))
    house.commands.submit(numbered(Action.ON, 2, ttl_s=1))
    house.clock.advance(2)
    house.commands.step()
    assert answers(house.sink.take()) == [("L1", None, False), ("L2", "expired", False)]


# --- time to live ----------------------------------------------------------------------------------------------------


def test_a_command_that_waited_too_long_is_not_executed(house) -> None:
    house.commands.submit(Command(Action.ON, LIGHT, id="c1", ttl_s=2))
    house.clock.advance(2.1)
    house.commands.step()
    assert house.lamp.shines == 0
    assert answers(house.sink.take()) == [("c1", "expired", False)]


def test_a_command_waits_for_the_relays_time_and_then_runs_or_not(house) -> None:
    for seq, expires_ms in ((1, 5_000), (2, 20_000)):
        accessory = (FAN, LIGHT)[seq - 1]
        assert run(house, numbered(Action.ON, seq, accessory, ttl_s=30, expires_ms=expires_ms)) == []
    house.clock.advance(3)
    house.commands.step()
    assert house.sink.take() == []
    sent_s = house.clock.monotonic_ns() / 1e9
    house.clock.advance(0.5)
    house.commands.relay_time.learn(4_600, sent_s)  # at most 5100 now
    house.commands.step()
    assert answers(house.sink.take()) == [("L1", "expired", False), ("L2", None, True)]


def test_without_the_relays_time_a_command_ends_by_its_own(house) -> None:
    run(house, numbered(Action.ON, 1, ttl_s=5, expires_ms=10**6))
    house.clock.advance(5.1)
    house.commands.step()
    assert answers(house.sink.take()) == [("L1", "expired", False)]


def test_a_command_that_is_not_yet_known_to_be_in_time_does_not_hold_others_up(house) -> None:
    run(house, numbered(Action.ON, 1, ttl_s=5, expires_ms=10**6))
    assert run(house, numbered(Action.ON, 2, LIGHT)) == [("L2", None, True)]
    assert house.do(Action.CHECK, FAN)[0][1]["status"] is False


def test_time_that_the_disk_takes_counts_too(house, monkeypatch) -> None:
    begin = house.journal.begin

    def slow(intents) -> bool:
        house.clock.advance(3)
        return begin(intents)

    monkeypatch.setattr(house.journal, "begin", slow)
    assert run(house, numbered(Action.ON, 1, ttl_s=2)) == [("L1", "expired", False)]
    assert not house.motor.runs


# --- connections -----------------------------------------------------------------------------------------------------


def test_a_door_tells_how_far_the_numbers_have_come(house) -> None:
    assert (house.commands.connect().ledger, house.commands.connect().seq) == (None, None)
    run(house, numbered(Action.ON, 4), numbered(Action.ON, 7, LIGHT), numbered(Action.CHECK, 9))
    door = house.commands.connect()
    assert (door.ledger, door.seq) == ("L", 7)


def test_what_nobody_has_begun_is_forgotten_with_the_connection_that_brought_it(house) -> None:
    door = house.commands.connect()
    assert door.submit(numbered(Action.ON, 3, ttl_s=60, expires_ms=10**6)) is Code.ACCEPTED
    house.commands.step()
    again = house.commands.connect()
    assert again.seq is None  # the relay may say that it was never taken
    house.commands.relay_time.learn(1, 0.0)
    house.commands.step()
    assert house.sink.take() == []
    assert not house.motor.runs
    assert door.submit(numbered(Action.ON, 3)) is Code.DEVICE_OFFLINE
    assert again.submit(numbered(Action.ON, 3)) is Code.ACCEPTED


# --- once ------------------------------------------------------------------------------------------------------------


def test_a_command_that_comes_twice_is_executed_once_and_answered_again(house) -> None:
    run(house, numbered(Action.ON, 1))
    house.motor.runs = False  # somebody pulls the plug: it would be seen if it ran again
    house.motor.runs = True
    assert house.commands.submit(numbered(Action.ON, 1)) is Code.DUPLICATE
    house.commands.step()
    assert [(way, fields.get("command"), fields["status"]) for way, fields in house.sink.take()] == [
        ("answer", "L1", True)
    ]


def test_an_old_outcome_is_not_told_as_the_present_state(house) -> None:
    run(house, numbered(Action.ON, 1))
    run(house, numbered(Action.OFF, 2))
    assert house.commands.submit(numbered(Action.ON, 1)) is Code.DUPLICATE
    house.commands.step()
    assert [(way, fields.get("command"), fields["status"]) for way, fields in house.sink.take()] == [
        ("report", None, False)
    ]
    assert not house.motor.runs


def test_a_command_that_comes_twice_before_its_turn_is_answered_once_for_good(house) -> None:
    house.commands.submit(numbered(Action.ON, 1))
    assert house.commands.submit(numbered(Action.ON, 1)) is Code.DUPLICATE
    house.commands.step()
    assert answers(house.sink.take()) == [("L1", None, True)]


def test_a_refusal_that_comes_twice_is_the_same_refusal(house) -> None:
    house.faults.inject(SimulatedPart.SWITCH, FaultKind.FROZEN)
    run(house, numbered(Action.ON, 1))
    house.faults.clear()
    house.commands.submit(numbered(Action.ON, 1))
    house.commands.step()
    ((way, fields),) = house.sink.take()
    assert (way, fields["command"], fields["fault"]["code"]) == ("answer", "L1", "readback_differs")
    assert not house.motor.runs


def test_a_restart_forgets_neither_commands_nor_numbers(house) -> None:
    run(house, numbered(Action.ON, 5))
    said = house.restart()
    assert answers(said) == []
    assert not house.motor.runs
    assert house.commands.submit(numbered(Action.ON, 5)) is Code.DUPLICATE
    assert run(house, numbered(Action.ON, 4)) == [("L4", "superseded", False)]
    assert house.commands.connect().seq == 5
    assert not house.motor.runs


# --- a process that dies in between ----------------------------------------------------------------------------------


def test_an_intent_without_an_outcome_is_answered_by_what_the_pin_reads_before_anything_is_switched(house) -> None:
    house.journal.begin([Intent("L1", FAN, "on", "L", 1), Intent("L2", LIGHT, "on", "L", 2, Code.SUPERSEDED)])
    house.motor.set(True)  # as far as it came
    said = house.restart()
    assert answers(said) == [("L1", "interrupted", True), ("L2", "superseded", False)]
    assert said[0][1]["cause"] == "restart"
    assert [(fields.get("accessory"), fields["status"]) for _, fields in said[2:]] == [
        (None, False),
        (None, True),
        (FAN, False),
    ]
    assert not house.motor.runs
    assert answers(house.restart()) == []


def test_an_intent_of_an_accessory_that_is_gone_is_answered_all_the_same(house) -> None:
    house.journal.begin([Intent("L1", "pump", "on", "L", 1)])
    said = house.restart()
    assert answers(said) == [("L1", "interrupted", False)]
    assert said[0][1]["accessory"] == "pump"
    assert "no longer" in said[0][1]["fault"]["message"]


# --- a disk that takes nothing ---------------------------------------------------------------------------------------


@pytest.fixture
def full(house, monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorcode = sqlite3.SQLITE_FULL
        raise error

    monkeypatch.setattr(house.journal, "_commit", refuse)
    return house


def test_what_cannot_be_noted_turns_nothing_on(full) -> None:
    assert run(full, numbered(Action.ON, 1)) == [("L1", "unavailable", False)]
    assert not full.motor.runs


def test_what_cannot_be_noted_turns_things_off_all_the_same(full) -> None:
    full.motor.set(True)
    assert run(full, numbered(Action.OFF, 1)) == [("L1", None, False)]
    full.lamp.set_level(1)
    assert ("L2", None, False) in run(full, numbered(Action.CLEAN, 2, None))
    assert full.commands.submit(numbered(Action.OFF, 1)) is Code.DUPLICATE


# --- the link and hours leave commands alone -------------------------------------------------------------------------


def test_an_on_by_command_holds_in_an_accessory_that_the_relay_must_renew() -> None:
    house = House(fan=Conduct(longest_lease_s=60, link_loss_s=30), watch=Conduct())
    house.commands.begin()
    run(house, numbered(Action.ON, 1))
    for renewal in range(5):
        house.let(50)
        assert run(house, numbered(Action.ON, 2 + renewal)) == [(f"L{2 + renewal}", None, True)]
    assert house.motor.runs
    assert not house.eye.watching()
    assert run(house, numbered(Action.ON, 9, INFRARED)) == [("L9", None, True)]
    house.close()
