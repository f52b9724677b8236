import io
import math
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pi_agent.hardware import recording
from pi_agent.hardware.base import PartFailed, PartUnavailable, TransientReadError
from pi_agent.hardware.factory import build_parts
from pi_agent.hardware.options import FaultKind, HardwareOptions, HostOptions, Mode, ReplayOptions, SimulatedPart
from pi_agent.hardware.replay import RecordedMotion, Tape
from pi_agent.hardware.sim.faults import Faults
from tests.support.clock import FakeClock

SECOND = 1_000_000_000
ROWS = """time,temperature,motion
0,20.0,0
10,21.0,1
20,22.0,0
"""


def parse(text):
    return recording.parse(io.StringIO(text, newline=""), "room.csv")


@pytest.fixture
def clock():
    return FakeClock()


def replayed(tmp_path, clock, rows=ROWS, faults=None, **options):
    file = tmp_path / "room.csv"
    file.write_text(rows, encoding="utf-8")
    hardware = HardwareOptions(
        mode=Mode.REPLAYED, replay=ReplayOptions(file=str(file), **options), host=HostOptions(enabled=False)
    )
    return build_parts(hardware, clock, faults=faults)


# The file


rows_strategy = st.lists(
    st.tuples(
        st.integers(1, 10**6),
        st.one_of(st.none(), st.floats(-40, 80)),
        st.one_of(st.none(), st.floats(0, 100)),
        st.booleans(),
    ),
    min_size=1,
    max_size=30,
)


@given(rows=rows_strategy)
def test_what_is_written_is_read(rows):
    at_ms, lines = 0, ["time, motion ,humidity,temperature"]
    expected = []
    for gap_ms, temperature, humidity, motion in rows:
        at_ms += gap_ms
        cells = (f"{at_ms / 1000:.3f}", str(int(motion)), humidity, temperature)
        lines.append(",".join("" if cell is None else str(cell) for cell in cells))
        expected.append((at_ms, temperature, humidity, int(motion)))
    read = parse("\r\n".join(lines) + "\r\n\r\n")
    first_ms = expected[0][0]
    assert [round(t / 1e6) for t in read.times_ns] == [at - first_ms for at, *_ in expected]
    for column, index in (("temperature", 1), ("humidity", 2)):
        values = [None if math.isnan(value) else value for value in read.columns[column]]
        assert values == [row[index] for row in expected]
    assert list(read.motion) == [row[3] for row in expected]


@given(
    text=st.one_of(
        st.text(), st.text(alphabet='0123456789.,"\n\r-eTZ:temporau ').map(lambda t: "time,temperature\n" + t)
    )
)
@example("time,temperature\n1e400,2\n")
@example("time,temperature\n0,1\n9999-12-31T00:00:00Z,2\n")
@example('time,temperature\n0,"1')
@example("time,temperature\n0,\x00\n")
@example('time,"' + "x\n" * 500 + '"\n')
def test_any_text_is_a_recording_or_refused_in_one_line(text):
    read, refused = parsed(text)
    if refused:
        assert refused.startswith("replay: room.csv, line ")
        assert len(refused.splitlines()) == 1
        assert len(refused) < 400
    else:
        assert len(read.times_ns) > 0
        assert list(read.times_ns) == sorted(set(read.times_ns))


def parsed(text):
    try:
        return parse(text), ""
    except PartUnavailable as refused:
        return None, str(refused)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "line 1: the header needs a column `time`; it has ''"),
        ("temperature\n1\n", "line 1: the header needs a column `time`; it has 'temperature'"),
        ("time\n0\n", "line 1: there is no column beside `time`"),
        ("time,temperatur\n0,1\n", "line 1: 'temperatur' is no quantity; did you mean `temperature`"),
        ("time,zzz\n0,1\n", "line 1: 'zzz' is no quantity; docs/EVENTS.md has the table"),
        ("time,humidity,humidity\n0,1,2\n", "line 1: there is more than one column `humidity`"),
        ("time,humidity\n", "line 1: there are no rows"),
        ("time,humidity\n0,1\n1,2,3\n", "line 3: 3 cells under 2 column names"),
        ("time,humidity\n0,1\n\n5,dry\n", "line 4: humidity 'dry' is not a number"),
        ("time,humidity\n0,101\n", "line 2: `humidity` is 101%RH, outside 0 to 100"),
        ("time,humidity\n0,nan\n", "line 2: `humidity` is nan"),
        ("time,humidity\n5,1\n5,1\n", "line 3: its time is not after that of the row before; sort"),
        (
            "time,humidity\n2026-03-01 12:00:00,1\n",
            "line 2: time '2026-03-01 12:00:00' is neither ISO 8601 with a zone",
        ),
        ("time,motion\n0,yes\n", "line 2: motion 'yes' is neither 0 nor 1"),
        ("time,motion\n0,\n", "line 2: motion '' is neither 0 nor 1"),
        ('time,humidity\n0,"1"2\n', "line 2: is not CSV"),
    ],
)
def test_a_wrong_recording_is_refused_with_its_line(text, words):
    with pytest.raises(PartUnavailable) as refused:
        parse(text)
    assert words in str(refused.value)


def test_a_file_that_is_no_recording_is_refused_in_one_line(tmp_path):
    binary = tmp_path / "binary.csv"
    binary.write_bytes(b"time,temperature\n\xff\xfe\n")
    for file, words in [(tmp_path / "none.csv", "No such file"), (tmp_path, "directory"), (binary, "utf-8")]:
        with pytest.raises(PartUnavailable, match=words) as refused:
            recording.load(file)
        assert "\n" not in str(refused.value)


