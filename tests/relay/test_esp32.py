"""The stress monitor's door: what is judged once, stored once, shown to whom, and how bad input is answered."""

import json
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.doors.esp32 import ALERTS, Esp32Door
from server.doors.guard import Connection, Guard
from server.doors.moment import moment
from server.doors.root import EVERYTHING, STRESS_PAGES
from server.fanout.broadcast import Broadcast
from server.metrics import Metrics
from server.security.identity import Identity, Role
from server.security.rate import RateLimit
from server.services.stress import StressMonitor, shipped_predictor
from server.state.devices import Registry
from server.storage.records import LoggedEvent
from server.stress.alerts import AlertPolicy
from server.stress.predictor import Prediction, StressPredictor, label_of
from server.stress.readings import Reading, Reason
from shared.clock import parse_iso_utc, to_ms
from shared.contract.door_events import (
    CLIENT_STATS,
    DATA_RECEIVED,
    ESP32_SENSOR_DATA,
    EVERY_DOOR,
    FRONTEND_REQUEST_HISTORY,
    FRONTEND_SUBSCRIBE_ALERTS,
    HISTORY_DATA,
    NEW_SENSOR_DATA,
    STRESS_ALERT,
)
from shared.contract.payloads import Ack, PiHello, SensorData
from shared.contract.spec import Namespace
from shared.contract.spec import Role as Party
from shared.errors import Code, Refusal
from shared.wire import Inbound, StrictJson
from tests.support.clock import FakeClock
from tests.support.wire import RecordingEmitter

DEMO = Identity("demo", Role.OPERATOR)
READING = {"hr": 72.0, "temp": 33.1, "eda": 2.5, "device_id": "wrist"}


class Scripted:
    """A predictor that says what it is told to."""

    version = "scripted"

    def __init__(self) -> None:
        self.seen: list[Reading] = []
        self.probability: float | None = None

    def predict(self, reading: Reading) -> Prediction:
        self.seen.append(reading)
        if self.probability is None:
            return Prediction(label_of(0).UNKNOWN, None, Reason.WARMING_UP)
        return Prediction(label_of(self.probability), self.probability, None)

    def forget(self, wearer: str) -> None:
        pass


