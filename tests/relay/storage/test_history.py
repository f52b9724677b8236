"""What charts, exports and replays show is what was stored."""

import csv
import io
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import update

from server.storage.chart import GapCause, Resolution
from server.storage.engine import Database
from server.storage.export import ExportFormat
from server.storage.failures import DiskFull
from server.storage.fold import HOUR_MS, MINUTE_MS, set_mark
from server.storage.history import History
from server.storage.recorder import Recorder
from server.storage.records import Drop
from server.storage.tables import events
from shared.clock import to_ms
from shared.errors import Code, Refusal
from tests.relay.storage.building import START_MS, event, record
from tests.support.clock import FakeClock

_VALUES = st.floats(-1e6, 1e6).map(lambda value: round(value, 3))
_SAMPLES = st.lists(st.tuples(st.integers(0, 3 * HOUR_MS), _VALUES), min_size=1, max_size=60)
_UNIT = {Resolution.RAW: 1, Resolution.MINUTE: MINUTE_MS, Resolution.HOUR: HOUR_MS}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(samples=_SAMPLES, points=st.integers(1, 200), start=st.integers(0, HOUR_MS), length=st.integers(1, 5 * HOUR_MS))
def test_a_chart_keeps_the_extremes_in_order_within_its_number_of_points(
    tmp_path_factory, samples, points, start, length
):
    clock = FakeClock()
    database = Database.open(f"sqlite:///{tmp_path_factory.mktemp('chart') / 'relay.db'}")
    try:
        recorder = Recorder.start(database, clock)
        record(
            recorder,
            *(
                event(id_, taken_at_ms=START_MS + at, readings={"temperature": value})
                for id_, (at, value) in enumerate(samples, 1)
            ),
        )
        history = History(database, clock, recorder.settle)
        from_ms, to_ms = START_MS + start, START_MS + start + length
        chart = history.readings("pi", "temperature", from_ms, to_ms, points)
        recorder.close()
    finally:
        database.close()
    unit = _UNIT[chart.resolution]
    # From roll-ups, whole minutes and hours are shown.
    low, high = from_ms - from_ms % unit, to_ms + -to_ms % unit
    inside = [value for at, value in samples if low <= START_MS + at < high]
    assert len(chart.points) <= points
    times = [point.at_ms for point in chart.points]
    assert times == sorted(set(times))
    assert sum(point.count for point in chart.points) == len(inside)
    if inside:
        assert min(point.low for point in chart.points) == pytest.approx(min(inside))
        assert max(point.high for point in chart.points) == pytest.approx(max(inside))
        mean = sum(point.mean * point.count for point in chart.points) / len(inside)
        assert mean == pytest.approx(sum(inside) / len(inside), abs=1e-4)
    assert all(point.low <= point.mean <= point.high for point in chart.points)


@pytest.mark.parametrize(
    ("hours", "points", "resolution"),
    [
        (1, 360, Resolution.RAW),
        (1, 10, Resolution.MINUTE),
        (24, 1000, Resolution.MINUTE),
        (24 * 365, 500, Resolution.HOUR),
    ],
)
def test_a_chart_reads_the_coarsest_table_that_is_fine_enough(history, recorder, hours, points, resolution):
    record(recorder, *(event(id_) for id_ in range(1, 20)))
    chart = history.readings("pi", "temperature", START_MS, START_MS + hours * HOUR_MS, points)
    assert chart.resolution is resolution
    assert sum(point.count for point in chart.points) == 19


def test_where_retention_took_the_readings_a_chart_shows_minutes(database, history, recorder):
    record(recorder, *(event(id_) for id_ in range(1, 20)))
    recorder.settle()
    database.write(lambda connection: connection.exec_driver_sql(f"UPDATE series SET raw_since = {START_MS + HOUR_MS}"))
    database.write(lambda connection: connection.exec_driver_sql("DELETE FROM readings"))
    chart = history.readings("pi", "temperature", START_MS, START_MS + HOUR_MS, 1000)
    assert (chart.resolution, sum(point.count for point in chart.points)) == (Resolution.MINUTE, 19)


