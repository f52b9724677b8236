"""The parts in a simulated room; the light and the infrared sensor serve a replayed one too."""

from collections.abc import Iterator, Mapping

from pi_agent.hardware.base import EdgeListener, PartFailed, checked_level
from pi_agent.hardware.motion import Teller
from pi_agent.hardware.options import SimulatedPart
from pi_agent.hardware.sim.faults import Faults
from pi_agent.hardware.sim.room import Room, Schedule
from pi_agent.workers import Hire, Worker
from shared.clock import Clock


class SimulatedClimate:
    """A thermometer and hygrometer in the room. It may be read at any time: it has no bus to rest."""

    min_interval_s: float = 0.0

    def __init__(self, name: str, room: Room, clock: Clock, faults: Faults) -> None:
        self.name = name
        self.quantities: tuple[str, ...] = ("temperature", "humidity")
        self._room = room
        self._clock = clock
        self._faults = faults
        self._last: tuple[float, float] | None = None
        self._open = True

    def read(self) -> Mapping[str, float]:
        """Temperature and humidity of the room, now."""
        if not self._open:
            raise PartFailed(f"{self.name}: closed")
        self._faults.check_read(SimulatedPart.CLIMATE)
        if self._last is None or not self._faults.frozen(SimulatedPart.CLIMATE):
            self._last = self._room.climate(self._clock.now())
        return dict(zip(self.quantities, self._last, strict=True))

    def close(self) -> None:
        self._open = False


class SimulatedLight:
    """An LED. `shines` is what somebody in the room would see: 0 to 1, also after `close`."""

    def __init__(self, name: str, pin: int | None, faults: Faults) -> None:
        self.name = name
        self.pin = pin
        self.shines = 0.0
        self._faults = faults
        self._open = True

    def set_level(self, level: float) -> None:
        checked_level(level)
        self._check_open()
        self._faults.check_alive(SimulatedPart.LIGHT)
        if not self._faults.frozen(SimulatedPart.LIGHT):
            self.shines = round(level, 3)  # the steps of a 10-bit PWM

    def level(self) -> float:
        self._check_open()
        self._faults.check_read(SimulatedPart.LIGHT)
        return self.shines

    def close(self) -> None:
        self._open = False
        self.shines = 0.0

    def _check_open(self) -> None:
        if not self._open:
            raise PartFailed(f"{self.name}: closed")


class ScheduledInfrared:
    """An infrared sensor that sees what a schedule says, counted from when the part was opened."""

    def __init__(
        self, name: str, pin: int | None, schedule: Schedule, clock: Clock, faults: Faults, hire: Hire = Worker
    ) -> None:
        self.name = name
        self.pin = pin
        self._clock = clock
        self._faults = faults
        self._source = _ScheduledEdges(schedule, clock.monotonic_ns(), faults)
        self._teller = Teller(name, clock, self._source, hire)
        self._open = True

    def start(self, listener: EdgeListener) -> None:
        self._check_alive()
        self._teller.start(listener)

    def stop(self) -> None:
        self._teller.stop()

    def watching(self) -> bool:
        self._check_alive()
        if self._teller.started and not self._teller.alive:
            raise PartFailed(f"{self.name}: its thread has ended")
        return self._teller.started

    def active(self) -> bool:
        self._check_alive()
        self._faults.check_read(SimulatedPart.INFRARED)
        return self._source.active(self._clock.monotonic_ns())

    def step(self) -> None:
        """Tell what is due by now, on this thread: for tests, which move the clock themselves."""
        self._teller.step()

    def close(self) -> None:
        self._teller.stop()
        self._open = False

    def _check_alive(self) -> None:
        if not self._open:
            raise PartFailed(f"{self.name}: closed")
        self._faults.check_alive(SimulatedPart.INFRARED)
        self._source.check(self._clock.monotonic_ns())


class _ScheduledEdges:
    """A schedule as a source of edges, with the faults of the sensor in between."""

    def __init__(self, schedule: Schedule, start_ns: int, faults: Faults) -> None:
        self._schedule = schedule
        self._start_ns = start_ns
        self._faults = faults
        self._last = False
        self._at_ns = 0

    def check(self, now_ns: int) -> None:
        self._schedule.check(now_ns - self._start_ns)

    def active(self, now_ns: int) -> bool:
        if not self._muted():
            self._last = self._schedule.active(now_ns - self._start_ns)
        return self._last

    def begin(self, now_ns: int) -> None:
        self._at_ns = now_ns - self._start_ns

    def take(self, now_ns: int) -> Iterator[tuple[bool, int]]:
        until_ns = now_ns - self._start_ns
        if self._muted():
            self._at_ns = until_ns
            return
        # What changed before `begin`, or while the sensor had a fault; else a repetition, which is not told.
        self._last = self._schedule.active(self._at_ns)
        yield self._last, self._at_ns + self._start_ns
        while (edge := self._schedule.next_edge(self._at_ns)) and edge[1] <= until_ns:
            self._last, self._at_ns = edge
            yield self._last, self._at_ns + self._start_ns

    def next_ns(self) -> int | None:
        edge = self._schedule.next_edge(self._at_ns)
        return edge[1] + self._start_ns if edge else None

    def _muted(self) -> bool:
        return self._faults.frozen(SimulatedPart.INFRARED) or self._faults.dead(SimulatedPart.INFRARED)
