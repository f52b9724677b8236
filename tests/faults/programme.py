"""One run: the stages of a plan are done to a world, then all is calmed and accounted for."""

import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.accounting import Account
from tests.faults.cases import Anatomy, Original, PostgresOriginal, SqliteOriginal
from tests.faults.inject import Injector
from tests.faults.journal import Key
from tests.faults.plan import KILLS, OUTBOX_DAMAGE, Fault, Kind, Lane, Stage
from tests.faults.relay_damage import Surgery, Wreck, pi_relay
from tests.faults.supervisor import Life
from tests.faults.world import World, free_port

_SAMPLE_S = 0.25
_SHOWN = 3
_CALM_S = 120.0
_BETWEEN_STAGES_S = 1.0
_AFTER_BACKUP_S = 2.0
_AFTERMATH_S = 8.0
"""A process may still die of a fault so long after its end."""

Tell = Callable[[str], None]


@dataclass
class Injected:
    """A fault as it was done."""

    fault: Fault
    lane: int
    began_s: float
    ended_s: float = 0.0
    trouble: str = ""
    """Why it could not be done."""
    recovery_s: float | None = None
    """From its end until the relay had stored, and the agent knew of, an event made after it."""
    alone: bool = False
    """No other fault reached into its recovery."""


@dataclass
class Run:
    """All that a report needs. Times are seconds on the monotonic clock."""

    database: str
    seed: int
    planned: Sequence[Stage]
    began_s: float
    ended_s: float = 0.0
    injected: list[Injected] = field(default_factory=list)
    samples: list[tuple[float, int, int, int]] = field(default_factory=list)
    """(when, events made, acked, durable and not acked)"""
    lives: dict[str, list[Life]] = field(default_factory=dict)
    account: Account | None = None
    wrecks: list[Wreck] = field(default_factory=list)
    calm_s: float | None = None
    """How long the backlog took at the end; None where it was never empty."""
    problems: list[str] = field(default_factory=list)
    """Why this run has failed; empty where it has not."""

    @property
    def passed(self) -> bool:
        return not self.problems


