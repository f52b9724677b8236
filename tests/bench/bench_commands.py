"""A command from page to pin and back: until its read-back is on the page."""

import statistics
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.support import processes
from tests.support.processes import wait_for
from tests.support.raw import RawClient

ROUNDS = 200


def run(console: Console) -> None:
    with tempfile.TemporaryDirectory() as directory:
        state = Path(directory)
        with (
            processes.relay(state / "relay", LIMITS__CLIENT_EVENTS_PER_S="10000") as relay,
            processes.agent(state / "agent", relay.url),
        ):
            wait_for("the agent reports", lambda: relay.device("pi-1").get("accessories"))
            with RawClient(relay.url, "/client") as page:
                page.event("snapshot_pub_client")
                echo = [_timed(lambda: page.call("no_such_event", {})) for _ in range(ROUNDS)]
                switch = [_timed(lambda on=on: _switch(page, on)) for on in [True, False] * (ROUNDS // 2)]
    table = Table("what", "median ms", "p99 ms", "÷ echo")
    for name, times in (("echo: an event to the relay and its ack", echo), ("on or off, to its read-back", switch)):
        median = statistics.median(times)
        p99 = statistics.quantiles(times, n=100)[98]
        ratio = median / statistics.median(echo)
        table.add_row(name, f"{median:.2f}", f"{p99:.2f}", f"{ratio:.1f}")
    console.print(table)


def _timed(work) -> float:
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1e3


def _switch(page: RawClient, on: bool) -> None:
    request = {"action": "on" if on else "off", "accessory": "breath_light", "device": "pi-1"}
    [ack] = page.call("command_request_client", request)
    while True:
        result = page.event("command_result_pub_client")
        if result["command"] == ack["command"] and result["state"] not in ("sent", "accepted"):
            assert result["state"] == "verified", result
            return
