"""Several workers behind the real nginx, with a real Redis: to everybody outside they are one relay."""

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import threading
import time
import tomllib
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import redis as redis_client
from websocket import WebSocketException

from server.cluster.messages import Envelope, Over, encode
from server.settings import RelaySettings
from shared.client import Client
from shared.contract.payloads import ClientSensorData, CommandState
from shared.settings import convert
from tests.relay.storage.cluster import Cluster, programs
from tests.support import processes
from tests.support.nginx import nginx
from tests.support.processes import RelayProcess, free_port, wait_for
from tests.support.raw import RawClient
from tests.support.redis import Redis, redis
from tests.support.stalled import BOUND, SMALL, Producer, there


@dataclass
class Site:
    """Workers, their queue, and the address in front of them."""

    redis: Redis
    state: Path
    ports: tuple[int, int, int]
    url: str = ""
    database: str = ""
    limits: dict[str, str] = field(default_factory=dict)
    workers: dict[int, RelayProcess] = field(default_factory=dict)

    def start(self, port: int) -> RelayProcess:
        settings = {
            "CLUSTER__REDIS": self.redis.url,
            "BEHIND_PROXY": "true",
            "LIMITS__CLIENT_EVENTS_PER_S": "1000",
            # Whatever a run chooses for the rest: several workers are of the direct path alone.
            "FANOUT": "direct",
            **self.limits,
        }
        self.workers[port] = processes.start_relay(self.state, port=port, DATABASE=self.database, **settings)
        return self.workers[port]

    def kill(self, port: int) -> None:
        self.workers.pop(port).process.kill()

    def role(self, port: int) -> tuple[str, bool]:
        """What a worker says it is, and whether it works."""
        body = self.workers[port].get("/healthz")
        return body["role"], body["ok"]

    @property
    def primary(self) -> int:
        return next(port for port in self.workers if self.role(port)[0] == "primary")

    @property
    def carriers(self) -> list[int]:
        return [port for port in self.workers if self.role(port)[0] == "worker"]

    def whole(self) -> bool:
        """Whether there is a primary, and every other worker carries for it."""
        return sorted(self.role(port) for port in self.workers) == [
            ("primary", True),
            *[("worker", True)] * (len(self.workers) - 1),
        ]

    @property
    def front(self) -> RelayProcess:
        """The site as its users see it."""
        return RelayProcess(next(iter(self.workers.values())).process, self.url, self.state)


@contextmanager
def site(directory: Path, database: str = "", **limits: str) -> Iterator[Site]:
    ports = (free_port(), free_port(), free_port())
    with redis(directory / "redis") as queue, ExitStack() as stack:
        running = Site(queue, directory / "relay", ports, database=database, limits=limits)
        running.url = stack.enter_context(nginx(directory / "nginx", ports))
        try:
            for port in ports:
                running.start(port)
            wait_for("the workers have found each other", running.whole)
            yield running
        finally:
            for worker in running.workers.values():
                worker.process.popen.send_signal(signal.SIGCONT)
                worker.process.stop()


class Watcher:
    """A page that keeps all that it sees of one device."""

    def __init__(self, url: str) -> None:
        self.client = Client(url)
        self.seen: list[int] = []
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        for event in self.client.events(timeout_s=60):
            if isinstance(event.body, ClientSensorData) and event.body.id is not None:
                self.seen.append(event.body.id)

    def close(self) -> None:
        self.client.close()
        self._thread.join(10)


def complete(url: str, *views: list[int]) -> None:
    """Each view has every round that is stored between its first and its last, once and in order."""
    last = max(seen[-1] for seen in views)
    stored: list[int] = []
    with Client(url, since=0) as reader:
        for event in reader.events(timeout_s=20):
            if isinstance(event.body, ClientSensorData) and event.body.id is not None:
                stored.append(event.body.id)
                if event.body.id >= last:
                    break
    for seen in views:
        assert seen == [id_ for id_ in stored if seen[0] <= id_ <= seen[-1]]


