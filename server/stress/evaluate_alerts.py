"""Judge alerts: recordings run reading by reading through the very predictor and policy that serve."""

from collections.abc import Iterable
from typing import Final

from server.stress.alerts import AlertPolicy
from server.stress.claims import AlertScores
from server.stress.predictor import HIGH_FROM, Prediction, TreePredictor
from server.stress.readings import Reading
from server.stress.recordings import Recording
from server.stress.trees import StressModel

FROM: Final = (HIGH_FROM, 0.75, 0.8, 0.85)

Course = list[tuple[Reading, Prediction, bool]]
"""Each reading, what is said of it, and whether it was stress."""


def course(model: StressModel, recording: Recording) -> Course:
    """What a relay with `model` would say of `recording`, reading by reading."""
    predictor = TreePredictor(model)
    return [(reading, predictor.predict(reading), stress) for reading, stress in recording.readings()]


def judge_alerts(courses: Iterable[Course], high_from: float = HIGH_FROM) -> AlertScores:
    """What the policy makes of `courses` when an alert needs a probability of `high_from`."""
    alerts = right = episodes = caught = 0
    rest_s = 0.0
    for one in courses:
        policy = AlertPolicy(high_from=high_from)
        was_stress = was_caught = False
        last_s = None
        for reading, prediction, stress in one:
            if stress and not was_stress:
                episodes += 1
                was_caught = False
            was_stress = stress
            if last_s is not None and not stress and prediction.probability is not None:
                rest_s += reading.at_s - last_s
            last_s = reading.at_s
            if policy.see(reading, prediction):
                alerts += 1
                right += stress
                caught += stress and not was_caught
                was_caught = was_caught or stress
    return AlertScores(
        high_from=high_from, alerts=alerts, right=right, rest_hours=rest_s / 3600, episodes=episodes, caught=caught
    )
