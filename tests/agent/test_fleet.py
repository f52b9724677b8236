"""A fleet without a relay: its counters, its view, its plan of faults, and the crew that does everybody's work."""

import argparse
import io
import threading
from collections.abc import Iterator

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pi_agent.fleet.arguments import add_arguments
from pi_agent.fleet.crew import Crew
from pi_agent.fleet.device import CONFIG, write_settings
from pi_agent.fleet.plan import Cut, Faults, Kill, SkewedClock, seed_of, skew_of
from pi_agent.fleet.sample import Sample
from pi_agent.fleet.tally import Asked, Latencies, Seen, Tally
from pi_agent.fleet.view import Live, Plain, bar, sparkline, summary
from pi_agent.settings import read_settings
from shared.clock import SystemClock
from tests.support.clock import FakeClock

QUIET = Sample(
    at="2026-01-01T00:00:00.000Z",
    elapsed_s=61.0,
    devices=20,
    connected=18,
    connecting=1,
    cut=1,
    down=0,
    rounds=100,
    rounds_acked=99,
    taken=120,
    acked=119,
    waiting=1,
    dropped={},
    rounds_per_s=2.0,
    acked_per_s=1.9,
    ack_p50_ms=4.2,
    ack_p99_ms=120.4,
    commands=3,
    answered=3,
    refusals={},
    cuts=1,
    kills=0,
    gone=0,
    troubles=0,
    cpu_pct=4.0,
    rss_mb=51.0,
    late_ms=1.0,
)


def with_(**changes) -> Sample:
    return msgspec.structs.replace(QUIET, **changes)


# --- counters --------------------------------------------------------------------------------------------------------


