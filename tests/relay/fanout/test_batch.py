"""What goes out in a turn: in order for each subscriber, joined where it can be, kept where a wire does not take it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from engineio.packet import MESSAGE, Packet
from hypothesis import given
from hypothesis import strategies as st

from server.fanout.batch import SLICE, Batch


@dataclass
class Hub:
    """Callbacks, run when a test says so."""

    waiting: list[Callable[[], None]] = field(default_factory=list)

    def soon(self, call: Callable[[], None]) -> None:
        self.waiting.append(call)

    def run(self) -> int:
        """Everything that waits, and what it brings; how many turns it took."""
        turns = 0
        while self.waiting:
            turns += 1
            self.waiting.pop(0)()
        return turns


class FakeWire:
    """A wire whose kernel takes `room` bytes."""

    def __init__(self, batch: Batch, room: float = float("inf")) -> None:
        self.batch, self.room, self.took, self.held, self.writes = batch, room, b"", b"", 0

    @property
    def ready(self) -> bool:
        return not self.held

    def send(self, data: bytes) -> int:
        assert not self.held, "past what waits"
        if not self.room:
            raise BlockingIOError
        count = int(min(self.room, len(data)))
        self.room -= count
        self.took += data[:count]
        self.writes += 1
        return count

    def sent(self, data: bytes, count: int, pieces: Any = None) -> None:
        self.batch.epoch.number += 1
        self.held += data[count:]

    def write(self, data: bytes, pieces: Any = None) -> None:
        if self.held:
            self.held += data
        elif (count := 0 if not self.room else self.send(data)) < len(data):
            self.sent(data, count)


@dataclass(eq=False)
class Subscriber:
    wire: Any
    upgraded: bool = True
    queue: list[Any] = field(default_factory=list)

    def put(self, pkt: Any) -> None:
        self.queue.append(pkt)


def encode(packets: Iterable[Any]) -> bytes:
    return b"".join(packet.data.encode() for packet in packets)


def packet(text: str) -> Packet:
    return Packet(MESSAGE, text)


def build() -> tuple[Hub, Batch]:
    hub = Hub()
    return hub, Batch(encode, hub.soon, hub.soon)


def test_frames_for_the_same_subscribers_join_into_one_write() -> None:
    hub, batch = build()
    pages = [Subscriber(FakeWire(batch)) for _ in range(3)]
    audience = batch.audience(pages)
    for text in "abc":
        batch.add(audience, [packet(text)])
    hub.run()
    assert [(page.wire.took, page.wire.writes) for page in pages] == [(b"abc", 1)] * 3


def test_many_subscribers_are_served_in_slices_and_stay_in_order() -> None:
    hub, batch = build()
    pages = [Subscriber(FakeWire(batch)) for _ in range(3 * SLICE)]
    audience = batch.audience(pages)
    batch.add(audience, [packet("a")])
    hub.waiting.pop(0)()
    assert sum(bool(page.wire.took) for page in pages) == SLICE
    assert pages[-1] in batch
    batch.add(audience, [packet("b")])
    assert hub.run() == 5
    assert {page.wire.took for page in pages} == {b"ab"}


def test_a_polling_subscriber_gets_packets_of_its_own() -> None:
    hub, batch = build()
    page, poll = Subscriber(FakeWire(batch)), Subscriber(None, upgraded=False)
    sent = packet("a")
    batch.add(batch.audience([page, poll]), [sent])
    hub.run()
    assert page.wire.took == b"a"
    assert [pkt.data for pkt in poll.queue] == ["a"]
    assert poll.queue[0] is not sent


def test_who_is_about_to_end_gets_what_waits_first() -> None:
    _, batch = build()
    page, other = Subscriber(FakeWire(batch)), Subscriber(FakeWire(batch))
    batch.add(batch.audience([page]), [packet("a")])
    batch.settle(other)
    assert not page.wire.took
    batch.settle(page)
    assert page.wire.took == b"a"
    assert page not in batch


@given(
    rooms=st.lists(st.integers(0, 80), min_size=3, max_size=3),
    steps=st.lists(st.tuples(st.sampled_from(["all", "one", "run"]), st.integers(0, 2)), max_size=40),
)
def test_each_subscriber_gets_all_in_order_whatever_the_kernel_takes(
    rooms: list[int], steps: list[tuple[str, int]]
) -> None:
    hub, batch = build()
    pages = [Subscriber(FakeWire(batch, room)) for room in rooms]
    expected: dict[Subscriber, list[str]] = {page: [] for page in pages}
    audience = batch.audience(pages)
    for number, (step, which) in enumerate(steps):
        text = f"<{number}>"
        if step == "run" and hub.waiting:
            hub.waiting.pop(0)()
        elif step == "one":
            batch.add(batch.audience([pages[which]]), [packet(text)])
            expected[pages[which]].append(text)
        elif step == "all":
            if audience.epoch != batch.epoch.number:
                audience = batch.audience(audience.to)
            batch.add(audience, [packet(text)])
            for page in pages:
                expected[page].append(text)
    hub.run()
    for page in pages:
        assert (page.wire.took + page.wire.held).decode() == "".join(expected[page])