def test_silence_is_a_gap(history, recorder, clock):
    record(recorder, *(event(id_) for id_ in (1, 2, 3, 4, 5, 20, 21, 22)))
    chart = history.readings("pi", "temperature", START_MS, START_MS + 300_000, 100)
    assert chart.interval_ms == 10_000
    silent = [(gap.from_ms - START_MS, gap.to_ms - START_MS) for gap in chart.gaps if gap.cause is GapCause.SILENCE]
    assert silent == [(50_000, 200_000), (220_000, 300_000)]


def test_a_pause_of_two_intervals_is_no_gap(history, recorder):
    record(recorder, *(event(id_) for id_ in (1, 2, 3, 5, 6, 8)))
    chart = history.readings("pi", "temperature", START_MS, START_MS + 90_000, 100)
    assert [gap for gap in chart.gaps if gap.cause is GapCause.SILENCE] == []


def test_silence_that_lasts_is_a_gap_up_to_now_and_not_beyond(history, recorder, clock):
    now_ms = to_ms(clock.now())
    record(recorder, *(event(id_, taken_at_ms=now_ms - 100_000 + id_ * 10_000) for id_ in range(1, 6)))
    chart = history.readings("pi", "temperature", now_ms - 100_000, now_ms + HOUR_MS, 1000)
    assert [(gap.from_ms - now_ms, gap.to_ms - now_ms) for gap in chart.gaps] == [(-50_000, 0)]


def test_a_span_without_any_reading_is_one_gap(history, recorder):
    record(recorder, *(event(id_) for id_ in range(1, 6)))
    chart = history.readings("pi", "temperature", START_MS + HOUR_MS, START_MS + 2 * HOUR_MS, 100)
    assert [(gap.from_ms - START_MS, gap.to_ms - START_MS) for gap in chart.gaps] == [(HOUR_MS, 2 * HOUR_MS)]


def test_before_its_first_reading_a_device_is_not_silent(history, recorder):
    record(recorder, *(event(id_) for id_ in range(1, 6)))
    chart = history.readings("pi", "temperature", START_MS - HOUR_MS, START_MS + 60_000, 1000)
    assert chart.gaps == ()


