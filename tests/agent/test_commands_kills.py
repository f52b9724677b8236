"""Commands, the journal and the outbox, killed between any two steps: one pin movement at most, one answer in any case.

The relay is played by the test: it numbers commands, keeps its own time, loses the link, and sends again what its rules
allow. A kill is an exception out of one of the seams between the steps; files are left as they are, memory is lost.
"""

import tempfile
from collections import Counter
from pathlib import Path

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from pi_agent.accessories.base import Conduct
from pi_agent.accessories.command import Command
from pi_agent.accessories.commands import Commands, Door
from pi_agent.accessories.journal import Journal
from pi_agent.accessories.plain import PlainSwitch
from pi_agent.accessories.recovery import reconcile
from pi_agent.hardware.sim.faults import Faults
from pi_agent.hardware.sim.switch import SimulatedSwitch
from shared.clock import monotonic_s
from shared.contract.payloads import Action, SafeState
from shared.errors import Code
from tests.support.clock import FakeClock
from tests.support.outbox import held, kill, open_outbox

NAMES = ("fan", "pump")


class Killed(BaseException):
    """Power off."""


class Fuse:
    """Blows at the n-th seam from now."""

    def __init__(self) -> None:
        self.left: int | None = None

    def seam(self) -> None:
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                self.left = None
                raise Killed


class Motor(SimulatedSwitch):
    """Notes which command moved it."""

    def __init__(self, name: str, world: "KilledAgent") -> None:
        super().__init__(name, 17, SafeState.OFF, Faults(world.clock))
        self._world = world

    def set(self, on: bool) -> None:
        self._world.fuse.seam()
        super().set(on)
        self._world.moved(self.name)
        self._world.fuse.seam()


class WatchedJournal(Journal):
    """A journal with seams around its commits."""

    fuse: Fuse

    def begin(self, intents) -> bool:
        self.fuse.seam()
        noted = super().begin(intents)
        self.fuse.seam()
        return noted

    def finish(self, outcomes) -> None:
        self.fuse.seam()
        super().finish(outcomes)
        self.fuse.seam()


