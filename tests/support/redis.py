"""A real Redis for tests, on a port of its own, which may be killed and started again."""

import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.processes import free_port, wait_for


class Redis:
    """A server that keeps nothing."""

    def __init__(self, directory: Path) -> None:
        program = shutil.which("redis-server")
        if program is None:
            pytest.skip("no Redis on this machine (Debian: redis-server)")
        self._program = program
        self._directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self._popen: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        options = {"port": self.port, "bind": "127.0.0.1", "save": "", "appendonly": "no", "dir": self._directory}
        command = [self._program, *(word for name, value in options.items() for word in (f"--{name}", str(value)))]
        self._popen = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        wait_for("Redis listens", self._listens)

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def kill(self) -> None:
        """Power off."""
        self.end(signal.SIGKILL)

    def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        if self._popen is not None:
            self._popen.send_signal(number)
            self._popen.wait(10)
            self._popen = None


@contextmanager
def redis(directory: Path) -> Iterator[Redis]:
    """A running Redis."""
    running = Redis(directory)
    running.start()
    try:
        yield running
    finally:
        running.end()
