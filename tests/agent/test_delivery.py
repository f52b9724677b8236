"""Outbox and send window together, against every order of events: what the relay gets is all of it, once, in order."""

import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from pi_agent.uplink.sender import OutboxSender
from pi_agent.uplink.verdict import LinkDown
from shared.backoff import Backoff
from shared.contract.events import LED_STATUS_PUB_PI
from tests.support.clock import FakeClock
from tests.support.outbox import kill, open_outbox, sample

WINDOW = 4
STORED = {"ok": True, "code": "stored"}
BUSY = {"ok": False, "code": "unavailable", "retry": True}


class Delivery(RuleBasedStateMachine):
    """The agent's real outbox and sender; a relay and a wire of lists."""

    @initialize()
    def start(self) -> None:
        self.temporary = tempfile.TemporaryDirectory()
        self.directory = Path(self.temporary.name)
        self.clock = FakeClock()
        self.appended = 0
        self.stored: dict[int, float | bool] = {}
        self.order: list[int] = []
        self.wire: list = []
        self.up = True
        self.refused = False
        self.streams: set[str] = set()
        self.open()

    def open(self) -> None:
        self.outbox = open_outbox(self.directory, self.clock)
        self.streams.add(self.outbox.stream)
        self.sender = OutboxSender(self.outbox, "pi", self.clock, WINDOW, Backoff())
        self.wire = []

    def teardown(self) -> None:
        if hasattr(self, "outbox"):
            self.drain()
            self.outbox.close()
            self.temporary.cleanup()

    # --- the agent --------------------------------------------------------------------------------------------

    @rule(count=st.integers(1, 12))
    def append(self, count: int) -> None:
        for _ in range(count):
            sample(self.outbox, float(self.appended % 80), commit=False)
            self.appended += 1

    @rule(on=st.booleans())
    def change(self, on: bool) -> None:
        self.outbox.append(LED_STATUS_PUB_PI, {"status": on})
        self.appended += 1

    @rule()
    def commit(self) -> None:
        self.outbox.step()

    @rule()
    def pump(self) -> None:
        if self.up:
            try:
                self.sender.pump(self.emit)
            except LinkDown:
                self.lose_connection()

    @rule()
    def commit_and_pump(self) -> None:
        self.commit()
        self.pump()

    @rule(seconds=st.sampled_from([0.1, 5, 31]))
    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule()
    def die(self) -> None:
        """kill -9: what was not committed never was."""
        durable = self.outbox._progress.next_id - 1
        kill(self.outbox)
        self.appended = durable
        self.open()

    # --- the relay and what lies between -----------------------------------------------------------------------

    def emit(self, spec, body, token) -> None:
        assert body["id"] <= self.outbox._progress.next_id - 1, "sent before it was durable"
        self.wire.append((body, token))
        assert len([1 for _, waiting in self.wire if waiting.stream]) <= 200

    @precondition(lambda self: self.wire)
    @rule(ack=st.sampled_from(["arrives", "arrives", "arrives", "lost"]))
    def relay_stores_the_next(self, ack: str) -> None:
        body, token = self.wire.pop(0)
        self.store(body)
        if ack == "arrives":
            self.sender.acked(token, (STORED,))

    @precondition(lambda self: self.wire)
    @rule()
    def relay_is_busy(self) -> None:
        _, token = self.wire.pop(0)
        self.refused = True
        self.sender.acked(token, (BUSY,))

    @precondition(lambda self: len(self.wire) > 1)
    @rule()
    def acks_overtake_each_other(self) -> None:
        first, second = self.wire.pop(0), self.wire.pop(0)
        for body, _ in (first, second):
            self.store(body)
        self.sender.acked(second[1], (STORED,))
        self.sender.acked(first[1], (STORED,))

    @rule(kept=st.integers(0, 3))
    def lose_connection(self, kept: int = 0) -> None:
        """Some of what is on the way still arrives; no ack does."""
        for body, _ in self.wire[:kept]:
            self.store(body)
        self.wire = []
        self.sender.connection_lost()

    def store(self, body: dict) -> None:
        content = body["data"]["temperature"] if "data" in body else body["status"]
        key = body["id"]
        assert self.stored.setdefault(key, content) == content, "an id was used twice"
        if key not in self.order:
            self.order.append(key)

    # --- what must hold ----------------------------------------------------------------------------------------

    @invariant()
    def the_stream_is_one(self) -> None:
        assert len(getattr(self, "streams", {1})) == 1

    @invariant()
    def the_first_arrivals_are_in_order_and_without_a_gap(self) -> None:
        if not getattr(self, "refused", True):
            assert self.order == list(range(1, len(self.order) + 1))

    def drain(self) -> None:
        """When all is quiet, everything durable has arrived, and the outbox is empty."""
        self.outbox.flush()
        durable = self.outbox._progress.next_id - 1
        assert durable == self.appended, "an id was skipped"
        for _ in range(20 + durable):
            self.clock.advance(31)
            self.sender.pump(self.emit)
            waiting, self.wire = self.wire, []
            for body, token in waiting:
                self.store(body)
                self.sender.acked(token, (STORED,))
        assert sorted(self.stored) == list(range(1, durable + 1))
        assert self.outbox.depth == 0
        self.outbox.flush()
        assert self.outbox.low == durable + 1


TestDelivery = Delivery.TestCase
TestDelivery.settings = settings(max_examples=150, stateful_step_count=50, deadline=None)
