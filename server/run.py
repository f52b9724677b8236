"""Run a relay: listen, serve, and end in order when a signal comes or a task dies."""

import gc
import logging
import signal
import socket
from collections.abc import Callable

import gevent
import msgspec
from gevent.event import Event

from server import listener
from server.app import Relay, Storage, create_app
from server.settings import RelaySettings
from server.storage.failures import ClaimTaken, DatabaseFailed
from server.storage.tokens import Tokens
from shared import VERSION, logs, sdnotify
from shared.clock import Clock, SystemClock
from shared.settings import SettingsError

log = logging.getLogger(__name__)

_TICK_S = 0.1
_SWEEP_S = 1.0
_REVOKED_S = 3.0
_SETTLE_S = 5.0
_STOP_S = 5.0
_PET_S = 1.0
_LOOK_S = 0.5
_ALONE_S = 1.0
"""For which a worker has no primary before it tries to be it."""
_GC_OBJECTS = 50_000
"""New objects after which garbage is looked for: seldom, as most are on their way when outboxes are emptied."""


def serve(settings: RelaySettings) -> None:
    """Run a relay until SIGTERM or SIGINT. Raises `SettingsError` when it cannot start."""
    logs.configure(settings.log.level, settings.log.format)
    clock = SystemClock()
    bound = listener.listen(settings)
    settings = msgspec.structs.replace(settings, port=bound.getsockname()[1])
    stopping = _until_signalled()
    storage: Storage | None
    try:
        storage = Storage.open(settings.database_url(), settings.retention, clock)
    except ClaimTaken:
        if not settings.cluster.redis:
            raise
        storage = _carry(settings, bound, clock, stopping)
        if storage is None:
            return
    try:
        _require_tokens(settings, storage.tokens)
        _run(settings, bound, create_app(settings, storage, clock), stopping)
    finally:
        storage.close()


def _carry(settings: RelaySettings, bound: socket.socket, clock: Clock, stopping: Event) -> Storage | None:
    """Carry connections for the primary. Returns the storage once this worker is to be it; None for a signal."""
    from server.worker import Worker

    worker = Worker(settings, clock, _address(bound))
    # Set when it carries no more; `stopping` says that the process is to end, also when another role comes next.
    carried = Event()
    server = listener.http_server(bound.dup(), worker.flask, settings.limits.connections)
    owned = _owned((_SWEEP_S, worker.carrier.tick), stopping=carried)
    server.start()
    worker.carrier.start()
    log.info("worker ready: url=%s version=%s", _address(bound), VERSION)
    collect_less()
    sdnotify.notify("READY=1")
    storage, told = None, ""
    while storage is None and not (stopping.is_set() or carried.wait(_LOOK_S)):
        if worker.carrier.alone_s < _ALONE_S:
            told = ""
            continue
        try:
            storage = Storage.open(settings.database_url(), settings.retention, clock)
        except (SettingsError, DatabaseFailed) as error:
            if (why := str(error)) != told:
                told = why
                log.info("no primary to be found, and this worker cannot be it: %s", why)
    log.info("worker stops" if storage is None else "this worker is the primary from now on")
    carried.set()
    server.close()
    worker.carrier.stop()
    server.stop(timeout=_STOP_S)
    _join(owned)
    return storage


def _run(settings: RelaySettings, bound: socket.socket, relay: Relay, stopping: Event) -> None:
    """Serve until a signal comes. Raises `SystemExit` when a task has died."""
    server = listener.http_server(bound, relay.flask, settings.limits.connections)
    owned = _owned(
        (_TICK_S, relay.tick),
        (_SWEEP_S, relay.sweep),
        (_REVOKED_S, relay.expel_revoked),
        (_SETTLE_S, relay.storage.tick),
        stopping=stopping,
    )
    server.start()
    for side in relay.brokers:
        side.start()
    if relay.primary is not None:
        relay.primary.start(settings.cluster.address or _address(bound))
    log.info("relay ready: url=%s version=%s demo=%s", _address(bound), VERSION, settings.demo)
    collect_less()
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
    if relay.primary is not None:
        relay.primary.stop()
    server.stop(timeout=_STOP_S)
    relay.alerting.behind.close()
    _join(owned)


def collect_less() -> None:
    """Look for garbage less often.

    What is there now stays. What comes with an event goes with it, so little is left to be collected, and to look for
    it in everything that is on its way would cost more than all the rest.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_GC_OBJECTS)


def _until_signalled() -> Event:
    """Set when the process is asked to end."""
    stopping = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        gevent.signal_handler(number, stopping.set)
    return stopping


def _owned(*tasks: tuple[float, Callable[[], None]], stopping: Event) -> "list[gevent.Greenlet[[], bool]]":
    """Tasks that run until the process ends, and systemd's watchdog among them."""
    owned = [every(interval_s, work, stopping) for interval_s, work in tasks]
    if (pet_s := sdnotify.watchdog_interval_s()) is not None:
        # On the hub that serves everybody, beside tasks whose death ends the relay: what it tells is that they work.
        owned.append(every(min(pet_s, _PET_S), _pet, stopping))
    return owned


def _join(owned: "list[gevent.Greenlet[[], bool]]") -> None:
    """Raises `SystemExit` where a task has died."""
    if not all(task.value for task in gevent.joinall(owned, timeout=_STOP_S)):
        raise SystemExit(1)


def _address(bound: socket.socket) -> str:
    """How this process is reached from its own machine."""
    host, port = bound.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  # nothing is bound here
    name = f"[{host}]" if ":" in host else host
    return f"http://{name}:{port}"


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
