"""Alerts on disk, on pages, at targets; what rules switch."""

import json

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from server.rules import Rule
from shared.contract.events import ALERT_PUB_CLIENT
from shared.contract.payloads import AlertState
from shared.errors import Code, Refusal

TARGETS = [
    {"name": "ops", "webhook": "https://example.org/hook", "secret": "0123456789abcdef"},
    {"name": "phone", "apprise": "json://localhost", "closed": False},
]
HOT = {"name": "hot", "quantity": "temperature", "above": 30.0, "hysteresis": 1.0, "notify": ["ops", "phone"]}


def test_an_alert_is_stored_shown_and_told(site):
    house = site({"rules": [HOT], "targets": TARGETS})
    house.come()
    house.read(31)
    assert house.shown == ["open"]
    house.wait(1)
    assert [(name, json.loads(letter["body"])["event"]) for name, letter in house.letters] == [
        ("ops", "opened"),
        ("phone", "opened"),
    ]
    assert house.letters[1][1]["title"] == "[warning] pi: hot opened"
    house.read(20)
    house.wait(1)
    assert house.shown == ["open", "closed"]
    assert [name for name, _ in house.letters] == ["ops", "phone", "ops"]
    found, told = house.alerts.find(house.alerts.page(None, None, None, 10)[0][1].alert)
    assert (found.state, found.value, found.closed_because) == ("closed", 20, "it is no longer so")
    assert [news.state for news in told] == ["sent", "sent", "sent"]


def test_the_disk_comes_before_the_telling(site):
    house = site({"rules": [HOT], "targets": TARGETS})
    house.come()
    house.behind.lost = True
    house.read(31)
    house.wait(2)
    assert (house.shown, house.letters) == ([], [])
    house.start_relay()
    house.come()
    house.read(31)
    house.wait(2)
    assert house.shown == ["open"]
    assert len(house.letters) == 2


def test_an_open_alert_outlives_the_relay_and_is_not_told_again(site):
    house = site({"rules": [HOT], "targets": TARGETS})
    house.come()
    house.read(31)
    [alert] = house.alerts.open()
    house.alerts.acknowledge(alert.alert, "anna")
    house.wait(1)
    house.start_relay()
    [same] = house.alerts.open()
    assert (same.alert, same.state, same.acknowledged_by) == (alert.alert, "acknowledged", "anna")
    house.come()
    house.read(32)
    house.wait(5)
    assert (house.shown, len(house.letters)) == ([], 2)
    house.read(20)
    assert house.shown == ["closed"]


def test_a_notification_that_did_not_leave_is_sent_after_a_restart(site):
    house = site({"rules": [HOT], "targets": TARGETS})
    house.come()
    house.read(31)
    house.start_relay()
    house.wait(1)
    assert [name for name, _ in house.letters] == ["ops", "phone"]


def test_a_target_that_is_away_is_tried_again_ever_more_seldom(site):
    house = site({"rules": [HOT], "targets": TARGETS, "retry_s": 4})
    house.come()
    house.troubles = ["HTTP 503", "HTTP 500", "HTTP 503"]
    house.read(31)
    house.wait(1)
    assert house.letters == []
    house.wait(3)
    assert house.letters == []
    house.wait(2)
    assert [name for name, _ in house.letters] == ["phone"]
    house.wait(6)
    assert [name for name, _ in house.letters] == ["phone"]
    house.wait(2)
    assert [name for name, _ in house.letters] == ["phone", "ops"]


def test_what_never_arrives_is_given_up_and_on_record(site):
    house = site({"rules": [HOT], "targets": TARGETS, "attempts": 3, "retry_s": 1})
    house.come()
    house.troubles = ["HTTP 500"] * 6
    house.read(31)
    house.wait(60)
    assert (house.letters, house.notifier.dead, house.notifier.waiting) == ([], 2, 0)
    [one, other] = house.store.undelivered()
    assert {(news.state, news.attempts, news.error) for news in (one, other)} == {("dead", 3, "HTTP 500")}
    house.start_relay()
    assert house.notifier.dead == 2


def test_the_queue_has_a_bound(site):
    house = site({"rules": [HOT | {"notify": ["ops"]}], "targets": TARGETS, "queue": 10, "retry_s": 3600})
    house.troubles = ["away"] * 100
    for number in range(15):
        house.come(f"pi-{number}")
        house.read(31, f"pi-{number}")
    assert (house.notifier.waiting, house.notifier.dead) == (10, 5)
    assert house.shown == ["open"] * 15


