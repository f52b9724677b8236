"""Alerts: half a minute of high stress, then five minutes of silence."""

from server.stress.alerts import COOLDOWN_S, SUSTAINED_S, Alert, AlertPolicy
from server.stress.predictor import Label, Prediction, label_of
from server.stress.readings import Reading, Reason

HIGH, CALM = 0.9, 0.1


def reading(at_s: float, wearer: str = "w") -> Reading:
    return Reading(wearer, "s", at_s, 70.0, 33.0, 1.0)


def said(probability: float | None) -> Prediction:
    if probability is None:
        return Prediction(Label.UNKNOWN, None, Reason.GAP)
    return Prediction(label_of(probability), probability, None)


def run(policy: AlertPolicy, course: list[tuple[float, float | None]]) -> list[Alert]:
    alerts = (policy.see(reading(at_s), said(probability)) for at_s, probability in course)
    return [alert for alert in alerts if alert]


def steady(start: int, stop: int, probability: float | None = HIGH) -> list[tuple[float, float | None]]:
    return [(float(second), probability) for second in range(start, stop)]


def test_stress_that_lasts_half_a_minute_alerts_once() -> None:
    (alert,) = run(AlertPolicy(), steady(0, 200))
    assert (alert.wearer, alert.at_s, alert.lasted_s) == ("w", SUSTAINED_S, SUSTAINED_S)
    assert (alert.label, alert.confidence) == (Label.HIGH_STRESS, HIGH)
    assert "90%" in alert.message


def test_a_shorter_rise_does_not_alert() -> None:
    assert run(AlertPolicy(), steady(0, 30) + steady(30, 31, CALM) + steady(31, 60)) == []


def test_mild_stress_does_not_alert() -> None:
    assert run(AlertPolicy(), steady(0, 600, 0.69)) == []


def test_after_an_alert_there_is_silence_for_five_minutes() -> None:
    alerts = run(AlertPolicy(), steady(0, 800))
    assert [alert.at_s for alert in alerts] == [SUSTAINED_S, SUSTAINED_S + COOLDOWN_S, SUSTAINED_S + 2 * COOLDOWN_S]


def test_what_is_unknown_and_a_silence_end_what_lasted() -> None:
    assert run(AlertPolicy(), [*steady(0, 29), (29.0, None), *steady(30, 59)]) == []
    assert run(AlertPolicy(), steady(0, 29) + steady(60, 89)) == []


def test_a_clock_that_is_set_does_not_silence_for_longer_than_it_should() -> None:
    policy = AlertPolicy()
    assert len(run(policy, steady(10_000, 10_100))) == 1
    assert len(run(policy, steady(0, 100))) == 1


def test_wearers_are_apart_and_bounded() -> None:
    policy = AlertPolicy(most_wearers=2)
    for second in range(29):
        for wearer in ("a", "b"):
            assert policy.see(reading(second, wearer), said(HIGH)) is None
    policy.see(reading(29, "c"), said(HIGH))  # forgets a
    assert policy.see(reading(30, "b"), said(HIGH)) is not None
    assert policy.see(reading(30, "a"), said(HIGH)) is None


def test_a_wearer_who_is_forgotten_begins_anew() -> None:
    policy = AlertPolicy()
    assert len(run(policy, steady(0, 40))) == 1
    policy.forget("w")
    assert len(run(policy, steady(40, 80))) == 1
