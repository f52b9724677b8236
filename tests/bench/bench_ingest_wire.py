"""What an event costs the relay from websocket to disk: CPU of the whole process per event that is acked after COMMIT.

Saturated over loopback: 200 devices with 20 events in flight each, the whole guard, SQLite with `synchronous=FULL`.
Beside it in alternating rounds: Node's socket.io, which decodes and answers, checks nothing and stores nothing; and a
bare SQLite loop in one process, which writes the same rows in groups and serves nobody.
"""

import os
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.bench.bench_ingest import bare, event
from tests.bench.fanout.contestants import Contestant, contestants
from tests.bench.fanout.servers import Server
from tests.bench.flood import Flooded, flood
from tests.support import processes

DEVICES, FLIGHT, SECONDS, ROUNDS = 200, 20, 5.0, 3
BARE_EVENTS, BARE_GROUP = 20_000, 500
NODE = "Node socket.io"
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def run(console: Console) -> None:
    here, absent = contestants()
    for reason in absent:
        if reason.startswith(NODE):
            console.print(f"not measured: {reason}")
    node = here.get(NODE)
    for quantities in (2, 5):
        _compare(console, quantities, node)


def _compare(console: Console, quantities: int, node: Contestant | None) -> None:
    """One table for rounds of so many quantities."""
    us: defaultdict[str, list[float]] = defaultdict(list)
    seen: list[Flooded] = []
    for _ in range(ROUNDS):
        us["bare SQLite loop"].append(_bare_us(quantities))
        if node is not None:
            us[NODE].append(_node(node, quantities).cpu_us)
        flooded, hub_us = _relay(quantities)
        seen.append(flooded)
        us["relay"].append(flooded.cpu_us)
        us["relay, of which hub"].append(hub_us)
    ours = statistics.median(us["relay"])
    table = Table("server", "CPU µs/event", "of each round", "relay ÷ it", title=f"{quantities} quantities per event")
    for name, values in us.items():
        median = statistics.median(values)
        rounds = ", ".join(f"{value:.1f}" for value in values)
        table.add_row(name, f"{median:.1f}", rounds, "" if name.startswith("relay") else f"{ours / median:.2f}")
    console.print(table)
    rate, p50, p99 = (
        statistics.median(map(of, seen))
        for of in (lambda one: one.acked / one.seconds, lambda one: one.p50_ms, lambda one: one.p99_ms)
    )
    console.print(f"relay: {rate:,.0f} events/s; ack p50 {p50:.0f} ms, p99 {p99:.0f} ms; clients share its cores")


def _bare_us(quantities: int) -> float:
    events = [event(number, quantities) for number in range(BARE_EVENTS)]
    with tempfile.TemporaryDirectory() as directory:
        return bare(Path(directory) / "bare.db", events, BARE_GROUP).cpu_s / BARE_EVENTS * 1e6


def _node(contestant: Contestant, quantities: int) -> Flooded:
    server = Server(contestant)
    try:
        address = f"http://127.0.0.1:{server.ports[0]}"
        return flood(address, DEVICES, FLIGHT, SECONDS, quantities, _used(server.process.pid))
    finally:
        server.stop()


def _relay(quantities: int) -> tuple[Flooded, float]:
    """What came of it, and what of it the hub's thread has used, in µs per event."""
    limits = {"LIMITS__DEVICE_EVENTS_PER_S": "10000"}
    with tempfile.TemporaryDirectory() as directory, processes.relay(Path(directory), **limits) as relay:
        pid = relay.process.popen.pid
        used, hub_s = _used(pid), []

        def cpu_s() -> float:
            hub_s.append(int(Path(f"/proc/{pid}/task/{pid}/schedstat").read_text().split()[0]) / 1e9)
            return used()

        flooded = flood(relay.url, DEVICES, FLIGHT, SECONDS, quantities, cpu_s)
    return flooded, (hub_s[1] - hub_s[0]) / flooded.acked * 1e6


def _used(pid: int) -> Callable[[], float]:
    """Seconds of user and system time of a process so far, of all threads that it has or had."""

    def used() -> float:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S

    return used
