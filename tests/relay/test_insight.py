"""What a device finds and forecasts holds until it says otherwise: across late news, restarts, and a wrong clock."""

from datetime import timedelta

import pytest

from server.services.insights import KeptInsights
from server.state.devices import Registry
from server.state.insight import SPIKE_SHOWN, Insights
from server.storage.engine import Database
from server.storage.insights import InsightStore
from server.storage.tables import insights as table
from shared.clock import iso_utc
from shared.contract.payloads import Insight, PiHello
from tests.relay.alerts.site_rig import AtOnce
from tests.support.clock import FakeClock

FORECAST = {"quantity": "temperature", "minutes": 10, "value": 21.0, "low": 20.5, "high": 21.5}


def found(kind: str, active: bool = True, quantity: str = "temperature") -> Insight:
    severity = "info" if kind == "spike" else "warning"
    one = {"kind": kind, "active": active, "severity": severity, "quantity": quantity, "cause": "seen"}
    return Insight.build(findings=[one])


def at(clock: FakeClock, minutes: float = 0) -> str:
    return iso_utc(clock.now() + timedelta(minutes=minutes))


def kinds(insights: Insights) -> list[str]:
    return [str(one.kind) for one in insights.known.findings] if insights.known else []


def test_a_finding_holds_from_its_beginning_to_its_end() -> None:
    clock, insights = FakeClock(), Insights()
    assert not insights.take(None, at(clock))
    assert insights.take(found("stuck"), at(clock, 1))
    assert insights.take(found("drift"), at(clock, 2))
    assert not insights.take(None, at(clock, 3)), "a round with nothing new"
    assert kinds(insights) == ["stuck", "drift"]
    assert insights.take(found("stuck", active=False), at(clock, 4))
    assert kinds(insights) == ["drift"]


def test_an_end_that_comes_before_its_beginning_stays_the_end() -> None:
    clock, insights = FakeClock(), Insights()
    insights.take(found("stuck"), at(clock))
    insights.take(found("stuck", active=False), at(clock, 5))
    assert not insights.take(found("stuck"), at(clock, 1)), "out of a backlog"
    assert kinds(insights) == []


def test_a_spike_is_told_of_for_a_while() -> None:
    clock, insights = FakeClock(), Insights()
    insights.take(found("spike"), at(clock))
    assert not insights.take(None, at(clock, SPIKE_SHOWN.total_seconds() / 60))
    assert insights.take(None, at(clock, SPIKE_SHOWN.total_seconds() / 60 + 1))
    assert kinds(insights) == []


def test_an_agent_that_starts_anew_ends_what_it_cannot_remember() -> None:
    clock = FakeClock()
    registry = Registry({})
    device, _ = registry.connected("pi", "sid-1", PiHello.build(run="one"), clock.now())
    for kind in ("silent", "unusual_motion", "drift"):
        device.insights.take(found(kind), at(clock))
    registry.connected("pi", "sid-2", PiHello.build(run="one"), clock.now())
    device.insights.take(None, at(clock, 1))
    assert kinds(device.insights) == ["silent", "unusual_motion", "drift"], "the same process, another connection"
    registry.connected("pi", "sid-3", PiHello.build(run="two"), clock.now())
    assert device.insights.take(None, at(clock, 2))
    assert kinds(device.insights) == ["drift"]


def test_the_newest_forecast_holds_and_scores_are_those_of_the_newest_round() -> None:
    clock, insights = FakeClock(), Insights()
    assert insights.take(Insight.build(forecast=[FORECAST], model=3, scores={"humidity": 0.4}), at(clock))
    assert not insights.take(Insight.build(forecast=[FORECAST | {"value": 1.0}], model=2), at(clock, -60))
    assert not insights.take(None, at(clock, 1))
    assert insights.known is not None
    assert (insights.known.forecast[0].value, insights.known.model) == (21.0, 3)
    assert (insights.known.forecast_at, insights.known.scores) == (at(clock), {})


@pytest.fixture
def database(tmp_path):
    opened = Database.open(f"sqlite:///{tmp_path / 'relay.db'}")
    yield opened
    opened.close()


def test_it_survives_a_restart_of_the_relay(database: Database) -> None:
    clock, registry = FakeClock(), Registry({})
    kept = KeptInsights(InsightStore(database), AtOnce(database))
    device = registry.add("pi", clock.now())
    kept.keep(device)
    for minute, told in enumerate((found("drift"), Insight.build(forecast=[FORECAST], model=3))):
        device.insights.take(told, at(clock, minute))
        kept.keep(device)
    again = Registry({})
    again.add("pi", clock.now())
    KeptInsights(InsightStore(database), AtOnce(database)).restore(again)
    assert again.get("pi").snapshot().insight == device.insights.known
    assert again.get("pi").insights.take(found("drift", active=False), at(clock, 2))
    assert kinds(again.get("pi").insights) == []


def test_a_row_that_cannot_be_read_keeps_no_relay_from_starting(database: Database) -> None:
    rows = [{"device": "pi", "body": "{"}, {"device": "hall", "body": '{"model": -1}'}]
    database.write(lambda connection: connection.execute(table.insert(), rows))
    assert InsightStore(database).all() == {}