def test_a_rule_holds_what_it_switched_by_a_lease_and_lets_go(site):
    fan = {"action": "on", "accessory": "breath_light", "lease_s": 30}
    house = site({"rules": [HOT | {"notify": [], "command": fan}]})
    house.come()
    house.read(31)
    house.wait(1)
    assert house.switched == ["on"]
    [row] = house.book.rows.values()
    assert (row.asked_by, row.cause, json.loads(row.request)["lease_s"]) == ("rule:hot", "rule", 30)
    house.wait(30, beat=("pi",))
    assert house.switched == ["on"] * 4
    house.read(20)
    assert house.switched[4:] == ["off"]
    house.wait(60, beat=("pi",))
    assert len(house.switched) == 5


def test_two_alerts_hold_one_accessory_until_both_have_closed(site):
    fan = {"action": "on", "accessory": "breath_light", "device": "pi", "lease_s": 30}
    house = site({"rules": [HOT | {"notify": [], "command": fan}]})
    house.come("pi")
    house.come("other")
    house.read(31, "pi")
    house.read(31, "other")
    house.wait(1)
    house.read(20, "other")
    assert house.switched == ["on"]
    house.read(20, "pi")
    assert house.switched == ["on", "off"]


def test_a_rule_that_is_changed_lets_go_of_what_it_held(site):
    house = site()
    house.come()
    fan = {"action": "on", "accessory": "breath_light", "lease_s": 30}
    hot = {"name": "hot", "quantity": "temperature", "above": 30.0}
    house.alerts.put_rule(msgspec.convert(hot | {"command": fan}, Rule), "anna")
    house.read(31)
    house.wait(1)
    house.alerts.put_rule(msgspec.convert(hot | {"command": fan | {"lease_s": 60}}, Rule), "anna")
    house.wait(1)
    assert house.switched == ["on", "on"]
    house.alerts.put_rule(msgspec.convert(hot, Rule), "anna")
    assert house.switched == ["on", "on", "off"]
    house.wait(60, beat=("pi",))
    assert len(house.switched) == 3


def test_a_hold_outlives_the_relay_and_waits_for_its_device(site):
    fan = {"action": "on", "accessory": "breath_light", "lease_s": 30}
    house = site({"rules": [HOT | {"notify": [], "command": fan}]})
    house.come()
    house.read(31)
    house.wait(1)
    house.start_relay()
    house.wait(20)
    assert house.switched == []
    house.come()
    house.wait(1)
    assert house.switched == ["on"]


def test_rules_are_made_changed_and_removed_while_the_relay_runs(site):
    house = site({"rules": [HOT], "targets": TARGETS})
    house.come()
    wet = msgspec.convert({"name": "wet", "quantity": "humidity", "above": 70.0, "devices": ["cellar"]}, Rule)
    assert house.alerts.put_rule(wet, "anna") == ["no device 'cellar' has been seen"]
    odd = msgspec.convert({"name": "odd", "quantity": "vibration", "above": 1.0, "tags": ["attic"]}, Rule)
    assert house.alerts.put_rule(odd, "anna") == ["no device has the tag 'attic'", "nobody has measured 'vibration'"]
    house.start_relay()
    assert [(rule.name, fixed) for rule, fixed in house.alerts.rules] == [("hot", True), ("odd", False), ("wet", False)]
    house.come("cellar")
    house.read(80, "cellar", "humidity")
    house.alerts.delete_rule("wet", "anna")
    [closed] = [alert for _, alert in house.alerts.page(AlertState.CLOSED, None, None, 10)]
    assert (closed.closed_because, closed.closed_by) == ("the rule was removed", "anna")


@pytest.mark.parametrize(
    ("work", "code"),
    [
        (lambda alerts: alerts.rule("nothing"), Code.UNKNOWN_RULE),
        (lambda alerts: alerts.delete_rule("nothing", "anna"), Code.UNKNOWN_RULE),
        (lambda alerts: alerts.delete_rule("hot", "anna"), Code.CONFLICT),
        (lambda alerts: alerts.put_rule(msgspec.convert(HOT, Rule), "anna"), Code.CONFLICT),
        (
            lambda alerts: alerts.put_rule(msgspec.convert(HOT | {"name": "x", "notify": ["y"]}, Rule), "a"),
            Code.CONFLICT,
        ),
        (lambda alerts: alerts.acknowledge("nothing", "anna"), Code.UNKNOWN_ALERT),
        (lambda alerts: alerts.close("nothing", "anna"), Code.UNKNOWN_ALERT),
        (lambda alerts: alerts.find("nothing"), Code.UNKNOWN_ALERT),
    ],
)
def test_what_cannot_be_is_refused_with_its_code(site, work, code):
    house = site({"rules": [HOT], "targets": TARGETS})
    with pytest.raises(Refusal) as refused:
        work(house.alerts)
    assert refused.value.code is code


