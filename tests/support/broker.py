"""A Mosquitto of a test's own, on a free port, and its command line clients."""

import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.processes import wait_for


class Broker:
    """One broker with a persistent store; it can be killed and started again on the same port."""

    def __init__(self, directory: Path) -> None:
        program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
        if program is None or shutil.which("mosquitto_pub") is None:
            pytest.skip("no Mosquitto on this machine (Debian: mosquitto mosquitto-clients)")
        self._program = program
        self._directory = directory
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "mosquitto.conf").write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\nuser root\npersistence true\n"
            f"persistence_location {directory}/\nautosave_interval 1\nautosave_on_changes true\nlog_dest none\n",
            encoding="utf-8",
        )
        self._popen: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    def start(self) -> None:
        self._popen = subprocess.Popen([self._program, "-c", str(self._directory / "mosquitto.conf")])
        wait_for("the broker listens", self._listens)

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> None:
        if self._popen is not None:
            self._popen.send_signal(number)
            self._popen.wait(10)
            self._popen = None

    def publish(self, topic: str, *payloads: str, qos: int = 1, retain: bool = False) -> None:
        """Send messages in order; returns once the broker has them."""
        command = ["mosquitto_pub", "-h", "127.0.0.1", "-p", str(self.port), "-t", topic, "-q", str(qos)]
        if retain:
            command.append("-r")
        if len(payloads) == 1:
            subprocess.run([*command, "-m", payloads[0]], check=True, timeout=30)
        else:
            subprocess.run([*command, "-l"], input="\n".join(payloads).encode() + b"\n", check=True, timeout=60)


@contextmanager
def broker(directory: Path) -> Iterator[Broker]:
    """A running broker."""
    running = Broker(directory)
    running.start()
    try:
        yield running
    finally:
        running.stop()
