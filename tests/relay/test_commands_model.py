"""The relay's ledger and the agent's journal together: both processes die at any point, and the link loses, repeats and
reorders what is on it. No command runs twice, none after its time, and each has exactly one final outcome.

Both sides are the real classes; the disk of the relay, the outbox and the wire between them are models.
"""

import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from pi_agent.accessories.base import Conduct
from pi_agent.accessories.commands import Commands as AgentCommands
from pi_agent.accessories.commands import Door
from pi_agent.accessories.journal import Intent, Journal
from pi_agent.accessories.journal import Outcome as Answered
from pi_agent.accessories.plain import PlainSwitch
from pi_agent.accessories.recovery import reconcile
from pi_agent.uplink.inbound import Inbound
from server.fanout.broadcast import Broadcast
from server.services.commands import Commands, Restart
from server.services.frames import stored_as
from server.services.relay_time import RelayTime
from server.state.devices import Registry
from server.storage.commands import Answer
from shared.contract.events import COMMAND_APPLIED_PUB_PI, COMMAND_RESULT_PUB_CLIENT, FURTHER
from shared.contract.payloads import (
    FINAL_STATES,
    AccessoryStatus,
    CommandApplied,
    CommandRequest,
    PiHello,
    parse,
)
from shared.contract.spec import EventSpec, Namespace
from shared.errors import Refusal
from tests.support.book import MemoryBook
from tests.support.clock import FakeClock
from tests.support.wire import RecordingEmitter, Sent

DEVICE = "pi"
NAMES = ("fan", "pump")
NEVER_RAN = ("expired", "superseded", "refused")


class Died(BaseException):
    """The agent's process ends here."""


class Fuse:
    """Kills the agent when it has burnt down: every step that another one could be cut off from burns a little."""

    def __init__(self) -> None:
        self.left: int | None = None

    def burn(self) -> None:
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                self.left = None
                raise Died


class Pin:
    """A pin: it keeps its level when the process that drove it has died."""

    def __init__(self, number: int, fuse: Fuse) -> None:
        self.pin = number
        self._fuse = fuse
        self._on = False

    def set(self, on: bool) -> None:
        self._fuse.burn()
        self._on = on
        self._fuse.burn()

    def is_on(self) -> bool:
        return self._on

    def close(self) -> None:
        pass


class WatchedJournal(Journal):
    """The journal; what it begins is what runs."""

    def __init__(self, path: Path, clock: FakeClock, fuse: Fuse, begun: Callable[[Intent], None]) -> None:
        super().__init__(path, clock)
        self._fuse = fuse
        self._begun = begun

    def begin(self, intents: Sequence[Intent]) -> bool:
        self._fuse.burn()
        noted = super().begin(intents)
        self._fuse.burn()
        for intent in intents:
            self._begun(intent)
        return noted


class Outbox:
    """Events on disk until they are acked, and what is sent at once or never."""

    def __init__(self, fuse: Fuse) -> None:
        self._fuse = fuse
        self.journal: Journal | None = None
        self.events: list[tuple[int, str, dict[str, Any]]] = []
        self.live: list[tuple[EventSpec, dict[str, Any]]] = []
        self._ids = 0

    def kept(self, names: Iterable[str]) -> list[tuple[str, dict[str, Any]]]:
        wanted = set(names)
        return [(event, body) for _, event, body in self.events if event in wanted]

    def change(self, spec: EventSpec, fields: Mapping[str, Any], outcome: Answered | None = None) -> None:
        self._fuse.burn()
        self._ids += 1
        self.events.append((self._ids, spec.name, {**fields, "id": self._ids}))
        self._fuse.burn()
        if outcome is not None and self.journal is not None:
            self.journal.finish([outcome])

    def answer(self, spec: EventSpec, fields: Mapping[str, Any]) -> None:
        self.live.append((spec, dict(fields)))

    def report(self, spec: EventSpec, fields: Mapping[str, Any]) -> None:
        pass


