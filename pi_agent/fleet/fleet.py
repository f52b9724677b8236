"""Starts the devices of a fleet one after the other, gives them their faults, looks at them, and ends them in order."""

import logging
import resource
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from pi_agent.fleet.crew import Crew
from pi_agent.fleet.device import Crews, Device
from pi_agent.fleet.line import Wire
from pi_agent.fleet.plan import Cut, Faults, SkewedClock, skew_of
from pi_agent.fleet.sample import Sample
from pi_agent.fleet.tally import Tally
from pi_agent.jobs.schedule import Planner
from pi_agent.uplink.exchange import Exchange
from pi_agent.workers import Worker
from shared.clock import Clock, iso_utc, monotonic_s
from shared.contract.events import SENSOR_DATA_PUB_PI
from shared.errors import Code

log = logging.getLogger(__name__)

DRAIN_S = 15.0
"""How long the end may take until the outboxes are empty."""
_TICK_S = 0.1
_LOOK_S = 1.0
_STARTERS = 4
_ENDERS = 32
_REFUSED = (Code.UNAUTHENTICATED, Code.FORBIDDEN, Code.HOST_REFUSED, Code.ORIGIN_REFUSED)
_PAGE_BYTES = resource.getpagesize()


@dataclass(frozen=True)
class Orders:
    """What a fleet is told to do."""

    devices: tuple[tuple[str, Path], ...]
    """Name and directory of each; its settings are there."""
    environ: Mapping[str, str]
    start_per_s: float
    seed: int = 1
    duration_s: float | None = None
    cut_every_s: float | None = None
    cut_for_s: float = 5.0
    kill_every_s: float | None = None
    clock_skew_s: float = 0.0


