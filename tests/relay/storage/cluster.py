"""A PostgreSQL server of the tests' own, in a directory of its own, on a Unix socket."""

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg

_START_S = 30.0


def programs() -> Path | None:
    """Where the server's programs are; None where there are none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    which = shutil.which("initdb")
    return found[-1].parent if found else Path(which).parent if which else None


class Cluster:
    """One server. It does not run as root, so root becomes `postgres` or `nobody` for it."""

    def __init__(self, bin_: Path) -> None:
        self._bin = bin_
        self._as = _unprivileged()
        self.directory = Path(tempfile.mkdtemp(prefix="breathlight-pg-", dir="/tmp"))
        if self._as:
            entry = pwd.getpwnam(self._as)
            os.chown(self.directory, entry.pw_uid, entry.pw_gid)
        self._run("initdb", "-D", "data", "-U", "breathlight", "--auth=trust", "-E", "UTF8", "--no-locale", "--no-sync")
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Start the server; returns when it answers."""
        command = [*self._become(), str(self._bin / "postgres"), "-D", str(self.directory / "data")]
        options = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.directory),
            "max_connections": "40",
            # The machine does not lose its power while the tests run.
            "fsync": "off",
        }
        for name, value in options.items():
            command += ["-c", f"{name}={value}"]
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(command, cwd=self.directory, stdout=log, stderr=log)
        deadline = time.monotonic() + _START_S
        while True:
            try:
                psycopg.connect(self._dsn("postgres"), connect_timeout=2).close()
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
            else:
                return

    def kill(self) -> None:
        """What a crash does: every process of the server ends at once."""
        if self._process is not None:
            pids = [self._process.pid, *_children(self._process.pid)]
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, 9)
            self._process.wait()
            # The server removes them when it ends as it should; a process id that is taken again must not stop it.
            for stale in (self.directory / "data" / "postmaster.pid", *self.directory.glob(".s.PGSQL.*")):
                stale.unlink(missing_ok=True)

    def database(self, name: str, template: str = "template1") -> str:
        """The URL of a new database, empty or a copy of `template`."""
        with psycopg.connect(self._dsn("postgres"), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return f"postgresql+psycopg://breathlight@/{name}?host={self.directory}"

    def close(self) -> None:
        """Stop the server and remove its directory."""
        if self._process is not None:
            self._process.send_signal(3)
            try:
                self._process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _dsn(self, name: str) -> str:
        return f"host={self.directory} user=breathlight dbname={name}"

    def _run(self, program: str, *arguments: str) -> None:
        command = [*self._become(), str(self._bin / program), *arguments]
        subprocess.run(command, cwd=self.directory, check=True, capture_output=True, timeout=60)

    def _become(self) -> list[str]:
        if not self._as:
            return []
        entry = pwd.getpwnam(self._as)
        return ["setpriv", f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--clear-groups"]


def _unprivileged() -> str | None:
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def _children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    return [int(child) for child in text.split()]
