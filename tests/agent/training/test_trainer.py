"""Training as a plain function: what it learns, and on what it refuses to learn."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pi_agent.training.climate import HELD_SLOTS, SLOTS_PER_DAY, Series, held
from pi_agent.training.features import HISTORY, NAMES, Features
from pi_agent.training.model import ForecastModel
from pi_agent.training.ridge import Design, solve
from pi_agent.training.trainer import Skipped, choose_gate, train
from tests.agent.training.rooms import constant, room, with_gaps


@pytest.fixture(scope="module")
def model() -> ForecastModel:
    return train(room()).model


def test_it_beats_persistence_where_there_is_something_to_learn(model: ForecastModel) -> None:
    hour = [horizon for horizon in model.horizons if horizon.minutes == 60]
    assert {horizon.quantity for horizon in hour} == {"temperature", "humidity"}
    assert all(horizon.mae < 0.75 * horizon.mae_persistence for horizon in hour)
    assert all(horizon.gate > 0 and horizon.low < 0 < horizon.high for horizon in hour)


def test_it_forecasts_days_that_it_has_not_seen(model: ForecastModel) -> None:
    series = room(days=17)
    features = Features(series)
    ours = persistence = 0.0
    for index in range(14 * SLOTS_PER_DAY, len(series) - 6):
        (hour,) = (one for one in model.forecast(features, index) if (one.quantity, one.minutes) == ("temperature", 60))
        came, level = series.temperature[index + 6], series.temperature[index]
        assert came is not None
        assert level is not None
        ours += abs(came - hour.value)
        persistence += abs(came - level)
    assert ours < 0.75 * persistence


def test_progress_ends_at_one() -> None:
    told: list[float] = []
    train(room(days=8), told.append)
    assert told == [0.25, 0.5, 0.75, 1.0]


def test_the_plot_shows_moments_that_the_trial_had_not_seen() -> None:
    trained = train(room())
    assert {len(points) for points in trained.plot.values()} == {48}
    for points in trained.plot.values():
        slots = [slot for slot, _, _ in points]
        assert slots == sorted(slots)
        assert slots[0] >= 2_900_000 + 12 * SLOTS_PER_DAY


@pytest.mark.parametrize(
    ("series", "reason"),
    [
        (Series(0, (), ()), "insufficient_data"),
        (room(days=2), "insufficient_data"),
        (room(days=6.9), "insufficient_data"),
        (with_gaps(room(), 0.3), "insufficient_data"),
        (Series(0, [math.nan] * 2016, [math.nan] * 2016), "insufficient_data"),
        (constant(), "constant_series"),
    ],
    ids=["nothing", "two days", "almost seven", "gaps", "no numbers", "constant"],
)
def test_what_teaches_nothing_is_skipped(series: Series, reason: str) -> None:
    with pytest.raises(Skipped) as skipped:
        train(series)
    assert skipped.value.reason == reason


def test_some_gaps_and_some_garbage_are_no_obstacle() -> None:
    series = with_gaps(room(), 0.1)
    temperature = list(series.temperature)
    temperature[700:703] = [math.nan, math.inf, -1e300]
    model = train(Series(series.start, temperature, series.humidity)).model
    assert all(math.isfinite(weight) for horizon in model.horizons for weight in horizon.weights)
    assert all(horizon.mae < horizon.mae_persistence for horizon in model.horizons if horizon.minutes == 60)


def test_one_constant_quantity_is_forecast_to_stay() -> None:
    series = room(days=8)
    model = train(Series(series.start, series.temperature, [45.0] * len(series))).model
    assert {horizon.mae for horizon in model.horizons if horizon.quantity == "humidity"} == {0.0}
    assert any(any(horizon.weights) for horizon in model.horizons if horizon.quantity == "temperature")


def test_a_forecast_that_is_no_better_than_persistence_is_not_believed() -> None:
    changes = [1.0, -1.0] * 100
    assert choose_gate(changes, [-change for change in changes]) == 0.0
    assert choose_gate(changes, changes) == 1.0
    assert choose_gate(changes, [2 * change for change in changes]) == 0.5


@given(st.integers(0, 400), st.integers(0, 400))
@settings(max_examples=30)
def test_features_look_only_backwards(index: int, later: int) -> None:
    series = room(days=3)
    temperature = list(series.temperature)
    for position in range(index + 1, min(len(temperature), index + 1 + later)):
        temperature[position] = 999.0
    changed = Series(series.start, temperature, series.humidity)
    assert Features(series).row(index) == Features(changed).row(index)


def test_the_last_slots_are_enough_for_a_row() -> None:
    series = room(days=5)
    end = len(series)
    part = series.part(end - HISTORY, end)
    whole, short = Features(series).row(end - 1), Features(part).row(HISTORY - 1)
    assert whole is not None
    assert short == pytest.approx(whole)
    assert len(whole) == len(NAMES)


def test_a_short_gap_is_held_and_a_long_one_is_a_gap() -> None:
    assert held([1.0, None, None, None, 2.0]) == [1.0, 1.0, 1.0, None, 2.0]
    assert held([None, 1.0]) == [None, 1.0]
    assert HELD_SLOTS == 2


def test_the_fit_is_robust() -> None:
    rows = [[float(number % 17), float(number % 5)] for number in range(400)]
    target = [3.0 + 2.0 * a - b for a, b in rows]
    for position in range(0, 400, 20):
        target[position] += 500.0
    plane = Design(rows).fit(target)
    assert plane.at([10.0, 2.0]) == pytest.approx(21.0, abs=0.3)


@given(st.lists(st.lists(st.floats(-5, 5), min_size=4, max_size=4), min_size=6, max_size=12))
def test_the_solver_solves(columns: list[list[float]]) -> None:
    matrix = [[sum(row[i] * row[j] for row in columns) + (1.0 if i == j else 0.0) for j in range(4)] for i in range(4)]
    wanted = [1.0, -2.0, 0.5, 3.0]
    right = [sum(a * b for a, b in zip(line, wanted, strict=True)) for line in matrix]
    assert solve(matrix, right) == pytest.approx(wanted, abs=1e-6)


def test_a_singular_system_is_refused() -> None:
    with pytest.raises(ArithmeticError):
        solve([[1.0, 1.0], [1.0, 1.0]], [1.0, 1.0])
