"""The real processes, on loopback, each in a state directory of its own."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
START_S = 30.0
_READY = re.compile(r"(?:relay|worker) ready: url=(http://\S+)")


def wait_for(what: str, true: Callable[[], Any], timeout_s: float = 15.0) -> Any:
    """Poll `true` until it is; real processes have no clock that a test could move."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if value := true():
            return value
        time.sleep(0.02)
    raise AssertionError(f"not within {timeout_s:g} s: {what}")


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@dataclass
class Process:
    """A child process, its log lines as they come."""

    popen: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.popen.stderr is not None
        for line in self.popen.stderr:
            self.lines.append(line.rstrip("\n"))

    @property
    def log(self) -> str:
        return "\n".join(self.lines)

    def kill(self) -> None:
        """Power off."""
        self.popen.kill()
        self.finish()

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        if self.popen.poll() is None:
            self.popen.send_signal(signal.SIGTERM)
        return self.finish()

    def finish(self, timeout_s: float = 15.0) -> int:
        try:
            code = self.popen.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()
            raise AssertionError(f"did not stop within {timeout_s:g} s:\n{self.log}") from None
        finally:
            self._reader.join(5)
            if self.popen.stderr is not None:
                self.popen.stderr.close()
        return code

    def rss_mb(self) -> float:
        status = Path(f"/proc/{self.popen.pid}/status").read_text(encoding="ascii")
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024  # type: ignore[index]


def start(
    module: str,
    arguments: list[str],
    environ: Mapping[str, str],
    pass_fds: tuple[int, ...] = (),
    within: tuple[str, ...] = (),
) -> Process:
    """Start a module of ours. `within` is a command that runs another one, such as `ip netns exec NAME`."""
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PI_AGENT_", "PI_RELAY_", "BREATHLIGHT_"))
    }
    popen = subprocess.Popen(
        [*within, sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        env={**clean, **environ},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        pass_fds=pass_fds,
    )
    return Process(popen)


@dataclass
class RelayProcess:
    process: Process
    url: str
    state: Path

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def get(self, path: str, token: str | None = None) -> Any:
        return self.http("GET", path, token=token)[1]

    def http(self, method: str, path: str, body: Any = None, token: str | None = None) -> tuple[int, Any]:
        """Status and decoded body; an error status is an answer too."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        request = urllib.request.Request(self.url + path, data=data, method=method, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=10) as response:
                return response.status, _decoded(response.read(), response.headers.get_content_type())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, _decoded(error.read(), error.headers.get_content_type())

    def device(self, name: str) -> dict[str, Any]:
        status, body = self.http("GET", f"/api/devices/{name}")
        return body if status == 200 else {}

    def cli(self, *arguments: str, token: str | None = None, timeout_s: float = 30) -> subprocess.CompletedProcess[str]:
        environ = {**os.environ, "BREATHLIGHT_URL": self.url, "STATE_DIRECTORY": str(self.state), "NO_COLOR": "1"}
        if token:
            environ["BREATHLIGHT_TOKEN"] = token
        return subprocess.run(
            [sys.executable, "-m", "server", *arguments],
            cwd=ROOT,
            env=environ,
            capture_output=True,
            text=True,
            timeout=timeout_s,
        )


def _decoded(data: bytes, kind: str) -> Any:
    return json.loads(data) if kind == "application/json" else data.decode()


def start_relay(state: Path, *, port: int = 0, demo: bool = True, **environ: str) -> RelayProcess:
    """A relay that answers. `environ` are settings: LIMITS__JOIN_S="1"; FANOUT of our own environ is one too."""
    chosen = {"FANOUT": os.environ["FANOUT"]} if "FANOUT" in os.environ else {}
    settings = {f"PI_RELAY_{name}": value for name, value in {**chosen, **environ}.items()}
    state.mkdir(parents=True, exist_ok=True)
    arguments = ["serve", "--port", str(port), *(["--demo"] if demo else [])]
    process = start("server", arguments, {"STATE_DIRECTORY": str(state), **settings})

    def url() -> str | None:
        if process.popen.poll() is not None:
            raise AssertionError(f"the relay did not start:\n{process.log}")
        found = _READY.search(process.log)
        return found[1] if found else None

    return RelayProcess(process, wait_for("the relay is ready", url, START_S), state)


def start_agent(
    state: Path, url: str, device: str = "pi-1", surroundings: Mapping[str, str] | None = None, **environ: str
) -> Process:
    """A simulated agent that samples ten times a second. `environ` are settings, `surroundings` other variables."""
    state.mkdir(parents=True, exist_ok=True)
    settings = {
        "RELAY__URL": url,
        "DEVICE": device,
        "SAMPLE_INTERVAL_S": "0.1",
        "STATUS_INTERVAL_S": "0.5",
        "HARDWARE__MODE": "simulated",
        "UPLINK__START_JITTER_S": "0",
        # Tests that run at that hour are like the others.
        "TRAINING__NIGHTLY": "false",
        **environ,
    }
    variables = {f"PI_AGENT_{name}": value for name, value in settings.items()}
    return start("pi_agent", ["run"], {"STATE_DIRECTORY": str(state), **(surroundings or {}), **variables})


@contextmanager
def relay(state: Path, **options: Any) -> Iterator[RelayProcess]:
    running = start_relay(state, **options)
    try:
        yield running
    finally:
        running.process.stop()


@contextmanager
def agent(state: Path, url: str, device: str = "pi-1", **options: Any) -> Iterator[Process]:
    running = start_agent(state, url, device, **options)
    try:
        yield running
    finally:
        running.stop()