class KilledAgent(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.clock = FakeClock()
        self.directory = tempfile.TemporaryDirectory()
        self.path = Path(self.directory.name)
        self.fuse = Fuse()
        self.current: Command | None = None
        self.sent: dict[str, Command] = {}
        self.executed: Counter[tuple[str, str]] = Counter()
        self.late: list[str] = []
        self.overtaken: list[str] = []
        self.highest: dict[str, int] = {}
        self.answers: Counter[tuple[str, str]] = Counter()
        self.read = 0
        self.seq = 0
        self.motors = {name: Motor(name, self) for name in NAMES}
        self.begin()
        self.heartbeat()

    # --- the agent ----------------------------------------------------------------------------------------------

    def begin(self) -> None:
        self.journal = WatchedJournal(self.path / "commands.db", self.clock)
        self.journal.fuse = self.fuse
        self.outbox = open_outbox(self.path, self.clock)
        try:
            reconcile(self.journal, self.outbox)
            self.outbox.on_kept = self.journal.finish
            parts = [(PlainSwitch(name, None, motor), Conduct()) for name, motor in self.motors.items()]
            self.commands = Commands(parts, self, self.clock, self.journal)
            executor = self.commands._executor
            self.carry_out, executor._execute = executor._execute, self.watched
            self.door: Door = self.commands.connect()
            self.commands.begin()
        except Killed:
            self.die()

    def die(self) -> None:
        """The process is gone; a pin stays as it is driven."""
        self.current = None
        self.fuse.left = None
        kill(self.outbox)
        self.journal.close()
        self.begin()

    def guarded(self, work) -> None:
        try:
            work()
        except Killed:
            self.die()

    # Its sink.

    def change(self, spec, fields, outcome=None) -> None:
        self.fuse.seam()
        self.outbox.append(spec, fields, receipt=outcome)
        self.fuse.seam()

    def answer(self, spec, fields) -> None:
        self.fuse.seam()

    report = answer

    # --- what the pins see --------------------------------------------------------------------------------------

    def relay_ms(self) -> float:
        """The relay's clock: some other zero, the same pace."""
        return 1_000_000 + self.clock.monotonic_ns() / 1e6

    def watched(self, task, noted: bool) -> None:
        """Carry out a task; whatever moves meanwhile is moved by its command."""
        self.current = task.command
        self.carry_out(task, noted)
        self.current = None

    def moved(self, name: str) -> None:
        """A pin was driven: by the command that is being executed, or (at the start) by nobody."""
        command = self.current
        if command is None:
            return
        self.executed[command.id, name] += 1
        if self.relay_ms() > command.expires_ms:
            self.late.append(command.id)
        if command.seq < self.highest.get(name, -1):
            self.overtaken.append(command.id)
        self.highest[name] = max(command.seq, self.highest.get(name, -1))

    # --- what happens -------------------------------------------------------------------------------------------

    @rule(
        action=st.sampled_from([Action.ON, Action.OFF, Action.CLEAN]),
        name=st.sampled_from(NAMES),
        ttl_s=st.sampled_from([1.0, 5.0, 60.0]),
        lost=st.booleans(),
    )
    def send(self, action: Action, name: str, ttl_s: float, lost: bool) -> None:
        self.seq += 1
        command = Command(
            action,
            None if action is Action.CLEAN else name,
            id=f"c{self.seq}",
            ledger="L",
            seq=self.seq,
            ttl_s=90.0,
            expires_ms=round(self.relay_ms() + ttl_s * 1e3),
        )
        self.sent[f"c{self.seq}"] = command
        if not lost:
            assert self.door.submit(command) in (Code.ACCEPTED, Code.QUEUE_FULL)

    @rule(name=st.sampled_from(NAMES))
    def overtake(self, name: str) -> None:
        """The newer of two comes first."""
        self.send(Action.ON, name, 60.0, lost=True)
        self.send(Action.OFF, name, 60.0, lost=False)
        self.step(None, 0.0)
        self.door.submit(self.sent[f"c{self.seq - 1}"])

    @precondition(lambda self: self.sent)
    @rule(data=st.data())
    def send_again(self, data: st.DataObject) -> None:
        """A copy, or one that the last connection lost: out of order, late, twice."""
        command = self.sent[data.draw(st.sampled_from(list(self.sent)[-4:]))]
        self.door.submit(command)

    @rule(fuse=st.none() | st.integers(0, 12), pause_s=st.sampled_from([0.0, 0.0, 2.0, 8.0]))
    def step(self, fuse: int | None, pause_s: float) -> None:
        self.clock.advance(pause_s)
        self.fuse.left = fuse
        self.guarded(self.commands.step)
        self.current = None
        self.fuse.left = None

    @rule(fuse=st.none() | st.integers(0, 2))
    def commit(self, fuse: int | None) -> None:
        self.fuse.left = fuse
        self.guarded(self.outbox.step)
        self.fuse.left = None

    @rule()
    def relay_reads(self) -> None:
        """What is on disk reaches the relay, which settles it: it leaves the outbox with a later commit."""
        for row in held(self.outbox):
            self.count(row)
        self.outbox.settle(self.outbox.stream, self.read)

    @rule()
    def heartbeat(self) -> None:
        self.commands.relay_time.learn(round(self.relay_ms()), monotonic_s(self.clock))

    @rule(heard=st.booleans())
    def reconnect(self, heard: bool) -> None:
        self.door = self.commands.connect()
        if heard:
            self.heartbeat()

    @rule(fuse=st.none() | st.integers(0, 6), heard=st.booleans())
    def crash(self, fuse: int | None, heard: bool) -> None:
        """Power off, and perhaps again while it starts."""
        kill(self.outbox)
        self.journal.close()
        self.current = None
        self.fuse.left = fuse
        self.begin()
        self.fuse.left = None
        if heard:
            self.heartbeat()

    # --- what must hold -----------------------------------------------------------------------------------------

    def count(self, row) -> None:
        if row.id > self.read:
            self.read = row.id
            body = msgspec.json.decode(row.fields)
            if "command" in body:
                self.answers[body["command"], body["accessory"]] += 1
                code = Code(body["fault"]["code"]) if "fault" in body else None
                key = (body["command"], body["accessory"])
                assert not (code is None and self.executed[key] == 0), f"{key} counts as done and was not executed"
                if code in (Code.EXPIRED, Code.SUPERSEDED):
                    assert self.executed[key] == 0, f"{key} was executed and counts as {code}"

    @invariant()
    def nothing_is_executed_twice_or_too_late_or_after_a_newer_one(self) -> None:
        assert not [key for key, times in self.executed.items() if times > 1]
        assert self.late == []
        assert self.overtaken == []
        assert not [key for key, times in self.answers.items() if times > 1]

    def teardown(self) -> None:
        """All is quiet: what was begun is answered, each once."""
        self.crash(None, False)
        for _ in range(3):
            self.outbox.step()
            self.relay_reads()
        assert self.journal.unanswered() == []
        known = {
            (command_id, name)
            for command_id in self.sent
            for name in NAMES
            if name in self.journal._known.get(command_id, {})
        }
        assert set(self.answers) == known
        assert set(self.executed) <= known
        self.nothing_is_executed_twice_or_too_late_or_after_a_newer_one()
        self.journal.close()
        self.outbox.close()
        self.directory.cleanup()


TestKilledAgent = KilledAgent.TestCase
TestKilledAgent.settings = settings(max_examples=60, stateful_step_count=50, deadline=None)