class Programme:
    """Runs once."""

    def __init__(
        self,
        world: World,
        stages: Sequence[Stage],
        seconds: float,
        *,
        wrecks: int = 0,
        ways: int | None = None,
        tell: Tell = lambda text: None,
    ) -> None:
        """`seconds` bounds the injecting: what has not begun by then is left out, and the run has failed.

        `wrecks` is how often the relay's own database is damaged in each way, after all else; `ways` leaves it at so
        many of the ways, drawn by lot.
        """
        self._world = world
        self._run = Run(world.database, world.seed, stages, time.monotonic())
        self._injector = Injector(world, random.Random(world.seed))
        self._deadline_s = time.monotonic() + seconds
        self._wrecks = wrecks
        self._ways = ways
        self._tell = tell
        self._over = threading.Event()
        self._crashed: list[Exception] = []

    def run(self) -> Run:
        """Do everything; what is found is in the result, whatever it is."""
        world, run = self._world, self._run
        world.start()
        sampler = threading.Thread(target=self._sample, name="sampler", daemon=True)
        sampler.start()
        try:
            for number, stage in enumerate(run.planned, 1):
                self._tell(f"stage {number} of {len(run.planned)}: {sum(len(lane) for lane in stage)} faults")
                self._do(stage)
                if self._injector.pause(_BETWEEN_STAGES_S):
                    break
            self._finish()
        finally:
            self._injector.stop()
            self._over.set()
            sampler.join()
            run.ended_s = time.monotonic()
            run.lives = {one.name: one.lives for one in world.supervised}
        recoveries(run, world)
        judge(run)
        return run

    def _finish(self) -> None:
        world, run = self._world, self._run
        backup, kept = world.out / "backup", world.out / "state"
        in_backup = self._back_up(backup) if self._wrecks else set()
        self._tell("all faults have ended; waiting until everything is acked")
        try:
            run.calm_s = world.calm(_CALM_S)
        except AssertionError:
            run.problems.append(f"not everything was acked within {_CALM_S:.0f} s after the last fault")
        anatomy = Anatomy.of(world.cluster) if self._wrecks and world.cluster else None
        run.account, contents = world.settle(kept)
        if self._wrecks:
            self._tell("damaging copies of the relay's database")
            original = self._original(kept, anatomy)
            surgery = Surgery(original, contents, backup, in_backup, world.out, free_port())
            for wreck in surgery.run(random.Random(world.seed), self._wrecks, self._ways):
                run.wrecks.append(wreck)
                self._tell(f"{wreck.how}: lost {wreck.lost}, kept {wreck.kept} {'; '.join(wreck.problems)}")

    def _back_up(self, backup: Path) -> set[Key]:
        """Make a backup under load, and have some more events after it. Returns what must be in it."""
        with self._world.journal.lock:
            acked = {key for key, made in self._world.journal.book.made.items() if made.acked_s is not None}
        pi_relay(self._world.relay_environ, "db", "backup", str(backup))
        self._injector.pause(_AFTER_BACKUP_S)
        return acked

    def _original(self, kept: Path, anatomy: Anatomy | None) -> Original:
        world = self._world
        if world.cluster is None or world.server is None or anatomy is None:
            return SqliteOriginal(kept / "relay")
        world.server.stop(signal.SIGKILL)
        return PostgresOriginal(world.cluster, anatomy)

    def _do(self, stage: Stage) -> None:
        threads = [
            threading.Thread(target=self._go, args=(lane, number), name=f"lane-{number}", daemon=True)
            for number, lane in enumerate(stage)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self._crashed:
            raise self._crashed[0]

    def _go(self, lane: Lane, number: int) -> None:
        for fault in lane:
            left_s = self._deadline_s - time.monotonic()
            if left_s <= fault.after_s or self._injector.pause(fault.after_s):
                return
            done = Injected(fault, number, time.monotonic())
            try:
                done.trouble = self._injector.inject(fault)
            except Exception as error:  # the thread ends here; the run fails of it
                self._crashed.append(error)
                self._injector.stop()
                return
            done.ended_s = time.monotonic()
            self._run.injected.append(done)
            self._tell(f"{fault.kind}{f' ({fault.how})' if fault.how else ''} {done.trouble}")

    def _sample(self) -> None:
        while not self._over.wait(_SAMPLE_S):
            self._run.samples.append((time.monotonic(), *self._world.backlog()))


def recoveries(run: Run, world: World) -> None:
    """When, after each fault, an event made after it was known to be stored."""
    made = sorted((entry.at_s, entry.acked_s) for entry in world.journal.book.made.values() if entry.acked_s)
    for done in run.injected:
        acked = [acked_s for at_s, acked_s in made if at_s > done.ended_s]
        if not acked:
            continue
        back_s = min(acked)
        done.recovery_s = back_s - done.ended_s
        done.alone = not any(
            other is not done and other.began_s < back_s and other.ended_s > done.began_s for other in run.injected
        )


def judge(run: Run) -> None:
    """Find what is wrong with a run."""
    account, problems = run.account, run.problems
    if account is None:
        problems.append("there is no account")
        return
    for name, count in account.zeros.counts().items():
        keys = getattr(account.zeros, name.replace(" ", "_"))[:_SHOWN]
        shown = ", ".join(f"{key.stream}/{key.id} {account.differences.get(key, '')}".strip() for key in keys)
        problems += [f"{name}: {count}, such as {shown}"] if count else []
    done = Counter(one.fault.kind for one in run.injected if not one.trouble)
    planned = Counter(fault.kind for stage in run.planned for lane in stage for fault in lane)
    begun = Counter(one.fault.kind for one in run.injected)
    for kind, count in planned.items():
        if begun[kind] < count:
            problems.append(f"{kind}: {begun[kind]} of {count} done in the time that was given")
    for name, count in Counter(KILLS[kind] for kind in planned.elements() if kind in KILLS).items():
        if kills(run).get(name, 0) < count:
            problems.append(f"{name}: killed {kills(run).get(name, 0)} times, not {count}")
    allowed = {"disk_full"} if done[Kind.FULL_AGENT] else set()
    allowed |= {"corrupt"} if any(done[kind] for kind in OUTBOX_DAMAGE) else set()
    problems += [
        f"{count} events dropped for no good reason: {reason}"
        for reason, count in account.dropped.items()
        if reason not in allowed
    ]
    problems += [f"{wreck.how} {wreck.where}: {problem}" for wreck in run.wrecks for problem in wreck.problems]
    for name, lives in run.lives.items():
        for life in lives:
            if not _excused(run, name, life):
                last = life.tail.strip().splitlines()[-1:] or ["without a word"]
                problems.append(f"{name} ended by itself, code {life.code}: {last[0]}")


_FATAL = {
    "agent": {Kind.FULL_AGENT, *OUTBOX_DAMAGE},
    "relay": {Kind.FULL_RELAY, Kind.KILL_POSTGRES, Kind.KILL_BACKEND, Kind.FREEZE_POSTGRES},
    "postgres": {Kind.FULL_RELAY, Kind.KILL_POSTGRES, Kind.KILL_BACKEND, Kind.FREEZE_POSTGRES},
}
"""What a process may fail to start under; it is started again until it does."""
_READY = {"agent": "agent runs:", "relay": "relay ready:"}
"""What each of them says once it works. From then on it has to go on; a database server may give up on a full disk."""


def _excused(run: Run, name: str, life: Life) -> bool:
    if life.wanted or life.ended_s is None:
        return True
    at_fault = any(
        one.fault.kind in _FATAL[name] and one.began_s <= life.ended_s <= one.ended_s + _AFTERMATH_S
        for one in run.injected
    )
    return at_fault and (name not in _READY or not life.said(_READY[name]))


def kills(run: Run) -> dict[str, int]:
    """How often each program was killed."""
    counts = Counter(KILLS[one.fault.kind] for one in run.injected if one.fault.kind in KILLS and not one.trouble)
    return dict(sorted(counts.items()))