class CommandsOfTwoProcesses(RuleBasedStateMachine):
    """The rules draw what happens next."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp(dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
        self.clock = FakeClock()
        self.fuse = Fuse()
        self.book = MemoryBook()
        self.book.slow = True
        self.wire = RecordingEmitter()
        self.pins = {name: Pin(number, self.fuse) for number, name in enumerate(NAMES)}
        self.outbox = Outbox(self.fuse)
        self.hello = PiHello()
        self.runs = 0
        self.sessions = 0
        self.door: Door | None = None
        self.down: list[Sent] = []
        self.acks: list[tuple[Callable[..., None], Any]] = []
        self.stored: set[int] = set()
        self.storing: list[tuple[int, str, dict[str, Any]]] = []
        self.begun: Counter[tuple[str, str]] = Counter()
        self.expires: dict[str, int] = {}
        self.told: dict[tuple[str, str], list[str]] = {}
        self.switched_on: Counter[str] = Counter()
        self.heard = 0
        self.asked: list[str] = []
        self.agent: AgentCommands | None = None
        self.start_relay()
        self.start_agent()

    def teardown(self) -> None:
        self.journal.close()
        shutil.rmtree(self.directory)

    # --- processes ----------------------------------------------------------------------------------------------------

    def start_relay(self) -> None:
        self.registry = Registry({})
        self.registry.add(DEVICE, self.clock.now()).hello = self.hello
        self.time = RelayTime(self.clock)
        self.deferred: list[Callable[[], None]] = []
        self.commands = Commands(
            self.registry,
            Broadcast(self.wire),
            self.book,
            self.clock,
            self.time,
            10.0,
            defer=lambda work: self.deferred.append(work),
        )
        Restart(self.commands, self.registry, self.book, self.clock, self.time).run()

    def start_agent(self) -> None:
        self.runs += 1
        self.journal = WatchedJournal(self.directory / "journal.db", self.clock, self.fuse, self.note_begun)
        self.outbox.journal = self.journal
        self.outbox.live.clear()
        reconcile(self.journal, self.outbox)  # type: ignore[arg-type]  # all that it asks of an outbox is `kept`
        parts = [(PlainSwitch(name, None, pin), Conduct()) for name, pin in self.pins.items()]
        self.agent = AgentCommands(parts, self.outbox, self.clock, self.journal)
        self.alive(self.agent.begin)

    def alive(self, work: Callable[[], Any]) -> Any:
        """Run a piece of the agent; it may die of it."""
        try:
            return work()
        except Died:
            self.journal.close()
            self.agent = None
            self.cut()
            return None

    def note_begun(self, intent: Intent) -> None:
        if intent.verdict is None:
            self.begun[intent.id, intent.accessory] += 1
            assert self.time.ms() <= self.expires[intent.id], "begun after its time"

    # --- the link -----------------------------------------------------------------------------------------------------

    def cut(self) -> None:
        device = self.registry.get(DEVICE)
        if device.session is not None:
            self.registry.disconnected(DEVICE, device.session, self.clock.now())
            self.commands.disconnected(DEVICE)
        self.door = None
        self.down.clear()
        self.acks.clear()
        self.outbox.live.clear()

    @initialize()
    def begin(self) -> None:
        self.connect()

    @precondition(lambda self: self.door is None and self.agent is not None)
    @rule()
    def connect(self) -> None:
        assert self.agent is not None
        self.door = self.agent.connect()
        self.sessions += 1
        self.hello = PiHello.build(
            contract="1.0",
            heartbeat_interval_s=5.0,
            run=f"run{self.runs}",
            ledger=self.door.ledger,
            seq=self.door.seq,
            accessories=self.agent.infos(),
        )
        device, _ = self.registry.connected(DEVICE, f"sid{self.sessions}", self.hello, self.clock.now())
        self.commands.connected(device)

    @rule()
    def the_link_is_cut(self) -> None:
        self.cut()

    @precondition(lambda self: self.down)
    @rule(data=st.data(), twice=st.booleans())
    def the_agent_receives(self, data: st.DataObject, twice: bool) -> None:
        sent = data.draw(st.sampled_from(self.down), "which")
        if not twice:
            self.down.remove(sent)
        assert self.door is not None
        ack = Inbound(self.door.submit, lambda _: None).receive(sent.spec.name, (sent.body,))
        if sent.acked is not None:
            self.acks.append((sent.acked, json.loads(_json(ack))))

    @precondition(lambda self: self.acks)
    @rule()
    def the_relay_receives_an_ack(self) -> None:
        acked, ack = self.acks.pop(0)
        acked(ack)

    @precondition(lambda self: self.door is not None and self.outbox.live)
    @rule()
    def the_relay_receives_live_news(self) -> None:
        spec, body = self.outbox.live.pop(0)
        if spec is COMMAND_APPLIED_PUB_PI:
            self.commands.applied(DEVICE, parse(CommandApplied, body))
        else:
            self.report(body)

    @precondition(lambda self: self.door is not None and self.outbox.events)
    @rule(ack_is_lost=st.booleans())
    def the_relay_receives_an_event(self, ack_is_lost: bool) -> None:
        id_, event, body = self.outbox.events[0]
        if id_ not in self.stored and not any(id_ == waiting for waiting, _, _ in self.storing):
            self.storing.append((id_, event, body))
            self.report(body)
        if id_ in self.stored and not ack_is_lost:
            self.outbox.events.pop(0)

    def report(self, body: dict[str, Any]) -> None:
        status = parse(AccessoryStatus, body)
        self.commands.reported(self.registry.get(DEVICE), status.accessory or "", status)

    @precondition(lambda self: self.door is not None)
    @rule()
    def a_heartbeat_is_acked(self) -> None:
        assert self.agent is not None
        self.agent.relay_time.learn(self.time.ms(), self.clock.monotonic_ns() / 1e9)

    # --- the relay ----------------------------------------------------------------------------------------------------

    @rule(
        action=st.sampled_from(["on", "off", "clean", "check"]),
        accessory=st.sampled_from(NAMES),
        ttl_s=st.sampled_from([1.0, 5.0, 60.0]),
        queue=st.booleans(),
    )
    def somebody_asks(self, action: str, accessory: str, ttl_s: float, queue: bool) -> None:
        fields: dict[str, Any] = {"action": action, "device": DEVICE, "ttl_s": ttl_s}
        if action != "clean":
            fields["accessory"] = accessory
        if action in ("off", "clean"):
            fields["queue"] = queue
        try:
            ack = self.commands.request(CommandRequest.build(**fields), by="tester")
        except Refusal:
            return
        self.asked.append(ack.command or "")
        self.look()

    @precondition(lambda self: self.deferred)
    @rule()
    def the_relay_goes_on(self) -> None:
        deferred, self.deferred = self.deferred, []
        for work in deferred:
            work()
            # What the relay asks for by itself is deferred in turn.
        self.look()

    @rule()
    def the_relay_commits(self) -> None:
        self.book.commit()
        for id_, _event, body in self.storing:
            self.stored.add(id_)
            self.book.answers.append(Answer(DEVICE, stored_as(body["accessory"]), json.dumps(body)))
        self.storing.clear()
        self.look()

    @rule()
    def the_relay_ticks(self) -> None:
        self.commands.tick()
        self.look()

    @rule()
    def the_relay_is_killed(self) -> None:
        self.cut()
        self.book.crash()
        self.storing.clear()
        self.start_relay()
        self.look()

    # --- the agent ----------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.agent is not None)
    @rule()
    def the_agent_works(self) -> None:
        assert self.agent is not None
        self.alive(self.agent.step)

    @precondition(lambda self: self.agent is not None and self.fuse.left is None)
    @rule(steps=st.integers(0, 7))
    def the_agent_will_die(self, steps: int) -> None:
        self.fuse.left = steps

    @precondition(lambda self: self.agent is None)
    @rule()
    def the_agent_is_started(self) -> None:
        self.start_agent()

    @rule(seconds=st.sampled_from([0.2, 0.9, 4.0, 30.0]))
    def time_passes(self, seconds: float) -> None:
        self.clock.advance(seconds)

    # --- what must hold -----------------------------------------------------------------------------------------------

    def look(self) -> None:
        """Sort what the relay sent: commands to the agent, results to callers."""
        for row in self.book.rows.values():
            self.expires[row.command] = row.expires_ms
        for sent in self.wire.sent[self.heard :]:
            if sent.spec is COMMAND_RESULT_PUB_CLIENT:
                self.told.setdefault((sent.body["command"], DEVICE), []).append(sent.body["state"])
            elif sent.spec.namespace is Namespace.PI and sent.to == (self.registry.get(DEVICE).session,):
                self.down.append(sent)
                self.switched_on[sent.body["command"]] += sent.spec is FURTHER.on
        self.heard = len(self.wire.sent)

    @invariant()
    def nothing_runs_twice(self) -> None:
        assert [key for key, count in self.begun.items() if count > 1] == []

    @invariant()
    def nothing_is_turned_on_at_a_reconnect(self) -> None:
        assert [command for command, count in self.switched_on.items() if count > 1] == []

    @invariant()
    def nothing_has_two_final_results(self) -> None:
        self.look()
        for states in self.told.values():
            assert len([state for state in states if state in FINAL_STATES]) <= 1
            assert not any(state in FINAL_STATES for state in states[:-1])

    @invariant()
    def what_was_told_is_on_record(self) -> None:
        rows = {row.command: row for row in self.book.rows.values()}
        for (command, _), states in self.told.items():
            if states[-1] in FINAL_STATES:
                assert rows[command].state == states[-1]

    @invariant()
    def what_is_said_not_to_have_run_has_not(self) -> None:
        for row in self.book.rows.values():
            ran = [name for name in NAMES if self.begun[row.command, name]]
            if row.ended_at is not None and row.state in NEVER_RAN and '"clean"' not in row.request:
                assert ran == []
            if row.state == "verified" and '"check"' not in row.request:
                assert ran

    @rule()
    def in_the_end_everything_has_its_outcome(self) -> None:
        """Let all be well for long enough."""
        self.fuse.left = None
        if self.agent is None:
            self.start_agent()
        if self.door is None:
            self.connect()
        for _ in range(3):
            self.settle()
            self.clock.advance(61.5)
        self.settle()
        for command in self.asked:
            [row] = self.book.find(command)
            assert row.ended_at is not None
            assert row.state in FINAL_STATES

    def settle(self) -> None:
        self.a_heartbeat_is_acked()
        for _ in range(20):
            if self.deferred:
                self.the_relay_goes_on()
            self.commands.tick()
            self.the_relay_commits()
            for sent in list(self.down):
                self.down.remove(sent)
                assert self.door is not None
                ack = Inbound(self.door.submit, lambda _: None).receive(sent.spec.name, (sent.body,))
                if sent.acked is not None:
                    sent.acked(json.loads(_json(ack)))
            assert self.agent is not None
            self.agent.step()
            while self.outbox.live:
                self.the_relay_receives_live_news()
            while self.outbox.events:
                self.the_relay_receives_an_event(ack_is_lost=False)
                self.the_relay_commits()


def _json(ack: object) -> bytes:
    return msgspec.json.encode(ack)


TestCommandsOfTwoProcesses = CommandsOfTwoProcesses.TestCase
TestCommandsOfTwoProcesses.settings = settings(
    max_examples=60, stateful_step_count=60, deadline=None, suppress_health_check=list(HealthCheck)
)
