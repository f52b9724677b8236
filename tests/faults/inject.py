"""How each fault is done to a world."""

import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from tests.faults.generator import set_clock
from tests.faults.plan import JUMPS_S, KILLS, Fault, Kind
from tests.faults.postgres import children
from tests.faults.supervisor import Supervised
from tests.faults.world import World
from tests.support.fault_proxy import PASS, Flow, Way

T = TypeVar("T")

_MOMENT_S = 1.0
"""How long to wait for a kill's moment; it comes not at all while another fault lasts."""
_AFTER_S = 0.01
_RUNS_S = 10.0
"""What is to be killed must run at some time within this."""
_FILL_EVERY_S = 0.05

HOLD, SWALLOW = Flow(hold=True), Flow(swallow=True)
_NETWORK = {
    Kind.PARTITION: (HOLD, HOLD),
    Kind.LOST_EVENTS: (SWALLOW, PASS),
    Kind.LOST_ACKS: (PASS, SWALLOW),
    Kind.LATENCY: (Flow(delay_s=0.2, jitter_s=0.3), Flow(delay_s=0.1, jitter_s=0.3)),
    Kind.SLOW_DRIP: (Flow(bytes_per_s=3000), Flow(bytes_per_s=1000)),
}
"""What becomes of the two directions, up and down."""