def test_ids_that_are_missing_or_were_dropped_are_gaps_with_a_reason(history, recorder):
    record(recorder, *(event(id_) for id_ in (1, 2, 6, 7)), event(10, drop=Drop("s", 8, 9, "overflow")))
    chart = history.readings("pi", "temperature", START_MS, START_MS + 110_000, 100)
    known = [
        ((gap.from_ms - START_MS) // 10_000, (gap.to_ms - START_MS) // 10_000, gap.cause, gap.reason)
        for gap in chart.gaps
        if gap.cause is not GapCause.SILENCE
    ]
    assert known == [(2, 6, GapCause.MISSING, ""), (7, 10, GapCause.DROPPED, "overflow")]


def test_what_is_not_known_is_refused(history, recorder):
    record(recorder, event(1))
    for device, quantity, code in (
        ("nobody", "temperature", Code.UNKNOWN_DEVICE),
        ("pi", "ghosts", Code.UNKNOWN_QUANTITY),
    ):
        with pytest.raises(Refusal) as refused:
            history.readings(device, quantity, 0, 1, 1)
        assert refused.value.code is code
        with pytest.raises(Refusal) as refused:
            history.export(device, (quantity,), 0, 1, ExportFormat.CSV)
        assert refused.value.code is code


@pytest.mark.parametrize(("span", "points"), [((5, 5), 10), ((6, 5), 10), ((0, 5), 0), ((0, 5), 5_001)])
def test_a_chart_of_nothing_is_refused(history, recorder, span, points):
    record(recorder, event(1))
    with pytest.raises(Refusal) as refused:
        history.readings("pi", "temperature", *span, points)
    assert refused.value.code is Code.INVALID_PAYLOAD


# --- export -----------------------------------------------------------------------------------------------------------


def test_an_export_has_every_reading_once_in_order(history, recorder, monkeypatch):
    monkeypatch.setattr("server.storage.export._CHUNK", 7)
    # Several readings of one millisecond must not be cut apart.
    samples = [(START_MS + (id_ // 3) * 1_000 + 1, id_ / 8) for id_ in range(50)]
    record(
        recorder,
        *(
            event(id_, taken_at_ms=at, readings={"temperature": value, 'od,d "one"': -value})
            for id_, (at, value) in enumerate(samples, 1)
        ),
    )
    text = b"".join(history.export("pi", (), START_MS, START_MS + HOUR_MS, ExportFormat.CSV)).decode()
    rows = list(csv.reader(io.StringIO(text)))
    assert rows[0] == ["device", "quantity", "unit", "taken_at", "value"]
    assert [(name, unit) for _, name, unit, *_ in rows[1:]] == [('od,d "one"', "")] * 50 + [("temperature", "°C")] * 50
    assert [float(value) for *_, value in rows[51:]] == [value for _, value in samples]
    assert rows[51][3] == "2026-01-01T00:00:00.001Z"

    lines = b"".join(
        history.export("pi", ('od,d "one"',), START_MS, START_MS + HOUR_MS, ExportFormat.NDJSON)
    ).splitlines()
    objects = [json.loads(line) for line in lines]
    assert [one["value"] for one in objects] == [-value for _, value in samples]
    assert objects[-1] == {
        "device": "pi",
        "quantity": 'od,d "one"',
        "unit": "",
        "taken_at": "2026-01-01T00:00:16.001Z",
        "value": -49 / 8,
    }


def test_an_export_of_an_empty_span_is_only_its_header(history, recorder):
    record(recorder, event(1))
    assert b"".join(history.export("pi", (), 0, 1, ExportFormat.CSV)) == b"device,quantity,unit,taken_at,value\n"
    assert b"".join(history.export("pi", (), 0, 1, ExportFormat.NDJSON)) == b""


# --- replay -----------------------------------------------------------------------------------------------------------


def test_a_replay_gives_what_came_after_a_cursor_in_order(history, recorder):
    record(recorder, *(event(id_, body=json.dumps({"text": "°\u0000\n" * id_})) for id_ in range(1, 11)))
    assert [row.cursor for row in history.replay(4, 100)] == [5, 6, 7, 8, 9, 10]
    assert [row.cursor for row in history.replay(4, 2)] == [5, 6]
    assert history.replay(10, 100) == []
    first = history.replay(0, 1)[0]
    assert (first.device, first.stream, first.id, first.event) == ("pi", "s", 1, "round")
    assert json.loads(first.body) == {"text": "°\u0000\n"}


def test_a_replay_that_cannot_be_complete_is_refused(database, history, recorder):
    record(recorder, *(event(id_) for id_ in range(1, 11)))
    database.write(lambda connection: set_mark(database.dialect, connection, "pruned", 4))
    assert len(history.replay(4, 100)) == 6
    for since in (3, 11):
        with pytest.raises(Refusal) as refused:
            history.replay(since, 100)
        assert refused.value.code is Code.REPLAY_INCOMPLETE


def test_a_replay_leaves_out_what_is_not_what_was_written(database, history, recorder, caplog):
    record(recorder, *(event(id_) for id_ in range(1, 4)))
    database.write(lambda connection: connection.execute(update(events).where(events.c.cursor == 2).values(body="{}")))
    assert [row.cursor for row in history.replay(0, 100)] == [1, 3]
    assert "cursors=[2]" in caplog.text


# --- after a restart ----------------------------------------------------------------------------------------------


def test_the_state_has_the_newest_event_of_each_name_and_the_newest_reading_of_each_quantity(history, recorder):
    record(
        recorder,
        event(1),
        event(2, name="status", readings={}),
        event(3, readings={"temperature": None, "humidity": 40.0}),
        event(4, device="other"),
        event(5, name="status", readings={}),
    )
    state = history.latest_state()
    assert {(one.device, one.event, one.id) for one in state.events} == {
        ("pi", "round", 3),
        ("pi", "status", 5),
        ("other", "round", 4),
    }
    assert [(one.device, one.quantity, one.value) for one in state.readings] == [
        ("other", "temperature", 4.0),
        ("pi", "humidity", 40.0),
        ("pi", "temperature", 1.0),
    ]
    assert [device.name for device in state.devices] == ["other", "pi"]


def test_what_cannot_be_settled_on_a_full_disk_is_shown_as_far_as_it_goes(database, recorder, clock, caplog):
    def full() -> None:
        raise DiskFull("no room")

    record(recorder, event(1))
    recorder.settle()
    history = History(database, clock, full)
    assert [one.id for one in history.latest_state().events] == [1]
    assert [ledger.stored for ledger in history.completeness("pi")] == [1]
    assert caplog.text.count("history lacks the newest events") == 1
