"""Train the stress model: gradient-boosted trees, scaled to probabilities; needs scikit-learn (extra `ml`).

Everything is fixed: the same recordings give the same file, whatever the number of cores.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold
from threadpoolctl import threadpool_limits

from server.stress import windows
from server.stress.claims import Claims
from server.stress.recordings import Example, Recording, TrainingRefused, TrainingTrouble
from server.stress.trees import SCHEMA, StressModel, Tree

SETTINGS: Final[dict[str, Any]] = {
    "max_iter": 80,
    "max_leaf_nodes": 8,
    "learning_rate": 0.05,
    "min_samples_leaf": 100,
    "max_features": 0.3,
    "early_stopping": False,  # would hold out windows of people who are trained on
    "random_state": 0,
}
INNER_FOLDS: Final = 5
PARITY: Final = 1e-9
"""How far the exported trees may be from scikit-learn's, in probability."""

Array = NDArray[np.float64]


class Fit(NamedTuple):
    """A trained classifier, and the line that scales its score to a log-odds."""

    classifier: HistGradientBoostingClassifier
    scale: float
    offset: float

    def probabilities(self, rows: Array) -> Array:
        """Of stress, by scikit-learn itself: shape (n,) for `rows` of shape (n, features)."""
        with threadpool_limits(1):
            scores = self.classifier.decision_function(rows)
        return np.asarray(1 / (1 + np.exp(-(self.scale * scores + self.offset))))


class Table(NamedTuple):
    """Examples as arrays: `rows` (n, features), `stress` (n,) of 0 and 1, `groups` (n,) of subject numbers."""

    rows: Array
    stress: NDArray[np.int64]
    groups: NDArray[np.int64]

    def without(self, group: int) -> "Table":
        """The examples of all subjects but one."""
        others = self.groups != group
        return Table(self.rows[others], self.stress[others], self.groups[others])


def table(examples: Sequence[Example]) -> Table:
    """`examples` as arrays. Raises `TrainingRefused` where there are none, or all have one label."""
    if not examples:
        raise TrainingRefused(
            TrainingTrouble.NO_WINDOWS,
            f"no window has features: each recording needs more than {windows.WARM_UP_S // 60} min without long gaps",
        )
    numbers = {subject: number for number, subject in enumerate(dict.fromkeys(e.subject for e in examples))}
    found = Table(
        np.array([example.features for example in examples], dtype=np.float64),
        np.array([example.stress for example in examples], dtype=np.int64),
        np.array([numbers[example.subject] for example in examples], dtype=np.int64),
    )
    if len(np.unique(found.stress)) < 2:
        raise TrainingRefused(TrainingTrouble.ONE_LABEL, "all windows have the same label")
    return found


def fit(data: Table) -> Fit:
    """Train on `data`. Platt's line is fitted to scores of people whom the trees had not seen.

    Raises `TrainingRefused` on fewer than two subjects, and where the scores do not tell stress from rest.
    """
    subjects = len(np.unique(data.groups))
    if subjects < 2:
        raise TrainingRefused(TrainingTrouble.TOO_FEW_SUBJECTS, f"{subjects} with windows; at least 2 train a model")
    scores = np.zeros(len(data.stress))
    # One thread: sums in one order, so the same file on every machine; and the relay keeps its cores.
    with threadpool_limits(1):
        for seen, unseen in GroupKFold(min(INNER_FOLDS, subjects)).split(data.rows, data.stress, data.groups):
            if len(np.unique(data.stress[seen])) < 2:
                raise TrainingRefused(TrainingTrouble.ONE_LABEL, "too few subjects have both labels")
            scores[unseen] = _trees(data.rows[seen], data.stress[seen]).decision_function(data.rows[unseen])
        line = LogisticRegression(C=1e6).fit(scores[:, None], data.stress)
        scale, offset = float(line.coef_[0, 0]), float(line.intercept_[0])
        if not scale > 0:
            raise TrainingRefused(
                TrainingTrouble.NOTHING_LEARNED, "on people not seen, the scores of stress are not above those of rest"
            )
        return Fit(_trees(data.rows, data.stress), scale, offset)


def _trees(rows: Array, stress: NDArray[np.int64]) -> HistGradientBoostingClassifier:
    return HistGradientBoostingClassifier(**SETTINGS).fit(rows, stress)


def export(fitted: Fit, data: Table, recordings: Sequence[Recording] = (), claims: Claims | None = None) -> StressModel:
    """`fitted` as a model that runs without scikit-learn; `data` is what it is compared on.

    Raises `TrainingRefused` where the two differ by more than 1e-9: this scikit-learn keeps its trees in another way.
    """
    # scikit-learn shows these trees nowhere in public; the comparison below holds us to them.
    classifier: Any = fitted.classifier
    model = StressModel(
        schema=SCHEMA,
        features=windows.HASH,
        trained_on=tuple(sorted(recording.fingerprint() for recording in recordings)),
        windows=len(data.stress),
        claims=claims,
        base=float(classifier._baseline_prediction.item()),  # noqa: SLF001 - see above
        scale=fitted.scale,
        offset=fitted.offset,
        trees=tuple(_tree(one.nodes) for (one,) in classifier._predictors),  # noqa: SLF001 - see above
    )
    apart = parity(model, fitted, data.rows)
    if not apart <= PARITY:
        raise TrainingRefused(TrainingTrouble.NOT_THE_SAME, f"the exported trees are off by {apart:.1g}")
    return model


def parity(model: StressModel, fitted: Fit, rows: Array) -> float:
    """The largest difference of probability between `model` and scikit-learn's own, over `rows`."""
    ours = np.array([model.probability(row) for row in rows.tolist()])
    return float(np.max(np.abs(ours - fitted.probabilities(rows))))


def _tree(nodes: Any) -> Tree:
    """scikit-learn's nodes, inner ones and leaves in one array, as ours: leaves apart, and numbered anew."""
    leaves = [n for n, node in enumerate(nodes) if node["is_leaf"]]
    inner = [n for n, node in enumerate(nodes) if not node["is_leaf"]]
    number = {n: ~place for place, n in enumerate(leaves)} | {n: place for place, n in enumerate(inner)}
    return Tree(
        feature=tuple(int(nodes[n]["feature_idx"]) for n in inner),
        threshold=tuple(float(nodes[n]["num_threshold"]) for n in inner),
        yes=tuple(number[int(nodes[n]["left"])] for n in inner),
        no=tuple(number[int(nodes[n]["right"])] for n in inner),
        leaf=tuple(float(nodes[n]["value"]) for n in leaves),
    )
