"""What waits for a slow connection: what it sees in the end is in order, bounded, and says what it lacks."""

from dataclasses import dataclass, field
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from server.fanout.backlog import Backlog, Gap, Tally, Terms, Told
from shared.contract.door_events import CLIENT_STATS, NEW_SENSOR_DATA, PONG
from shared.contract.door_payloads import ClientStats
from shared.contract.events import (
    ACCESSORY_STATUS_PUB_CLIENT,
    COMMAND_RESULT_PUB_CLIENT,
    DEVICE_REMOVED_PUB_CLIENT,
    DEVICE_STATUS_PUB_CLIENT,
    SENSOR_DATA_PUB_CLIENT,
)
from shared.contract.payloads import AccessoryState, ClientSensorData, DeviceStatus
from shared.contract.spec import EventSpec, Namespace
from tests.support.clock import FakeClock

AT = "2026-01-31T23:59:59.000Z"
LOCAL = "2026-01-31 23:59:59"


def sample(number: int, cursor: int | None = None) -> Told:
    body = ClientSensorData(
        id=number, datetime=LOCAL, fail=(), data={}, stream="s", cursor=number if cursor is None else cursor
    )
    return told(SENSOR_DATA_PUB_CLIENT, body)


def state(device: str, number: int | None = None, *, online: bool = True) -> Told:
    """A device's status, or with a number a change of an accessory that is on record."""
    if number is None:
        return told(DEVICE_STATUS_PUB_CLIENT, DeviceStatus(device=device, online=online, since=AT))
    body = AccessoryState(
        device=device, accessory="lamp", status=online, datatime=LOCAL, id=number, stream="s", cursor=number
    )
    return told(ACCESSORY_STATUS_PUB_CLIENT, body)


def told(spec: EventSpec, body: Any) -> Told:
    return (spec.namespace, spec.name, body)


def build(events: int = 5, size: int = 1_000) -> tuple[Backlog[Any], Tally]:
    terms = Terms(events, size, FakeClock())
    return Backlog(terms, lambda gap: gap), terms.tally


def rest(backlog: Backlog[Any]) -> list[Any]:
    items = []
    while (item := backlog.take()) is not None:
        items.append(item)
    return items


def test_a_state_replaces_the_one_that_waits_and_goes_to_the_end() -> None:
    backlog, tally = build()
    for name, event in (("a1", state("a")), ("b1", state("b")), ("x", sample(1)), ("a2", state("a", online=False))):
        assert backlog.add(name, 10, event)
    assert rest(backlog) == ["b1", "x", "a2"]
    assert (tally.conflated, tally.dropped, backlog.bytes) == (1, 0, 0)


def test_a_change_that_is_on_record_is_left_out_only_past_the_bound_and_then_told() -> None:
    backlog, tally = build(events=3)
    for number in (1, 2, 3):
        assert backlog.add(number, 10, state("a", number))
    assert (tally.conflated, tally.dropped) == (0, 0)
    assert backlog.add(4, 10, state("a", 4))
    assert backlog.add(5, 10, state("a", 5))
    gap, *left = rest(backlog)
    assert (gap.missed, gap.since, left) == (2, 0, [3, 4, 5])


def test_the_notice_stands_where_the_first_one_was_left_out_and_tells_from_where_to_replay() -> None:
    backlog, tally = build(events=4)
    backlog.add("removed", 10, told(DEVICE_REMOVED_PUB_CLIENT, None))
    for number in range(10, 20):
        assert backlog.add(number, 10, sample(number))
    before, gap, *left = rest(backlog)
    assert before == "removed"
    assert (gap.missed, gap.since) == (7, 9)
    assert left == [17, 18, 19]
    assert tally.dropped == 7
    assert tally.noticed == 1


def test_a_second_gap_has_a_notice_of_its_own() -> None:
    backlog, tally = build(events=2)
    for number in range(5):
        backlog.add(number, 10, sample(number))
    assert isinstance(backlog.take(), Gap)
    for number in range(5, 9):
        backlog.add(number, 10, sample(number))
    assert isinstance(backlog.take(), Gap)
    assert tally.noticed == 2


def test_a_sample_alone_never_makes_a_connection_too_slow() -> None:
    backlog, _ = build(events=2)
    assert backlog.add("p1", 10, told(PONG, None))
    assert backlog.add("p2", 10, told(PONG, None))
    assert backlog.add("s", 10, sample(1))
    assert not backlog.add("p3", 10, told(PONG, None))
    first, second, gap = rest(backlog)
    assert (first, second, gap.missed) == ("p1", "p2", 1)


