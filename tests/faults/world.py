"""One world to inject faults into: generator, proxy, relay, database, disks, and the journal that watches from outside.

generator ──▶ proxy ──▶ relay ──▶ SQLite on a small disk, or PostgreSQL on one
    │ on a small disk
    └──▶ journal, in this process
"""

import shutil
import signal
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.faults.accounting import Account, settle
from tests.faults.disk import Disk
from tests.faults.generator import set_clock
from tests.faults.journal import Fate, Journal, Key
from tests.faults.namespace import Namespace, NoNamespace
from tests.faults.postgres import Cluster, server_account
from tests.faults.stored import Contents, read_contents
from tests.faults.supervisor import Supervised
from tests.support import processes
from tests.support.fault_proxy import FaultProxy
from tests.support.processes import Process, free_port, wait_for

DEVICE = "pi-faults"
_AGENT_DISK_BYTES = 24 * 2**20
_RELAY_DISK_BYTES = 256 * 2**20
_AGENT_OUTBOX_BYTES = 8 * 2**20


@dataclass
class Load:
    """What the generator makes."""

    sample_interval_s: float = 0.05
    crowd_per_s: float = 10.0
    version: str = "same"


QUIET = Load(sample_interval_s=3600.0, crowd_per_s=0.0)


class World:
    """Everything that a run needs. `start`, then inject, then `calm`, `settle` and `close`."""

    def __init__(self, out: Path, database: str, seed: int, sample_interval_s: float = 0.05) -> None:
        """`out` keeps the journal; all that is faulted lies in a directory of its own. Raises `NoPostgres`."""
        self.out = out
        self.seed = seed
        self.database = database
        self.load = Load(sample_interval_s)
        self._stack = ExitStack()
        self.state = Path(tempfile.mkdtemp(prefix="faults-"))
        self._stack.callback(shutil.rmtree, self.state, ignore_errors=True)
        try:
            self._build()
        except BaseException:
            self._stack.close()
            raise

    def _build(self) -> None:
        # The database server has a user of its own, who must reach its directory.
        self.state.chmod(0o711)
        with_server = self.database == "postgres"
        account = server_account() or 0 if with_server else 0
        self.agent_disk = self._disk("agent", _AGENT_DISK_BYTES, 0)
        self.relay_disk = self._disk("relay", _RELAY_DISK_BYTES, account)
        self.relay_state = self.state / "relay-state" if with_server else self.relay_disk.path
        self.relay_state.mkdir(exist_ok=True)
        self.clock = self.state / "clock"
        set_clock(self.clock)
        self.journal = Journal(self.out / "journal.jsonl", DEVICE)
        self.port = free_port()
        self.namespace, self.why_no_namespace = self._namespace()
        listen = self.namespace.listen if self.namespace else None
        self.proxy = self._stack.enter_context(FaultProxy(self.port, seed=self.seed, listen=listen))
        self.relay = Supervised("relay", self._spawn_relay)
        self.agent = Supervised("agent", self._spawn_agent)
        self.cluster: Cluster | None = None
        self.server: Supervised | None = None
        self.url = f"sqlite:///{self.relay_state / 'relay.db'}"
        if with_server:
            self.cluster = Cluster.make(self.relay_disk.path, self.state / "pg")
            self.server = Supervised("postgres", self.cluster.spawn)
            self.url = self.cluster.url

    def _disk(self, name: str, size_bytes: int, owner: int) -> Disk:
        disk = Disk(self.state / name, size_bytes, owner)
        self._stack.callback(disk.close)
        return disk

    def _namespace(self) -> tuple[Namespace | None, str]:
        try:
            made = Namespace(f"faults-{self.port}")
        except NoNamespace as error:
            return None, str(error)
        self._stack.callback(made.close)
        return made, ""

    # --- processes ----------------------------------------------------------------------------------------------

    @property
    def supervised(self) -> list[Supervised]:
        return [one for one in (self.server, self.relay, self.agent) if one is not None]

    def start(self) -> None:
        """Start everything, and wait until an event has gone all the way."""
        for one in self.supervised:
            one.start()
        wait_for("the first event is acked", lambda: self.journal.book.acked, 60)

    @property
    def relay_environ(self) -> dict[str, str]:
        """The settings of the relay and its tools."""
        environ = {
            "STATE_DIRECTORY": str(self.relay_state),
            "PI_RELAY_LIMITS__DEVICE_EVENTS_PER_S": "5000",
            # Retention goes by the time stamps, and some say 1970: nothing may go that is to be accounted for.
            **{f"PI_RELAY_RETENTION__READINGS__{level}_DAYS": "36500" for level in ("RAW", "MINUTE", "HOUR")},
        }
        return environ | ({"PI_RELAY_DATABASE": self.cluster.url} if self.cluster is not None else {})

    def _spawn_relay(self) -> Process:
        return processes.start("server", ["serve", "--demo", "--port", str(self.port)], self.relay_environ)

    def _spawn_agent(self) -> Process:
        load = self.load
        environ = {
            "STATE_DIRECTORY": str(self.agent_disk.path),
            "PI_AGENT_RELAY__URL": self.proxy.url,
            "PI_AGENT_DEVICE": DEVICE,
            "PI_AGENT_SAMPLE_INTERVAL_S": str(load.sample_interval_s),
            "PI_AGENT_STATUS_INTERVAL_S": "0.5",
            "PI_AGENT_HARDWARE__MODE": "simulated",
            "PI_AGENT_OUTBOX__MAX_BYTES": str(_AGENT_OUTBOX_BYTES),
            # Half a minute would be right for a crowd of agents; here it would be most of the run.
            "PI_AGENT_UPLINK__LONGEST_DELAY_S": "1",
            "FAULTS_CLOCK": str(self.clock),
            "FAULTS_CROWD_PER_S": str(load.crowd_per_s),
            "FAULTS_VERSION": load.version,
            "FAULTS_SEED": str(self.seed),
        }
        with self.journal.channel() as channel:
            fd = channel.fileno()
            within = self.namespace.within if self.namespace else ()
            return processes.start("tests.faults.generator", [], {**environ, "FAULTS_JOURNAL": str(fd)}, (fd,), within)

    # --- the end ------------------------------------------------------------------------------------------------

    def calm(self, timeout_s: float) -> float:
        """End all faults, make nothing new, and wait until all that was made is acked; then end the agent.

        Returns how long it took, in seconds. Raises `AssertionError` when it takes too long.
        """
        self.proxy.clear()
        if self.namespace is not None:
            self.namespace.link("up")
        self.agent_disk.empty()
        self.relay_disk.empty()
        set_clock(self.clock)
        began = time.monotonic()
        self.load = QUIET
        self.agent.terminate()
        deadline = began + timeout_s
        while True:
            wait_for("all that was made is acked", lambda: not self._waiting(), max(1.0, deadline - time.monotonic()))
            took_s = time.monotonic() - began
            # A last event may just be in the making; when nobody runs any more, nothing can.
            with self.agent.down():
                if not self._waiting():
                    self.agent.stop()
                    return took_s

    def _waiting(self) -> set[Key]:
        """Events in the outbox that nobody acked, as far as the outbox can be read."""
        path = self.agent_disk.path / "outbox.db"
        try:
            with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as outbox:
                (stream,) = outbox.execute("SELECT name FROM stream").fetchone()
                kept = [Key(DEVICE, stream, id_) for (id_,) in outbox.execute("SELECT id FROM event")]
        except (sqlite3.Error, TypeError):
            return {Key(DEVICE, "unreadable", 0)}
        with self.journal.lock:
            made = self.journal.book.made
            return {key for key in kept if key not in made or made[key].acked_s is None}

    def settle(self, keep: Path) -> tuple[Account, Contents]:
        """Kill agent and relay, and bring journal and database together. `keep` gets copies of their states."""
        for one, state in ((self.agent, self.agent_disk.path), (self.relay, self.relay_state)):
            one.stop(signal.SIGKILL)
            shutil.copytree(state, keep / one.name, dirs_exist_ok=True)
        self.journal.close()
        contents = read_contents(self.url)
        return settle(self.journal.book, contents), contents

    def close(self) -> None:
        """End everything that was started, and remove what was made."""
        for one in reversed(self.supervised):
            one.stop()
        self._stack.close()

    def backlog(self) -> tuple[int, int, int]:
        """How many events were made, acked, and are durable without an ack."""
        with self.journal.lock:
            book = self.journal.book
            made = sum(entry.fate is not Fate.UNDONE for entry in book.made.values())
            return made, book.acked, book.open


@contextmanager
def world(out: Path, database: str, seed: int, **options: float) -> Iterator[World]:
    """A world that is taken down whatever happens."""
    out.mkdir(parents=True, exist_ok=True)
    made = World(out, database, seed, **options)
    try:
        yield made
    finally:
        made.close()
