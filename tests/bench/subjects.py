"""Two programs at one job: a DHT every 30 s, a PIR, a light, one uplink, parts that are simulated.

Each runs in an environment that has what it needs on a Pi and nothing else, as mqtt-io does with its mock modules.
"""

import hashlib
import os
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from tests.support.broker import Broker
from tests.support.processes import ROOT, Process, RelayProcess, wait_for
from tests.support.raw import RawClient

SAMPLE_S = 30
BREATH_S = 4.0
_MQTT_IO = ("mqtt-io==2.7.0",)
_START_S = 30.0


class NotInstalled(Exception):
    """What a program needs could not be installed; why."""


class Running(Protocol):
    """One process at the job, its light breathing, its first reading delivered."""

    process: Process
    cold_start_s: float
    """From the start of the process until its first reading was where it belongs."""

    def darken(self) -> None:
        """Let the light be constant."""


def agent_python() -> Path:
    """An interpreter with what the agent needs on a Pi. Raises `NotInstalled`."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return python_with([*project["dependencies"], *project["optional-dependencies"]["agent"]])


def mqtt_io_python() -> Path:
    """An interpreter with mqtt-io. Raises `NotInstalled`."""
    return python_with(_MQTT_IO)


def python_with(requirements: Sequence[str]) -> Path:
    """An interpreter with those packages, installed once. Raises `NotInstalled`."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "breathlight-bench"
    words = "\n".join((sys.version, *requirements))
    made = cache / hashlib.sha256(words.encode()).hexdigest()[:16]
    python = made / "bin" / "python"
    if not (made / "complete").exists():
        try:
            subprocess.run([sys.executable, "-m", "venv", "--clear", str(made)], check=True, capture_output=True)
            command = [str(python), "-m", "pip", "install", "--quiet", *requirements]
            subprocess.run(command, check=True, capture_output=True, text=True, timeout=300)
        except (OSError, subprocess.SubprocessError) as error:
            told = getattr(error, "stderr", None) or str(error)
            raise NotInstalled(str(told).strip().splitlines()[-1]) from None
        (made / "complete").touch()
    return python


def start(python: Path, arguments: Sequence[str], environ: dict[str, str]) -> Process:
    """Start a program with that interpreter, and nothing of this one's settings."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PI_AGENT_", "PYTHON"))}
    command = [str(python), *arguments]
    env = {**clean, **environ}
    return Process(
        subprocess.Popen(command, cwd=ROOT, env=env, text=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    )


class Agent:
    """The agent, as it comes, with its own reports and heartbeats every 10 s beside the job."""

    def __init__(self, process: Process, relay: RelayProcess, page: RawClient, began_s: float) -> None:
        self.process = process
        self._relay = relay
        page.event("sensor_data_pub_client", _START_S)
        self.cold_start_s = time.monotonic() - began_s

    def darken(self) -> None:
        done = self._relay.cli("off", "led", "--device", "pi-1")
        assert done.returncode == 0, done.stderr


@contextmanager
def agent(python: Path, state: Path, relay: RelayProcess, *flags: str) -> Iterator[Agent]:
    """An agent that breathes. `flags` are the interpreter's."""
    settings = {
        "RELAY__URL": relay.url,
        "DEVICE": "pi-1",
        "SAMPLE_INTERVAL_S": str(SAMPLE_S),
        "BREATHING__ON_AT_START": "true",
        "BREATHING__PERIOD_S": str(BREATH_S),
        "HARDWARE__MODE": "simulated",
    }
    state.mkdir(parents=True)
    environ = {"STATE_DIRECTORY": str(state), **{f"PI_AGENT_{name}": value for name, value in settings.items()}}
    with RawClient(relay.url, "/client") as page:
        began_s = time.monotonic()
        process = start(python, [*flags, "-m", "pi_agent", "run"], environ)
        try:
            yield Agent(process, relay, page, began_s)
        finally:
            process.stop()


class MqttIo:
    """mqtt-io. Its light can only be switched: it blinks in the time of the breath."""

    def __init__(self, process: Process, broker: Broker, heard: "subprocess.Popen[str]", began_s: float) -> None:
        self.process = process
        self._broker = broker
        assert heard.stdout is not None
        heard.stdout.readline()
        self.cold_start_s = time.monotonic() - began_s

    def darken(self) -> None:
        self._switch("OFF")

    def blink(self, seconds: float) -> None:
        """On and off, as somebody must tell it."""
        for number in range(round(seconds / BREATH_S * 2)):
            self._switch("OFF" if number % 2 else "ON")
            time.sleep(BREATH_S / 2)

    def _switch(self, how: str) -> None:
        self._broker.publish("pi/output/led/set", how)


@contextmanager
def mqtt_io(python: Path, state: Path, broker: Broker, *, polls: bool) -> Iterator[MqttIo]:
    """An mqtt-io whose PIR is polled ten times a second, as it does by default, or tells by interrupts."""
    state.mkdir(parents=True)
    config = state / "mqtt-io.yml"
    # JSON is YAML.
    config.write_text(
        f"""
mqtt: {{host: 127.0.0.1, port: {broker.port}, topic_prefix: pi, client_id: footprint}}
gpio_modules: [{{name: pins, module: mock}}]
sensor_modules: [{{name: dht, module: mock}}]
digital_inputs: [{{name: pir, module: pins, pin: 17{"" if polls else ", interrupt: both"}}}]
digital_outputs: [{{name: led, module: pins, pin: 18}}]
sensor_inputs:
  - {{name: temperature, module: dht, interval: {SAMPLE_S}}}
  - {{name: humidity, module: dht, interval: {SAMPLE_S}}}
""",
        encoding="utf-8",
    )
    listen = ["mosquitto_sub", "-h", "127.0.0.1", "-p", str(broker.port), "-t", "pi/sensor/#"]
    with subprocess.Popen(listen, stdout=subprocess.PIPE, text=True) as heard:
        began_s = time.monotonic()
        process = start(python, ["-m", "mqtt_io", str(config)], {})
        try:
            running = MqttIo(process, broker, heard, began_s)
            wait_for("mqtt-io takes commands", lambda: "output/led/set'" in process.log, _START_S)
            yield running
        finally:
            process.stop()
            heard.terminate()
