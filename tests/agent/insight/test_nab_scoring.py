"""The benchmark's scoring is the benchmark's: known properties, and a published score found again."""

import math
import os
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.bench.models.nab_scoring import ARCHIVE, PROFILES, Labelled, best, normalised, read_corpus, sigmoid

DATA = Path(os.environ.get("DATA") or Path(__file__).parents[3] / ".." / "shared" / "data")
STANDARD = PROFILES["standard"]


def series(length: int = 1000, windows: Sequence[tuple[int, int]] = ((400, 449), (700, 799))) -> Labelled:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    return Labelled("x", [start + timedelta(minutes=n) for n in range(length)], [0.0] * length, windows)


def speaking(at: Sequence[int], length: int = 1000) -> list[float]:
    return [1.0 if index in at else 0.0 for index in range(length)]


def score(at: Sequence[int], one: Labelled | None = None, profile: str = "standard") -> float:
    # A detector that is worse than silence is silent: the threshold is the best one. So the worth is asked for below 0.
    return best([one or series()], [speaking(at)], PROFILES[profile])[0]


def test_silence_is_zero_and_the_first_moment_of_every_window_is_a_hundred() -> None:
    for profile in PROFILES:
        assert score([], profile=profile) == 0.0
        assert score([400, 700], profile=profile) == pytest.approx(100.0)


def test_half_of_the_windows_are_half_of_the_score() -> None:
    assert score([400]) == pytest.approx(50.0)


def test_earlier_in_a_window_is_better_and_a_second_alarm_adds_nothing() -> None:
    early, middle, late = score([400]), score([425]), score([449])
    assert early > middle > late > 0
    assert score([425, 449, 430]) == pytest.approx(middle)
    # One alarm in the middle: (2 / (1 + e^-2.5) - 1) / (2 / (1 + e^-5) - 1) of a hit, and no miss.
    worth = sigmoid(-25 / 50) / sigmoid(-1.0)
    assert middle == pytest.approx(100 * (worth + 1) / 4)


def test_a_false_alarm_costs_less_just_behind_a_window_than_far_away() -> None:
    near, far, before = (score([400, 700, at]) for at in (455, 620, 300))
    assert 100 > near > far
    # Far from any window it costs its full weight of 0.11, of 4 from null to perfect.
    assert far == pytest.approx(before, abs=0.01)
    assert before == pytest.approx(100 - 100 * 0.11 / 4)
    assert score([400, 700, 300], profile="reward_low_FP_rate") == pytest.approx(100 - 100 * 0.22 / 4)


def test_what_is_said_during_probation_is_neither_good_nor_bad() -> None:
    assert series().probation == 150
    assert series(20_000).probation == 750
    assert score([0, 50, 149, 400, 700]) == pytest.approx(100.0)


def test_one_threshold_serves_the_whole_corpus() -> None:
    loud = [value * 0.5 for value in speaking([400, 700])]
    noisy = [max(a, b) for a, b in zip(speaking([400, 700]), [0.5] * 1000, strict=True)]
    alone = best([series()], [loud], STANDARD)
    together = best([series(), series()], [loud, noisy], STANDARD)
    assert (round(alone[0], 6), alone[1]) == (100.0, 0.5)
    # To hear the first series, the noise of the second would have to be heard as well.
    assert (round(together[0], 6), together[1]) == (50.0, 1.0)


def test_noise_is_better_than_nothing_but_not_by_much() -> None:
    rng = random.Random(7)
    corpus = [series(), series(), series()]
    told = normalised(corpus, [[rng.random() for _ in range(1000)] for _ in corpus])
    assert all(0 <= value < 60 for value in told.values())


def windowed_gaussian(values: Sequence[float], width: int = 6400, step: int = 100) -> list[float]:
    """The benchmark's simplest detector: how improbable a value is under a normal distribution of a past window."""
    window: list[float] = []
    waiting: list[float] = []
    scores, total, squares, mean, deviation = [], 0.0, 0.0, 0.0, 1.0
    for value in values:
        scores.append(1 - math.erfc(abs(value - mean) / deviation / math.sqrt(2)) / 2 if window else 0.0)
        if len(window) < width:
            window.append(value)
            total, squares = total + value, squares + value * value
            mean = total / len(window)
            spread = squares / len(window) - mean * mean
            deviation = math.sqrt(spread) if spread > 1e-12 else 1e-6
            continue
        waiting.append(value)
        if len(waiting) == step:
            window, waiting = window[step:] + waiting, []
            mean = sum(window) / width
            deviation = math.sqrt(sum((one - mean) ** 2 for one in window) / width) or 1e-6
    return scores


@pytest.mark.skipif(not (DATA / ARCHIVE).exists(), reason=f"no {ARCHIVE}: name its directory in DATA")
def test_a_published_score_is_found_again() -> None:
    corpus = read_corpus(DATA)
    assert (len(corpus), sum(len(one.windows) for one in corpus)) == (58, 116)
    scores = [windowed_gaussian(one.values) for one in corpus]
    assert best(corpus, scores, STANDARD)[0] == pytest.approx(39.65, abs=1.0)
