"""Training on the Pi: what the child process costs, and what becomes of jobs that cannot succeed.

Every row is a real child process of the agent, or what stands in its place; a good model is stored first, and after
every other row it must still serve.
"""

import dataclasses
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from pi_agent.training.climate import SLOTS_PER_DAY, Series
from pi_agent.training.job import COMMAND, Outcome, run_child
from pi_agent.training.store import ModelStore
from shared.clock import SystemClock
from tests.bench.models.drawing import BAD, GOOD, Drawing
from tests.bench.models.rooms import read_rooms

MUST_MIB = 32.0
MUST_S = 3.0
_STARVED = """
import pi_agent.training.child as child
child.MEMORY_BYTES = 30 * 2**20
child.main()
"""
_KILLED = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
_HANGING = "import time; time.sleep(60)"


def run(data: Path, console: Console) -> str:
    rooms = {name: series.part(0, 14 * SLOTS_PER_DAY) for name, series in read_rooms(data).items()}
    table = Table("job", "outcome", "reason", "s", "CPU s", "peak MiB", "serves afterwards")
    drawing = Drawing("Training of 14 days in a child process: time and memory")
    times, peaks = [], []
    with tempfile.TemporaryDirectory() as directory:
        store = ModelStore(Path(directory))
        for name, series in rooms.items():
            outcome, took_s, cpu_s = _timed(series)
            assert outcome.model is not None
            store.add(outcome.model)
            times.append((name, cpu_s))
            peaks.append((name, (outcome.peak_rss_bytes or 0) / 2**20))
            _row(table, f"{name}, 14 days", outcome, took_s, cpu_s, store)
        table.add_row("must reach", "finished", "", "", f"≤ {MUST_S:.0f}", f"≤ {MUST_MIB:.0f}", "")
        table.add_section()
        for title, outcome, took_s, cpu_s in _troubles(next(iter(rooms.values()))):
            _row(table, title, outcome, took_s, cpu_s, store)
    console.print(table)
    console.print(
        f"median {statistics.median(s for _, s in times):.2f} s of CPU time, "
        f"{statistics.median(m for _, m in peaks):.1f} MiB; Python {sys.version.split()[0]}"
    )
    drawing.bars("s of CPU time", [(name, s, GOOD if s <= MUST_S else BAD) for name, s in times], MUST_S)
    drawing.bars("MiB at the peak", [(name, m, GOOD if m <= MUST_MIB else BAD) for name, m in peaks], MUST_MIB)
    return drawing.svg()


def _troubles(series: Series) -> Sequence[tuple[str, Outcome, float, float]]:
    constant = dataclasses.replace(series, temperature=[21.0] * len(series), humidity=[45.0] * len(series))
    gaps = dataclasses.replace(
        series, temperature=[t if number % 3 else None for number, t in enumerate(series.temperature)]
    )
    return [
        ("two days", *_timed(series.part(0, 2 * SLOTS_PER_DAY))),
        ("a third missing", *_timed(gaps)),
        ("a constant series", *_timed(constant)),
        ("out of memory", *_timed(series, (sys.executable, "-c", _STARVED))),
        ("killed", *_timed(series, (sys.executable, "-c", _KILLED))),
        ("hanging, 2 s allowed", *_timed(series, (sys.executable, "-c", _HANGING), 2.0)),
    ]


def _timed(series: Series, command: Sequence[str] = COMMAND, timeout_s: float = 180.0) -> tuple[Outcome, float, float]:
    began, spent = time.perf_counter(), _children_s()
    outcome = run_child(series, SystemClock(), lambda _: None, command=command, timeout_s=timeout_s)
    return outcome, time.perf_counter() - began, _children_s() - spent


def _children_s() -> float:
    """CPU time of processes that have ended: on a busy machine the one honest measure."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _row(table: Table, title: str, outcome: Outcome, took_s: float, cpu_s: float, store: ModelStore) -> None:
    peak = f"{outcome.peak_rss_bytes / 2**20:.1f}" if outcome.peak_rss_bytes else "-"
    serving = store.serving()
    serves = f"version {serving.number}" if serving else "[red]none"
    table.add_row(title, outcome.phase, outcome.reason or "", f"{took_s:.2f}", f"{cpu_s:.2f}", peak, serves)
