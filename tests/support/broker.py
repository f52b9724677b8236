"""A Mosquitto of a test's own, on a free port, and its command line clients."""

import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.processes import free_port, wait_for


class Broker:
    """One broker with a persistent store; it can be killed and started again on the same port."""

    def __init__(self, directory: Path, *, tls: bool = False) -> None:
        """`tls`: it speaks TLS alone, with a certificate of the authority in `ca_file`."""
        program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
        if program is None or shutil.which("mosquitto_pub") is None:
            pytest.skip("no Mosquitto on this machine (Debian: mosquitto mosquitto-clients)")
        self._program = program
        self._directory = directory
        self.port = free_port()
        directory.mkdir(parents=True, exist_ok=True)
        self.ca_file = directory / "ca.pem"
        self._scheme = "mqtts" if tls else "mqtt"
        (directory / "mosquitto.conf").write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\nuser root\npersistence true\n"
            f"persistence_location {directory}/\nautosave_interval 1\nautosave_on_changes true\nlog_dest none\n"
            + (f"certfile {directory}/server.pem\nkeyfile {directory}/server.key\n" if tls else ""),
            encoding="utf-8",
        )
        if tls:
            self._certify()
        self._popen: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self.port}"

    def _certify(self) -> None:
        """An authority of the test's own, and a certificate of it for 127.0.0.1."""
        if shutil.which("openssl") is None:
            pytest.skip("no openssl on this machine")
        here = self._directory
        (here / "names").write_text("subjectAltName=IP:127.0.0.1", encoding="ascii")
        ca = f"req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=test -keyout {here}/ca.key -out {here}/ca.pem"
        ask = f"req -newkey rsa:2048 -nodes -subj /CN=broker -keyout {here}/server.key -out {here}/server.csr"
        sign = (
            f"x509 -req -days 2 -in {here}/server.csr -CA {here}/ca.pem -CAkey {here}/ca.key -CAcreateserial "
            f"-extfile {here}/names -out {here}/server.pem"
        )
        for step in (ca, ask, sign):
            subprocess.run(["openssl", *step.split()], check=True, capture_output=True, timeout=60)

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
        if self._scheme == "mqtts":
            command += ["--cafile", str(self.ca_file)]
        if retain:
            command.append("-r")
        if len(payloads) == 1:
            subprocess.run([*command, "-m", payloads[0]], check=True, timeout=30)
        else:
            subprocess.run([*command, "-l"], input="\n".join(payloads).encode() + b"\n", check=True, timeout=60)


@contextmanager
def broker(directory: Path, *, tls: bool = False) -> Iterator[Broker]:
    """A running broker."""
    running = Broker(directory, tls=tls)
    running.start()
    try:
        yield running
    finally:
        running.stop()
