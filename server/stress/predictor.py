"""From a reading to a prediction: normal, mild stress, high stress, or unknown and why."""

import logging
from enum import StrEnum
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from server.stress.readings import Reading, Reason
from server.stress.trees import StressModel, load
from server.stress.windows import MOST_WEARERS, Windows
from shared.model_file import ModelRefused

MILD_FROM: Final = 0.5
HIGH_FROM: Final = 0.7

log = logging.getLogger(__name__)


class Label(StrEnum):
    """Bands of the probability of stress; they say how sure the model is, not how severe the stress is."""

    UNKNOWN = "unknown"
    NORMAL = "normal"
    MILD_STRESS = "mild_stress"
    HIGH_STRESS = "high_stress"


class Prediction(NamedTuple):
    """What the model makes of a wearer's last minute."""

    label: Label
    probability: float | None
    """Of stress, 0 to 1; None where the label is unknown."""
    reason: Reason | None
    """Why it is unknown; None where it is not."""

    @property
    def confidence(self) -> float:
        """Of the label, 0 to 1: the probability of stress, or of its absence; 0 where the label is unknown."""
        if self.probability is None:
            return 0.0
        return 1 - self.probability if self.label is Label.NORMAL else self.probability


class StressPredictor(Protocol):
    """Feed it every reading, in the order of time for each wearer. Not thread-safe: one thread feeds it."""

    @property
    def version(self) -> str | None:
        """The short name of the model that serves; None: there is none."""

    def predict(self, reading: Reading) -> Prediction:
        """Take `reading` in, and say what the wearer's last minute looks like. Never raises on what was measured."""

    def forget(self, wearer: str) -> None:
        """Forget what was learned of `wearer`, such as when a device is given to somebody else."""


class TreePredictor:
    """`StressPredictor` by a model of trees; without one, every prediction is unknown."""

    def __init__(self, model: StressModel | None, most_wearers: int = MOST_WEARERS) -> None:
        self._windows = Windows(most_wearers)
        self._model = model
        self._version = None if model is None else model.version()

    @property
    def version(self) -> str | None:
        return self._version

    def predict(self, reading: Reading) -> Prediction:
        features = self._windows.see(reading)
        if isinstance(features, Reason):
            return Prediction(Label.UNKNOWN, None, features)
        if self._model is None:
            return Prediction(Label.UNKNOWN, None, Reason.NO_MODEL)
        probability = self._model.probability(features)
        return Prediction(label_of(probability), probability, None)

    def forget(self, wearer: str) -> None:
        self._windows.forget(wearer)

    def reload(self, path: Path) -> str:
        """Serve the model at `path` from now on; its version. Windows and baselines stay.

        Raises `ModelRefused` for a file that must not serve; the model before it goes on serving.
        """
        try:
            model = load(path)
        except ModelRefused as refused:
            log.warning("stress model refused: serving=%s reason=%s", self._version, refused)
            raise
        self._model, self._version = model, model.version()
        log.info("stress model loaded: version=%s path=%s", self._version, path)
        return self._version


def label_of(probability: float) -> Label:
    """The band of a probability of stress."""
    if probability >= HIGH_FROM:
        return Label.HIGH_STRESS
    return Label.MILD_STRESS if probability >= MILD_FROM else Label.NORMAL
