"""Stress from heart rate, skin temperature and EDA: people whom the model has not seen, with controls and calibration.

Each subject is judged by what all the others train; the settings are those of the product and fixed. The controls:
trees that know nothing but the time, windows of equal distance to a change, halves of the subjects, poorer sensors.
"""

import random
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from server.stress.evaluate import Bin, Judgement, folds, judge, unseen
from server.stress.recordings import Example, Recording, Sample, examples
from server.stress.train import fit, table
from server.stress.trees import load
from tests.bench.models.drawing import BAD, GOOD, INK, LINE, SECOND, Drawing
from tests.bench.models.stress_people import read_people

HALVES = 8
SEED = 7
SLOW_S = 5

Figure = Callable[[Judgement], float | None]

MUST: dict[str, tuple[Figure, str, float]] = {
    "macro-F1": (lambda one: one.scores.macro_f1, "≥", 0.66),
    "AUC": (lambda one: one.scores.auc, "≥", 0.75),
    "Brier": (lambda one: one.scores.brier, "≤", 0.19),
    "ECE": (lambda one: one.scores.ece, "≤", 0.04),
    "precision at p ≥ 0.7": (lambda one: one.scores.precision_at_high, "≥", 0.75),
    "AUC, 1 to 5 min after a change": (lambda one: one.scores.auc_since_onset, "≥", 0.68),
    "AUC, 3 min around an onset of stress": (lambda one: one.scores.auc_around_onset, "≥", 0.68),
}
MUST_HALVES = 0.62


def run(data: Path, console: Console) -> str:
    people = read_people(data)
    found, _ = examples(people)
    arrays = table(found)
    fits = folds(arrays)
    model = judge(found, unseen(arrays, fits))
    clock = arrays._replace(rows=np.array([[one.at_s] for one in found]))
    judgements = {"model": model, "time only": judge(found, unseen(clock, folds(clock)))}
    for name, poorer in {"whole bpm": _whole_bpm, f"every {SLOW_S} s": _slow}.items():
        rough, _ = examples([poorer(one) for one in people])
        judgements[name] = judge(rough, unseen(table(rough), fits))
    halves = [_half(found, random.Random(SEED + trial)) for trial in range(HALVES)]

    shown = Table("leave one subject out", *judgements, "must reach", title=_title(model))
    for row, (figure, sign, bound) in MUST.items():
        values = [figure(one) for one in judgements.values()]
        shown.add_row(row, *map(_number, values), f"{sign} {bound}{_met(values[0], sign, bound)}")
    shown.add_section()
    mean = statistics.fmean(halves)
    shown.add_row(
        f"macro-F1, trained on one half, judged on the other: mean of {HALVES} (worst {min(halves):.3f})",
        *(f"{mean:.3f}", "", "", "", f"≥ {MUST_HALVES}{_met(mean, '≥', MUST_HALVES)}"),
    )
    console.print(shown)
    shipped = load()
    if set(shipped.trained_on) == {one.fingerprint() for one in people}:
        same = shipped.claims is not None and shipped.claims.model == model.scores
        console.print(f"These are the figures in the shipped model and its card: {'yes' if same else 'NO'}")
    console.print("Time only shows the order of the tasks, not stress. No feature of the model tells the time.")
    return _picture(judgements, mean, model.calibration)


def _title(model: Judgement) -> str:
    return f"{model.scores.subjects} subjects, {model.scores.windows} windows of 60 s, one every 10 s"


def _half(found: Sequence[Example], rng: random.Random) -> float:
    """Macro-F1 on a random half of the subjects, by what the other half trained."""
    subjects = list(dict.fromkeys(one.subject for one in found))
    seen = set(rng.sample(subjects, len(subjects) // 2))
    others = [one for one in found if one.subject not in seen]
    fitted = fit(table([one for one in found if one.subject in seen]))
    return judge(others, fitted.probabilities(table(others).rows)).scores.macro_f1


def _whole_bpm(recording: Recording) -> Recording:
    def rounded(sample: Sample) -> Sample:
        return sample._replace(hr=None if sample.hr is None else float(round(sample.hr)))

    return recording._replace(samples=tuple(map(rounded, recording.samples)))


def _slow(recording: Recording) -> Recording:
    return recording._replace(samples=recording.samples[::SLOW_S])


def _met(value: float | None, sign: str, bound: float) -> str:
    met = value is not None and (value >= bound if sign == "≥" else value <= bound)
    return " [green]✓[/]" if met else " [red]✗[/]"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _picture(judgements: dict[str, Judgement], halves: float, calibration: Sequence[Bin]) -> str:
    drawing = Drawing("Stress on people whom the model has not seen")
    for row, (figure, sign, bound) in MUST.items():
        bars = []
        for name, one in judgements.items():
            value = figure(one) or 0.0
            good = value >= bound if sign == "≥" else value <= bound
            bars.append((name, value, SECOND if name != "model" else GOOD if good else BAD))
        drawing.bars(f"{row}; {'at least' if sign == '≥' else 'at most'} {bound}", bars, bound)
    drawing.bars(
        f"macro-F1, one half of the subjects by the other; at least {MUST_HALVES}",
        [("model", halves, GOOD if halves >= MUST_HALVES else BAD)],
        MUST_HALVES,
    )
    drawing.lines(
        "Calibration: the share of windows that were stress, by the probability that was said",
        [
            ("as said", INK, [(0.0, 0.0), (1.0, 1.0)]),
            ("as it was", LINE, [(one.said, one.was) for one in calibration]),
        ],
    )
    return drawing.svg()
