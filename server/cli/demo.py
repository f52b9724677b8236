"""The whole house on one machine: a relay in demo mode, one simulated agent, and a broker for MQTT sensors."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Annotated

import typer

from server import settings
from server.cli.broker import installed
from server.cli.options import EXIT_FAILED, EXIT_USAGE, fail, out
from server.settings import DEFAULT_PORT
from shared.settings import SettingsError

_START_S = 30.0
_STOP_S = 10.0
_PERIOD_S = 2.0


def demo(
    port: Annotated[int, typer.Option(help="TCP port of the relay.", min=1, max=65535)] = DEFAULT_PORT,
    state: Annotated[
        Path | None, typer.Option(help="Directory for both databases; by default the user's state directory.")
    ] = None,
) -> None:
    """Run a relay in demo mode, one simulated agent, and an MQTT broker; Ctrl-C stops all.

    Demo mode is open to this machine alone: it listens on 127.0.0.1 and needs no token.
    """
    environ = dict(os.environ)
    if state is not None:
        environ["STATE_DIRECTORY"] = str(state.resolve())
    try:
        settings.state_directory(environ)
    except SettingsError as error:
        fail(str(error), EXIT_USAGE)
    _check_port(port)
    url = f"http://127.0.0.1:{port}"
    signal.signal(signal.SIGTERM, _interrupt)
    children: list[subprocess.Popen[bytes]] = []
    try:
        broker = _broker(children, environ)
        children.append(_start("server", ["serve", "--demo", "--port", str(port)], environ | _relay_settings(broker)))
        _await_relay(children[-1], url)
        children.append(_start("pi_agent", ["run"], environ | _agent_settings(url)))
        out.print(f"\n  [bold green]Breathlight is live[/] at [bold underline]{url}[/]   (Ctrl-C stops it)")
        out.print(f"  MQTT sensors: {f'mqtt://127.0.0.1:{broker}' if broker else 'no broker on this machine'}\n")
        _await_end(children)
    except KeyboardInterrupt:
        out.print("stopping")
    finally:
        _stop(children)


def _check_port(port: int) -> None:
    """Whoever answers at a port that is taken would be mistaken for the relay that is started here."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            fail(f"port {port}: {error.strerror}; choose another one: make run PORT={port + 1}", EXIT_USAGE)


def _broker(children: list[subprocess.Popen[bytes]], environ: dict[str, str]) -> int | None:
    """Start a broker on a free port, where there is one to start and the settings name none. Returns the port."""
    if not installed() or "PI_RELAY_MQTT__URL" in environ:
        return None
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    children.append(_start("server", ["broker", "--port", str(port)], environ))
    return port


def _relay_settings(broker: int | None) -> dict[str, str]:
    return {"PI_RELAY_MQTT__URL": f"mqtt://127.0.0.1:{broker}"} if broker else {}


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _agent_settings(url: str) -> dict[str, str]:
    return {
        "PI_AGENT_RELAY__URL": url,
        "PI_AGENT_DEVICE": "demo-pi",
        "PI_AGENT_SAMPLE_INTERVAL_S": f"{_PERIOD_S:g}",
        "PI_AGENT_HARDWARE__MODE": "simulated",
        # The forecaster learns from two weeks; nobody waits so long for a demo.
        "PI_AGENT_HARDWARE__SIMULATION__PAST_DAYS": "15",
        "PI_AGENT_BREATHING__ON_AT_START": "true",
        "PI_AGENT_UPLINK__START_JITTER_S": "0",
    }


def _start(module: str, arguments: list[str], environ: dict[str, str]) -> subprocess.Popen[bytes]:
    # A session of its own: Ctrl-C reaches this process alone, which stops its children in order.
    return subprocess.Popen([sys.executable, "-m", module, *arguments], env=environ, start_new_session=True)  # noqa: S603


def _await_relay(relay: subprocess.Popen[bytes], url: str) -> None:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline:
        if relay.poll() is not None:
            # It has said itself what is wrong.
            raise typer.Exit(EXIT_FAILED)
        try:
            with urllib.request.urlopen(f"{url}/healthz", timeout=1):  # noqa: S310  # our own http address
                return
        except OSError:
            time.sleep(0.05)
    fail(f"the relay did not answer at {url} within {_START_S:.0f} s", EXIT_FAILED)


def _await_end(children: list[subprocess.Popen[bytes]]) -> None:
    while all(child.poll() is None for child in children):
        time.sleep(0.2)
    fail("a process has ended; see its lines above", EXIT_FAILED)


def _stop(children: list[subprocess.Popen[bytes]]) -> None:
    """The agent first, so that the relay hears its last words."""
    for child in reversed(children):
        if child.poll() is None:
            child.terminate()
            try:
                child.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
