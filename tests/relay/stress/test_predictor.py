"""Predictions: bands of a probability, or unknown and why; the old model serves on; no scikit-learn is needed."""

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from server.stress import trees
from server.stress.predictor import Label, Prediction, StressPredictor, TreePredictor, label_of
from server.stress.readings import Reason
from server.stress.windows import WARM_UP_S
from shared.model_file import ModelRefused, ModelTrouble
from tests.relay.stress.people import calm, person
from tests.relay.stress.test_trees import MODEL

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("probability", "label"),
    [
        (0.0, Label.NORMAL),
        (0.499, Label.NORMAL),
        (0.5, Label.MILD_STRESS),
        (0.699, Label.MILD_STRESS),
        (0.7, Label.HIGH_STRESS),
        (1.0, Label.HIGH_STRESS),
    ],
)
def test_labels_are_bands_of_the_probability(probability: float, label: Label) -> None:
    assert label_of(probability) is label


def test_confidence_is_of_the_label() -> None:
    assert Prediction(Label.HIGH_STRESS, 0.8, None).confidence == 0.8
    assert Prediction(Label.NORMAL, 0.2, None).confidence == 0.8
    assert Prediction(Label.UNKNOWN, None, Reason.GAP).confidence == 0


def test_unknown_has_a_reason_and_all_else_has_none() -> None:
    predictor: StressPredictor = TreePredictor(trees.load())
    found = [predictor.predict(reading) for reading in calm(420)]
    assert found[:WARM_UP_S] == [Prediction(Label.UNKNOWN, None, Reason.WARMING_UP)] * WARM_UP_S
    assert all(one.reason is None and one.probability is not None for one in found[WARM_UP_S:])


def test_the_shipped_model_sees_a_strong_reaction() -> None:
    predictor = TreePredictor(trees.load())
    found = [(predictor.predict(reading), stress) for reading, stress in person(3).readings()]
    known = [(one.probability, stress) for one, stress in found if one.probability is not None]
    stressed = [probability for probability, stress in known if stress]
    rest = [probability for probability, stress in known if not stress]
    assert sum(stressed) / len(stressed) > sum(rest) / len(rest) + 0.2


def test_a_shifted_clock_gives_identical_predictions() -> None:
    def predictions(shift_s: float) -> list[Prediction]:
        predictor = TreePredictor(trees.load())
        return [predictor.predict(one._replace(at_s=one.at_s + shift_s)) for one, _ in person(5).readings()]

    for shift_s in (1_760_000_000.25, -5_000.125, 0.5):
        assert predictions(shift_s) == predictions(0.0)


def test_without_a_model_all_is_unknown() -> None:
    predictor = TreePredictor(None)
    assert predictor.version is None
    assert [predictor.predict(reading) for reading in calm(400)][-1].reason is Reason.NO_MODEL


def test_a_model_that_is_refused_leaves_the_old_one_serving(tmp_path: Path) -> None:
    readings = calm(420)
    predictor, untouched = TreePredictor(trees.load()), TreePredictor(trees.load())
    for reading in readings[:400]:
        assert predictor.predict(reading) == untouched.predict(reading)
    before = predictor.version
    (tmp_path / "bad.json").write_bytes(trees.SHIPPED.read_bytes()[:-100])
    with pytest.raises(ModelRefused) as refused:
        predictor.reload(tmp_path / "bad.json")
    assert refused.value.trouble is ModelTrouble.CORRUPT
    assert predictor.version == before
    assert [predictor.predict(one) for one in readings[400:]] == [untouched.predict(one) for one in readings[400:]]


def test_a_new_model_keeps_the_baselines(tmp_path: Path) -> None:
    predictor = TreePredictor(None)
    readings = calm(402)
    for reading in readings[:401]:
        predictor.predict(reading)
    trees.save(msgspec.structs.replace(MODEL, offset=50.0), tmp_path / "model.json")
    assert predictor.reload(tmp_path / "model.json") == predictor.version
    assert predictor.predict(readings[401]).label is Label.HIGH_STRESS


def test_who_is_forgotten_warms_up_again() -> None:
    predictor = TreePredictor(trees.load())
    readings = calm(402)
    for reading in readings[:401]:
        predictor.predict(reading)
    predictor.forget("w")
    predictor.forget("nobody")
    assert predictor.predict(readings[401]).reason is Reason.WARMING_UP


def test_the_relay_serves_without_scikit_learn_and_numpy() -> None:
    script = """
import sys
for name in ("sklearn", "numpy", "scipy", "threadpoolctl"):
    sys.modules[name] = None  # importing it fails
import server.cli
import server.stress.alerts
from server.stress.predictor import TreePredictor
from server.stress.trees import load
from tests.relay.stress.people import person
predictor = TreePredictor(load())
assert any(predictor.predict(reading).probability is not None for reading, _ in person(1).readings())
"""
    subprocess.run([sys.executable, "-c", script], check=True, cwd=ROOT)
