"""A command from page to pin and back, with 1 and with 200 agents connected; and `clean` to 1,000.

The agent that is switched is a real one, with a simulated part and all its disk: journal, outbox. The others are light
agents (`crowd.py`), which beat every 5 s and send a round every 10 s. From the request on the page's websocket to the
final result on it: two commits of the relay, two of the agent. The fan-out of the crowd's own news to the page is part
of it.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.support import processes
from tests.support.processes import ROOT, RelayProcess, wait_for
from tests.support.raw import RawClient

ROUNDS = 200
CLEAN_ROUNDS = 5
CROWD_INTERVAL_S = 10.0
FINAL = {"verified", "expired", "refused", "superseded", "failed"}


def run(console: Console) -> None:
    """Both tables."""
    console.print(_switching())
    console.print(_cleaning())


def _switching() -> Table:
    table = Table("agents", "what", "median ms", "p99 ms", "÷ echo")
    for others in (0, 199):
        with _house() as relay, processes.agent(relay.state / "agent", relay.url), _crowd(relay, others):
            wait_for("the agent reports", lambda relay=relay: relay.device("pi-1").get("accessories"))
            with RawClient(relay.url, "/client", query="&device=pi-1") as page:
                page.event("snapshot_pub_client")
                echo = [_timed(lambda page=page: page.call("no_such_event", {})) for _ in range(ROUNDS)]
                switch = [_timed(lambda page=page, on=on: _switch(page, on)) for on in [True, False] * (ROUNDS // 2)]
        for name, times in (("echo: an event to the relay and its ack", echo), ("on or off, to its read-back", switch)):
            median, p99 = statistics.median(times), statistics.quantiles(times, n=100)[98]
            ratio = median / statistics.median(echo)
            table.add_row(str(others + 1), name, f"{median:.2f}", f"{p99:.2f}", f"{ratio:.1f}")
    return table


def _cleaning() -> Table:
    table = Table("agents", "clean --all, until every answer is in: ms", "verified", title=None)
    for count in (100, 1_000):
        times = []
        with _house() as relay, _crowd(relay, count), RawClient(relay.url, "/client") as page:
            page.event("snapshot_pub_client", 30)
            for _ in range(CLEAN_ROUNDS):
                began = time.perf_counter()
                states = _clean(page)
                times.append((time.perf_counter() - began) * 1e3)
        worst = f"median {statistics.median(times):.0f}, most {max(times):.0f}"
        table.add_row(str(count), worst, f"{states['verified']} of {states.total()}")
    return table


@contextmanager
def _house() -> Iterator[RelayProcess]:
    limits = {"LIMITS__CLIENT_EVENTS_PER_S": "10000", "LIMITS__MAILBOX_EVENTS": "100000"}
    with tempfile.TemporaryDirectory() as directory, processes.relay(Path(directory), **limits) as relay:
        yield relay


@contextmanager
def _crowd(relay: RelayProcess, count: int) -> Iterator[None]:
    if not count:
        yield
        return
    arguments = [sys.executable, "-m", "tests.bench.crowd", relay.url, str(count), str(CROWD_INTERVAL_S)]
    with subprocess.Popen(arguments, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as crowd:
        assert crowd.stdout is not None
        try:
            assert crowd.stdout.readline() == "ready\n"
            yield
        finally:
            crowd.kill()


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1e3


def _switch(page: RawClient, on: bool) -> None:
    request = {"action": "on" if on else "off", "accessory": "breath_light", "device": "pi-1"}
    [ack] = page.call("command_request_client", request)
    while True:
        result = page.event("command_result_pub_client")
        if result["command"] == ack["command"] and result["state"] in FINAL:
            assert result["state"] == "verified", result
            return


def _clean(page: RawClient) -> Counter[str]:
    [ack] = page.call("command_request_client", {"action": "clean", "all": True, "ttl_s": 30})
    states: Counter[str] = Counter()
    while states.total() < len(ack["devices"]):
        result = page.event("command_result_pub_client", 40)
        if result["command"] == ack["command"] and result["state"] in FINAL:
            states[result["state"]] += 1
    return states
