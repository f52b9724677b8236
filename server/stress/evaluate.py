"""Judge the stress model on people it has not seen, beside controls that show what is not stress; needs extra `ml`."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, brier_score_loss, f1_score, precision_score, roc_auc_score

from server.stress.claims import AlertScores, Claims, Scores
from server.stress.evaluate_alerts import FROM, course, judge_alerts
from server.stress.predictor import HIGH_FROM, MILD_FROM
from server.stress.recordings import (
    Example,
    Progress,
    Recording,
    TrainingRefused,
    TrainingTrouble,
    examples,
    silent,
)
from server.stress.train import Array, Fit, Table, export, fit, table
from server.stress.trees import StressModel

LEAST_SUBJECTS: Final = 5
"""With fewer, nothing is claimed: people differ more than that."""
BINS: Final = 10
SINCE_ONSET_S: Final = (60.0, 300.0)
AROUND_ONSET_S: Final = 180.0


class Bin(Struct, frozen=True):
    """Windows whose probability lies in one tenth: what was said, and what was."""

    windows: int
    said: float
    """Their mean probability."""
    was: float
    """The share that was stress."""


class Judgement(Struct, frozen=True):
    """Scores, and how far the probabilities may be believed."""

    scores: Scores
    calibration: tuple[Bin, ...]


class Evaluation(Struct, frozen=True):
    """What leaving one subject out gave, and the controls."""

    subjects: tuple[str, ...]
    unknown: dict[str, int]
    """Windows without features, by reason."""
    model: Judgement
    time_only: Judgement
    """The same trees, told nothing but the seconds since the recording began."""
    auc_by_subject: dict[str, float | None]
    alerts: tuple[AlertScores, ...]

    def claims(self) -> Claims:
        """The figures that travel with the model."""
        aucs = [auc for auc in self.auc_by_subject.values() if auc is not None]
        return Claims(
            model=self.model.scores,
            time_only=self.time_only.scores,
            worst_subject_auc=min(aucs, default=None),
            alerts=self.alerts,
        )


def evaluate(recordings: Sequence[Recording], progress: Progress = silent) -> Evaluation:
    """Leave each subject out, and judge the model that the others trained; settings are fixed.

    Raises `TrainingRefused`, also on fewer than five subjects.
    """
    found, unknown = examples(recordings, progress)
    data = table(found)
    enough(found)
    subjects = tuple(dict.fromkeys(example.subject for example in found))
    fits = folds(data, progress)
    probabilities = unseen(data, fits)
    clock = data._replace(rows=np.array([[example.at_s] for example in found]))
    time_only = unseen(clock, folds(clock, progress, "time only"))
    by_subject = {subject: data.groups == number for number, subject in enumerate(subjects)}
    return Evaluation(
        subjects=subjects,
        unknown={str(reason): count for reason, count in unknown.items()},
        model=judge(found, probabilities),
        time_only=judge(found, time_only),
        auc_by_subject={
            subject: _auc(data.stress[theirs], probabilities[theirs]) for subject, theirs in by_subject.items()
        },
        alerts=alerts(data, fits, [one for one in recordings if one.subject in by_subject], progress),
    )


def alerts(
    data: Table, fits: dict[int, Fit], recordings: Sequence[Recording], progress: Progress = silent
) -> tuple[AlertScores, ...]:
    """What the alert policy makes of each recording by the model that had not seen it, at each threshold of `FROM`.

    `recordings` are those that `data` is made of, in its order.
    """
    courses = []
    for group, recording in enumerate(recordings):
        progress("alerts", group, len(recordings))
        courses.append(course(export(fits[group], data.without(group)), recording))
    return tuple(judge_alerts(courses, high_from) for high_from in FROM)


def enough(found: Sequence[Example]) -> None:
    """Raise `TrainingRefused` when `found` is of too few subjects to claim anything."""
    subjects = len({example.subject for example in found})
    if subjects < LEAST_SUBJECTS:
        raise TrainingRefused(
            TrainingTrouble.TOO_FEW_SUBJECTS,
            f"{subjects} with windows; nothing is claimed on fewer than {LEAST_SUBJECTS}, people differ too much",
        )


def folds(data: Table, progress: Progress = silent, what: str = "model") -> dict[int, Fit]:
    """For each subject's number, what all the others trained. Raises `TrainingRefused`."""
    groups = [int(group) for group in np.unique(data.groups)]
    fits = {}
    for number, group in enumerate(groups):
        progress(f"leave one out: {what}", number, len(groups))
        fits[group] = fit(data.without(group))
    return fits


def unseen(data: Table, fits: dict[int, Fit]) -> Array:
    """The probability of each example by the model that had not seen its subject: shape (n,)."""
    found = np.zeros(len(data.stress))
    for group, fitted in fits.items():
        theirs = data.groups == group
        if theirs.any():
            found[theirs] = fitted.probabilities(data.rows[theirs])
    return found


def judge_model(model: StressModel, recordings: Sequence[Recording], progress: Progress = silent) -> Judgement:
    """Judge `model` as it is on people it was not trained on: recordings it knows are left out.

    Raises `TrainingRefused`, also where fewer than five subjects are left.
    """
    known = set(model.trained_on)
    found, _ = examples([one for one in recordings if one.fingerprint() not in known], progress)
    enough(found)
    table(found)  # refuses where there is but one label
    return judge(found, np.array([model.probability(example.features) for example in found]))


def judge(found: Sequence[Example], probabilities: Array) -> Judgement:
    """Compare the probability of each example with what it was; both labels must occur."""
    stress = np.array([example.stress for example in found], dtype=np.int64)
    since_onset = np.array([_since_onset(example) for example in found])
    around_onset = np.array([_around_onset(example) for example in found])
    high = probabilities >= HIGH_FROM
    bins = _bins(stress, probabilities)
    return Judgement(
        scores=Scores(
            subjects=len({example.subject for example in found}),
            windows=len(found),
            accuracy=float(accuracy_score(stress, probabilities >= MILD_FROM)),
            macro_f1=float(f1_score(stress, probabilities >= MILD_FROM, average="macro")),
            auc=float(roc_auc_score(stress, probabilities)),
            brier=float(brier_score_loss(stress, probabilities)),
            ece=sum(one.windows / len(found) * abs(one.said - one.was) for one in bins),
            precision_at_high=float(precision_score(stress, high)) if high.any() else None,
            auc_since_onset=_auc(stress[since_onset], probabilities[since_onset]),
            auc_around_onset=_auc(stress[around_onset], probabilities[around_onset]),
        ),
        calibration=bins,
    )


def _bins(stress: NDArray[np.int64], probabilities: Array) -> tuple[Bin, ...]:
    places = np.minimum((probabilities * BINS).astype(int), BINS - 1)
    within = [places == place for place in range(BINS)]
    return tuple(
        Bin(int(one.sum()), float(probabilities[one].mean()), float(stress[one].mean())) for one in within if one.any()
    )


def _since_onset(example: Example) -> bool:
    since_s = example.since_change_s
    return example.pure and since_s is not None and SINCE_ONSET_S[0] <= since_s < SINCE_ONSET_S[1]


def _around_onset(example: Example) -> bool:
    gap_s = example.since_change_s if example.stress else example.until_stress_s
    return example.pure and gap_s is not None and gap_s <= AROUND_ONSET_S


def _auc(stress: NDArray[np.int64], probabilities: Array) -> float | None:
    """None where only one label occurs."""
    return float(roc_auc_score(stress, probabilities)) if len(np.unique(stress)) == 2 else None