class Log:
    """Ingest, the recorder's memory and the log, in memory. `broken` says what storing fails with."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.rows: list[tuple[str, SensorData]] = []
        self.given: set[tuple[str, str, int]] = set()
        self.broken: Code | None = None

    def sensor_data(self, name: str, body: SensorData) -> Ack:
        key = (name, body.stream or "", body.id)
        if body.stream is not None:
            self.given.add(key)
        if self.broken is not None:
            raise Refusal(self.broken)
        if body.stream is not None and self.find(*key) is not None:
            return Ack(ok=True, code=Code.DUPLICATE)
        self.rows.append((name, body))
        return Ack(ok=True, code=Code.STORED, cursor=len(self.rows))

    def seen(self, device: str, stream: str, id_: int) -> bool:
        return (device, stream, id_) in self.given

    def find(self, device: str, stream: str, id_: int) -> LoggedEvent | None:
        for event in self.events():
            if (event.device, event.stream, event.id) == (device, stream, id_):
                return event
        return None

    def newest(self, names: Any, quantity: str, span: tuple[int, int], limit: int) -> list[LoggedEvent]:
        found = [one for one in self.events() if one.device in names and span[0] <= one.taken_at_ms < span[1]]
        return sorted(found, key=lambda one: -one.taken_at_ms)[:limit]

    def events(self) -> list[LoggedEvent]:
        return [
            LoggedEvent(n, name, body.stream or "own", body.id, "e", to_ms(_at(body)), 0, StrictJson.dumps(body))
            for n, (name, body) in enumerate(self.rows, 1)
        ]


def _at(body: SensorData) -> datetime:
    assert body.taken_at is not None
    return parse_iso_utc(body.taken_at)


class Door:
    """The door over these, behind a real guard."""

    def __init__(self, predictor: StressPredictor | None = None) -> None:
        self.clock = FakeClock()
        self.wire = RecordingEmitter()
        self.scripted = Scripted()
        self.log = Log(self.clock)
        self.joined: list[tuple[str, str]] = []
        self.calls: dict[str, Any] = {}
        self.registry = registry = Registry({})
        presence: Any = SimpleNamespace(spoke=lambda name, door: registry.admit(name, door, self.clock.now())[0])
        port: Any = SimpleNamespace(
            on=lambda name, namespace, handler: self.calls.__setitem__(name, handler),
            emit=self.wire.emit,
            join=lambda sid, namespace, room: self.joined.append((sid, room)),
        )
        log: Any = self.log
        stress = StressMonitor(registry, presence, log, log, self.log.seen, predictor or self.scripted, AlertPolicy())
        self.door = Esp32Door(port, Broadcast(self.wire), stress, self.clock, lambda: True)
        self.guard = Guard(port, Namespace.ROOT, RateLimit(10_000, FakeClock()), Metrics())
        ours = {spec: _never for spec in EVERY_DOOR if spec.subscriber is Party.RELAY}
        self.guard.bind({**ours, **self.door.handlers()}, self.door.tells())
        self.come("page", kind="frontend")

    def come(self, sid: str, kind: str | None, identity: Identity = DEMO) -> None:
        connection = Connection(sid, identity)
        self.guard.admit(connection)
        self.door.joined(connection, kind)

    def call(self, event: str, body: Any, sid: str = "page") -> Any:
        """What the ack says, in JSON."""
        answer = self.calls[event](sid, Inbound((body,), wants_ack=True))
        return json.loads(StrictJson.dumps(answer))

    def send(self, sid: str = "page", **more: Any) -> Any:
        return self.call(ESP32_SENSOR_DATA.name, {**READING, **more}, sid)


def _never(*_: object) -> Ack:
    raise AssertionError("another door's")


@pytest.fixture
def rig() -> Door:
    return Door()


def test_an_unknown_prediction_is_a_null_with_its_reason(rig: Door) -> None:
    told = rig.send()
    assert told["stress_prediction"] == {"label": "unknown", "confidence": 0.0, "reason": "warming_up"}
    ((name, stored),) = rig.log.rows
    assert (name, stored.data["stress"], stored.quality["stress"].reason) == ("wrist", None, "warming_up")
    assert stored.data["heart_rate"] == 72.0


def test_a_known_one_is_stored_as_a_probability_and_told_in_both_scales(rig: Door) -> None:
    rig.scripted.probability = 0.125
    assert rig.send()["stress_prediction"] == {"label": "normal", "confidence": 0.875}
    assert rig.log.rows[0][1].data["stress"] == 0.125
    (shown,) = rig.wire.of(NEW_SENSOR_DATA)
    assert shown.to == (EVERYTHING, STRESS_PAGES)
    assert (shown.body["confidence"], shown.body["stress_level"], shown.body["id"]) == (87.5, "normal", 1)


def test_a_reading_that_is_sent_again_is_judged_stored_and_shown_once(rig: Door) -> None:
    rig.scripted.probability = 0.6
    first = rig.send(stream="boot-1", id=7)
    rig.send(stream="boot-1", id=8)
    rig.scripted.probability = 0.1
    assert rig.send(stream="boot-1", id=7) == first
    assert len(rig.log.rows) == len(rig.wire.of(NEW_SENSOR_DATA)) == len(rig.scripted.seen) == 2


def test_a_reading_that_could_not_be_stored_is_judged_once_and_shown_when_it_is(rig: Door) -> None:
    rig.log.broken = Code.UNAVAILABLE
    assert rig.send(stream="s", id=1)["code"] == "unavailable"
    assert rig.wire.of(NEW_SENSOR_DATA) == []
    rig.log.broken = None
    assert rig.send(stream="s", id=1)["status"] == "success"
    assert len(rig.scripted.seen) == len(rig.wire.of(NEW_SENSOR_DATA)) == 1


def test_a_resend_whose_row_retention_has_removed_is_a_success_without_a_record(rig: Door) -> None:
    rig.log.given.add(("wrist", "s", 1))
    assert rig.send(stream="s", id=1) == {"status": "success"}
    assert rig.log.rows == []


def test_stress_that_lasts_is_told_to_those_who_subscribed(rig: Door) -> None:
    rig.scripted.probability = 0.9
    for _ in range(40):
        rig.send()
        rig.clock.advance(1)
    (alert,) = rig.wire.of(STRESS_ALERT)
    assert alert.to == (ALERTS,)
    assert alert.body["type"] == "stress_alert"
    assert (alert.body["level"], alert.body["confidence"]) == ("high_stress", 90.0)
    assert alert.body["sensor_data"]["device_id"] == "wrist"
    assert rig.joined == []
    rig.call(FRONTEND_SUBSCRIBE_ALERTS.name, {})
    assert rig.joined == [("page", ALERTS)]
    assert rig.door.stats().subscribers == 1


def test_the_shipped_model_warms_up_before_it_says_anything() -> None:
    rig = Door(shipped_predictor())
    told = []
    for second in range(450):
        told.append(rig.send(hr=70 + second % 5, eda=2 + second % 7 / 10)["stress_prediction"]["label"])
        rig.clock.advance(1)
    assert set(told[:360]) == {"unknown"}
    assert set(told[370:]) <= {"normal", "mild_stress", "high_stress"}


def test_history_is_bounded_by_number_and_by_date(rig: Door) -> None:
    for day in (1, 2, 3):
        rig.send(timestamp=f"2026-02-0{day}T23:59:59.999Z", hr=60 + day)

    def ask(**body: Any) -> list[float]:
        return [one["hr"] for one in rig.call(FRONTEND_REQUEST_HISTORY.name, body)["data"]]

    assert ask() == [63, 62, 61]
    assert ask(limit=2) == [63, 62]
    assert ask(start_date="2026-02-02", end_date="2026-02-02") == [62]
    assert ask(start_date="2026-02-02T23:59:59.999Z", end_date="2026-02-03T00:00:00+00:00") == [62]
    assert ask(device_id="another") == []
    assert rig.wire.bodies(HISTORY_DATA)[0]["data"][0]["id"] == 3
    for bad in ({"limit": 0}, {"limit": 100_000}, {"start_date": "yesterday"}, {"end_date": "0001-13-01"}):
        assert rig.call(FRONTEND_REQUEST_HISTORY.name, bad)["code"] == "invalid_payload"


def test_a_device_s_token_names_it_and_shows_nobody_else_s_readings(rig: Door) -> None:
    rig.come("sensor", "esp32", Identity("wrist-7", Role.DEVICE, token=1))
    assert rig.send("sensor", device_id="wrist-8")["status"] == "success"
    assert rig.log.rows[0][0] == "wrist-7"
    assert rig.call(FRONTEND_REQUEST_HISTORY.name, {}, "sensor")["code"] == "forbidden"
    assert rig.call(FRONTEND_SUBSCRIBE_ALERTS.name, {}, "sensor")["code"] == "forbidden"
    rig.come("reader", "frontend", Identity("reader", Role.VIEWER, token=2))
    assert len(rig.call(FRONTEND_REQUEST_HISTORY.name, {}, "reader")["data"]) == 1
    assert rig.send("reader")["code"] == "forbidden"


def test_a_name_of_another_door_s_device_is_a_conflict(rig: Door) -> None:
    rig.send()
    assert rig.send(device_id="../etc")["code"] == "invalid_payload"
    rig.registry.get("wrist").hello = PiHello(door="mqtt")
    assert rig.send()["code"] == "conflict"


def test_who_is_here_is_told_when_it_changes_twice_a_second_at_most(rig: Door) -> None:
    rig.door.tick()
    for number in range(50):
        rig.come(f"esp-{number}", "esp32")
        rig.door.tick()
        rig.clock.advance(0.1)
    told = [sent.body["esp32_clients"] for sent in rig.wire.of(CLIENT_STATS) if sent.to == (EVERYTHING, STRESS_PAGES)]
    assert 9 <= len(told) <= 11
    before = len(rig.wire.of(CLIENT_STATS))
    rig.clock.advance(1)
    rig.door.tick()
    rig.clock.advance(1)
    rig.door.tick()
    assert len(rig.wire.of(CLIENT_STATS)) <= before + 1


# --- bad input ------------------------------------------------------------------------------------------------------

SAME = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "told", [1772366400, 1772366400.0, 1772366400000, "2026-03-01T12:00:00Z", "2026-03-01T13:00:00+01:00"]
)
def test_a_moment_may_be_told_in_seconds_milliseconds_or_words(told: object) -> None:
    assert moment(told) == SAME


@given(st.one_of(st.none(), st.booleans(), st.floats(), st.integers(), st.text(), st.lists(st.integers())))
def test_what_is_no_moment_is_refused_with_a_code(told: object) -> None:
    try:
        at = moment(told)
    except Refusal as refusal:
        code = refusal.code
    else:
        code = Code.INVALID_PAYLOAD if 2000 <= at.year < 2100 else Code.ACCEPTED
    assert code is Code.INVALID_PAYLOAD


def test_the_time_since_a_device_s_start_is_no_moment() -> None:
    with pytest.raises(Refusal, match="1970"):
        moment(86_400.5)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        name: st.one_of(good, ANYTHING)
        for name, good in {
            "hr": st.floats(0, 300),
            "temp": st.floats(-40, 125),
            "eda": st.floats(0, 1000),
            "timestamp": st.floats(9.5e8, 4e9) | st.datetimes().map(lambda at: f"{at.isoformat()}Z"),
            "device_id": st.from_regex(r"[a-z][a-z0-9]{0,8}", fullmatch=True),
            "stream": st.from_regex(r"[a-z]{1,8}", fullmatch=True),
            "id": st.integers(0, 100),
        }.items()
    },
)


@given(body=FIELDS | ANYTHING)
def test_whatever_comes_is_stored_or_refused_with_a_stable_code_and_answered_twice(body: Any) -> None:
    rig = Door()
    told = rig.call(ESP32_SENSOR_DATA.name, body)
    assert rig.wire.bodies(DATA_RECEIVED) == [told]
    if told["status"] == "success":
        assert rig.log.rows[0][1].data["heart_rate"] == body["hr"]
    else:
        assert (told["code"], rig.log.rows) == ("invalid_payload", [])
        assert told["message"]
    assert rig.send()["status"] == "success"
