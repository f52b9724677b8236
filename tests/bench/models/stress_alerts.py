"""Stress alerts on people whom the model has not seen: how many are right, how many a rest hour has, what is caught.

The recordings run through the product's own predictor and policy, second by second, each with the model that the
others trained. An alert is right when its reading was stress; an episode is caught when an alert is given in it.
"""

from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from server.stress.claims import AlertScores
from server.stress.evaluate import alerts, folds
from server.stress.recordings import examples
from server.stress.train import table
from tests.bench.models.drawing import GOOD, LINE, SECOND, Drawing
from tests.bench.models.stress_people import read_people


def run(data: Path, console: Console) -> str:
    people = read_people(data)
    arrays = table(examples(people)[0])
    outcomes = alerts(arrays, folds(arrays), people)
    shown = Table("alert from", "alerts", "precision", "false per rest hour", "episodes caught")
    for one in outcomes:
        shown.add_row(
            f"p ≥ {one.high_from}",
            str(one.alerts),
            f"{one.precision or 0:.2f}",
            f"{one.false_per_rest_hour or 0:.2f}",
            f"{one.caught / one.episodes:.0%} of {one.episodes}",
        )
    console.print(shown)
    drawing = Drawing("Stress alerts on people whom the model has not seen; 30 s sustained, 5 min cooldown")
    figures: tuple[tuple[str, str, Callable[[AlertScores], float]], ...] = (
        ("precision", GOOD, lambda one: one.precision or 0.0),
        ("false per rest hour", SECOND, lambda one: one.false_per_rest_hour or 0.0),
        ("share of episodes caught", LINE, lambda one: one.caught / one.episodes),
    )
    for title, colour, figure in figures:
        drawing.bars(title, [(f"p ≥ {one.high_from}", figure(one), colour) for one in outcomes])
    return drawing.svg()
