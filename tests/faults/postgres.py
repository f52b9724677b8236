"""A PostgreSQL cluster of our own: made, started, killed, frozen and removed."""

import os
import pwd
import random
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg

from tests.support.processes import Process

_USER = "postgres"
_SETTINGS = {
    "listen_addresses": "",
    "max_connections": "20",
    "shared_buffers": "32MB",
    "min_wal_size": "32MB",
    "max_wal_size": "64MB",
    # All else stays as it is delivered: fsync, full_page_writes and synchronous_commit are on.
}


class NoPostgres(Exception):
    """This machine cannot run a server; the message says why."""


class Cluster:
    """One cluster in `data`, reached through a socket in `sockets`."""

    def __init__(self, data: Path, sockets: Path) -> None:
        """`data` is there and the server's user may write it. Raises `NoPostgres`."""
        self.root = data / "cluster"
        self.sockets = sockets
        self.log = sockets / "postgres.log"
        self._programs = find_programs()
        account = server_account()
        sockets.mkdir(parents=True, exist_ok=True)
        if account is not None:
            os.chown(sockets, account, -1)
        self._user: dict[str, Any] = {}
        if account is not None:
            self._user = {"user": account, "group": pwd.getpwuid(account).pw_gid, "extra_groups": []}

    @classmethod
    def make(cls, data: Path, sockets: Path) -> "Cluster":
        """A new cluster. Raises `NoPostgres`."""
        cluster = cls(data, sockets)
        cluster.make_anew()
        return cluster

    def make_anew(self) -> None:
        """An empty cluster, in the place of the one that is there."""
        if self.root.exists():
            shutil.rmtree(self.root)
        subprocess.run(
            [self._programs / "initdb", "--auth=trust", "--username=postgres", "--data-checksums", "-D", self.root],
            check=True,
            capture_output=True,
            cwd="/",
            **self._user,
        )

    def copy(self, data: Path, sockets: Path) -> "Cluster":
        """A copy of the files of a server that does not run."""
        data.mkdir(parents=True)
        copied = Cluster(data, sockets)
        command = ["cp", "--archive", str(self.root), str(copied.root)]
        subprocess.run(command, check=True)
        (copied.root / "postmaster.pid").unlink(missing_ok=True)
        if self._user:
            os.chown(data, self._user["user"], -1)
        return copied

    def answers(self, within_s: float) -> bool:
        """Whether the server takes connections, at the latest after so many seconds."""
        deadline_s = time.monotonic() + within_s
        while time.monotonic() < deadline_s:
            try:
                psycopg.connect(self.url.replace("+psycopg", ""), connect_timeout=5).close()
            except psycopg.OperationalError:
                time.sleep(0.1)
            else:
                return True
        return False

    @property
    def url(self) -> str:
        """For the relay's setting `database`."""
        return f"postgresql+psycopg://postgres@/postgres?host={self.sockets}"

    def spawn(self) -> Process:
        """Start the server."""
        settings = [f"--{name}={value}" for name, value in _SETTINGS.items()]
        server = [self._programs / "postgres", "-D", self.root, "-k", self.sockets, *settings]
        # Its log goes to a file: what its children hold open must not keep us waiting.
        popen = subprocess.Popen(
            ["sh", "-c", 'log=$1; shift; exec "$@" 2>>"$log"', "sh", self.log, *server],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            cwd="/",
            **self._user,
        )
        return Process(popen)

    def kill_backend(self, postmaster: int, rng: random.Random) -> bool:
        """`kill -9` one of the server's processes: the server then restarts all of them. False where there is none."""
        backends = children(postmaster)
        if not backends:
            return False
        with suppress(ProcessLookupError):
            os.kill(rng.choice(backends), signal.SIGKILL)
        return True

    def signal_all(self, postmaster: int, number: signal.Signals) -> None:
        """The server and all of its processes."""
        for pid in [postmaster, *children(postmaster)]:
            with suppress(ProcessLookupError):
                os.kill(pid, number)


def children(parent: int) -> list[int]:
    """The processes that `parent` has started and that still run."""
    try:
        return [int(pid) for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]
    except OSError:
        return []


def find_programs() -> Path:
    """The directory of the server's programs. Raises `NoPostgres`."""
    on_path = shutil.which("initdb")
    for place in [
        Path(on_path).resolve().parent if on_path else None,
        *sorted(Path("/usr/lib/postgresql").glob("*/bin")),
    ]:
        if place and (place / "initdb").exists() and (place / "postgres").exists():
            return place
    raise NoPostgres("there is no PostgreSQL server on this machine; on Debian: apt-get install postgresql")


def server_account() -> int | None:
    """The user that the server runs as; None: our own. Raises `NoPostgres`: as root it refuses to."""
    if os.getuid() != 0:
        return None
    try:
        return pwd.getpwnam(_USER).pw_uid
    except KeyError:
        raise NoPostgres("PostgreSQL does not run as root, and there is no user postgres") from None
