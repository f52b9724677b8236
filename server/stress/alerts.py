"""When a wearer's stress is worth an alert: it lasted half a minute, and the last alert is five minutes ago."""

from collections import OrderedDict
from typing import Final, NamedTuple

from server.stress.predictor import HIGH_FROM, Label, Prediction
from server.stress.readings import Reading
from server.stress.windows import GAP_S, MOST_WEARERS

SUSTAINED_S: Final = 30.0
COOLDOWN_S: Final = 300.0


class Alert(NamedTuple):
    """Stress that lasted."""

    wearer: str
    at_s: float
    """Of the reading that made it long enough; of the readings' epoch."""
    label: Label
    confidence: float
    """Of the last window, 0 to 1."""
    lasted_s: float

    @property
    def message(self) -> str:
        """For people."""
        return (
            f"Signs of stress for {self.lasted_s:.0f} s ({self.confidence:.0%} likely). "
            "Exercise, heat and a sensor that slips look the same; this is no medical statement."
        )


class _Course:
    """What is remembered of one wearer."""

    since_s: float | None = None
    last_s = 0.0
    alerted_s: float | None = None


class AlertPolicy:
    """Turns predictions into alerts. Only differences of the readings' times count, so a clock may be set."""

    def __init__(
        self,
        high_from: float = HIGH_FROM,
        sustained_s: float = SUSTAINED_S,
        cooldown_s: float = COOLDOWN_S,
        most_wearers: int = MOST_WEARERS,
    ) -> None:
        self._high_from = high_from
        self._sustained_s = sustained_s
        self._cooldown_s = cooldown_s
        self._most = most_wearers
        self._courses: OrderedDict[str, _Course] = OrderedDict()

    def see(self, reading: Reading, prediction: Prediction) -> Alert | None:
        """The alert that this prediction brings about, if it does.

        The wearer that was silent longest is forgotten when there are too many. A silence of more than 10 s, a clock
        that was set back and a prediction that is unknown each end what lasted so far.
        """
        course = self._courses.setdefault(reading.wearer, _Course())
        self._courses.move_to_end(reading.wearer)
        if len(self._courses) > self._most:
            self._courses.popitem(last=False)
        since_last_s, course.last_s = reading.at_s - course.last_s, reading.at_s
        if prediction.probability is None or prediction.probability < self._high_from:
            course.since_s = None
            return None
        if course.since_s is None or not 0 <= since_last_s <= GAP_S:
            course.since_s = reading.at_s
        lasted_s = reading.at_s - course.since_s
        if lasted_s < self._sustained_s or self._cooling(course, reading.at_s):
            return None
        course.alerted_s = reading.at_s
        return Alert(reading.wearer, reading.at_s, prediction.label, prediction.confidence, lasted_s)

    def _cooling(self, course: _Course, at_s: float) -> bool:
        # Either direction: a clock that was set back an hour must not silence the alerts for an hour.
        return course.alerted_s is not None and abs(at_s - course.alerted_s) < self._cooldown_s

    def forget(self, wearer: str) -> None:
        """Forget what lasted and when `wearer` was alerted."""
        self._courses.pop(wearer, None)