def _role(port: int) -> str | None:
    """What the worker at `port` says that it is; None while it says nothing."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as answer:
            return str(json.load(answer)["role"])
    except (OSError, http.client.HTTPException):
        return None


def ledger(relay: RelayProcess, device: str) -> dict[str, Any]:
    status, body = relay.http("GET", f"/api/devices/{device}/ledger")
    assert status == 200, body
    return body["streams"][0]


def test_pages_at_every_worker_see_the_same_and_commands_cross(tmp_path: Path) -> None:
    with site(tmp_path) as here, processes.agent(tmp_path / "agent", f"http://127.0.0.1:{here.carriers[0]}"):
        for port in here.ports:
            wait_for("the device is known", lambda port=port: here.workers[port].device("pi-1").get("accessories"))
        watchers = [Watcher(f"http://127.0.0.1:{port}") for port in here.ports] + [Watcher(here.url)]
        for watcher in watchers:
            wait_for("it sees rounds", lambda watcher=watcher: len(watcher.seen) > 20)
        # From a page at each worker, through nginx, over HTTP and from the command line.
        for watcher in watchers:
            results = watcher.client.command(device="pi-1", accessory="breath_light", action="on")
            assert results["pi-1"].state is CommandState.VERIFIED
        for port in here.ports:
            assert here.workers[port].cli("off", "led", "--device", "pi-1").returncode == 0
        assert here.front.cli("clean", "--all").returncode == 0
        for watcher in watchers:
            watcher.close()
        first = max(watcher.seen[0] for watcher in watchers)
        last = min(watcher.seen[-1] for watcher in watchers)
        assert last - first > 10
        complete(here.url, *(watcher.seen for watcher in watchers))


def test_long_polls_and_upgrades_come_back_to_their_worker(tmp_path: Path) -> None:
    import socketio

    with site(tmp_path) as here, processes.agent(tmp_path / "agent", here.url):
        wait_for("the device is known", lambda: here.front.device("pi-1").get("accessories"))
        pages = []
        for transports in [["polling"], ["polling", "websocket"], ["websocket"]] * 3:
            seen: list[int] = []
            page = socketio.Client(reconnection=False)
            page.on("sensor_data_pub_client", lambda body, seen=seen: seen.append(body["id"]), namespace="/client")
            page.connect(here.url, namespaces=["/client"], transports=transports)
            pages.append((page, seen))
        for _, seen in pages:
            wait_for("it sees rounds", lambda seen=seen: len(seen) > 20, 30)
        for page, _ in pages:
            page.disconnect()
        complete(here.url, *(seen for _, seen in pages))
        carried = {
            line.rpartition(" ")[2]
            for line in here.workers[here.primary].get("/metrics").splitlines()
            if line.startswith("breathlight_workers ")
        }
        assert carried == {"2.0"}


def test_a_worker_that_is_killed_takes_nothing_with_it(tmp_path: Path) -> None:
    with site(tmp_path) as here:
        victim = here.carriers[0]
        with processes.agent(tmp_path / "agent", here.url):
            wait_for("the device is known", lambda: here.front.device("pi-1").get("online"))
            watcher = Watcher(f"http://127.0.0.1:{here.primary}")
            crossing = [Watcher(here.url) for _ in range(4)]
            for one in [watcher, *crossing]:
                wait_for("it sees rounds", lambda one=one: len(one.seen) > 5)
            here.kill(victim)
            count = len(watcher.seen)
            wait_for("rounds come again", lambda: len(watcher.seen) > count + 40, 40)
            here.start(victim)
            wait_for("the workers have found each other", here.whole)
            for one in crossing:
                wait_for("it has caught up", lambda one=one: one.seen[-1] >= watcher.seen[-1] - 10, 30)
                one.close()
            watcher.close()
            complete(here.url, watcher.seen, *(one.seen for one in crossing))


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def test_when_the_primary_is_killed_another_one_goes_on(kind: str, tmp_path: Path) -> None:
    with ExitStack() as stack:
        database = ""
        if kind == "postgresql":
            if (bin_ := programs()) is None:
                pytest.skip("no PostgreSQL server program on this machine (Debian: postgresql)")
            cluster = Cluster(bin_)
            stack.callback(cluster.close)
            database = cluster.database("relay")
        here = stack.enter_context(site(tmp_path, database))
        stack.enter_context(processes.agent(tmp_path / "agent", here.url))
        wait_for("the device is known", lambda: here.front.device("pi-1").get("accessories"))
        watcher = Watcher(here.url)
        wait_for("it sees rounds", lambda: len(watcher.seen) > 5)
        for _ in range(2):
            was = here.primary
            here.kill(was)
            wait_for("another one is the primary", here.whole, 60)
            count = len(watcher.seen)
            wait_for("rounds come again", lambda count=count: len(watcher.seen) > count + 20, 60)
            here.start(was)
            wait_for("the workers have found each other", here.whole)
        results = watcher.client.command(device="pi-1", accessory="breath_light", action="on")
        assert results["pi-1"].state is CommandState.VERIFIED
        watcher.close()
        complete(here.url, watcher.seen)
        kept = ledger(here.front, "pi-1")
        assert (kept["missing"], kept["dropped"]) == ([], []), kept


def test_redis_may_go_and_come_back_and_nothing_is_lost(tmp_path: Path) -> None:
    with site(tmp_path) as here, processes.agent(tmp_path / "agent", here.url):
        wait_for("the device is known", lambda: here.front.device("pi-1").get("accessories"))
        watchers = [Watcher(here.url) for _ in range(4)]
        for one in watchers:
            wait_for("it sees rounds", lambda one=one: len(one.seen) > 5)
        here.redis.kill()
        # Who is alone says so, and everybody gathers at the primary.
        for port in here.carriers:
            wait_for("it says so", lambda port=port: here.workers[port].http("GET", "/healthz")[0] == 503, 30)
        for one in watchers:
            count = len(one.seen)
            wait_for("rounds come again", lambda one=one, count=count: len(one.seen) > count + 10, 40)
        assert here.role(here.primary) == ("primary", True)
        here.redis.start()
        wait_for("the workers have found each other", here.whole, 30)
        metrics = here.workers[here.primary].get("/metrics")
        assert "breathlight_queue_up 1.0" in metrics
        assert "breathlight_queue_losses 1.0" in metrics
        for one in watchers:
            one.close()
        complete(here.url, *(one.seen for one in watchers))
        kept = ledger(here.front, "pi-1")
        assert (kept["missing"], kept["dropped"]) == ([], []), kept


def test_a_worker_that_hangs_is_parted_with_and_comes_back(tmp_path: Path) -> None:
    with site(tmp_path) as here:
        port = here.carriers[0]
        with RawClient(f"http://127.0.0.1:{port}", "/client") as page:
            page.event("snapshot_pub_client")
            process = here.workers[port].process.popen
            os.kill(process.pid, signal.SIGSTOP)
            wait_for(
                "the primary parts with it",
                lambda: "breathlight_workers 1.0" in here.workers[here.primary].get("/metrics"),
                30,
            )
            os.kill(process.pid, signal.SIGCONT)
            wait_for("the workers have found each other", here.whole, 30)
            # Its connections had to end: nobody knows what they have missed.
            with pytest.raises((OSError, AssertionError, WebSocketException)):
                while True:
                    page.frame(5)
        with RawClient(f"http://127.0.0.1:{port}", "/client") as again:
            again.event("snapshot_pub_client")


def test_what_a_worker_could_not_deliver_is_told_by_the_relay(tmp_path: Path) -> None:
    limits = {"LIMITS__DEVICE_EVENTS_PER_S": "100000", "LIMITS__MAILBOX_BYTES": str(BOUND)}
    with site(tmp_path, **limits) as here:
        port, primary = here.carriers[0], here.workers[here.primary]
        with RawClient(f"http://127.0.0.1:{port}", "/client", {}, **SMALL) as page:
            page.event("snapshot_pub_client")
            producer = Producer(primary, "busy")
            try:
                wait_for(
                    "events are left out, and the relay says so",
                    lambda: there(page) and primary.get("/api/connections")["dropped"] >= 10,
                    60,
                )
            finally:
                producer.stop()
            [slow] = wait_for("who is behind is told", lambda: primary.get("/api/connections")["behind"])
            assert (slow["doors"], slow["transport"]) == (["/client"], "websocket")
            assert "breathlight_samples_dropped 0.0" in primary.get("/metrics").splitlines()
        left_out = primary.get("/api/connections")["dropped"]
        here.kill(port)
        wait_for("the primary parts with it", lambda: "breathlight_workers 1.0" in primary.get("/metrics"), 30)
        assert primary.get("/api/connections")["dropped"] >= left_out


def test_a_worker_keeps_to_the_contract_like_the_primary(tmp_path: Path) -> None:
    with site(tmp_path) as here:
        done = here.front.cli("contract", "check", f"http://127.0.0.1:{here.carriers[0]}", timeout_s=120)
        assert done.returncode == 0, done.stdout


def test_the_page_about_it_is_true(tmp_path: Path) -> None:
    """docs/scale.md: its settings are settings, and what it lets a reader try goes as it says."""
    page = (processes.ROOT / "docs/scale.md").read_text(encoding="utf-8")
    [toml] = re.findall(r"^ *```toml\n(.*?)^ *```", page, re.M | re.S)
    loaded = convert(RelaySettings, tomllib.loads(textwrap.dedent(toml)), "")
    assert (loaded.behind_proxy, loaded.cluster.redis) == (True, "redis://127.0.0.1:6379/0")
    around, trial = re.findall(r"^```sh\n(.*?)^```", page, re.M | re.S)
    with redis(tmp_path / "redis") as queue, ExitStack() as stack:
        first, second = free_port(), free_port()
        for known, found in (
            ("6379", queue.port),
            ("5000", first),
            ("5001", second),
            (".state", tmp_path),
            (".venv/bin/pi-relay", f"exec {sys.executable} -m server"),
        ):
            assert known in around + trial
            around, trial = around.replace(known, str(found)), trial.replace(known, str(found))
        primary, worker, curl = trial.splitlines()
        running = []
        for line, port in ((primary, first), (worker, second)):
            shell = ["bash", "-c", f"{around}\n{line}"]
            running.append(subprocess.Popen(shell, cwd=processes.ROOT, stderr=subprocess.DEVNULL))
            stack.callback(running[-1].wait, 30)
            stack.callback(running[-1].terminate)
            wait_for("it says what it is", lambda port=port: _role(port), 60)
        wait_for("it carries", lambda: _role(second) == "worker", 60)
        answer = subprocess.run(["bash", "-c", curl], capture_output=True, text=True, timeout=30)
        assert '"role":"worker"' in answer.stdout
        running[0].send_signal(signal.SIGINT)
        wait_for("it has taken over", lambda: _role(second) == "primary", 60)


def _poll(url: str, text: str) -> None:
    """Begin a long poll, and send `text` as the body of one POST."""
    opened = urllib.request.urlopen(f"{url}/socket.io/?EIO=4&transport=polling", timeout=10).read().decode()
    where = f"{url}/socket.io/?EIO=4&transport=polling&sid={json.loads(opened[1:])['sid']}"
    request = urllib.request.Request(where, data=text.encode("utf-8", "surrogatepass"), method="POST")
    with suppress(OSError):
        urllib.request.urlopen(request, timeout=10).read()


@pytest.mark.parametrize(
    "text",
    ["40/client,\x1e1", "4[123456789012345678901234567890]", '4"\\ud800"', '4{"a":1}', "4", "b4AA==", "9"],
)
def test_what_makes_no_sense_costs_a_worker_nothing(text: str, senseless: Site) -> None:
    port = senseless.carriers[0]
    with RawClient(f"http://127.0.0.1:{port}", "/client") as page:
        page.event("snapshot_pub_client")
        for _ in range(3):
            _poll(f"http://127.0.0.1:{port}", text)
        with RawClient(f"http://127.0.0.1:{port}", "/client") as another:
            another.event("snapshot_pub_client")
        # The first one is still there: nobody's link broke.
        assert page.call("replay_request_client", {"since": 0})[0]["ok"]
    assert senseless.whole()


@pytest.fixture(scope="module")
def senseless(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site(tmp_path_factory.mktemp("senseless")) as here:
        yield here


def test_a_word_that_comes_late_starts_no_storm(senseless: Site) -> None:
    def lost() -> float:
        metrics = senseless.workers[senseless.primary].get("/metrics")
        return float(re.findall(r"^breathlight_workers_lost (\S+)", metrics, re.M)[0])

    before = lost()
    with redis_client.Redis.from_url(senseless.redis.url) as client:
        # As if a primary had begun, and twice.
        for _ in range(2):
            client.publish("breathlight:workers", encode(Envelope("", "", 0, (Over(),))))
    time.sleep(3)
    wait_for("the workers have found each other", senseless.whole)
    assert lost() - before <= 6


def test_a_request_reaches_the_primary_as_it_came(senseless: Site) -> None:
    primary, carrier = senseless.primary, senseless.carriers[0]
    for method, target in (
        ("GET", "/api/devices/k%C3%BC"),
        ("GET", "/api/devices/a%252Db"),
        ("GET", "/api/devices?x=%FF"),
        ("HEAD", "/api/devices"),
        ("POST", "/api/devices/nobody/commands"),
        ("DELETE", "/api/session"),
        ("GET", "/nothing"),
    ):
        answers = []
        for port in (primary, carrier):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            connection.request(method, target, body=b'{"action": "off"}' if method == "POST" else None)
            answer = connection.getresponse()
            kept = {name: value for name, value in answer.getheaders() if name not in ("Date", "Content-Length")}
            answers.append((answer.status, kept, re.sub(rb'"at":"[^"]*"', b"", answer.read())))
            connection.close()
        assert answers[0] == answers[1], target


def test_who_says_that_he_is_a_worker_keeps_nobody_off(senseless: Site) -> None:
    request = urllib.request.Request(f"{senseless.url}/api/session", headers={"X-Breathlight-Worker": "x"})
    for _ in range(6):
        assert json.load(urllib.request.urlopen(request, timeout=10))["name"] == "demo"
