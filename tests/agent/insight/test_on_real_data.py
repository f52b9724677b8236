"""What docs/models.md promises, on real data, in short; `make bench-models` has the whole of it."""

import os
import statistics
from pathlib import Path

import pytest

from tests.bench.models import faults, forecast, nab
from tests.bench.models.nab_scoring import ARCHIVE, PROFILES, best, read_corpus
from tests.bench.models.rooms import PATTERN, read_rooms

DATA = Path(os.environ.get("DATA") or Path(__file__).parents[3] / ".." / "shared" / "data")
needs_rooms = pytest.mark.skipif(not list(DATA.glob(PATTERN)), reason=f"no {PATTERN}: name its directory in DATA")
needs_nab = pytest.mark.skipif(not (DATA / ARCHIVE).exists(), reason=f"no {ARCHIVE}: name its directory in DATA")


@needs_rooms
def test_an_hour_ahead_is_forecast_better_than_by_persistence() -> None:
    walks = [forecast.walk(series, every_days=30) for series in read_rooms(DATA).values()]
    for kind, bound in forecast.MUST.items():
        if kind[1] == 60:
            # Few days: a little more room than the whole benchmark has.
            assert statistics.fmean(errors[kind].ratio for errors in walks) <= bound + 0.08


@needs_rooms
def test_rooms_as_they_were_raise_few_alarms() -> None:
    alarms = [sum(faults.false_alarms(series).values()) for series in read_rooms(DATA).values()]
    assert statistics.fmean(alarms) <= faults.FALSE_ALARMS


@needs_rooms
def test_seeded_faults_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faults, "TRIALS", 8)
    rooms = read_rooms(DATA)
    for injection in faults.INJECTIONS:
        found = statistics.fmean(faults.recall(injection, series, name) for name, series in rooms.items())
        assert found >= (injection.must or 0.95) - 0.08, injection.title


@needs_nab
def test_the_anomaly_score_is_above_random_cut_forest() -> None:
    corpus = read_corpus(DATA)
    assert best(corpus, [nab.score(series) for series in corpus], PROFILES["standard"])[0] > nab.AIM