class Injector:
    """Does faults to one world. `inject` returns when the fault is over; it may be called for several lanes at once."""

    def __init__(self, world: World, rng: random.Random) -> None:
        self._world = world
        self._rng = rng
        self._stopping = threading.Event()

    def stop(self) -> None:
        """Cut short what lasts."""
        self._stopping.set()

    def pause(self, seconds: float) -> bool:
        """Wait. True when the run is to end."""
        return self._stopping.wait(seconds)

    def inject(self, fault: Fault) -> str:
        """Do it. Returns why it could not be done, or an empty text."""
        kind = fault.kind
        if kind in KILLS:
            self._await(fault.how)
            return self._kill(kind)
        with self._begun(fault) as trouble:
            if not trouble:
                self.pause(fault.lasts_s)
            return trouble

    @contextmanager
    def _begun(self, fault: Fault) -> Iterator[str]:
        world, kind = self._world, fault.kind
        if kind in _NETWORK:
            world.proxy.shape(*_NETWORK[kind])
            yield ""
            world.proxy.clear()
        elif kind is Kind.HALF_OPEN:
            world.proxy.half_open()
            yield ""
            world.proxy.clear()
        elif kind is Kind.RESET:
            world.proxy.reset()
            yield ""
        elif kind is Kind.REFUSED:
            self._cut_off()
            yield ""
            world.proxy.accept()
        elif kind is Kind.LINK_DOWN:
            with self._link_down() as trouble:
                yield trouble
        elif kind in (Kind.FREEZE_AGENT, Kind.FREEZE_RELAY):
            process = self._process(kind)
            frozen = self._until_it_ran(process.freeze)
            yield "" if frozen else "nothing ran that could be frozen"
            process.thaw(frozen)
        elif kind is Kind.FREEZE_POSTGRES:
            with self._frozen_server() as trouble:
                yield trouble
        elif kind in (Kind.FULL_AGENT, Kind.FULL_RELAY):
            with self._full(kind) as trouble:
                if fault.how == "cut off":
                    self._cut_off()
                yield trouble
            if fault.how == "cut off":
                world.proxy.accept()
        elif kind is Kind.CLOCK:
            self._jump(fault.how)
            yield ""
            set_clock(world.clock)
        elif kind in (Kind.NEWER_AGENT, Kind.OLDER_AGENT):
            world.load.version = "newer" if kind is Kind.NEWER_AGENT else "older"
            world.agent.terminate()
            yield ""
            world.load.version = "same"
            world.agent.terminate()
        elif kind in (Kind.STOP_AGENT, Kind.STOP_RELAY):
            yield "" if self._until_it_ran(self._process(kind).terminate) else "nothing ran that could be stopped"
        else:
            self._damage_outbox(kind, fault.lasts_s)
            yield ""

    @contextmanager
    def _link_down(self) -> Iterator[str]:
        namespace = self._world.namespace
        if namespace is None:
            yield self._world.why_no_namespace
            return
        namespace.link("down")
        yield ""
        namespace.link("up")

    def _cut_off(self) -> None:
        self._world.proxy.refuse()
        self._world.proxy.reset()

    # --- kills --------------------------------------------------------------------------------------------------

    def _await(self, moment: str) -> None:
        if moment == "any":
            return
        if moment == "upload":
            seen = threading.Event()
            self._world.proxy.on_bytes = lambda way, _: seen.set() if way is Way.UP else None
        else:
            seen = self._world.journal.at_next(moment)
        seen.wait(_MOMENT_S)
        # The relay commits, and the ack comes, some milliseconds after: any of them is wanted.
        time.sleep(self._rng.choice((0.0, self._rng.uniform(0, _AFTER_S))))

    def _kill(self, kind: Kind) -> str:
        if kind is Kind.KILL_BACKEND:
            done = self._until_it_ran(self._kill_backend)
        else:
            done = self._until_it_ran(self._process(kind).kill)
        return "" if done else "nothing ran that could be killed"

    def _kill_backend(self) -> bool:
        cluster, server = self._world.cluster, self._world.server and self._world.server.process
        return bool(cluster and server and cluster.kill_backend(server.popen.pid, self._rng))

    def _until_it_ran(self, do: Callable[[], T]) -> T:
        """Do it to a process, which another fault may just have ended: again, until something is returned."""
        deadline_s = time.monotonic() + _RUNS_S
        while not (done := do()):
            if time.monotonic() > deadline_s or self.pause(_AFTER_S):
                break
        return done

    def _process(self, kind: Kind) -> Supervised:
        if kind is Kind.KILL_POSTGRES and self._world.server is not None:
            return self._world.server
        return self._world.agent if kind.endswith("agent") else self._world.relay

    @contextmanager
    def _frozen_server(self) -> Iterator[str]:
        server = self._world.server and self._world.server.process
        if server is None:
            yield "nothing ran that could be frozen"
            return
        pids = [server.popen.pid, *children(server.popen.pid)]
        _signal_servers(pids, signal.SIGSTOP)
        try:
            yield ""
        finally:
            # Also those whose parent was killed meanwhile: frozen, they would keep a new server from starting.
            _signal_servers(pids, signal.SIGCONT)

    # --- disk, clock, files -------------------------------------------------------------------------------------

    @contextmanager
    def _full(self, kind: Kind) -> Iterator[str]:
        disk = self._world.agent_disk if kind is Kind.FULL_AGENT else self._world.relay_disk
        if disk.why_not_fillable:
            yield disk.why_not_fillable
            return
        over = threading.Event()

        def fill() -> None:
            # Again and again: what is given up elsewhere is taken as well.
            while not over.wait(_FILL_EVERY_S):
                disk.fill()

        disk.fill()
        filling = threading.Thread(target=fill, name="fill", daemon=True)
        filling.start()
        try:
            yield ""
        finally:
            over.set()
            filling.join()
            disk.empty()

    def _jump(self, how: str) -> None:
        offset_s = JUMPS_S[how]
        if offset_s is None:
            offset_s = -(datetime.now(UTC) - datetime(1970, 1, 1, 0, 5, tzinfo=UTC)).total_seconds()
        set_clock(self._world.clock, offset_s, synchronised="unset" not in how)

    def _damage_outbox(self, kind: Kind, backlog_s: float) -> None:
        world = self._world
        self._cut_off()
        # What the relay does not have yet is what can be lost.
        self.pause(backlog_s)
        with world.agent.down():
            name = "outbox.db-wal" if kind in (Kind.FLIP_OUTBOX_LOG, Kind.CUT_OUTBOX_LOG) else "outbox.db"
            damage = flip_bits if kind in (Kind.FLIP_OUTBOX, Kind.FLIP_OUTBOX_LOG) else cut_short
            damage(world.agent_disk.path / name, self._rng)
        world.proxy.accept()


def flip_bits(path: Path, rng: random.Random, bits: int = 3, within: tuple[int, int] | None = None) -> list[int]:
    """Flip single bits, anywhere, or from one byte `within` to before another.

    Returns where, in bytes from the start; nothing in an empty or missing file.
    """
    first, last = within or (0, path.stat().st_size if path.exists() else 0)
    places = sorted(rng.randrange(first, last) for _ in range(bits)) if first < last else []
    if places:
        with path.open("r+b") as file:
            for place in places:
                file.seek(place)
                byte = file.read(1)[0] ^ (1 << rng.randrange(8))
                file.seek(place)
                file.write(bytes([byte]))
    return places


def cut_short(path: Path, rng: random.Random) -> int:
    """Cut off the end of a file, at any place. Returns how many bytes that were."""
    if not path.exists():
        return 0
    size = path.stat().st_size
    keep = rng.randrange(size + 1)
    os.truncate(path, keep)
    return size - keep


def _signal_servers(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(OSError):
            if b"postgres" in Path(f"/proc/{pid}/cmdline").read_bytes():
                os.kill(pid, number)
