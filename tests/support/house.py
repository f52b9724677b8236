"""A light, an infrared sensor and a fan under commands, on a clock that stands still."""

import tempfile
from pathlib import Path

from pi_agent.accessories.base import Conduct
from pi_agent.accessories.breathing import BreathingLight
from pi_agent.accessories.command import Command
from pi_agent.accessories.commands import Commands
from pi_agent.accessories.infrared import InfraredWatch
from pi_agent.accessories.journal import Journal, Outcome
from pi_agent.accessories.plain import PlainSwitch
from pi_agent.hardware.sim.faults import Faults
from pi_agent.hardware.sim.parts import ScheduledInfrared, SimulatedLight
from pi_agent.hardware.sim.room import Room
from pi_agent.hardware.sim.switch import SimulatedSwitch
from shared.contract.payloads import Action, SafeState, parse
from shared.errors import Code
from tests.support.clock import FakeClock

LIGHT, INFRARED, FAN = "breath_light", "infrared_sensor", "fan"


class Sink:
    """Every status, with the way it went. What is to be kept is on disk at once."""

    def __init__(self, journal: Journal) -> None:
        self.said: list[tuple[str, object, dict]] = []
        self.journal = journal

    def change(self, spec, fields, outcome: Outcome | None = None) -> None:
        self._keep("change", spec, fields)
        if outcome is not None:
            self.journal.finish([outcome])

    def answer(self, spec, fields) -> None:
        self._keep("answer", spec, fields)

    def report(self, spec, fields) -> None:
        self._keep("report", spec, fields)

    def _keep(self, way, spec, fields) -> None:
        parse(spec.payload, {**fields, "id": 1})
        self.said.append((way, spec, dict(fields)))

    def take(self) -> list[tuple[str, dict]]:
        said, self.said = self.said, []
        return [(way, fields) for way, _, fields in said]


class House:
    """Simulated parts under commands. `restart` is a process that dies and comes back over the same journal."""

    def __init__(
        self,
        *,
        light: Conduct | None = None,
        watch: Conduct | None = None,
        fan: Conduct | None = None,
        clock: FakeClock | None = None,
    ) -> None:
        self.clock = clock or FakeClock()
        self.conducts = [light or Conduct(), watch or Conduct(on_at_start=True), fan or Conduct()]
        self._directory = tempfile.TemporaryDirectory()
        self.path = Path(self._directory.name) / "commands.db"
        self.faults = Faults(self.clock)
        self.lamp = SimulatedLight("light", 18, self.faults)
        self.eye = ScheduledInfrared("infrared", 23, Room(1).visits, self.clock, self.faults)
        self.motor = SimulatedSwitch(FAN, 17, SafeState.OFF, self.faults)
        self.motions: list[tuple[bool, int, int]] = []
        self.start()

    def start(self) -> None:
        """A process, not begun yet."""
        self.light = BreathingLight(self.lamp, period_s=4, gamma=2.2, max_level=0.8, frames_per_s=30)
        self.watch = InfraredWatch(self.eye, lambda *motion: self.motions.append(motion))
        self.fan = PlainSwitch(FAN, "Fan", self.motor)
        self.journal = Journal(self.path, self.clock)
        self.sink = Sink(self.journal)
        parts = zip((self.light, self.watch, self.fan), self.conducts, strict=True)
        self.commands = Commands(parts, self.sink, self.clock, self.journal)

    def restart(self) -> list[tuple[str, dict]]:
        """The process dies; another one begins."""
        self.journal.close()
        self.start()
        self.commands.begin()
        return self.sink.take()

    def do(self, action: Action, accessory: str | None = LIGHT, **more) -> list[tuple[str, dict]]:
        assert self.commands.submit(Command(action, accessory, **more)) is Code.ACCEPTED
        self.commands.step()
        return self.sink.take()

    def let(self, seconds: float, *, linked: bool = True) -> list[tuple[str, dict]]:
        """Time passes, step by step as each is due."""
        end = self.clock.monotonic_ns() + round(seconds * 1e9)
        while self.clock.monotonic_ns() < end:
            if linked:
                self.commands.proven()
            wait_s = self.commands.step()
            self.clock.advance(max(0.001, min(wait_s, (end - self.clock.monotonic_ns()) / 1e9)))
        if linked:
            self.commands.proven()
        self.commands.step()
        return self.sink.take()

    def close(self) -> None:
        """Nothing is left running."""
        self.eye.close()
        self.journal.close()
        self._directory.cleanup()
