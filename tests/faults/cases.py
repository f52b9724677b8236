"""Copies of a relay's database, to be damaged and treated: a SQLite file, or a PostgreSQL cluster."""

import os
import random
import shutil
import signal
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import psycopg

from tests.faults.inject import cut_short, flip_bits
from tests.faults.postgres import Cluster
from tests.faults.supervisor import Supervised

BITS = 3
_SERVER_S = 20.0


class Case(Protocol):
    """One copy. The relay may be started on it between `begin` and `end`."""

    url: str
    environ: Mapping[str, str]
    """Settings of the relay and of its tools."""

    def damage(self, how: str, rng: random.Random) -> str:
        """Do it, one of the ways that the original names; returns where."""

    def begin(self) -> bool:
        """Start what is beneath the relay. False where it does not start any more."""

    def renew(self) -> None:
        """Put an empty database in its place, for a backup."""

    def end(self) -> None:
        """Stop what `begin` started."""

    def remove(self) -> None:
        """Remove the copy."""


class Original(Protocol):
    """The database of a relay that was killed."""

    ways: tuple[str, ...]
    url: str

    def copy(self, state: Path) -> Case:
        """A copy of it, with the relay's state in `state`, which is made."""


class SqliteOriginal:
    """The state directory of a relay that was killed, with its write-ahead log as it was."""

    ways = ("bits flipped in database", "database cut short", "bits flipped in log", "log cut short")

    def __init__(self, state: Path) -> None:
        self._state = state
        self.url = f"sqlite:///{state / 'relay.db'}"

    def copy(self, state: Path) -> Case:
        """A copy of the directory."""
        shutil.copytree(self._state, state)
        return SqliteCase(state)


class SqliteCase:
    """See `Case`."""

    def __init__(self, state: Path) -> None:
        self._state = state
        self.url = f"sqlite:///{state / 'relay.db'}"
        self.environ = {"STATE_DIRECTORY": str(state)}

    def damage(self, how: str, rng: random.Random) -> str:
        """See `Case`."""
        path = self._state / ("relay.db-wal" if "log" in how else "relay.db")
        return str(cut_short(path, rng) if "cut" in how else flip_bits(path, rng, BITS))

    def begin(self) -> bool:
        """Nothing is needed."""
        return True

    def renew(self) -> None:
        """A restore replaces the file itself."""

    def end(self) -> None:
        """Nothing was started."""

    def remove(self) -> None:
        """Remove the directory."""
        shutil.rmtree(self._state)


@dataclass(frozen=True)
class Anatomy:
    """Where in a cluster something is that can be lost. Paths are relative to the cluster."""

    relations: tuple[Path, ...]
    """The files of our tables and indexes."""
    log: Path
    """The newest file of the write-ahead log, from which a restart after a crash begins or goes on."""
    log_bytes: tuple[int, int]
    """The part of it that such a restart must read."""

    @classmethod
    def of(cls, cluster: Cluster) -> "Anatomy":
        """Ask the server that runs."""
        with psycopg.connect(cluster.url.replace("+psycopg", "")) as session:
            relations = session.execute(
                "SELECT pg_relation_filepath(c.oid) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace "
                "WHERE nspname = 'public' AND relkind IN ('r', 'i')"
            ).fetchall()
            name, end, redo_name, redo = session.execute(
                "SELECT (now_).file_name, (now_).file_offset, (redo).file_name, (redo).file_offset "
                "FROM (SELECT pg_walfile_name_offset(pg_current_wal_lsn()) AS now_, "
                "             pg_walfile_name_offset(redo_lsn) AS redo FROM pg_control_checkpoint()) AS both_"
            ).fetchone()
        start = redo if redo_name == name else 0
        return cls(tuple(Path(path) for (path,) in relations), Path("pg_wal") / name, (start, end))


class PostgresOriginal:
    """The cluster of a server that was killed."""

    ways = ("bits flipped in tables", "table cut short", "bits flipped in log", "log cut short")

    def __init__(self, cluster: Cluster, anatomy: Anatomy) -> None:
        self._cluster = cluster
        self._anatomy = anatomy
        self.url = cluster.url

    def copy(self, state: Path) -> Case:
        """A copy of the cluster, with a server of its own."""
        state.mkdir(parents=True)
        return PostgresCase(self._cluster, self._anatomy, state)


class PostgresCase:
    """See `Case`."""

    def __init__(self, original: Cluster, anatomy: Anatomy, state: Path) -> None:
        self._anatomy = anatomy
        self._state = state
        # Of its own: the path of a socket must be short, and the server's user must reach it.
        self._place = Path(tempfile.mkdtemp(prefix="faults-pg-"))
        self._place.chmod(0o711)
        self._cluster = original.copy(self._place / "data", self._place / "s")
        self._server: Supervised | None = None
        self.url = self._cluster.url
        self.environ = {"STATE_DIRECTORY": str(state), "PI_RELAY_DATABASE": self.url}

    def damage(self, how: str, rng: random.Random) -> str:
        """See `Case`."""
        root = self._cluster.root
        if "log" in how:
            first, last = self._anatomy.log_bytes
            path, within = root / self._anatomy.log, (first, last)
        else:
            sizes = {path: (root / path).stat().st_size for path in self._anatomy.relations if (root / path).exists()}
            [chosen] = rng.choices(list(sizes), weights=list(sizes.values()))
            path, within = root / chosen, (0, sizes[chosen])
        if "cut" in how:
            keep = rng.randrange(*within)
            os.truncate(path, keep)
            return f"{path.name} after {keep} bytes"
        return f"{path.name} at {flip_bits(path, rng, BITS, within)}"

    def begin(self) -> bool:
        """Start the server."""
        self._server = Supervised("postgres", self._cluster.spawn, restart_s=1.0)
        self._server.start()
        return self._cluster.answers(_SERVER_S)

    def renew(self) -> None:
        """A new cluster."""
        self.end()
        self._cluster.make_anew()
        if not self.begin():
            raise AssertionError("a new PostgreSQL cluster does not start")

    def end(self) -> None:
        """Stop the server."""
        if self._server is not None:
            self._server.stop(signal.SIGINT)
            self._server = None

    def remove(self) -> None:
        """Remove everything."""
        shutil.rmtree(self._place)
        shutil.rmtree(self._state)
