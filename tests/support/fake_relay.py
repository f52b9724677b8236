"""A small relay over a real socket, with a stock Socket.IO server: it stores in memory, acks as the contract says, and
misbehaves on demand.
"""

import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import socketio
from werkzeug.serving import WSGIRequestHandler, make_server

from shared.contract.events import HEARTBEAT_PUB_PI

NAMESPACE = "/pi"


@dataclass
class Behaviour:
    """What the relay does wrong. Changed by a test at any time."""

    lose_acks: Callable[[str, dict], bool] = lambda event, body: False
    """True: it stores, but the ack never leaves."""
    refuse: Callable[[str, dict], dict | None] = lambda event, body: None
    """An ack to give instead of storing."""
    delay_s: float = 0.0
    refuse_connections: dict | None = None
    """Body of the connection's refusal."""


@dataclass
class FakeRelay:
    """Starts at once; `port` stays the same over `restart`."""

    port: int = 0
    behaviour: Behaviour = field(default_factory=Behaviour)
    hellos: list[dict] = field(default_factory=list)
    events: list[tuple[str, dict]] = field(default_factory=list)
    """Every arrival, in order, resends too."""
    stored: dict[tuple[str, int], tuple[str, dict]] = field(default_factory=dict)
    """Durable events by (stream, id)."""
    copies: dict[tuple[str, int], int] = field(default_factory=lambda: defaultdict(int))

    def __post_init__(self) -> None:
        self._changed = threading.Condition()
        self._sids: list[str] = []
        self.start()

    # --- life ---------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Listen."""
        self._sio = socketio.Server(async_mode="threading", cors_allowed_origins=[], ping_interval=5, ping_timeout=5)
        self._sio.on("connect", self._connect, namespace=NAMESPACE)
        self._sio.on("disconnect", self._disconnect, namespace=NAMESPACE)
        self._sio.on("*", self._event, namespace=NAMESPACE)
        self._server = make_server(
            "127.0.0.1", self.port, socketio.WSGIApp(self._sio), threaded=True, request_handler=_Quiet
        )
        self._server.daemon_threads = True
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Close the door and every connection."""
        self.kick()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    close = stop

    def restart(self, pause_s: float = 0.0) -> None:
        """As a relay that dies and comes back; what it stored stays."""
        self.stop()
        time.sleep(pause_s)
        self.start()

    def kick(self) -> None:
        """End every connection."""
        for sid in list(self._sids):
            self._sio.disconnect(sid, namespace=NAMESPACE)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def connected(self) -> int:
        return len(self._sids)

    @staticmethod
    def now_ms() -> int:
        """The relay's time, in which commands end."""
        return round(time.monotonic() * 1000)

    # --- what it sends ------------------------------------------------------------------------------------------

    def send(self, event: str, body: Any) -> None:
        """To every agent, without an ack."""
        self._sio.emit(event, body, namespace=NAMESPACE)

    def ask(self, event: str, body: Any, timeout_s: float = 5.0) -> Any:
        """To the newest agent; returns its ack."""
        return self._sio.call(event, body, to=self._sids[-1], namespace=NAMESPACE, timeout=timeout_s)

    # --- what it saw --------------------------------------------------------------------------------------------

    def of(self, event: str) -> list[dict]:
        """The bodies of one event, as they arrived."""
        with self._changed:
            return [body for name, body in self.events if name == event]

    def wait(self, condition: Callable[[], Any], timeout_s: float = 10.0) -> Any:
        """Until `condition` holds; raises `AssertionError` when it does not in time."""
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while not (result := condition()):
                left = deadline - time.monotonic()
                assert left > 0, f"not in {timeout_s} s; stored {len(self.stored)}, last {self.events[-3:]}"
                self._changed.wait(min(left, 0.05))
        return result

    def ids(self, stream: str | None = None) -> list[int]:
        """Stored ids of one stream (by default the only one), in order."""
        with self._changed:
            return sorted(key for name, key in self.stored if stream in (None, name))

    # --- handlers -----------------------------------------------------------------------------------------------

    def _connect(self, sid: str, environ: dict, auth: Any = None) -> None:
        with self._changed:
            self.hellos.append(auth)
            if self.behaviour.refuse_connections is not None:
                body = self.behaviour.refuse_connections
                raise socketio.exceptions.ConnectionRefusedError(body.get("code", "refused"), body)
            self._sids.append(sid)
            self._changed.notify_all()

    def _disconnect(self, sid: str, reason: Any = None) -> None:
        with self._changed:
            if sid in self._sids:
                self._sids.remove(sid)
            self._changed.notify_all()

    def _event(self, event: str, sid: str, body: dict) -> Any:
        if self.behaviour.delay_s:
            time.sleep(self.behaviour.delay_s)
        with self._changed:
            self.events.append((event, body))
            self._changed.notify_all()
            if refusal := self.behaviour.refuse(event, body):
                return refusal
            ack = self._store(event, body)
            lost = self.behaviour.lose_acks(event, body)
        if lost:
            # A stock server acks whatever a handler returns; one that never returns loses the ack.
            threading.Event().wait(3600)
        return ack

    def _store(self, event: str, body: dict) -> dict:
        if event == HEARTBEAT_PUB_PI.name:
            return {"ok": True, "code": "accepted", "relay_ms": self.now_ms()}
        if body.get("id") is None:
            return {"ok": True, "code": "accepted"}
        key = (body["stream"], body["id"])
        self.copies[key] += 1
        if key in self.stored:
            return {"ok": True, "code": "duplicate", "id": body["id"]}
        self.stored[key] = (event, body)
        return {"ok": True, "code": "stored", "id": body["id"]}


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:
        pass
