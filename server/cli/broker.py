"""`pi-relay broker`: a small MQTT broker for this machine alone, so that the MQTT doors can be tried at once."""

import asyncio
import contextlib
import os
import shutil
import signal
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from server.cli.options import EXIT_FAILED, err, fail

DEFAULT_PORT = 1883


def broker(
    port: Annotated[int, typer.Option(help="TCP port.", min=1, max=65535)] = DEFAULT_PORT,
    own: Annotated[bool, typer.Option("--own", help="Not Mosquitto, though it is installed.")] = False,
) -> None:
    """Run an MQTT broker on 127.0.0.1, for trying: Mosquitto where it is installed, else one in Python.

    Example: pi-relay broker --port 1884
    """
    mosquitto = None if own else shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
    if mosquitto is not None:
        with tempfile.NamedTemporaryFile("w", suffix=".conf", delete=False) as file:
            file.write(f"listener {port} 127.0.0.1\nallow_anonymous true\nlog_type error\nlog_type warning\n")
        # It reads its settings once, at the start; the file is as small as it is public.
        os.execv(mosquitto, [mosquitto, "-c", file.name])  # noqa: S606 - the program that the user installed
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(port))


async def _serve(port: int) -> None:
    from amqtt.broker import Broker
    from amqtt.errors import BrokerError

    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    config = {
        "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}"}},
        "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
    }
    running = Broker(config)
    try:
        await running.start()
    except (BrokerError, OSError) as error:
        fail(f"port {port}: {error}; choose another one with --port", EXIT_FAILED)
    err.print(f"broker ready: mqtt://127.0.0.1:{port}", highlight=False)
    await stopping.wait()
    await running.shutdown()


def installed() -> bool:
    """Whether this machine has a broker that can be started, Mosquitto or the one in Python."""
    if shutil.which("mosquitto") or Path("/usr/sbin/mosquitto").exists():
        return True
    try:
        import amqtt  # noqa: F401
    except ImportError:
        return False
    return True
