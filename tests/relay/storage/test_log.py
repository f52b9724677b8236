"""A device's log: what all tables know of it, newest first, each once, however it is paged."""

import json

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert

from server.services.log import DeviceLog
from server.storage.commands import CommandBook
from server.storage.engine import Database
from server.storage.log import KINDS, Log
from server.storage.recorder import Recorder
from server.storage.tables import alerts, availability, profile_changes
from shared.errors import Code, Refusal
from tests.relay.storage.building import START_MS, event, record
from tests.relay.storage.test_commands import row

ALERT = {
    "alert": "a1",
    "rule": "hot",
    "device": "pi",
    "severity": "warning",
    "state": "open",
    "opened_at": "2026-01-01T00:00:00.000Z",
    "message": "too hot",
}


@pytest.fixture
def log(database: Database) -> DeviceLog:
    return DeviceLog(Log(database), CommandBook(database))


def status(id_: int, on: bool, **more: object):
    body = json.dumps({"status": on, "id": id_, "stream": "s"} | more)
    return event(id_, name="LED_status_pub_pi", body=body, readings={})


def fill(database: Database, recorder: Recorder) -> None:
    """One of each kind, and other devices' and other events beside them."""
    CommandBook(database).keep([row(1), row(2, device="hall")]).wait()
    fan = event(3, name="accessory_status_pub_pi/fan", body='{"status":true,"id":3,"stream":"s"}', readings={})
    motion = event(4, name="motion_pub_pi", body='{"motion":true,"count":2,"id":4,"stream":"s"}', readings={})
    record(recorder, status(1, on=True, command="c1", cause="user"), event(2), fan, motion, status(5, on=False))
    news = '"status":true,"job":"j","stream":"s"'
    started = event(6, name="model_train_pub_pi", body=f'{{{news},"id":6,"phase":"started"}}', readings={})
    halfway = event(7, name="model_train_pub_pi", body=f'{{{news},"id":7,"phase":"progress"}}', readings={})
    record(recorder, started, halfway)
    there = {"device": "pi", "at": START_MS + 7, "online": 0, "reason": "ended", "flapping": 0}
    opened = {"id": 1, "alert": "a1", "rule": "hot", "device": "pi", "state": "open", "opened_at": START_MS + 8}
    changed = {"at": START_MS + 9, "device": "pi", "changed_by": "anna", "change": '{"title":"Kitchen"}'}

    def put(connection) -> None:
        connection.execute(insert(availability), [there, there | {"device": "hall"}])
        connection.execute(insert(alerts), [opened | {"body": json.dumps(ALERT)}])
        connection.execute(insert(profile_changes), [changed])

    database.write(put)


def test_every_source_is_in_it_and_each_state_says_who(database: Database, recorder: Recorder, log: DeviceLog) -> None:
    fill(database, recorder)
    entries, more = log.page("pi")
    assert more is None
    assert [entry["kind"] for entry in entries] == [
        "training",
        "state",
        "motion",
        "state",
        "state",
        "profile",
        "alert",
        "availability",
        "command",
    ]
    training, off, motion, fan, on, profile, alert, there, command = (
        msgspec.to_builtins(entry[entry["kind"]]) for entry in entries
    )
    assert training["phase"] == "started", "how far it is, is no news"
    assert (off["accessory"], off["status"], off.get("by")) == ("breath_light", False, None)
    assert (on["status"], on["by"], on["cause"]) == (True, "tester", "user")
    assert (fan["accessory"], motion["count"], profile["by"]) == ("fan", 2, "anna")
    assert (alert["rule"], there["reason"], command["command"]) == ("hot", "ended", "c1")


@pytest.mark.parametrize("kind", KINDS)
def test_one_kind_can_be_asked_for(kind: str, database: Database, recorder: Recorder, log: DeviceLog) -> None:
    fill(database, recorder)
    entries, _ = log.page("pi", [kind])
    assert {entry["kind"] for entry in entries} == {kind}


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(limit=st.integers(1, 9), kinds=st.sets(st.sampled_from(KINDS), min_size=1))
def test_pages_of_any_size_make_the_whole_log(
    limit: int, kinds: set[str], database: Database, recorder: Recorder, log: DeviceLog
) -> None:
    if not log.page("pi")[0]:
        fill(database, recorder)
    whole, _ = log.page("pi", sorted(kinds), limit=500)
    paged: list[object] = []
    before = None
    while True:
        entries, before = log.page("pi", sorted(kinds), before, limit)
        paged += entries
        if before is None:
            break
    assert paged == whole


def test_a_damaged_row_hides_no_other(database: Database, recorder: Recorder, log: DeviceLog) -> None:
    CommandBook(database).keep([row(1, request="{"), row(2)]).wait()
    record(recorder, status(1, on=True), event(2, name="LED_status_pub_pi", body="nonsense", readings={}))
    assert [entry["kind"] for entry in log.page("pi")[0]] == ["state", "command"]


@pytest.mark.parametrize(
    "wrong", [{"kinds": ["toast"]}, {"limit": 0}, {"limit": 501}, {"before": "x"}, {"before": "MS4y"}]
)
def test_what_makes_no_sense_is_refused(wrong: dict[str, object], log: DeviceLog) -> None:
    with pytest.raises(Refusal) as refused:
        log.page("pi", **wrong)  # type: ignore[arg-type]  # that is the point
    assert refused.value.code is Code.INVALID_PAYLOAD