def test_there_is_a_bound_to_rules_and_one_may_still_be_changed(site, monkeypatch):
    monkeypatch.setattr("server.services.alerts.service.MOST_RULES", 2)
    house = site({"targets": TARGETS})
    for name in ("one", "two", "one"):
        house.alerts.put_rule(msgspec.convert(HOT | {"name": name}, Rule), "anna")
    with pytest.raises(Refusal) as refused:
        house.alerts.put_rule(msgspec.convert(HOT | {"name": "three"}, Rule), "anna")
    assert refused.value.code is Code.CONFLICT
    house.alerts.delete_rule("two", "anna")
    house.alerts.put_rule(msgspec.convert(HOT | {"name": "three"}, Rule), "anna")


def test_an_alert_that_is_closed_cannot_be_acknowledged(site):
    house = site({"rules": [HOT], "targets": TARGETS})
    house.come()
    house.read(31)
    [alert] = house.alerts.open()
    house.alerts.close(alert.alert, "anna")
    with pytest.raises(Refusal) as refused:
        house.alerts.acknowledge(alert.alert, "ben")
    assert refused.value.code is Code.CONFLICT


def test_a_test_of_a_rule_goes_to_its_targets_and_is_no_alert(site):
    house = site({"rules": [HOT], "targets": TARGETS})
    assert [news.target for news in house.alerts.test("hot", "anna")] == ["ops", "phone"]
    house.wait(1)
    assert [json.loads(letter["body"])["event"] for _, letter in house.letters] == ["test", "test"]
    assert house.alerts.page(None, None, None, 10) == []


def test_alerts_come_in_pages(site):
    house = site({"rules": [HOT | {"notify": []}]})
    for number in range(5):
        house.come(f"pi-{number}")
        house.read(31, f"pi-{number}")
    first = house.alerts.page(None, None, None, 3)
    second = house.alerts.page(None, None, first[-1][0], 3)
    assert [alert.device for _, alert in (*first, *second)] == ["pi-4", "pi-3", "pi-2", "pi-1", "pi-0"]
    assert [alert.device for _, alert in house.alerts.page(AlertState.OPEN, "pi-2", None, 3)] == ["pi-2"]


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["read 20", "read 31", "wait", "come", "leave", "restart", "lose", "ack", "close"]),
        st.sampled_from([1.0, 40.0]),
    ),
    max_size=25,
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(steps=STEPS)
def test_wherever_the_relay_ends_its_disk_has_each_alert_once_and_what_it_told_is_there(site, steps):
    house = site({"rules": [HOT | {"notify": ["ops"], "cooldown_s": 5}], "targets": TARGETS})
    house.come()
    shown: list[tuple[str, str]] = []
    for step, much in steps:
        if step.startswith("read"):
            house.read(float(step.split()[1]))
        elif step == "wait":
            house.wait(much)
        elif step == "come" and not house.registry.get("pi").online:
            house.come()
        elif step == "leave":
            house.leave()
        elif step in ("ack", "close") and not house.behind.lost and house.alerts.open():
            getattr(house.alerts, {"ack": "acknowledge"}.get(step, step))(house.alerts.open()[0].alert, "anna")
        elif step == "lose":
            # From now on nothing gets to the disk: the next thing that happens is the end.
            house.behind.lost = True
        if step == "restart" or (house.behind.lost and step != "lose"):
            shown += told_by(house)
            house.start_relay()
            house.come()
    shown += told_by(house)
    alerts = [alert for _, alert in house.alerts.page(None, None, None, 1000)]
    assert len([alert for alert in alerts if alert.state is not AlertState.CLOSED]) <= 1
    assert sorted(alert for alert, state in shown if state == "open") == sorted(alert.alert for alert in alerts)
    house.behind.lost = False
    house.wait(3)
    # One that arrived just before the end may come again: under the same number.
    opened = {letter["id"]: json.loads(letter["body"]) for _, letter in house.letters}
    ids = [said["alert"]["alert"] for said in opened.values() if said["event"] == "opened"]
    assert sorted(ids) == sorted(alert.alert for alert in alerts)


def told_by(house) -> list[tuple[str, str]]:
    return [(body["alert"], body["state"]) for body in house.wire.bodies(ALERT_PUB_CLIENT)]