@given(times=st.lists(st.floats(0.2, 60_000), min_size=1, max_size=200), share=st.sampled_from([0.5, 0.9, 0.99]))
def test_a_latency_is_told_within_a_tenth_of_what_it_was(times, share) -> None:
    latencies = Latencies()
    for ms in times:
        latencies.add(ms)
    right = sorted(times)[max(0, -int(-len(times) * share // 1) - 1)]
    assert right * 0.99 <= latencies.whole(share) <= right * 1.1
    assert latencies.recent(share) == latencies.whole(share)


def test_latencies_of_the_last_seconds_are_forgotten_and_all_of_them_are_not() -> None:
    latencies = Latencies(window=2)
    latencies.add(100.0)
    latencies.turn()
    assert latencies.recent(0.5) is not None
    latencies.turn()
    assert latencies.recent(0.5) is None
    assert latencies.whole(0.5) == pytest.approx(100, rel=0.1)


@given(ids=st.lists(st.integers(1, 40), max_size=120))
def test_an_id_is_counted_once_however_often_and_in_whatever_order_it_is_acked(ids) -> None:
    seen = Seen()
    seen.begin("s", 0)
    assert sum(seen.first("s", key) for key in ids) == len(set(ids))


def test_what_was_dropped_leaves_nothing_behind_in_memory_and_a_new_stream_begins_anew() -> None:
    seen = Seen()
    seen.begin("s", 0)
    assert seen.first("s", 5)
    seen.forget_through(9)
    assert not seen.first("s", 5)
    assert seen.first("s", 10)
    assert not seen._above
    assert seen.first("t", 1)


def test_a_command_that_comes_twice_is_one_and_has_one_answer() -> None:
    asked = Asked()
    assert [asked.came("c1"), asked.came("c1")] == [True, False]
    assert [asked.answered("c1"), asked.answered("c1"), asked.answered("c2")] == [True, False, False]


def test_the_tally_counts_new_events_rounds_and_refusals() -> None:
    tally = Tally()
    tally.ack(5.0, new=True, is_round=True)
    tally.ack(5.0, new=True, is_round=False)
    tally.ack(5.0, new=False, is_round=True)
    tally.refuse("busy")
    assert (tally.acked, tally.rounds_acked, dict(tally.refusals)) == (2, 1, {"busy": 1})


# --- view ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [20, 60, 80, 200])
def test_no_line_is_wider_than_the_terminal(width) -> None:
    live = Live(io.StringIO(), "http://relay.lan:5000", 600, colour=False)
    lines = live.lines(with_(refusals={"busy": 12, "queue_full": 1}, dropped={"age": 3}), width)
    assert max(map(len, lines)) <= width


def test_the_view_is_drawn_in_its_place_and_gives_the_cursor_back() -> None:
    out = io.StringIO()
    live = Live(out, "http://127.0.0.1:5000", None, colour=False)
    live.show(QUIET, 100)
    first = out.getvalue()
    live.show(QUIET, 100)
    live.close()
    second = out.getvalue()[len(first) :]
    assert second.startswith(f"\x1b[{first.count(chr(10))}F")
    assert second.endswith("\x1b[?25h")


def test_colours_are_drawn_only_where_they_are_wanted() -> None:
    assert "\x1b[" not in "".join(Live(io.StringIO(), "u", None, colour=False).lines(QUIET, 100))
    assert "\x1b[" in "".join(Live(io.StringIO(), "u", None, colour=True).lines(QUIET, 100))


def test_the_view_says_what_matters() -> None:
    sample = with_(refusals={"busy": 12}, dropped={"overflow": 7}, late_ms=900.0, kills=2, gone=1)
    text = "\n".join(Live(io.StringIO(), "http://127.0.0.1:5000", None, colour=False).lines(sample, 120))
    for words in (
        "18 connected, 1 connecting, 1 cut, 0 down",
        "2.0/s taken, 1.9/s acked",
        "p50 4.2 ms, p99 120 ms",
        "1 waiting, dropped: 7 overflow",
        "3 of 3 answered",
        "12 busy",
        "links cut: 1, agents killed: 2 (events lost with them that were not on disk yet: 1)",
        "this machine is the limit",
    ):
        assert words in text


def test_a_bar_is_as_wide_as_it_should_be_and_hides_nobody() -> None:
    drawn = bar([(999, "#"), (1, "x"), (0, "?")], 20)
    assert (len(drawn), drawn.count("x"), drawn.count("?")) == (20, 1, 0)
    assert bar([(0, "#")], 20) == ""


def test_a_sparkline_shows_the_last_values() -> None:
    assert sparkline([9, 0, 4, 8], 3) == "▁▅█"
    assert sparkline([0.0, 0.0], 5) == "▁▁"
    assert sparkline([], 5) == ""


def test_without_a_terminal_a_line_is_written_every_five_seconds() -> None:
    out = io.StringIO()
    plain = Plain(out)
    for second in range(12):
        plain.show(with_(elapsed_s=float(second)))
    assert out.getvalue().count("\n") == 3
    assert "18/20 connected" in out.getvalue()


def test_the_summary_names_what_was_left() -> None:
    rows = dict(summary(with_(waiting=3), 4.0, 9.0))
    assert rows["left unsent"] == "3"
    assert rows["rounds"] == "100 taken, 99 acked"
    assert not with_(waiting=3).clean
    assert not with_(waiting=0, dropped={"age": 1}).clean
    assert with_(waiting=0).clean


# --- plan ------------------------------------------------------------------------------------------------------------


def faults(seed: int) -> list[Cut | Kill]:
    plan = Faults(seed, 30, cut_every_s=2.0, kill_every_s=3.0)
    return [fault for second in range(60) for fault in plan.due(float(second))]


def test_the_same_seed_gives_the_same_faults_and_another_one_others() -> None:
    assert faults(7) == faults(7)
    assert faults(7) != faults(8)
    assert [seed_of(1, n) for n in range(9)] == [seed_of(1, n) for n in range(9)]
    assert len({seed_of(1, n) for n in range(99)}) == 99


def test_faults_come_as_often_as_asked_however_seldom_somebody_looks() -> None:
    told = faults(1)
    assert sum(isinstance(fault, Kill) for fault in told) == 59 // 3
    cuts = [fault for fault in told if isinstance(fault, Cut)]
    assert len(cuts) == 59 // 2
    assert {len(set(cut.devices)) for cut in cuts} == {3}
    late = Faults(1, 30, cut_every_s=2.0, kill_every_s=3.0)
    assert list(late.due(59.0)) == told


def test_a_skewed_clock_is_off_and_does_not_claim_otherwise() -> None:
    clock = FakeClock()
    off = SkewedClock(clock, -3600.0)
    assert (clock.now() - off.now()).total_seconds() == 3600
    assert off.monotonic_ns() == clock.monotonic_ns()
    assert not off.synchronised()
    assert all(abs(skew_of(1, number, 60.0)) <= 60 for number in range(50))
    assert skew_of(1, 0, 0.0) == 0


# --- settings of a device --------------------------------------------------------------------------------------------


def test_a_device_has_the_common_settings_its_own_and_a_token_that_nobody_else_may_read(tmp_path) -> None:
    common = {
        "sample_interval_s": 9,
        "relay": {"token": "somebody else's"},
        "breathing": {"schedule": ["mon-fri 18:00-22:30"]},
        "accessories": {"fan": {"gpio": 17, "title": 'The "big" fan'}},
    }
    faulty = [{"part": "climate", "kind": "transient", "share": 0.5}]
    own = {
        "device": "d-1",
        "relay": {"url": "http://r:1"},
        "hardware": {"mode": "simulated", "simulation": {"seed": 3, "faults": faulty}},
    }
    write_settings(tmp_path / "d-1", common, own, "secret")
    settings = read_settings(tmp_path / "d-1" / CONFIG, {})
    assert (settings.device, settings.sample_interval_s, settings.relay.url) == ("d-1", 9, "http://r:1")
    assert settings.accessories["fan"].title == 'The "big" fan'
    assert settings.hardware.simulation.faults[0].share == 0.5
    assert settings.breathing.schedule == ("mon-fri 18:00-22:30",)
    token = tmp_path / "d-1" / "token"
    assert settings.relay.token_file == str(token)
    assert settings.relay.token is None
    assert token.stat().st_mode & 0o077 == 0


def test_numbers_that_cannot_be_are_refused(capsys) -> None:
    parser = argparse.ArgumentParser("pi-agent fleet")
    add_arguments(parser)
    for words in ("--devices 0", "--devices x", "--devices 1 --interval 0", "--devices 1 --sensor-faults 2"):
        with pytest.raises(SystemExit) as ended:
            parser.parse_args(words.split())
        assert ended.value.code == 2
    assert "'2' is not a share from 0 to 1" in capsys.readouterr().err


# --- crew ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def crew() -> Iterator[Crew]:
    crew = Crew("crew", 3, SystemClock())
    yield crew
    crew.close()


def test_a_loop_is_never_resumed_twice_at_once_and_no_wake_is_lost(crew) -> None:
    inside, wrong, wanted = [0], [], [0]

    def loop() -> Iterator[float]:
        while True:
            inside[0] += 1
            if inside[0] != 1:
                wrong.append(inside[0])
            seen = wanted[0]
            inside[0] -= 1
            if seen >= 3000:
                return
            yield float("inf")

    errand = crew.hire("loop", loop, SystemClock())
    errand.start()
    lock = threading.Lock()

    def ask() -> None:
        for _ in range(1000):
            with lock:
                wanted[0] += 1
            errand.wake()

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errand.join(10)
    assert wrong == []


def test_loops_are_resumed_when_they_are_due_without_being_woken(crew) -> None:
    counts = [0] * 20
    done = threading.Barrier(21)

    def loop(number: int) -> Iterator[float]:
        for _ in range(10):
            counts[number] += 1
            yield 0.001 * (number % 3)
        done.wait(10)

    # As many threads as loops: each waits for all at its end.
    wide = Crew("wide", 20, SystemClock())
    errands = [wide.hire("loop", lambda number=number: loop(number), SystemClock()) for number in range(20)]
    for errand in errands:
        errand.start()
    done.wait(10)
    assert all(errand.join(10) for errand in errands)
    assert counts == [10] * 20
    wide.close()


def test_a_loop_that_fails_is_trouble_and_the_others_go_on(crew, caplog) -> None:
    went_on = threading.Event()

    def broken() -> Iterator[float]:
        yield 0.0
        raise ZeroDivisionError

    def sound() -> Iterator[float]:
        yield 0.01
        went_on.set()
        yield float("inf")

    one, other = crew.hire("broken", broken, SystemClock()), crew.hire("sound", sound, SystemClock())
    one.start()
    other.start()
    assert one.join(10)
    assert went_on.wait(10)
    assert one.trouble() == "loop broken has ended"
    assert other.trouble() is None
    assert "ZeroDivisionError" in caplog.text


def test_a_loop_that_was_let_go_is_never_resumed(crew) -> None:
    resumed = []

    def loop() -> Iterator[float]:
        while True:
            resumed.append(1)
            yield float("inf")

    errand = crew.hire("loop", loop, SystemClock())
    errand.start()
    while not resumed:
        pass
    errand.let_go()
    assert errand.join(10)
    count = len(resumed)
    errand.wake()
    marker = threading.Event()

    def later() -> Iterator[float]:
        marker.set()
        yield from ()

    crew.hire("later", later, SystemClock()).start()
    assert marker.wait(10)
    assert len(resumed) == count
