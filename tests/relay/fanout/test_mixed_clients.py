"""Every subscriber sees every event once and in order: fast, slow, stalled, polling and upgrading ones, on both paths.

Real clients: the JavaScript one, the Python one, and raw sockets.
"""

import json
import queue
import shutil
import socket
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import socketio

from tests.support import processes
from tests.support.processes import ROOT, RelayProcess
from tests.support.raw import RawClient

pytestmark = pytest.mark.integration

LAST, LATE = 1_500, 300
"""Rounds that are sent; some pages come when the second number has been."""
WINDOW = 20
"""Rounds without an ack at a time."""
PAGES = 9
DASHBOARD = ROOT / "server" / "dashboard"
PADDING = {f"quantity-{number}": 1.5 for number in range(40)}


class Page:
    """Somebody who reads until the last round; `ids` is what came."""

    def __init__(self, frames: Iterator[str], delay: Callable[[int], float] = lambda _: 0.0) -> None:
        self.ids: list[int] = []
        self._frames, self._delay = frames, delay
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self) -> None:
        for frame in self._frames:
            if not frame.startswith('42/client,["sensor_data_pub_client"'):
                continue
            self.ids.append(json.loads(frame[len("42/client,") :])[1]["id"])
            time.sleep(self._delay(len(self.ids)))
            if self.ids[-1] == LAST:
                return


def raw(relay: RelayProcess, stack: ExitStack, small: bool = False) -> Iterator[str]:
    """Frames of a raw websocket; one with a small buffer makes the relay wait for it."""
    options: Any = {"sockopt": [(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)]} if small else {}
    client = stack.enter_context(RawClient(relay.url, "/client", {}, **options))
    client.event("snapshot_pub_client")
    return iter(lambda: client.frame(40), None)


def polled(relay: RelayProcess) -> Iterator[str]:
    """Frames of a long poll, spelled out."""
    base = f"{relay.url}/socket.io/?EIO=4&transport=polling"

    def request(url: str, data: bytes | None = None) -> str:
        with urllib.request.urlopen(urllib.request.Request(url, data=data), timeout=40) as response:
            return str(response.read(), "utf-8")

    base += "&sid=" + json.loads(request(base)[1:])["sid"]
    request(base, b"40/client,")

    def frames() -> Iterator[str]:
        while True:
            for packet in request(base).split("\x1e"):
                if packet == "2":
                    request(base, b"3")
                yield packet

    packets = frames()
    while "snapshot_pub_client" not in next(packets):
        pass
    return packets


class PythonPage:
    """The stock Python client, which polls and then upgrades. It has a thread per event: order is not its to keep."""

    def __init__(self, relay: RelayProcess, stack: ExitStack) -> None:
        self.ids: list[int] = []
        self.done, joined = threading.Event(), threading.Event()
        client = socketio.Client(reconnection=False)
        client.on("snapshot_pub_client", lambda _: joined.set(), "/client")
        client.on("sensor_data_pub_client", self._round, "/client")
        client.connect(relay.url, namespaces=["/client"], wait_timeout=10)
        stack.callback(client.disconnect)
        assert joined.wait(10)
        self.transport = client.transport()

    def _round(self, body: dict[str, Any]) -> None:
        self.ids.append(body["id"])
        if len(self.ids) >= LAST:
            self.done.set()


class ScriptPages:
    """`page.mjs`, its lines as they come."""

    def __init__(self, relay: RelayProcess, stack: ExitStack) -> None:
        command = [str(shutil.which("node")), str(Path(__file__).with_name("page.mjs")), relay.url, str(DASHBOARD)]
        self.process = subprocess.Popen([*command, str(PAGES), str(LAST)], stdout=subprocess.PIPE, text=True)
        self.lines: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        stack.callback(self._close)

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.put(json.loads(line))

    def _close(self) -> None:
        self.process.kill()
        self.process.wait()
        self._thread.join(5)
        if self.process.stdout is not None:
            self.process.stdout.close()

    def until(self, key: str) -> list[dict[str, Any]]:
        """A line of this kind from each page."""
        found: list[dict[str, Any]] = []
        while len(found) < PAGES:
            line = self.lines.get(timeout=40)
            found += [line] if key in line else []
        return found


def produce(device: RawClient, first: int, last: int) -> None:
    """Send rounds, several on their way at a time; each ack is awaited."""
    acked = first - 1
    for number in range(first, last + 1):
        body = {"id": number, "stream": "mixed", "datetime": "2026-01-31 23:59:59", "fail": [], "data": PADDING}
        device.emit("sensor_data_pub_pi", body, ack=number)
        while number - acked >= WINDOW or (number == last and acked < last):
            frame = device.frame()
            if frame.startswith("43/pi,"):
                assert '"ok":true' in frame, frame
                acked += 1


@pytest.mark.parametrize("fanout", ["direct", "stock"])
def test_everybody_sees_every_event_once_and_in_order(fanout: str, tmp_path: Path) -> None:
    if shutil.which("node") is None or not (DASHBOARD / "node_modules" / "socket.io-client").exists():
        pytest.skip("node or socket.io-client is missing: run `make dashboard`")
    limits = {"LIMITS__DEVICE_EVENTS_PER_S": "100000", "LIMITS__MAILBOX_EVENTS": "100000"}
    whole = list(range(1, LAST + 1))
    with processes.relay(tmp_path, FANOUT=fanout, **limits) as relay, ExitStack() as stack:
        pages = {
            "fast": Page(raw(relay, stack)),
            "slow": Page(raw(relay, stack, small=True), lambda count: 0.002),
            "stalled": Page(raw(relay, stack, small=True), lambda count: 4.0 if count == 100 else 0.0),
            "polling": Page(polled(relay)),
        }
        python = PythonPage(relay, stack)
        device = stack.enter_context(RawClient(relay.url, "/pi", {"device": "mixed", "contract": "1.0"}))
        produce(device, 1, LATE)
        # These come, and upgrade, while events go out.
        script = ScriptPages(relay, stack)
        produce(device, LATE + 1, 2 * LATE)
        script.until("joined")
        produce(device, 2 * LATE + 1, LAST)
        for name, page in pages.items():
            page.thread.join(40)
            assert page.ids == whole, name
        assert python.done.wait(20)
        assert python.transport == "websocket"
        assert sorted(python.ids) == whole
        for line in script.until("ids"):
            assert line["ids"] == whole[line["ids"][0] - 1 :], line["transport"]
            assert line["ids"][0] <= 2 * LATE + 1
        assert "breathlight_slow_consumers 0.0" in relay.get("/metrics")
        assert "Traceback" not in relay.process.log
