"""Both services tell systemd that they are ready, and pet its watchdog from a loop that works."""

import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import processes
from tests.support.processes import Process, wait_for

pytestmark = pytest.mark.integration


class Systemd:
    """The other end of a notification socket."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "notify"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(self.path))
        self._socket.setblocking(False)
        self.heard: list[str] = []

    def hears(self, state: str) -> int:
        """How often `state` has been told so far."""
        try:
            while True:
                self.heard += self._socket.recv(4096).decode().splitlines()
        except BlockingIOError:
            return self.heard.count(state)

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[Systemd]:
    listening = Systemd(tmp_path)
    yield listening
    listening.close()


def environ(systemd: Systemd, state: Path) -> dict[str, str]:
    return {"NOTIFY_SOCKET": str(systemd.path), "WATCHDOG_USEC": "400000", "STATE_DIRECTORY": str(state)}


@pytest.mark.parametrize("program", ["pi_agent", "server"])
def test_a_watchdog_is_fed_while_the_loop_works_and_starves_when_it_hangs(
    program: str, tmp_path: Path, systemd: Systemd
) -> None:
    arguments, settings = (
        (["run"], {"PI_AGENT_HARDWARE__MODE": "simulated", "PI_AGENT_SAMPLE_INTERVAL_S": "0.2"})
        if program == "pi_agent"
        else (["serve", "--demo", "--port", "0"], {})
    )
    process: Process = processes.start(program, arguments, environ(systemd, tmp_path / "state") | settings)
    try:
        wait_for("it is ready", lambda: systemd.hears("READY=1"), 30)
        wait_for("it pets the watchdog", lambda: systemd.hears("WATCHDOG=1") >= 3)
        # A stopped process is the hang that every loop can have.
        process.popen.send_signal(signal.SIGSTOP)
        time.sleep(0.3)
        before = systemd.hears("WATCHDOG=1")
        time.sleep(1)
        assert systemd.hears("WATCHDOG=1") == before
        process.popen.send_signal(signal.SIGCONT)
        wait_for("it goes on", lambda: systemd.hears("WATCHDOG=1") > before)
    finally:
        assert process.stop() == 0
    assert systemd.hears("STOPPING=1") == 1
