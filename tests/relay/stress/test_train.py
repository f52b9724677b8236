"""Training and judging: honest about whom it has seen, the same each time, and exactly scikit-learn's own."""

from typing import Any

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from server.stress import trees
from server.stress.evaluate import Evaluation, evaluate, folds, judge_model, unseen
from server.stress.evaluate_alerts import course, judge_alerts
from server.stress.recordings import Recording, TrainingRefused, TrainingTrouble, examples
from server.stress.train import PARITY, export, fit, parity, table
from tests.relay.stress.people import people, person
from tests.relay.stress.test_trees import MODEL


def trained(recordings: tuple[Recording, ...]) -> trees.StressModel:
    data = table(examples(recordings)[0])
    return export(fit(data), data, recordings)


@pytest.fixture(scope="module")
def judged() -> Evaluation:
    return evaluate(people(6))


def test_the_exported_model_is_scikit_learns_own() -> None:
    data = table(examples(people(4))[0])
    fitted = fit(data)
    model = trees.unseal(trees.seal(export(fitted, data)))
    rng = np.random.default_rng(0)
    elsewhere = data.rows[rng.integers(len(data.rows), size=500)] * rng.normal(1, 2, size=(500, data.rows.shape[1]))
    assert parity(model, fitted, np.concatenate([data.rows, elsewhere])) <= PARITY


def test_trees_that_are_not_the_same_are_never_exported() -> None:
    data = table(examples(people(4))[0])
    fitted = fit(data)
    with pytest.raises(TrainingRefused) as refused:
        export(fitted._replace(classifier=_Off(fitted.classifier)), data)
    assert refused.value.trouble is TrainingTrouble.NOT_THE_SAME


class _Off:
    """A classifier whose trees are not what it decides by."""

    def __init__(self, classifier: Any) -> None:
        self._classifier = classifier

    def __getattr__(self, name: str) -> Any:
        return getattr(self._classifier, name)

    def decision_function(self, rows: Any) -> Any:
        return self._classifier.decision_function(rows) + 0.001


def test_the_same_recordings_give_the_same_file() -> None:
    assert trees.seal(trained(people(5))) == trees.seal(trained(people(5)))


def test_nobody_is_judged_by_a_model_that_has_seen_them() -> None:
    data = table(examples(people(6))[0])
    for group, fitted in folds(data).items():
        alone = fit(data.without(group))
        assert np.array_equal(fitted.probabilities(data.rows), alone.probabilities(data.rows))
        assert group not in data.without(group).groups


def test_a_clear_effect_is_found_and_its_figures_add_up(judged: Evaluation) -> None:
    scores = judged.model.scores
    assert judged.subjects == tuple(one.subject for one in people(6))
    assert scores.auc > 0.9
    assert sum(one.windows for one in judged.model.calibration) == scores.windows
    assert judged.claims().worst_subject_auc == min(auc for auc in judged.auc_by_subject.values() if auc is not None)
    assert scores.auc_since_onset is not None
    assert scores.auc_around_onset is not None
    assert judged.unknown == {"warming_up": 6 * 36}


def test_people_who_feel_nothing_teach_nothing_though_the_order_of_tasks_is_plain() -> None:
    data = table(examples(people(6, effect=0.0))[0])
    try:
        probabilities = unseen(data, folds(data))
    except TrainingRefused as refused:
        assert refused.trouble is TrainingTrouble.NOTHING_LEARNED  # noqa: PT017 - chance may also teach a little
    else:
        assert roc_auc_score(data.stress, probabilities) < 0.6


def test_alerts_are_judged_as_the_relay_gives_them(judged: Evaluation) -> None:
    (first, *_) = judged.alerts
    assert first.high_from == 0.7
    assert first.episodes == 12
    assert first.right <= first.alerts
    assert first.caught <= first.episodes
    assert [one.alerts for one in judged.alerts] == sorted((one.alerts for one in judged.alerts), reverse=True)


def test_an_episode_is_caught_once_and_rest_is_counted_where_the_model_knew() -> None:
    # Known from 360 s on, so always "high" from 0.0 on: alerts at 390 s (stress), 690 s (rest) and 990 s (rest).
    recording = person(2, blocks=((0, 380), (1, 180), (0, 180), (1, 180), (0, 160)))
    scores = judge_alerts([course(MODEL, recording)], high_from=0.0)
    assert scores.rest_hours * 3600 == 20 + 180 + 160
    assert (scores.alerts, scores.right, scores.caught, scores.episodes) == (3, 1, 1, 2)
    assert scores.precision == pytest.approx(1 / 3)


def test_on_fewer_than_five_subjects_nothing_is_claimed() -> None:
    with pytest.raises(TrainingRefused) as refused:
        evaluate(people(4))
    assert refused.value.trouble is TrainingTrouble.TOO_FEW_SUBJECTS
    assert "4 with windows" in str(refused.value)


def test_a_model_is_not_judged_on_those_it_was_trained_on() -> None:
    everyone = people(9)
    model = trained(everyone[:4])
    assert judge_model(model, everyone).scores.subjects == 5
    with pytest.raises(TrainingRefused) as refused:
        judge_model(model, everyone[:8])
    assert refused.value.trouble is TrainingTrouble.TOO_FEW_SUBJECTS


@pytest.mark.parametrize(
    ("recordings", "trouble"),
    [
        (people(1), TrainingTrouble.TOO_FEW_SUBJECTS),
        ((person(1, blocks=((0, 300),)),), TrainingTrouble.NO_WINDOWS),
        (tuple(person(n, blocks=((0, 600),)) for n in range(3)), TrainingTrouble.ONE_LABEL),
        ((person(1, blocks=((0, 600),)), person(2, blocks=((1, 600),))), TrainingTrouble.ONE_LABEL),
    ],
)
def test_too_little_to_learn_from_is_refused_by_a_stable_code(
    recordings: tuple[Recording, ...], trouble: TrainingTrouble
) -> None:
    with pytest.raises(TrainingRefused) as refused:
        fit(table(examples(recordings)[0]))
    assert refused.value.trouble is trouble


def test_values_that_were_not_measured_leave_windows_out_not_the_recording() -> None:
    one = person(1)
    holes = tuple(s._replace(hr=None) if 500 <= s.at_s < 560 else s for s in one.samples)
    constant = tuple(s._replace(eda=1.0) if s.at_s >= 800 else s for s in holes)
    found, unknown = examples([one._replace(samples=constant)])
    assert set(unknown) == {"warming_up", "out_of_range", "gap", "constant"}
    assert len(table(found).rows) == len(found) > 30
