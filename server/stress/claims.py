"""What a model is worth on people it has not seen: measured figures that travel in its file."""

from typing import Annotated

from msgspec import Meta, Struct

Share = Annotated[float, Meta(ge=0, le=1)]
Count = Annotated[int, Meta(ge=0, le=2**53 - 1)]


class Scores(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How well probabilities of stress fit what was, over all windows that were not unknown."""

    subjects: Count
    windows: Count
    accuracy: Share
    macro_f1: Share
    auc: Share
    brier: Share
    ece: Share
    precision_at_high: Share | None
    """Of windows called `high_stress`, how many were; None: none was called so."""
    auc_since_onset: Share | None
    """Only windows from 1 to 5 min after a change of label, to stress or to rest: blocks of equal age."""
    auc_around_onset: Share | None
    """Only windows in the three minutes before and after an onset of stress."""


class AlertScores(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the alert policy makes of whole recordings at one threshold."""

    high_from: Share
    alerts: Count
    right: Count
    """Alerts whose reading was stress."""
    rest_hours: Annotated[float, Meta(ge=0)]
    """Of rest in which the model knew."""
    episodes: Count
    """Times that stress began, also where the model did not know yet."""
    caught: Count
    """Episodes with an alert in them."""

    @property
    def precision(self) -> float | None:
        """None where there was no alert."""
        return self.right / self.alerts if self.alerts else None

    @property
    def false_per_rest_hour(self) -> float | None:
        """None where there was no rest."""
        return (self.alerts - self.right) / self.rest_hours if self.rest_hours else None


class Claims(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What leaving one subject out gave at training, with its control."""

    model: Scores
    time_only: Scores
    """The same trees, told nothing but the seconds since the recording began: the order of the tasks, not stress."""
    worst_subject_auc: Share | None
    alerts: tuple[AlertScores, ...]