def test_too_many_rows_are_refused(monkeypatch):
    monkeypatch.setattr(recording, "MAX_ROWS", 2)
    with pytest.raises(PartUnavailable, match="line 4: more than 2 rows; cut the recording"):
        parse(ROWS)


def test_a_byte_order_mark_is_no_part_of_the_header(tmp_path):
    file = tmp_path / "room.csv"
    file.write_text(ROWS, encoding="utf-8-sig")
    assert list(recording.load(file).columns) == ["temperature"]


# The tape


@pytest.mark.parametrize("speed", [0.5, 1.0, 4.0])
def test_a_row_holds_until_the_next_and_the_end_is_the_beginning(tmp_path, clock, speed):
    parts = replayed(tmp_path, clock, speed=speed)
    told = []
    for _ in range(7):
        told.append(parts.sensors[0].read()["temperature"])
        clock.advance(5 / speed)
    assert told == [20, 20, 21, 21, 22, 22, 20]
    parts.close()


def test_without_a_loop_the_parts_fail_at_the_end(tmp_path, clock):
    parts = replayed(tmp_path, clock, loop=False)
    edges = []
    parts.infrared.start(lambda active, at_ns: edges.append(active))
    clock.advance(29.9)
    parts.infrared.step()
    assert parts.sensors[0].read() == {"temperature": 22}
    assert parts.infrared.active() is False
    clock.advance(0.1)
    parts.infrared.step()
    for call in (parts.sensors[0].read, parts.infrared.active, parts.infrared.watching):
        with pytest.raises(PartFailed, match="the recording has ended; set hardware"):
            call()
    assert edges == [True, False]
    parts.infrared.stop()
    with pytest.raises(PartFailed):
        parts.infrared.start(lambda active, at_ns: None)
    parts.close()


def test_who_is_there_when_the_recording_ends_has_gone(tmp_path, clock):
    parts = replayed(tmp_path, clock, rows="time,motion\n0,0\n10,1\n", loop=False)
    edges = []
    start_ns = clock.monotonic_ns()
    parts.infrared.start(lambda active, at_ns: edges.append((active, at_ns - start_ns)))
    clock.advance(100)
    parts.infrared.step()
    assert edges == [(True, 10 * SECOND), (False, 20 * SECOND)]
    parts.close()


def test_motion_is_told_at_the_recorded_times_at_any_speed_lap_after_lap(tmp_path, clock):
    parts = replayed(tmp_path, clock, speed=10.0)
    edges = []
    start_ns = clock.monotonic_ns()
    parts.infrared.start(lambda active, at_ns: edges.append((active, (at_ns - start_ns) / SECOND)))
    clock.advance(6.5)
    parts.infrared.step()
    assert edges == [(True, 1), (False, 2), (True, 4), (False, 5)]
    parts.close()


speeds = st.floats(0.001, 100_000, allow_subnormal=False)
motions = st.lists(st.tuples(st.integers(1, 10**10), st.integers(0, 1)), min_size=1, max_size=12)


@given(rows=motions, speed=speeds, loop=st.booleans(), at_ns=st.integers(0, 10**13))
def test_edges_lie_strictly_ahead_and_at_each_the_state_is_what_it_says(rows, speed, loop, at_ns):
    times, motion, now = [], [], 0
    for gap, active in rows:
        times.append(now)
        motion.append(active)
        now += gap
    tape = Tape(recording.Recording(times, {}, motion), speed, loop=loop)
    schedule = RecordedMotion(tape, motion)
    edge = schedule.next_edge(at_ns)
    if edge is None:
        assert not loop
        assert not schedule.active(at_ns)
        return
    active, edge_ns = edge
    assert edge_ns > at_ns
    assert schedule.active(edge_ns) is active
    assert schedule.active(edge_ns - 1) is schedule.active(at_ns)
    position = Fraction(str(speed)) * at_ns % tape.recording.period_ns
    if loop or Fraction(str(speed)) * at_ns < tape.recording.period_ns:
        row = max(index for index, time in enumerate(times) if time <= int(position))
        assert schedule.active(at_ns) is bool(motion[row])


def test_an_empty_cell_is_a_failed_read_and_the_next_row_is_read_again(tmp_path, clock):
    parts = replayed(tmp_path, clock, rows="time,temperature,humidity\n0,20,50\n10,,50\n20,22,50\n")
    [sensor] = parts.sensors
    clock.advance(10)
    with pytest.raises(TransientReadError, match="no temperature in row 2"):
        sensor.read()
    clock.advance(10)
    assert sensor.read() == {"temperature": 22, "humidity": 50}
    parts.close()


def test_a_frozen_recording_repeats_its_last_row(tmp_path, clock):
    faults = Faults(clock)
    parts = replayed(tmp_path, clock, faults=faults)
    [sensor] = parts.sensors
    sensor.read()
    faults.inject(SimulatedPart.CLIMATE, FaultKind.FROZEN)
    clock.advance(10)
    assert sensor.read() == {"temperature": 20}
    parts.close()


def test_nothing_is_invented_that_was_not_recorded(tmp_path, clock):
    without_motion = replayed(tmp_path, clock, rows="time,temperature\n0,20\n")
    assert without_motion.infrared is None
    assert without_motion.light is not None
    without_motion.close()
    only_motion = replayed(tmp_path, clock, rows="time,motion\n0,1\n")
    assert only_motion.sensors == ()
    assert only_motion.infrared.active()
    only_motion.close()
