"""Forecast of temperature and humidity, 10 and 60 minutes ahead: error ÷ that of persistence, walk-forward.

On every third day of each room a forecaster is trained on the 14 days before, as the agent does it, and judged on that
day. No day is seen by a model that forecasts it.
"""

import statistics
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

from pi_agent.training.climate import QUANTITIES, SLOTS_PER_DAY, Series, known
from pi_agent.training.features import HISTORY, Features
from pi_agent.training.model import ForecastModel
from pi_agent.training.trainer import HORIZONS_MIN, MOST_DAYS, train
from tests.bench.models.drawing import BAD, GOOD, INK, LINE, Drawing
from tests.bench.models.rooms import read_rooms

EVERY_DAYS = 3
WHOLE_DEGREES_EVERY_DAYS = 12
MUST = {("temperature", 10): 1.00, ("temperature", 60): 0.82, ("humidity", 10): 0.80, ("humidity", 60): 0.87}
WORST = 1.02
_SHOWN_DAYS = 3

Kind = tuple[str, int]
"""Quantity and minutes ahead."""


@dataclass
class Errors:
    """Sums over all forecasts of one kind."""

    ours: float = 0.0
    persistence: float = 0.0
    inside: int = 0
    count: int = 0
    curve: list[tuple[float, float, float, float, float]] = field(default_factory=list)
    """(day, what came, forecast, low, high)"""

    @property
    def ratio(self) -> float:
        return self.ours / self.persistence if self.persistence else 1.0


def run(data: Path, console: Console) -> str:
    rooms = {name: walk(series) for name, series in read_rooms(data).items()}
    coarse = {name: walk(whole_degrees(series), WHOLE_DEGREES_EVERY_DAYS) for name, series in read_rooms(data).items()}
    kinds = list(MUST)
    table = Table("error ÷ persistence", *(f"{quantity} {minutes} min" for quantity, minutes in kinds), "worst")
    for name, errors in rooms.items():
        ratios = [errors[kind].ratio for kind in kinds]
        table.add_row(name, *(f"{ratio:.3f}" for ratio in ratios), f"{max(ratios):.3f}")
    means = [statistics.fmean(errors[kind].ratio for errors in rooms.values()) for kind in kinds]
    worst = max(errors[kind].ratio for errors in rooms.values() for kind in kinds)
    table.add_section()
    table.add_row("[bold]mean of rooms", *(f"[bold]{mean:.3f}" for mean in means), f"[bold]{worst:.3f}")
    table.add_row("must reach", *(f"≤ {bound:.2f}" for bound in MUST.values()), f"≤ {WORST:.2f}")
    inside = [statistics.fmean(errors[kind].inside / errors[kind].count for errors in rooms.values()) for kind in kinds]
    table.add_row("within the 90 % band", *(f"{share:.0%}" for share in inside), "")
    rough = [statistics.fmean(errors[kind].ratio for errors in coarse.values()) for kind in kinds]
    table.add_row("rounded to whole degrees and percents", *(f"{mean:.3f}" for mean in rough), "")
    console.print(table)
    console.print("Whole numbers, as a DHT11 tells them, leave next to nothing to gain over persistence.")
    return _picture(rooms, dict(zip(kinds, means, strict=True)))


def walk(series: Series, every_days: int = EVERY_DAYS) -> Mapping[Kind, Errors]:
    """Train and judge, day by day."""
    errors: defaultdict[Kind, Errors] = defaultdict(Errors)
    for day in range(MOST_DAYS, len(series) // SLOTS_PER_DAY, every_days):
        begin = day * SLOTS_PER_DAY
        model = train(series.part(begin - MOST_DAYS * SLOTS_PER_DAY, begin)).model
        judge(model, series, begin, errors)
    return errors


def judge(model: ForecastModel, series: Series, begin: int, errors: Mapping[Kind, Errors]) -> None:
    """Forecast from every slot of the day that begins at element `begin`, and compare with what came."""
    offset = begin - HISTORY
    part = series.part(offset, min(begin + SLOTS_PER_DAY + max(HORIZONS_MIN) // 10, len(series)))
    features = Features(part)
    for index in range(HISTORY, HISTORY + SLOTS_PER_DAY):
        for forecast in model.forecast(features, index):
            later = index + forecast.minutes // 10
            came = known(part.values(forecast.quantity)[later]) if later < len(part) else None
            level = features.level(forecast.quantity, index)
            if came is None or level is None:
                continue
            sums = errors[forecast.quantity, forecast.minutes]
            sums.ours += abs(came - forecast.value)
            sums.persistence += abs(came - level)
            sums.inside += forecast.low <= came <= forecast.high
            sums.count += 1
            sums.curve.append(((offset + later) / SLOTS_PER_DAY, came, forecast.value, forecast.low, forecast.high))


def whole_degrees(series: Series) -> Series:
    """What a sensor that tells whole numbers would have told."""

    def rounded(quantity: str) -> list[float | None]:
        return [None if value is None else float(round(value)) for value in series.values(quantity)]

    return Series(series.start, *(rounded(quantity) for quantity in QUANTITIES))


def _picture(rooms: Mapping[str, Mapping[Kind, Errors]], means: Mapping[Kind, float]) -> str:
    drawing = Drawing("Forecast: mean absolute error ÷ that of persistence (shorter is better, 1 is no gain)")
    for (quantity, minutes), bound in MUST.items():
        bars = [(name, errors[quantity, minutes].ratio, LINE) for name, errors in rooms.items()]
        mean = means[quantity, minutes]
        bars.append(("mean of rooms", mean, GOOD if mean <= bound else BAD))
        drawing.bars(f"{quantity}, {minutes} min; at most {bound:.2f}", bars, bound)
    name, errors = next(iter(rooms.items()))
    for quantity, unit in zip(QUANTITIES, ("°C", "%"), strict=True):
        shown = errors[quantity, 60].curve[: SLOTS_PER_DAY * _SHOWN_DAYS]
        # The days that are judged are not consecutive; the picture joins them.
        points = [(number / SLOTS_PER_DAY, *row[1:]) for number, row in enumerate(shown)]
        drawing.lines(
            f"{name}, {quantity}: what came, and what was forecast an hour before, with its band",
            [
                ("what came", INK, [(x, came) for x, came, *_ in points]),
                ("forecast", LINE, [(x, value) for x, _, value, *_ in points]),
            ],
            [(x, low, high) for x, _, _, low, high in points],
            x_unit="d",
            y_unit=unit,
        )
    return drawing.svg()
