"""From a series to a forecaster: fit, gate, band, and what it is worth. A plain function, without clock or files."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from pi_agent.training.climate import QUANTITIES, SLOTS_PER_DAY, Series, known
from pi_agent.training.features import HASH, Features
from pi_agent.training.model import SCHEMA, ForecastModel, Horizon
from pi_agent.training.ridge import Design, Plane

HORIZONS_MIN: Final = (10, 60)
MOST_DAYS: Final = 14
FEWEST_DAYS: Final = 7
LEAST_COVERAGE: Final = 0.8
GATES: Final = (0.0, 0.25, 0.5, 0.75, 1.0)
"""How much of the forecast change is believed; 0 is persistence: the value stays what it is."""
GATE_SLOTS: Final = 2 * SLOTS_PER_DAY
"""The newest slots, on which gate and band are found with a fit that has not seen them."""
GATE_SLACK: Final = 1.02
"""Of gates that are almost as good as the best, the largest: two days are a small sample."""
BAND: Final = (0.05, 0.95)
"""Quantiles of the errors between which nine of ten future values lie."""
_SLOT_MIN = 10
_PLOT_POINTS: Final = 48


class Skipped(Exception):
    """There is nothing to train on, which is no failure. `reason` is a stable word."""

    def __init__(self, reason: str, message: str) -> None:
        self.reason = reason
        super().__init__(message)


@dataclass(frozen=True)
class Trained:
    """A new model, how much it was trained on, and its newest hour-ahead forecasts beside what came."""

    model: ForecastModel
    plot: dict[str, list[tuple[int, float, float]]]
    """Per quantity: (slot, what came, what was forecast for it an hour before)."""


@dataclass(frozen=True)
class _Sample:
    """All rows of one horizon that can be used, in time order."""

    slots: list[int]
    """Of the forecast value, not of the row."""
    rows: list[list[float]]
    changes: dict[str, list[float]]
    levels: dict[str, list[float]]


def train(series: Series, progress: Callable[[float], None] = lambda _: None) -> Trained:
    """Fit a forecaster on the last `MOST_DAYS` of `series`.

    `progress` is told how much is done, 0 to 1. Raises `Skipped`: `insufficient_data` under `FEWEST_DAYS` or
    `LEAST_COVERAGE`, `constant_series` where neither quantity ever changes.
    """
    window = _window(series)
    features = Features(window)
    horizons: list[Horizon] = []
    plot: dict[str, list[tuple[int, float, float]]] = {}
    for number, minutes in enumerate(HORIZONS_MIN):
        sample = _sample(window, features, minutes // _SLOT_MIN)
        cut = sum(slot < window.start + len(window) - GATE_SLOTS for slot in sample.slots)
        if cut < SLOTS_PER_DAY or len(sample.rows) - cut < SLOTS_PER_DAY // 2:
            raise Skipped("insufficient_data", f"{len(sample.rows)} usable rows; the gaps leave too few")
        # The newest target of the trial fit lies before the first row that judges it.
        trial = Design(sample.rows[: cut - minutes // _SLOT_MIN])
        whole = Design(sample.rows)
        for quantity in QUANTITIES:
            changes = sample.changes[quantity]
            tried = trial.fit(changes[: cut - minutes // _SLOT_MIN])
            guesses = [tried.at(row) for row in sample.rows[cut:]]
            gate = choose_gate(changes[cut:], guesses)
            horizons.append(_horizon(quantity, minutes, gate, whole.fit(changes, near=tried), changes[cut:], guesses))
            if minutes == HORIZONS_MIN[-1]:
                plot[quantity] = _plot(sample, quantity, cut, gate, guesses)
            progress((number * len(QUANTITIES) + QUANTITIES.index(quantity) + 1) / len(HORIZONS_MIN) / len(QUANTITIES))
    samples = sum(known(value) is not None for value in window.temperature)
    model = ForecastModel(
        schema=SCHEMA,
        features=HASH,
        slot=window.start + len(window),
        samples=samples,
        days=round(len(window) / SLOTS_PER_DAY, 2),
        horizons=tuple(horizons),
    )
    return Trained(model, plot)


def choose_gate(changes: Sequence[float], guesses: Sequence[float]) -> float:
    """The largest of `GATES` whose mean error is within `GATE_SLACK` of the best one's, and below persistence's."""
    errors = {
        gate: sum(abs(change - gate * guess) for change, guess in zip(changes, guesses, strict=True)) for gate in GATES
    }
    allowed = min(min(errors.values()) * GATE_SLACK, errors[0.0])
    return max(gate for gate in GATES if errors[gate] <= allowed)


def _window(series: Series) -> Series:
    """The newest days, from the first slot to the last that has a value."""
    present = [index for index in range(len(series)) if known(series.temperature[index]) is not None]
    if not present:
        raise Skipped("insufficient_data", "there is no history")
    end = present[-1] + 1
    begin = max(present[0], end - MOST_DAYS * SLOTS_PER_DAY)
    window = series.part(begin, end)
    days = len(window) / SLOTS_PER_DAY
    if days < FEWEST_DAYS:
        raise Skipped("insufficient_data", f"{days:.1f} days of history; {FEWEST_DAYS} are needed")
    if window.coverage < LEAST_COVERAGE:
        raise Skipped("insufficient_data", f"{window.coverage:.0%} of the slots have values; {LEAST_COVERAGE:.0%} must")
    if all(len({known(value) for value in window.values(quantity)} - {None}) == 1 for quantity in QUANTITIES):
        raise Skipped("constant_series", "neither quantity has changed once: a sensor that is stuck teaches nothing")
    return window


def _sample(window: Series, features: Features, ahead: int) -> _Sample:
    sample = _Sample([], [], {quantity: [] for quantity in QUANTITIES}, {quantity: [] for quantity in QUANTITIES})
    for index in range(len(window) - ahead):
        later = [known(window.values(quantity)[index + ahead]) for quantity in QUANTITIES]
        if None in later or (row := features.row(index)) is None:
            continue
        sample.slots.append(window.start + index + ahead)
        sample.rows.append(row)
        for quantity, value in zip(QUANTITIES, later, strict=True):
            level = features.level(quantity, index)
            sample.changes[quantity].append((value or 0.0) - (level or 0.0))
            sample.levels[quantity].append(level or 0.0)
    return sample


def _horizon(
    quantity: str, minutes: int, gate: float, plane: Plane, changes: Sequence[float], guesses: Sequence[float]
) -> Horizon:
    errors = [change - gate * guess for change, guess in zip(changes, guesses, strict=True)]
    return Horizon(
        quantity=quantity,
        minutes=minutes,
        gate=gate,
        bias=plane.bias,
        weights=plane.weights,
        low=min(0.0, _quantile(errors, BAND[0])),
        high=max(0.0, _quantile(errors, BAND[1])),
        mae=sum(map(abs, errors)) / len(errors),
        mae_persistence=sum(map(abs, changes)) / len(changes),
    )


def _plot(
    sample: _Sample, quantity: str, cut: int, gate: float, guesses: Sequence[float]
) -> list[tuple[int, float, float]]:
    levels, changes = sample.levels[quantity][cut:], sample.changes[quantity][cut:]
    stride = max(1, len(guesses) // _PLOT_POINTS)
    points = [
        (slot, round(level + change, 2), round(level + gate * guess, 2))
        for slot, level, change, guess in zip(sample.slots[cut:], levels, changes, guesses, strict=True)
    ]
    return points[::-1][::stride][:_PLOT_POINTS][::-1]


def _quantile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
