"""Run a relay: listen, serve, and end in order when a signal comes or a task dies."""

import gc
import logging
import signal
import socket
from collections.abc import Callable

import gevent
from gevent.event import Event

from server import listener
from server.app import Relay, Storage, create_app
from server.settings import RelaySettings
from server.storage.tokens import Tokens
from shared import VERSION, logs, sdnotify
from shared.clock import SystemClock
from shared.settings import SettingsError

log = logging.getLogger(__name__)

_TICK_S = 0.1
_SWEEP_S = 1.0
_REVOKED_S = 3.0
_SETTLE_S = 5.0
_STOP_S = 5.0
_PET_S = 1.0
_GC_OBJECTS = 20_000
"""New objects after which garbage is looked for among them."""


def serve(settings: RelaySettings) -> None:
    """Run a relay until SIGTERM or SIGINT. Raises `SettingsError` when it cannot start."""
    logs.configure(settings.log.level, settings.log.format)
    clock = SystemClock()
    bound = listener.listen(settings)
    storage = Storage.open(settings.database_url(), settings.retention, clock)
    try:
        _require_tokens(settings, storage.tokens)
        _run(settings, bound, create_app(settings, storage, clock))
    finally:
        storage.close()


def _run(settings: RelaySettings, bound: socket.socket, relay: Relay) -> None:
    """Serve until a signal comes. Raises `SystemExit` when a task has died."""
    server = listener.http_server(bound, relay.flask, settings.limits.connections)
    stopping = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        gevent.signal_handler(number, stopping.set)
    owned = [
        every(_TICK_S, relay.tick, stopping),
        every(_SWEEP_S, relay.sweep, stopping),
        every(_REVOKED_S, relay.expel_revoked, stopping),
        every(_SETTLE_S, relay.storage.tick, stopping),
    ]
    if (pet_s := sdnotify.watchdog_interval_s()) is not None:
        # On the hub that serves everybody, beside tasks whose death ends the relay: what it tells is that they work.
        owned.append(every(min(pet_s, _PET_S), _pet, stopping))
    server.start()
    for side in relay.brokers:
        side.start()
    host, port = bound.getsockname()[:2]
    name = f"[{host}]" if ":" in host else host
    log.info("relay ready: url=http://%s:%d version=%s demo=%s", name, port, VERSION, settings.demo)
    # What is there now stays. What comes with an event goes with it, so little is left to be collected, and to look
    # for it in everything that is on its way would cost more than all the rest.
    gc.collect()
    gc.freeze()
    gc.set_threshold(_GC_OBJECTS)
    sdnotify.notify("READY=1")
    stopping.wait()
    log.info("relay stops")
    sdnotify.notify("STOPPING=1")
    for side in relay.brokers:
        side.stop()
    server.close()
    # Before the connections end: that says nothing of the devices.
    relay.alerting.availability.end()
    relay.port.shut()
    server.stop(timeout=_STOP_S)
    relay.alerting.behind.close()
    if not all(task.value for task in gevent.joinall(owned, timeout=_STOP_S)):
        raise SystemExit(1)


def _pet() -> None:
    sdnotify.notify("WATCHDOG=1")


def every(interval_s: float, work: Callable[[], None], stopping: Event) -> "gevent.Greenlet[[], bool]":
    """Call `work` again and again until the relay stops. When it fails, the relay ends: systemd restarts it.

    The task's value is whether it has come to its end.
    """

    def run() -> bool:
        try:
            while not stopping.wait(interval_s):
                work()
            return True
        except Exception:
            log.exception("a task of the relay died: task=%s", getattr(work, "__qualname__", work))
            stopping.set()
            return False

    return gevent.spawn(run)


def _require_tokens(settings: RelaySettings, tokens: Tokens) -> None:
    if settings.demo or any(token.revoked_at is None for token in tokens.list()):
        return
    remedy = "pi-relay token add NAME --role device|viewer|operator"
    if not settings.is_loopback():
        raise SettingsError("host", settings.host, f"nobody could connect: there is no token yet; add one: {remedy}")
    log.warning("no token yet, nobody can connect: add one with %s, or use --demo", remedy)