def test_an_event_larger_than_the_bound_gets_through_alone() -> None:
    backlog, _ = build(size=100)
    assert backlog.add("s", 10, sample(1))
    assert backlog.add("large", 500, told(PONG, None))
    assert backlog.full
    assert not backlog.add("more", 1, told(PONG, None))
    assert rest(backlog)[-1] == "large"


def test_one_who_has_no_cursor_is_told_how_many_alone() -> None:
    backlog, _ = build(events=1)
    for number in range(3):
        backlog.add(number, 10, told(NEW_SENSOR_DATA, None))
    gap = backlog.take()
    assert (gap.namespace, gap.since) == (Namespace.ROOT, None)
    assert gap.text().startswith('2["error_pub",{"code":"missed","message":"2 events were left out')


def test_the_notice_of_a_page_names_the_request_that_brings_what_it_lacks() -> None:
    text = Gap(Namespace.CLIENT, 3, 41).text()
    assert text.startswith('2/client,["error_pub",{"code":"missed",')
    assert '"missed":3,"since":41' in text
    assert "replay_request_client" in text


def test_states_of_no_thing_in_particular_are_all_the_same() -> None:
    backlog, _ = build()
    for number in range(3):
        stats = ClientStats(total_clients=number, esp32_clients=0, frontend_clients=0, subscribers=0)
        backlog.add(number, 10, told(CLIENT_STATS, stats))
    assert rest(backlog) == [2]


def test_the_last_word_of_each_command_is_kept() -> None:
    backlog, _ = build()
    for number, (command, device) in enumerate([("c", "a"), ("c", "b"), ("c", "a"), ("d", "a")]):
        body = type("Result", (), {"command": command, "device": device, "id": None})()
        backlog.add(number, 10, told(COMMAND_RESULT_PUB_CLIENT, body))
    assert rest(backlog) == [1, 2, 3]


# --- the whole of it, against a model -------------------------------------------------------------------------------


@dataclass
class Seen:
    """What one client gets, and what it should have."""

    sent: list[tuple[str, Any]] = field(default_factory=list)
    got: list[Any] = field(default_factory=list)


KINDS = st.sampled_from(["sample", "state-a", "state-b", "change-a", "change-b", "keep"])


@settings(max_examples=400)
@given(
    steps=st.lists(st.one_of(st.tuples(KINDS, st.integers(1, 60)), st.just(("take", 1))), max_size=120),
    events=st.integers(1, 8),
    size=st.integers(20, 150),
)
def test_what_a_client_sees_is_in_order_bounded_and_complete_with_its_notices(
    steps: list[tuple[str, int]], events: int, size: int
) -> None:
    backlog, tally = build(events, size)
    seen, longest = Seen(), 0
    for number, (kind, length) in enumerate(steps, start=1):
        if kind == "take":
            item = backlog.take()
            seen.got += [] if item is None else [item]
            continue
        event = {
            "sample": lambda n=number: sample(n),
            "keep": lambda: told(PONG, None),
            "state-a": lambda: state("a"),
            "state-b": lambda: state("b"),
            "change-a": lambda n=number: state("a", n),
            "change-b": lambda n=number: state("b", n),
        }[kind]()
        if not backlog.add(number, length, event):
            # Only what may not be left out has filled it: the connection ends.
            assert kind != "sample"
            assert backlog.full
            return
        seen.sent.append((kind, number))
        longest = max(longest, length)
        assert backlog.bytes < size + longest
        assert backlog.events <= events
    seen.got += rest(backlog)
    check(seen, tally)
    assert (len(backlog), backlog.bytes) == (0, 0)


def check(seen: Seen, tally: Tally) -> None:
    numbers = [item for item in seen.got if not isinstance(item, Gap)]
    gaps = [item for item in seen.got if isinstance(item, Gap)]
    assert numbers == sorted(numbers), "out of order"
    assert tally.noticed == len(gaps)
    assert sum(gap.missed for gap in gaps) == tally.dropped
    last = {kind: number for kind, number in seen.sent if kind not in ("sample", "keep")}
    assert set(last.values()) <= set(numbers), "the newest state did not come"
    assert {number for kind, number in seen.sent if kind == "keep"} <= set(numbers)
    lost = [number for kind, number in seen.sent if kind.startswith(("sample", "change")) and number not in numbers]
    assert len(lost) == tally.dropped
    for number in lost:
        # The notice comes before whatever came after it, and a replay from there brings it.
        at = next(place for place, item in enumerate(seen.got) if isinstance(item, Gap) and item.since < number)
        assert all(item < number for item in seen.got[:at] if not isinstance(item, Gap))
    states = [number for kind, number in seen.sent if kind.startswith("state") and number not in numbers]
    assert len(states) == tally.conflated
