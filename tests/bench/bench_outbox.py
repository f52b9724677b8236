"""The agent's outbox: bytes written per reading, memory and speed of a backlog."""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from pi_agent.outbox.outbox import Outbox
from pi_agent.uplink.sender import OutboxSender
from shared.backoff import Backoff
from shared.contract.events import SENSOR_DATA_PUB_PI
from tests.support.clock import FakeClock
from tests.support.outbox import MEBIBYTE, open_outbox

ROUNDS = 3000
DAY_AT_2_S = 43_200

ROUND = {
    "data": {
        "temperature": 21.4,
        "humidity": 48.2,
        "cpu_temperature": 51.1,
        "cpu_load": 0.42,
        "memory_used": 31.5,
        "disk_used": 42.1,
        "uptime": 123456.0,
    },
    "fail": [],
}
STORED = ({"ok": True, "code": "stored"},)


def run(console: Console) -> None:
    table = Table("interval s", "rounds per commit", "bytes written per reading")
    for interval_s in (0.025, 0.1, 1.0, 30.0):
        per_commit, written = _written(interval_s)
        table.add_row(f"{interval_s:g}", f"{per_commit:.1f}", f"{written:,.0f}")
    console.print(table)
    table = Table("backlog", "outbox MiB", "agent RSS MiB", "drained events/s")
    for rounds in (0, DAY_AT_2_S):
        answer = subprocess.run(
            [sys.executable, "-m", "tests.bench.bench_outbox", str(rounds)], capture_output=True, text=True, check=True
        )
        result = json.loads(answer.stdout)
        table.add_row(f"{rounds:,}", f"{result['mib']:.1f}", f"{result['rss_mib']:.1f}", f"{result['rate']:,.0f}")
    console.print(table)


def _written(interval_s: float) -> tuple[float, float]:
    """Rounds per commit, and bytes that the process handed to the disk per round, acks and checkpoints included."""
    with tempfile.TemporaryDirectory() as directory:
        clock = FakeClock()
        outbox = open_outbox(Path(directory), clock)
        outbox.step()
        before, commits = _handed_to_disk(), 0
        for _ in range(ROUNDS):
            clock.advance(interval_s)
            if outbox.due_in_s() <= 0:
                outbox.step()
                outbox.settle(outbox.stream, outbox._progress.next_id - 1)
                commits += 1
            outbox.append(SENSOR_DATA_PUB_PI, ROUND)
        outbox.flush()
        written = _handed_to_disk() - before
        outbox.close()
    return ROUNDS / commits, written / ROUNDS


def _handed_to_disk() -> int:
    fields = dict(line.split(": ") for line in Path("/proc/self/io").read_text(encoding="ascii").splitlines())
    return int(fields["wchar"])


def _drain(rounds: int) -> dict[str, float]:
    """Memory of a process with a backlog of so many rounds, and how fast they go to a relay that costs nothing."""
    with tempfile.TemporaryDirectory() as directory:
        clock = FakeClock()
        outbox = open_outbox(Path(directory), clock, max_bytes=256 * MEBIBYTE)
        for number in range(rounds):
            outbox.append(SENSOR_DATA_PUB_PI, ROUND)
            if number % 500 == 499:
                outbox.step()
        outbox.flush()
        size = (Path(directory) / "outbox.db").stat().st_size
        began = time.perf_counter()
        _send_all(outbox, clock)
        took_s = time.perf_counter() - began
        outbox.close()
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return {"mib": size / MEBIBYTE, "rss_mib": pages * 4096 / MEBIBYTE, "rate": rounds / took_s}


def _send_all(outbox: Outbox, clock: FakeClock) -> None:
    sender = OutboxSender(outbox, "pi", clock, 64, Backoff())
    sent: list = []
    while outbox.depth:
        sender.pump(lambda spec, body, token: sent.append(token))
        for token in sent:
            sender.acked(token, STORED)
        sent.clear()
        if outbox.due_in_s() <= 0:
            outbox.step()


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_drain(int(sys.argv[1]))))
