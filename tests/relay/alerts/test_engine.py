"""When an alert opens, when it closes, and that it does neither twice."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.rules import Rule
from shared.contract.payloads import Absence, Alert, AlertState
from shared.errors import Code, Refusal
from tests.relay.alerts.engine_rig import Rig, finding, rule


def test_a_value_over_its_limit_for_long_enough_is_one_alert_that_says_so():
    rig = Rig(rule(for_s=60))
    for value in (31, 32, 33):
        rig.read(value, after_s=30)
    assert rig.states == ["open"]
    assert rig.alerts[0].value == 33
    assert rig.alerts[0].message == "Temperature is 33 °C, above 30 °C for 1 min"
    rig.read(34, after_s=30)
    rig.read(29, after_s=30)
    assert rig.states == ["open", "closed"]
    assert rig.alerts[1].value == 29
    assert rig.alerts[1].closed_by is None


def test_a_value_that_comes_back_in_time_is_no_alert():
    rig = Rig(rule(for_s=60))
    for value in (31, 29, 31, 31):
        rig.read(value, after_s=30)
    assert rig.states == []


def test_a_silence_says_nothing_of_what_was_in_it():
    rig = Rig(rule(for_s=60))
    rig.read(31)
    rig.read(31, after_s=600)
    assert rig.states == []


def test_a_failed_sensor_neither_opens_nor_closes():
    rig = Rig(rule())
    rig.read(None)
    rig.read(31)
    rig.read(None)
    assert rig.states == ["open"]


def test_hysteresis_keeps_a_value_at_its_limit_from_flapping():
    rig = Rig(rule(hysteresis=2, cooldown_s=0))
    for value in (31, 29.5, 30.5, 28.5, 29.9, 27.9, 29, 30.1):
        rig.read(value, after_s=1)
    assert rig.states == ["open", "closed", "open"]


def test_a_cooldown_keeps_an_alert_from_opening_again():
    rig = Rig(rule(cooldown_s=100))
    for value in (31, 29, 31, 31):
        rig.read(value, after_s=30)
    assert rig.states == ["open", "closed"]
    rig.read(31, after_s=60)
    assert rig.states == ["open", "closed", "open"]


def test_a_band_has_two_ends():
    rig = Rig(rule(quantity="humidity", above=60, below=40, cooldown_s=0))
    for value in (50, 39, 50, 61):
        rig.read(value, quantity="humidity")
    assert rig.states == ["open", "closed", "open"]
    assert [alert.message for alert in rig.alerts if alert.state is AlertState.OPEN] == [
        "Humidity is 39 %RH, below 40 %RH",
        "Humidity is 61 %RH, above 60 %RH",
    ]


def test_a_rise_within_a_span_is_an_alert_and_a_slow_one_is_not():
    slow, fast = Rig(rule(quantity="temperature", rises_by=5, within_s=600)), None
    for step in range(40):
        slow.read(20 + step * 0.2, after_s=30)
    assert slow.states == []
    fast = Rig(rule(quantity="temperature", rises_by=5, within_s=600, cooldown_s=0))
    for step in range(40):
        fast.read(20 + min(step, 20) * 0.3, after_s=30)
    assert fast.states == ["open", "closed"]


def test_a_fall_is_seen_too():
    rig = Rig(rule(quantity="temperature", falls_by=3, within_s=60))
    for value in (22, 21, 18.5):
        rig.read(value, after_s=10)
    assert rig.alerts[0].message == "Temperature fell by more than 3 °C within 1 min; it is 18.5 °C"


def test_what_no_longer_comes_is_missed_and_what_never_came_is_not():
    rig = Rig(rule(quantity="humidity", no_data_s=120))
    rig.wait(300)
    assert rig.states == []
    rig.read(50, quantity="humidity")
    rig.wait(100)
    rig.read(None, quantity="humidity")
    rig.wait(19)
    assert rig.states == []
    rig.wait(2)
    assert rig.states == ["open"]
    rig.read(50, quantity="humidity")
    assert rig.states == ["open", "closed"]


def test_a_device_that_is_named_is_expected_to_measure():
    rig = Rig(rule(quantity="humidity", no_data_s=120, devices=("pi",)))
    rig.wait(121)
    assert rig.states == ["open"]


def test_an_accessory_that_stays_on_is_an_alert():
    rig = Rig(rule(accessory="fan", status=True, for_s=600))
    rig.engine.accessory("pi", "fan", status=True)
    rig.wait(599)
    assert rig.states == []
    rig.wait(2)
    assert rig.states == ["open"]
    rig.engine.accessory("pi", "fan", status=False)
    assert rig.states == ["open", "closed"]


def test_a_device_that_is_away_for_long_enough_is_an_alert():
    rig = Rig(rule(offline=True, for_s=60, cooldown_s=0))
    rig.engine.availability("pi", online=False)
    rig.wait(59)
    rig.engine.availability("pi", online=True)
    assert rig.states == []
    rig.engine.availability("pi", online=False)
    rig.wait(61)
    assert rig.states == ["open"]
    rig.engine.availability("pi", online=True)
    assert rig.states == ["open", "closed"]


def test_a_device_that_flaps_is_an_alert():
    rig = Rig(rule(flapping=True))
    rig.engine.availability("pi", online=True, flapping=True)
    rig.engine.availability("pi", online=True, flapping=False)
    assert rig.states == ["open", "closed"]


def test_only_the_devices_that_a_rule_selects_raise_it():
    rig = Rig(rule(devices=("a",), tags=("lab",)), devices=("a", "b", "c"))
    rig.engine.describe("b", ("lab",), retired=False)
    for device in ("a", "b", "c"):
        rig.read(31, device)
    assert rig.told == [("open", "rule", "a"), ("open", "rule", "b")]
    rig.engine.describe("b", (), retired=False)
    assert rig.told[2:] == [("closed", "rule", "b")]


def test_a_device_that_is_retired_raises_nothing():
    rig = Rig(rule())
    rig.read(31)
    rig.engine.describe("pi", (), retired=True)
    rig.read(35)
    assert rig.states == ["open", "closed"]
    assert rig.alerts[1].closed_because == "the device was retired"


def test_an_alert_whose_rule_is_removed_closes_and_says_why_and_by_whom():
    rig = Rig(rule())
    rig.read(31)
    rig.engine.set_rules((), by="anna")
    assert rig.states == ["open", "closed"]
    assert (rig.alerts[1].closed_because, rig.alerts[1].closed_by) == ("the rule was removed", "anna")


def test_an_alert_goes_on_while_its_rule_looks_at_the_same():
    rig = Rig(rule())
    rig.read(35)
    rig.engine.set_rules([rule(above=33, severity="critical")])
    rig.read(34)
    assert rig.states == ["open"]
    rig.read(32)
    assert rig.states == ["open", "closed"]


def test_what_somebody_closed_is_not_said_again_before_it_has_ended():
    rig = Rig(rule(cooldown_s=0))
    rig.read(31)
    rig.engine.close(rig.alerts[0].alert, "anna")
    rig.read(32, after_s=60)
    rig.restart()
    rig.read(33, after_s=60)
    assert rig.states == ["open", "closed"]
    rig.read(29)
    rig.read(31)
    assert rig.states == ["open", "closed", "open"]


def test_what_was_acknowledged_stays_so_until_it_ends():
    rig = Rig(rule())
    rig.read(31)
    rig.engine.acknowledge(rig.alerts[0].alert, "anna")
    again = rig.engine.acknowledge(rig.alerts[0].alert, "ben")
    assert (again.state, again.acknowledged_by) == (AlertState.ACKNOWLEDGED, "anna")
    rig.read(32)
    rig.read(29)
    assert rig.states == ["open", "acknowledged", "closed"]
    with pytest.raises(Refusal) as refused:
        rig.engine.close(rig.alerts[0].alert, "anna")
    assert refused.value.code is Code.UNKNOWN_ALERT


def test_a_wall_clock_that_is_set_changes_nothing():
    rig = Rig(rule(for_s=60), rule(name="silent", quantity="humidity", no_data_s=120, devices=("pi",)))
    rig.read(31)
    rig.clock.step(86400)
    rig.read(31, after_s=30)
    rig.clock.step(-2 * 86400)
    rig.wait(1)
    assert rig.states == []
    rig.read(31, after_s=30)
    rig.wait(60)
    assert rig.told == [("open", "rule", "pi"), ("open", "silent", "pi")]


# --- the site ---------------------------------------------------------------------------------------------------------

FIFTY = tuple(f"pi-{number}" for number in range(50))


def leave(rig: Rig, devices: tuple[str, ...]) -> None:
    for device in devices:
        rig.engine.availability(device, online=False)


def test_a_site_that_goes_is_one_alert():
    rig = Rig(
        rule(name="gone", offline=True, cooldown_s=0),
        rule(name="silent", quantity="temperature", no_data_s=30),
        devices=FIFTY,
        window_s=20,
    )
    for device in FIFTY:
        rig.read(20, device)
    for device in FIFTY[:40]:
        leave(rig, (device,))
        rig.wait(0.2)
    for device in FIFTY[40:]:
        rig.read(20, device)
    rig.wait(29)
    assert rig.told == [("open", "site-offline", None)]
    assert rig.alerts[0].message == "site offline: 25 of 50 devices went within 20 s"


def test_who_does_not_come_back_with_the_site_is_an_alert_of_its_own():
    rig = Rig(rule(name="gone", offline=True, for_s=10), devices=FIFTY, window_s=20)
    leave(rig, FIFTY[:30])
    rig.wait(600)
    assert rig.told == [("open", "site-offline", None)]
    for device in FIFTY[:28]:
        rig.engine.availability(device, online=True)
    assert rig.told[1:] == [("closed", "site-offline", None)]
    rig.wait(19)
    rig.engine.availability(FIFTY[28], online=True)
    rig.wait(2)
    assert rig.told[2:] == [("open", "gone", "pi-29")]


def test_some_devices_of_many_are_no_site():
    rig = Rig(rule(name="gone", offline=True), devices=FIFTY, window_s=20)
    leave(rig, FIFTY[:5])
    rig.wait(21)
    assert rig.told == [("open", "gone", device) for device in FIFTY[:5]]


def test_devices_that_go_one_after_the_other_are_no_site():
    rig = Rig(rule(name="gone", offline=True), devices=FIFTY[:4], window_s=20)
    for device in FIFTY[:4]:
        leave(rig, (device,))
        rig.wait(21)
    assert rig.told == [("open", "gone", device) for device in FIFTY[:4]]


def test_after_a_restart_of_the_relay_nobody_is_missed_before_they_could_come_back():
    rig = Rig(rule(name="gone", offline=True), devices=FIFTY, window_s=20)
    rig.restart()
    for device in FIFTY:
        rig.engine.availability(device, online=False, reason=Absence.RELAY_RESTARTED)
    rig.wait(50)
    for device in FIFTY[:45]:
        rig.engine.availability(device, online=True)
    rig.wait(9)
    assert rig.told == []
    rig.wait(22)
    assert rig.told == [("open", "gone", device) for device in FIFTY[45:]]


def test_a_site_that_stays_away_over_a_restart_of_the_relay_is_the_same_alert():
    rig = Rig(rule(name="gone", offline=True), devices=FIFTY, window_s=20)
    leave(rig, FIFTY)
    rig.restart()
    for device in FIFTY:
        rig.engine.availability(device, online=False, reason=Absence.RELAY_RESTARTED)
    rig.wait(200)
    assert rig.told == [("open", "site-offline", None)]
    for device in FIFTY:
        rig.engine.availability(device, online=True)
    rig.wait(100)
    assert rig.told == [("open", "site-offline", None), ("closed", "site-offline", None)]


# --- whatever happens -------------------------------------------------------------------------------------------------

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("read"), st.sampled_from([20.0, 29.5, 30.5, 35.0])),
        st.tuples(st.sampled_from(["wait", "step"]), st.sampled_from([1.0, 10.0, 45.0, 130.0])),
        st.tuples(st.sampled_from(["leave", "come", "restart", "crash", "close", "ack"]), st.just(0.0)),
    ),
    max_size=60,
)
COOLDOWN_S = 40.0


def drive(rig: Rig, what: str, much: float) -> None:
    if what == "read":
        rig.read(much)
    elif what == "wait":
        rig.wait(much)
    elif what == "step":
        rig.clock.step(-much)
    elif what in ("leave", "come"):
        rig.engine.availability("pi", online=what == "come")
    elif what in ("restart", "crash"):
        # A crash loses the newest news: they were told to nobody, as only what is stored is.
        if what == "crash" and rig.alerts:
            rig.alerts.pop()
        rig.restart()
        rig.engine.availability("pi", online=False, reason=Absence.RELAY_RESTARTED)
    elif rig.engine.open:
        alert = rig.engine.open[0].alert
        rig.engine.close(alert, "anna") if what == "close" else rig.engine.acknowledge(alert, "anna")


@given(STEPS)
def test_whatever_happens_an_alert_opens_once_and_closes_once_and_a_restart_neither_loses_nor_doubles(steps):
    rig = Rig(
        rule(name="hot", hysteresis=1, cooldown_s=COOLDOWN_S),
        rule(name="gone", offline=True, for_s=5, cooldown_s=COOLDOWN_S),
        rule(name="silent", quantity="temperature", no_data_s=60, cooldown_s=COOLDOWN_S),
        window_s=5,
    )
    times: list[float] = []
    for what, much in steps:
        before = len(rig.alerts)
        drive(rig, what, much)
        times = times[: min(before, len(rig.alerts))]
        times += [rig.clock.mono_ns / 1e9] * (len(rig.alerts) - len(times))
        stored = {(alert.rule, alert.device): alert for alert in rig.alerts}
        still = {key for key, alert in stored.items() if alert.state is not AlertState.CLOSED}
        assert {(alert.rule, alert.device) for alert in rig.engine.open} == still
    stepped = any(what == "step" for what, _ in steps)
    for name in ("hot", "gone", "silent"):
        own = [(alert, at) for alert, at in zip(rig.alerts, times, strict=True) if alert.rule == name]
        check(own, stepped=stepped)


def check(own: list[tuple[Alert, float]], *, stepped: bool) -> None:
    """The news of one rule: open, maybe acknowledged, closed, again and again; the cooldown between."""
    current, closed_s = None, None
    for alert, at in own:
        if alert.state is AlertState.OPEN:
            assert current is None
            # How long ago it closed is wall time after a restart.
            assert closed_s is None or stepped or at - closed_s >= COOLDOWN_S - 1.5
            current = alert.alert
        else:
            assert alert.alert == current
            if alert.state is AlertState.CLOSED:
                current, closed_s = None, at


def test_a_reading_is_compared_with_the_rules_over_its_quantity_alone():
    others = [rule(name=f"other-{number}", quantity="humidity", above=90) for number in range(20)]
    rig = Rig(rule(), *others, devices=tuple(f"pi-{number}" for number in range(100)))
    before = rig.engine.evaluations
    rig.read(20, "pi-7")
    assert rig.engine.evaluations - before == 1


# --- what a device finds, and what does not do as it was told --------------------------------------------------------


def test_an_alert_is_open_while_the_finding_is_active_and_says_what_was_seen():
    rig = Rig(rule(findings=["stuck", "drift"]))
    rig.engine.findings("pi", [finding("spike", "info")])
    assert rig.told == []
    rig.engine.findings("pi", [finding("spike", "info"), finding("stuck")])
    rig.engine.findings("pi", [finding("stuck"), finding("drift", cause="+3.0 °C")])
    assert rig.states == ["open"]
    assert "both unchanged for 180 minutes" in rig.alerts[0].message
    rig.engine.findings("pi", [finding("drift", cause="+3.0 °C")])
    assert rig.states == ["open"], "one of the two is still so"
    rig.engine.findings("pi", [])
    assert rig.states == ["open", "closed"]


@pytest.mark.parametrize(("severity", "opens"), [("info", False), ("warning", True), ("critical", True)])
def test_a_rule_may_ask_for_a_least_severity_of_any_finding(severity, opens):
    rig = Rig(rule(least_severity="warning"))
    rig.engine.findings("pi", [finding("silent", severity)])
    assert bool(rig.told) is opens


def test_what_reports_another_state_than_it_was_told_is_an_alert_after_a_while():
    rig = Rig(rule(accessory="breath_light", differs=True, for_s=30))
    rig.engine.accessory("pi", "breath_light", status=False, differs=True)
    rig.wait(29)
    rig.engine.accessory("pi", "breath_light", status=True, differs=False)
    rig.wait(40)
    assert rig.told == []
    rig.engine.accessory("pi", "breath_light", status=False, differs=True)
    rig.wait(31)
    assert "does not do as it was told" in rig.alerts[0].message


@pytest.mark.parametrize(
    "fields",
    [{"accessory": "a"}, {"accessory": "a", "status": True, "differs": True}, {"differs": True}, {"status": True}],
)
def test_a_rule_over_an_accessory_says_which_and_what(fields):
    with pytest.raises(msgspec.ValidationError, match="accessory"):
        msgspec.convert({"name": "rule", **fields}, Rule)


def test_rules_that_change_all_the_time_leave_nothing_behind() -> None:
    rig = Rig(rule(name="gone", offline=True, for_s=6000.0))
    rig.engine.availability("pi", online=False)
    for number in range(200):
        rig.engine.set_rules(
            [
                rule(name="gone", offline=True, for_s=5000.0 - number),
                rule(name=f"r{number}", offline=True, for_s=9000.0),
            ]
        )
    assert len(rig.engine._waiting) == 2
    rig.clock.advance(5000)
    rig.engine.tick()
    assert [alert.rule for alert in rig.engine.open] == ["gone"]
