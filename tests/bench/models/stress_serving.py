"""The shipped stress model as it serves: parity with scikit-learn, time per window, size, a shifted clock.

The given recordings are trained on anew: the file must come out byte by byte as the shipped one, where they are those
it was trained on.
"""

import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from server.stress import trees
from server.stress.predictor import TreePredictor
from server.stress.readings import Reason
from server.stress.recordings import Recording, examples
from server.stress.train import PARITY, export, fit, parity, table
from server.stress.windows import WearerWindow
from tests.bench.models.drawing import BAD, GOOD, SECOND, Drawing
from tests.bench.models.stress_people import read_people

MOST_US = 100.0
SHIFTS_S = (1_760_000_000.0, 86_399.125, -1_000_000.5)
ROUNDS = 3


def run(data: Path, console: Console) -> str:
    people = read_people(data)
    found, _ = examples(people)
    arrays = table(found)
    fitted = fit(arrays)
    shipped = trees.load()
    anew = export(fitted, arrays, people, shipped.claims)
    same = "other recordings"
    if set(anew.trained_on) == set(shipped.trained_on):
        same = "yes" if trees.seal(anew) == trees.SHIPPED.read_bytes() else "NO"
    apart = parity(anew, fitted, arrays.rows)
    rows = arrays.rows.tolist()
    tree_us = _best_us(lambda: [shipped.probability(row) for row in rows], len(rows))
    count = sum(len(one.samples) for one in people)
    window_us = _best_us(lambda: [_windows(one) for one in people], count)
    moved = sum(
        _predictions(shipped, one, shift) != _predictions(shipped, one, 0.0) for one in people for shift in SHIFTS_S
    )
    size = trees.SHIPPED.stat().st_size
    shown = Table("the shipped model", "is", "must reach")
    shown.add_row("JSON against scikit-learn, largest difference of probability", f"{apart:.1e}", f"≤ {PARITY}")
    shown.add_row("trees of one window", f"{tree_us:.0f} µs", f"≤ {MOST_US:.0f} µs")
    shown.add_row("features of one window, taking the reading in included", f"{window_us:.0f} µs", "")
    shown.add_row("both", f"{tree_us + window_us:.0f} µs", f"≤ {MOST_US:.0f} µs")
    shown.add_row("file", f"{size / 1000:.1f} kB", f"≤ {trees.MOST_BYTES / 1000:.0f} kB")
    shown.add_row(f"recordings that differ when the clock is shifted ({len(SHIFTS_S)} shifts)", str(moved), "0")
    shown.add_row("trained anew, byte by byte the shipped file", same, "yes")
    console.print(shown)
    drawing = Drawing("The shipped stress model as it serves")
    both = tree_us + window_us
    drawing.bars(
        f"µs per window; at most {MOST_US:.0f}",
        [("features", window_us, SECOND), ("trees", tree_us, SECOND), ("both", both, GOOD if both <= MOST_US else BAD)],
        MOST_US,
    )
    most_kb = trees.MOST_BYTES / 1000
    drawing.bars(f"kB of the file; at most {most_kb:.0f}", [("model.json", size / 1000, GOOD)], most_kb)
    return drawing.svg()


def _best_us(work: object, count: int) -> float:
    assert callable(work)
    best = float("inf")
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - begin)
    return best / count * 1e6


def _windows(recording: Recording) -> list[object]:
    window = WearerWindow(recording.subject)
    return [window.see(reading) for reading, _ in recording.readings()]


def _predictions(
    model: trees.StressModel, recording: Recording, shift_s: float
) -> list[tuple[float | None, Reason | None]]:
    predictor = TreePredictor(model)
    return [predictor.predict(reading._replace(at_s=reading.at_s + shift_s))[1:] for reading, _ in recording.readings()]