class Fleet:
    """`run` once. `request_stop` may be called from a signal handler: once to end in order, twice to end at once."""

    def __init__(self, orders: Orders, clock: Clock) -> None:
        self._orders = orders
        self._clock = clock
        self._tally = Tally()
        self._exchange = Exchange(clock)
        self._crews = Crews(Crew("talk", 1, clock), Crew("disk", 6, clock), Crew("slow", 1, clock))
        self._planner = Planner(threads=2)
        self._planning = Worker("jobs", self._planner.work, clock)
        self._pool = ThreadPoolExecutor(_STARTERS, thread_name_prefix="starter")
        self._devices = [self._device(number, *named) for number, named in enumerate(orders.devices)]
        self._faults = Faults(
            orders.seed, len(self._devices), cut_every_s=orders.cut_every_s, kill_every_s=orders.kill_every_s
        )
        self._stops = 0
        self._woken = threading.Event()
        self._started = 0
        self._cuts = self._kills = self._gone = self._troubles = 0
        self._failed: BaseException | None = None
        self._began_s = monotonic_s(clock)
        self._last = (self._began_s, time.process_time(), 0, 0)

    def run(self, show: Callable[[Sample], None]) -> Sample:
        """Work until the time is over or `request_stop`, showing a sample about once a second; the last one.

        Raises `OSError`, or what else kept a device from its start.
        """
        self._planning.start()
        looked_s = float("-inf")
        try:
            while not self._stops and not self._over():
                self._start_some()
                self._do_faults()
                if monotonic_s(self._clock) - looked_s >= _LOOK_S:
                    looked_s = monotonic_s(self._clock)
                    self._look_after()
                    show(self.sample())
                if self._failed is not None:
                    raise self._failed
                if not self._exchange.alive or self._planning.trouble():
                    raise RuntimeError("a thread that all agents share has ended; its error is in the log")
                self._woken.wait(_TICK_S)
        finally:
            self._end(show)
        if self._failed is not None:
            raise self._failed
        return self.sample()

    def request_stop(self) -> None:
        """End in order; the second time without waiting for the outboxes."""
        self._stops += 1
        self._woken.set()

    @property
    def refused(self) -> str | None:
        """The code with which the relay has refused every device; None while one is connected, or was."""
        if self._tally.acked or any(device.joined for device in self._devices):
            return None
        return next((code for code in _REFUSED if self._tally.refusals[code]), None)

    def sample(self) -> Sample:
        """How things are now, the rates since the last call."""
        now, cpu_s = monotonic_s(self._clock), time.process_time()
        taken: Counter[str] = Counter()
        dropped: Counter[str] = Counter()
        for device in self._devices:
            taken.update(device.taken)
            dropped.update(device.dropped)
        rounds, rounds_acked = taken[SENSOR_DATA_PUB_PI.name], self._tally.rounds_acked
        then_s, then_cpu_s, then_rounds, then_acked = self._last
        passed_s = max(now - then_s, 1e-3)
        self._last = (now, cpu_s, rounds, rounds_acked)
        connected = sum(device.joined for device in self._devices)
        cut = sum(device.wire.is_cut and not device.joined for device in self._devices)
        down = sum(device.down for device in self._devices)
        p50_ms, p99_ms = self._tally.turn((0.5, 0.99))
        return Sample(
            at=iso_utc(self._clock.now()),
            elapsed_s=round(now - self._began_s, 1),
            devices=len(self._devices),
            connected=connected,
            connecting=max(0, self._started - connected - cut - down),
            cut=cut,
            down=down,
            rounds=rounds,
            rounds_acked=rounds_acked,
            taken=taken.total(),
            acked=self._tally.acked,
            waiting=sum(device.waiting for device in self._devices),
            dropped=dict(dropped),
            rounds_per_s=round((rounds - then_rounds) / passed_s, 1),
            acked_per_s=round((rounds_acked - then_acked) / passed_s, 1),
            ack_p50_ms=p50_ms and round(p50_ms, 1),
            ack_p99_ms=p99_ms and round(p99_ms, 1),
            commands=self._tally.commands,
            answered=self._tally.answered,
            refusals=dict(self._tally.refusals),
            cuts=self._cuts,
            kills=self._kills,
            gone=self._gone,
            troubles=self._troubles,
            cpu_pct=round((cpu_s - then_cpu_s) / passed_s * 100, 1),
            rss_mb=round(_rss_bytes() / 2**20, 1),
            late_ms=round(max(crew.late_s() for crew in self._crews.all()) * 1e3, 1),
        )

    def left(self) -> list[tuple[str, int]]:
        """Which devices have events that the relay has not acked, and how many."""
        return [(device.name, device.waiting) for device in self._devices if device.waiting]

    def whole(self, share: float) -> float | None:
        """The latency in ms that `share` of all acks did not exceed."""
        return self._tally.latencies.whole(share)

    # --- parts --------------------------------------------------------------------------------------------------

    def _device(self, number: int, name: str, directory: Path) -> Device:
        orders = self._orders
        skew_s = skew_of(orders.seed, number, orders.clock_skew_s)
        clock = SkewedClock(self._clock, skew_s) if skew_s else self._clock
        wire = Wire(self._exchange, self._tally, self._clock)
        return Device(name, directory, orders.environ, clock, wire, self._crews, self._planner)

    def _over(self) -> bool:
        limit_s = self._orders.duration_s
        return limit_s is not None and monotonic_s(self._clock) - self._began_s >= limit_s

    def _start_some(self) -> None:
        elapsed_s = monotonic_s(self._clock) - self._began_s
        wanted = min(len(self._devices), 1 + int(elapsed_s * self._orders.start_per_s))
        for device in self._devices[self._started : wanted]:
            self._have(device, device.start)
        self._started = max(self._started, wanted)

    def _do_faults(self) -> None:
        for fault in self._faults.due(monotonic_s(self._clock) - self._began_s):
            if isinstance(fault, Cut):
                self._cuts += len(fault.devices)
                for number in fault.devices:
                    self._devices[number].wire.cut(self._orders.cut_for_s)
            else:
                device = self._devices[fault.device]
                if device.agent is not None and not device.busy:
                    self._kills += 1
                    self._have(device, lambda device=device: self._kill(device))  # type: ignore[misc]

    def _kill(self, device: Device) -> None:
        self._gone += device.die()
        device.start()

    def _look_after(self) -> None:
        for device in self._devices[: self._started]:
            if device.look():
                self._troubles += device.trouble is not None
                self._have(device, lambda device=device: self._again(device))  # type: ignore[misc]

    def _again(self, device: Device) -> None:
        device.end()
        device.start()

    def _have(self, device: Device, work: Callable[[], None]) -> None:
        device.busy = True

        def do() -> None:
            try:
                work()
            except Exception as error:
                # The fleet ends; what keeps one device from its start keeps the others too.
                self._failed = self._failed or error
            finally:
                device.busy = False

        self._pool.submit(do)

    def _end(self, show: Callable[[Sample], None]) -> None:
        """No more rounds; wait until what there is has been acked; then every device in order."""
        self._planner.stop()
        for device in self._devices:
            device.wire.mend()
        shown_s = monotonic_s(self._clock)
        deadline_s = shown_s + DRAIN_S
        allowed = min(1, self._stops)
        # Each once: somebody moves in some room all the time, and every agent has last words of its own.
        full = set(self._devices[: self._started])
        while self._stops <= allowed and monotonic_s(self._clock) < deadline_s:
            full = {device for device in full if device.busy or device.waiting or not device.joined}
            if not full:
                break
            self._woken.clear()
            self._woken.wait(_TICK_S)
            if monotonic_s(self._clock) - shown_s >= _LOOK_S:
                shown_s = monotonic_s(self._clock)
                show(self.sample())
        self._pool.shutdown(wait=True)
        # More than start: to end is mostly to wait.
        self._pool = ThreadPoolExecutor(_ENDERS, thread_name_prefix="ender")
        for device in self._devices:
            self._have(device, lambda device=device: device.end(hurry=bool(full)))  # type: ignore[misc]
        self._pool.shutdown(wait=True)
        for crew in self._crews.all():
            crew.close()
        self._exchange.close()


def _rss_bytes() -> int:
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * _PAGE_BYTES
