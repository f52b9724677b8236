"""The footprint of the agent beside mqtt-io: memory, CPU time, cold start, and what its imports cost.

`python -m tests.bench.bench_footprint --seconds 300 --rounds 5` looks for longer.
"""

import argparse
import re
import statistics
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path

from _pytest.outcomes import Skipped
from rich.console import Console
from rich.table import Table

from tests.bench import subjects
from tests.bench.subjects import MqttIo, NotInstalled, Running
from tests.support import processes
from tests.support.broker import broker
from tests.support.processes import RelayProcess

SECONDS = 30.0
"""Of constant light; a sampling round is among them."""
BREATHING_S = 12.0
SETTLE_S = 3.0
ROUNDS = 2
OURS = "the agent"
_SHOWN = 14
_LINE = re.compile(r"import time:\s+(\d+) \|\s+\d+ \|\s*(\S+)")

Start = Callable[[Path], AbstractContextManager[Running]]


@dataclass(frozen=True)
class Seen:
    """One run of one program."""

    rss_mb: float
    pss_mb: float
    cold_start_s: float
    breathing: float
    """CPU s per hour."""
    constant: float


def run(console: Console, seconds: float = SECONDS, rounds: int = ROUNDS) -> None:
    with tempfile.TemporaryDirectory() as directory, ExitStack() as opened:
        work = Path(directory)
        relay = opened.enter_context(processes.relay(work / "relay"))
        python = _agent_python(console)
        programs: dict[str, Start] = {OURS: lambda state: subjects.agent(python, state, relay)}
        programs |= _others(console, opened, work)
        seen: dict[str, list[Seen]] = defaultdict(list)
        for number in range(rounds):
            for name, start in programs.items():
                seen[name].append(_watch(start, work / f"{name}-{number}", seconds))
        console.print(_table(seen))
        console.print(
            "median of the rounds; RSS while it breathes. The aims, beside mqtt-io: RSS 1.0 or less, better 0.8;"
            " CPU with a constant light 0.5 or less; a cold start within 1.5 s. The agent's PIR sees three visitors a"
            " minute, which are stored and delivered; the mock of mqtt-io tells by interrupt nothing, ever."
        )
        _imports(console, python, work / "imports", relay)


def _agent_python(console: Console) -> Path:
    try:
        return subjects.agent_python()
    except NotInstalled as why:
        console.print(f"the agent runs with all that is installed here, for want of an environment of its own: {why}")
        return Path(sys.executable)


def _others(console: Console, opened: ExitStack, work: Path) -> dict[str, Start]:
    """mqtt-io in two ways, or none where it cannot be had."""
    try:
        python = subjects.mqtt_io_python()
        mosquitto = opened.enter_context(broker(work / "broker"))
    except (NotInstalled, Skipped) as why:
        console.print(f"[yellow]skipped: mqtt-io, there is nothing to compare with: {why}")
        return {}
    return {
        "mqtt-io, PIR by interrupt": lambda state: subjects.mqtt_io(python, state, mosquitto, polls=False),
        "mqtt-io, PIR polled": lambda state: subjects.mqtt_io(python, state, mosquitto, polls=True),
    }


def _watch(start: Start, state: Path, seconds: float) -> Seen:
    with start(state) as running:
        time.sleep(SETTLE_S)
        pid = running.process.popen.pid
        breathe = running.blink if isinstance(running, MqttIo) else time.sleep
        breathing = _cpu_per_hour(pid, lambda: breathe(BREATHING_S))
        rss_mb, pss_mb = _memory_mb(pid)
        running.darken()
        time.sleep(SETTLE_S)
        constant = _cpu_per_hour(pid, lambda: time.sleep(seconds))
        return Seen(rss_mb, pss_mb, running.cold_start_s, breathing, constant)


def _cpu_per_hour(pid: int, work: Callable[[], None]) -> float:
    """CPU s of all its threads per hour, measured while `work` goes on."""
    began_s, cpu_s = time.monotonic(), _cpu_s(pid)
    work()
    return (_cpu_s(pid) - cpu_s) / (time.monotonic() - began_s) * 3600


def _cpu_s(pid: int) -> float:
    # clock_getcpuclockid(3): to the nanosecond, with threads that have ended; /proc counts in hundredths.
    return time.clock_gettime((~pid << 3) | 2)


def _memory_mb(pid: int) -> tuple[float, float]:
    """RSS, and PSS: its fair share of what several processes have mapped."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    kb = {name: int(value) for name, value in re.findall(r"^(\w+):\s+(\d+) kB", text, re.MULTILINE)}
    return kb["Rss"] / 1024, kb["Pss"] / 1024


def _table(seen: dict[str, list[Seen]]) -> Table:
    table = Table("", "RSS MiB", "PSS MiB", "CPU s/h\nconstant", "CPU s/h\nbreathing", "cold\nstart s")
    middle = {
        name: [
            statistics.median(getattr(one, field) for one in runs)
            for field in ("rss_mb", "pss_mb", "constant", "breathing", "cold_start_s")
        ]
        for name, runs in seen.items()
    }
    for name, values in middle.items():
        table.add_row(name, *(f"{value:.2f}" for value in values))
    for name, values in middle.items():
        if name != OURS:
            ratios = (ours / theirs for ours, theirs in zip(middle[OURS], values, strict=True))
            table.add_row(f"the agent ÷ {name}", *(f"{ratio:.2f}" for ratio in ratios))
    return table


def _imports(console: Console, python: Path, state: Path, relay: RelayProcess) -> None:
    """What each package costs until the first reading is delivered; being timed, somewhat more than else."""
    with subjects.agent(python, state, relay, "-X", "importtime") as running:
        text = running.process.log
    took: Counter[str] = Counter()
    modules: Counter[str] = Counter()
    for microseconds, module in _LINE.findall(text):
        package = module.partition(".")[0]
        took[package] += int(microseconds)
        modules[package] += 1
    table = Table("package", "modules", "ms", title="time budget of its imports, the packages' own code alone")
    for package, microseconds in took.most_common(_SHOWN):
        table.add_row(package, str(modules[package]), f"{microseconds / 1e3:.1f}")
    rest = [package for package, _ in took.most_common()[_SHOWN:]]
    table.add_row(
        f"{len(rest)} others", str(sum(modules[one] for one in rest)), f"{sum(took[one] for one in rest) / 1e3:.1f}"
    )
    table.add_row("all", str(modules.total()), f"{took.total() / 1e3:.1f}")
    console.print(table)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.bench_footprint", description=__doc__)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of constant light in each run")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="runs of each program, in turn")
    asked = parser.parse_args()
    run(Console(), asked.seconds, asked.rounds)


if __name__ == "__main__":
    main()
