"""Window, verdict, live lane and sender: the parts of the uplink, without a socket."""

import pytest

from pi_agent.outbox.rows import Row, Stamp
from pi_agent.uplink.live import LiveLane, LiveSender
from pi_agent.uplink.sender import OutboxSender
from pi_agent.uplink.verdict import Fate, LinkDown, Token, judge
from pi_agent.uplink.window import SendWindow
from shared.backoff import Backoff
from shared.contract.events import INFRARED_STATUS_PUB_PI, LED_STATUS_PUB_PI, SENSOR_DATA_PUB_PI
from shared.contract.payloads import parse
from shared.errors import Code, Refusal
from tests.support.clock import FakeClock

STORED = ({"ok": True, "code": "stored", "id": 1},)


def refused(code: str, *, retry: bool) -> tuple[dict]:
    return ({"ok": False, "code": code, "message": "because", "retry": retry},)


class Wire:
    """Takes what is emitted; broken on demand."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, dict, Token]] = []
        self.broken_after: int | None = None

    def __call__(self, spec, body, token) -> None:
        if self.broken_after is not None and len(self.sent) >= self.broken_after:
            raise LinkDown("cable pulled")
        parse(spec.payload, body)
        self.sent.append((spec.name, dict(body), token))

    def take(self) -> list[tuple[str, dict, Token]]:
        taken, self.sent = self.sent, []
        return taken


class Shelf:
    """An outbox of a list."""

    def __init__(self, clock: FakeClock, count: int = 0) -> None:
        self.clock = clock
        self.stream = "s"
        self.low = 1
        self.kept: dict[int, Row] = {}
        self.refusals: list[tuple[int, str]] = []
        self.settled = 0
        self.readable = True
        for _ in range(count):
            self.add()

    @property
    def depth(self) -> int:
        return len(self.kept)

    def add(self) -> None:
        key = max(self.kept, default=self.settled) + 1
        self.kept[key] = Row("s", key, SENSOR_DATA_PUB_PI.name, b'{"data":{},"fail":[]}', Stamp.of(self.clock))

    def read(self, after: int, limit: int) -> list[Row]:
        return [row for key, row in self.kept.items() if key > after][:limit] if self.readable else []

    def rows(self, ids) -> list[Row] | None:
        return [self.kept[key] for key in ids if key in self.kept] if self.readable else None

    def settle(self, stream: str, through: int) -> None:
        self.settled = max(self.settled, through)
        self.kept = {key: row for key, row in self.kept.items() if key > through}

    def refuse(self, row: Row, code: str, message: str) -> None:
        self.refusals.append((row.id, code))
        del self.kept[row.id]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def wire() -> Wire:
    return Wire()


def sender(shelf: Shelf, clock: FakeClock, size: int = 4) -> OutboxSender:
    return OutboxSender(shelf, "pi", clock, size, Backoff())


# --- window ----------------------------------------------------------------------------------------------------------


def test_a_window_settles_only_what_is_acked_from_the_front() -> None:
    window = SendWindow(4, 30)
    for key in (1, 2, 5):
        window.take(key)
        window.sent(key, 0)
    assert window.settled == 0
    assert window.done(2)
    assert window.settled == 0
    assert window.done(1)
    assert window.settled == 4  # 3 and 4 were never there
    assert window.done(5)
    assert window.settled == 5
    assert not window.done(5)


def test_a_window_has_room_for_no_more_than_its_size_and_takes_ids_in_order() -> None:
    window = SendWindow(2, 30)
    window.take(1)
    window.take(2)
    with pytest.raises(ValueError, match="room 0"):
        window.take(3)
    window.done(1)
    with pytest.raises(ValueError, match="after 2"):
        window.take(2)


def test_an_overdue_ack_makes_its_event_unsent_and_no_other() -> None:
    window = SendWindow(4, 30)
    for key, at in ((1, 0.0), (2, 10.0)):
        window.take(key)
        window.sent(key, at)
    assert window.next_timeout_s() == 30
    assert window.expire(29.9) == 0
    assert window.expire(30) == 1
    assert window.unsent() == [1]
    assert window.next_timeout_s() == 40


# --- verdict ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "fate"),
    [
        (STORED, Fate.DONE),
        (({"ok": True, "code": "accepted"},), Fate.DONE),
        (({"ok": True, "code": "duplicate"},), Fate.DONE),
        (({"ok": True, "code": "a_code_of_the_future"},), Fate.DONE),
        ((True, "receive", 200), Fate.DONE),
        (refused("rate_limited", retry=True), Fate.LATER),
        (refused("a_code_of_the_future", retry=True), Fate.LATER),
        (refused("invalid_payload", retry=False), Fate.NEVER),
        (refused("unknown_event", retry=False), Fate.NEVER),
        (refused("unauthenticated", retry=False), Fate.LINK),
        (refused("replaced", retry=False), Fate.LINK),
        (refused("unknown_device", retry=False), Fate.LINK),
        ((), Fate.LATER),
        ((False, "error", 500), Fate.LATER),
        (({"ok": 1},), Fate.LATER),
        (("ok",), Fate.LATER),
    ],
)
def test_an_ack_says_what_becomes_of_the_event(answer, fate) -> None:
    assert judge(answer).fate is fate


# --- sender ----------------------------------------------------------------------------------------------------------


def test_a_full_window_waits_for_acks_and_goes_on_with_them(clock, wire) -> None:
    shelf = Shelf(clock, 10)
    it = sender(shelf, clock)
    it.pump(wire)
    first = wire.take()
    assert [body["id"] for _, body, _ in first] == [1, 2, 3, 4]
    it.pump(wire)
    assert wire.take() == []
    for _, _, token in first:
        it.acked(token, STORED)
    assert shelf.settled == 4
    it.pump(wire)
    assert [body["id"] for _, body, _ in wire.take()] == [5, 6, 7, 8]


def test_an_event_without_an_ack_is_sent_again_after_thirty_seconds(clock, wire) -> None:
    it = sender(Shelf(clock, 1), clock)
    it.pump(wire)
    assert it.due_s() == clock.monotonic_ns() / 1e9 + 30
    first = wire.take()
    clock.advance(29.9)
    it.pump(wire)
    assert wire.take() == []
    clock.advance(0.1)
    it.pump(wire)
    assert wire.take()[0][1]["id"] == first[0][1]["id"]


def test_after_a_reconnect_everything_unacked_is_sent_again_before_anything_new(clock, wire) -> None:
    shelf = Shelf(clock, 3)
    it = sender(shelf, clock)
    it.pump(wire)
    it.acked(wire.take()[1][2], STORED)
    it.connection_lost()
    shelf.add()
    it.pump(wire)
    assert [body["id"] for _, body, _ in wire.take()] == [1, 3, 4]


def test_a_broken_cable_in_mid_batch_loses_nothing(clock, wire) -> None:
    it = sender(Shelf(clock, 4), clock)
    wire.broken_after = 2
    with pytest.raises(LinkDown):
        it.pump(wire)
    it.connection_lost()
    wire.broken_after = None
    wire.take()
    it.pump(wire)
    assert [body["id"] for _, body, _ in wire.take()] == [1, 2, 3, 4]


def test_a_busy_relay_is_left_alone_for_a_while_and_then_gets_the_same_event(clock, wire) -> None:
    shelf = Shelf(clock, 4)
    it = sender(shelf, clock)
    it.pump(wire)
    for _, _, token in wire.take():
        it.acked(token, refused("rate_limited", retry=True))
    it.pump(wire)
    assert wire.take() == []
    assert it.due_s() is not None
    clock.advance(31)
    it.pump(wire)
    assert [body["id"] for _, body, _ in wire.take()] == [1, 2, 3, 4]
    assert shelf.refusals == []


def test_a_refused_event_does_not_block_the_rest(clock, wire) -> None:
    shelf = Shelf(clock, 3)
    it = sender(shelf, clock)
    it.pump(wire)
    one, two, three = (token for _, _, token in wire.take())
    it.acked(one, refused("invalid_payload", retry=False))
    it.acked(two, STORED)
    it.acked(three, STORED)
    assert shelf.refusals == [(1, "invalid_payload")]
    assert shelf.settled == 3


def test_a_revoked_token_makes_no_dead_letters(clock, wire) -> None:
    shelf = Shelf(clock, 1)
    it = sender(shelf, clock)
    it.pump(wire)
    verdict = it.acked(wire.take()[0][2], refused("unauthenticated", retry=False))
    assert verdict.fate is Fate.LINK
    assert shelf.depth == 1
    assert shelf.refusals == []


def test_an_event_that_makes_the_relay_fail_while_others_pass_is_given_up(clock, wire) -> None:
    shelf = Shelf(clock, 1)
    it = sender(shelf, clock)
    for _ in range(12):
        shelf.add()
        clock.advance(31)
        it.pump(wire)
        for _, body, token in wire.take():
            it.acked(token, refused("internal", retry=True) if body["id"] == 1 else STORED)
    assert shelf.refusals == [(1, "internal")]


def test_a_relay_that_fails_on_everything_is_not_the_fault_of_the_events(clock, wire) -> None:
    shelf = Shelf(clock, 3)
    it = sender(shelf, clock)
    for _ in range(50):
        clock.advance(31)
        it.pump(wire)
        for _, _, token in wire.take():
            it.acked(token, refused("internal", retry=True))
    assert shelf.refusals == []
    assert shelf.depth == 3


def test_an_event_that_was_dropped_while_it_was_on_its_way_is_not_waited_for(clock, wire) -> None:
    shelf = Shelf(clock, 3)
    it = sender(shelf, clock)
    it.pump(wire)
    wire.take()
    del shelf.kept[1]
    it.connection_lost()
    it.pump(wire)
    for _, _, token in wire.take():
        it.acked(token, STORED)
    assert shelf.settled == 3


def test_a_disk_that_cannot_be_read_now_settles_nothing(clock, wire) -> None:
    shelf = Shelf(clock, 2)
    it = sender(shelf, clock)
    it.pump(wire)
    wire.take()
    it.connection_lost()
    shelf.readable = False
    it.pump(wire)
    assert shelf.settled == 0
    shelf.readable = True
    it.pump(wire)
    assert len(wire.take()) == 2


def test_a_late_ack_of_an_earlier_stream_is_ignored(clock, wire) -> None:
    shelf = Shelf(clock, 1)
    it = sender(shelf, clock)
    it.pump(wire)
    assert it.acked(Token("other", 1), STORED) is None
    assert it.acked(Token("s", 99), STORED) is None
    assert shelf.settled == 0


def test_a_draining_backlog_is_read_in_batches(clock, wire) -> None:
    shelf = Shelf(clock, 1000)
    reads = []
    plain, shelf.read = shelf.read, lambda after, limit: (reads.append(limit), plain(after, limit))[1]
    it = sender(shelf, clock, 64)
    it.pump(wire)
    while wire.sent:
        _, _, token = wire.sent.pop(0)
        it.acked(token, STORED)
        it.pump(wire)
    assert shelf.depth == 0
    assert len(reads) < 200


# --- live lane -------------------------------------------------------------------------------------------------------


def live(clock: FakeClock) -> tuple[LiveLane, LiveSender]:
    lane = LiveLane(clock)
    return lane, LiveSender(lane, "pi", clock)


def test_only_the_newest_report_of_each_accessory_is_sent(clock, wire) -> None:
    lane, it = live(clock)
    for status in (True, False, True):
        lane.report(LED_STATUS_PUB_PI, {"status": status})
    lane.report(INFRARED_STATUS_PUB_PI, {"status": False})
    it.pump("s", wire)
    assert [(name, body["status"]) for name, body, _ in wire.take()] == [
        (LED_STATUS_PUB_PI.name, True),
        (INFRARED_STATUS_PUB_PI.name, False),
    ]


def test_a_report_waits_for_the_ack_of_the_one_before(clock, wire) -> None:
    lane, it = live(clock)
    lane.report(LED_STATUS_PUB_PI, {"status": True})
    it.pump("s", wire)
    ((_, _, token),) = wire.take()
    lane.report(LED_STATUS_PUB_PI, {"status": False})
    lane.report(LED_STATUS_PUB_PI, {"status": True, "level": 0.5})
    it.pump("s", wire)
    assert wire.take() == []
    it.acked(token, STORED)
    it.pump("s", wire)
    assert wire.take()[0][1]["level"] == 0.5


def test_a_report_says_when_it_was_true_however_late_it_is_sent(clock, wire) -> None:
    lane, it = live(clock)
    lane.report(LED_STATUS_PUB_PI, {"status": True})
    clock.advance(100)
    it.pump("s", wire)
    body = wire.take()[0][1]
    assert body["taken_at"] == "2026-03-01T12:00:00.000Z"
    assert "id" not in body


def test_every_answer_is_sent_and_none_is_conflated(clock, wire) -> None:
    lane, it = live(clock)
    for number in range(5):
        lane.answer(LED_STATUS_PUB_PI, {"status": True, "command": f"c{number}"})
    it.pump("s", wire)
    assert [body["command"] for _, body, _ in wire.take()] == ["c0", "c1", "c2", "c3", "c4"]


def test_answers_die_with_their_connection_and_reports_live_on(clock, wire) -> None:
    lane, it = live(clock)
    lane.report(LED_STATUS_PUB_PI, {"status": True})
    it.pump("s", wire)
    wire.take()
    lane.answer(LED_STATUS_PUB_PI, {"status": True, "command": "c"})
    it.connection_lost()
    it.pump("s", wire)
    assert [("command" in body) for _, body, _ in wire.take()] == [False]


def test_a_report_without_an_ack_is_sent_again_unless_there_is_a_newer_one(clock, wire) -> None:
    lane, it = live(clock)
    lane.report(LED_STATUS_PUB_PI, {"status": True})
    it.pump("s", wire)
    wire.take()
    assert it.due_s() == clock.monotonic_ns() / 1e9 + 30
    clock.advance(30)
    it.pump("s", wire)
    assert wire.take()[0][1]["status"] is True
    lane.report(LED_STATUS_PUB_PI, {"status": False})
    clock.advance(30)
    it.pump("s", wire)
    assert [body["status"] for _, body, _ in wire.take()] == [False]


def test_a_refused_report_is_not_repeated_for_ever(clock, wire) -> None:
    lane, it = live(clock)
    lane.report(LED_STATUS_PUB_PI, {"status": True})
    it.pump("s", wire)
    it.acked(wire.take()[0][2], refused("invalid_payload", retry=False))
    clock.advance(100)
    it.pump("s", wire)
    assert wire.take() == []


def test_a_busy_relay_gets_the_report_later(clock, wire) -> None:
    lane, it = live(clock)
    lane.report(LED_STATUS_PUB_PI, {"status": True})
    it.pump("s", wire)
    it.acked(wire.take()[0][2], refused("rate_limited", retry=True))
    it.pump("s", wire)
    assert wire.take() == []
    clock.advance(31)
    it.pump("s", wire)
    assert len(wire.take()) == 1


def test_what_waits_is_bounded(clock) -> None:
    lane, _ = live(clock)
    for number in range(1000):
        lane.answer(LED_STATUS_PUB_PI, {"status": True, "command": f"c{number}"})
    kept = []
    while message := lane.take(set()):
        kept.append(message.fields["command"])
    assert kept == [f"c{number}" for number in range(1000 - 64, 1000)]


def test_a_status_that_is_not_the_contracts_is_never_sent(clock, wire) -> None:
    lane, it = live(clock)
    lane.report(LED_STATUS_PUB_PI, {"status": 1})
    with pytest.raises(Refusal) as caught:
        it.pump("s", wire)
    assert caught.value.code is Code.INVALID_PAYLOAD
