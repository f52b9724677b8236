"""Sampling rounds, and a schedule that no wall clock can stop."""

import threading
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from itertools import pairwise

import apscheduler.executors.base
import apscheduler.schedulers.base
import pytest
from apscheduler.executors.debug import DebugExecutor
from apscheduler.schedulers.base import BaseScheduler

from pi_agent.hardware.base import NotReady, PartFailed, TransientReadError
from pi_agent.hardware.options import HardwareOptions, Mode, ReplayOptions
from pi_agent.jobs.sampling import Probe, budget_s, probes, sample_sensors
from pi_agent.jobs.schedule import Planner, Schedule
from pi_agent.jobs.status import report_status
from shared.contract.events import SENSOR_DATA_PUB_PI
from shared.contract.payloads import SensorData
from tests.support.clock import FakeClock

NOON = "2026-03-01T12:00:00.000Z"


class ScriptedSensor:
    """Says what the script says; an exception is raised."""

    def __init__(self, name: str, *script, quantities=("temperature",), min_interval_s: float = 2.0, takes_s=0.0,
                 clock: FakeClock | None = None) -> None:  # fmt: skip
        self.name, self.quantities, self.min_interval_s = name, quantities, min_interval_s
        self.script = list(script)
        self.reads: list[float] = []
        self.takes_s, self.clock = takes_s, clock

    def read(self) -> Mapping[str, float]:
        if self.clock:
            self.reads.append(self.clock.monotonic_ns() / 1e9)
            self.clock.advance(self.takes_s)
        answer = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, Mapping) else {self.quantities[0]: answer}

    def close(self) -> None:
        pass


class Rounds:
    """An outbox of a list; validates as the real one does."""

    def __init__(self) -> None:
        self.kept: list[dict] = []

    def append(self, spec, fields, monotonic_ns=None) -> None:
        assert spec is SENSOR_DATA_PUB_PI
        SensorData.build(id=1, datetime="2026-01-01 00:00:00", **fields)
        self.kept.append(dict(fields) | {"ns": monotonic_ns})


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def one_round(clock, *sensors, budget=10.0, stops=False, judged=None) -> dict | None:
    rounds = Rounds()

    def pause(seconds: float) -> bool:
        clock.advance(seconds)
        return stops

    sample_sensors(judged or [Probe(sensor, clock) for sensor in sensors], rounds, clock, budget, pause)
    return rounds.kept[0] if rounds.kept else None


# --- sampling --------------------------------------------------------------------------------------------------------


def test_a_round_has_every_quantity_to_its_precision_and_the_time_of_its_beginning(clock) -> None:
    began = clock.monotonic_ns()
    sensor = ScriptedSensor("dht", {"temperature": 21.4449, "humidity": 50}, quantities=("temperature", "humidity"))
    assert one_round(clock, sensor) == {"data": {"temperature": 21.4, "humidity": 50}, "fail": [], "ns": began}


def test_noise_is_retried_and_the_value_says_so(clock) -> None:
    noisy = ScriptedSensor("dht", TransientReadError("checksum"), TransientReadError("checksum"), 21.0, clock=clock)
    kept = one_round(clock, noisy)
    assert kept["data"] == {"temperature": 21.0}
    assert kept["fail"] == []
    assert kept["quality"]["temperature"]["state"] == "degraded"
    gaps = [later - earlier for earlier, later in pairwise(noisy.reads)]
    assert all(gap >= 2.0 for gap in gaps)


def test_a_failed_sensor_is_named_with_its_reason_and_its_values_are_null(clock) -> None:
    good = ScriptedSensor("host", 1.0, quantities=("cpu_load",), min_interval_s=0)
    kept = one_round(clock, ScriptedSensor("dht", PartFailed("not found")), good)
    assert kept["fail"] == ["dht"]
    assert kept["data"] == {"temperature": None, "cpu_load": 1.0}
    assert kept["quality"] == {"temperature": {"state": "failed", "reason": f"not found; failed since {NOON}"}}


def test_a_part_that_does_not_answer_is_not_asked_again_in_the_same_round(clock) -> None:
    dead = ScriptedSensor("dht", PartFailed("gone"), clock=clock)
    one_round(clock, dead)
    assert len(dead.reads) == 1


@pytest.mark.parametrize("value", [999.0, float("nan"), float("inf"), -41.0])
def test_a_value_that_cannot_be_is_a_failure_and_not_a_reading(clock, value) -> None:
    kept = one_round(clock, ScriptedSensor("dht", value))
    assert kept["data"] == {"temperature": None}
    assert kept["fail"] == ["dht"]


def test_a_missing_quantity_is_a_failure(clock) -> None:
    kept = one_round(clock, ScriptedSensor("dht", {"humidity": 3.0}))
    assert kept["fail"] == ["dht"]


def test_retries_end_with_the_budget(clock) -> None:
    noisy = ScriptedSensor("dht", TransientReadError("noise"), clock=clock)
    start = clock.monotonic_ns()
    kept = one_round(clock, noisy, budget=5.0)
    assert kept["fail"] == ["dht"]
    assert (clock.monotonic_ns() - start) / 1e9 <= 5.0
    assert len(noisy.reads) == 3


def test_retries_are_few_however_large_the_budget(clock) -> None:
    noisy = ScriptedSensor("dht", TransientReadError("noise"), clock=clock)
    one_round(clock, noisy, budget=1000.0)
    assert len(noisy.reads) == 4


def test_the_hardware_gets_its_pause_between_two_rounds_as_well(clock) -> None:
    sensor = ScriptedSensor("dht", 20.0, takes_s=0.3, clock=clock)
    watched = [Probe(sensor, clock)]
    for _ in range(5):
        start = clock.monotonic_ns()
        assert one_round(clock, judged=watched, budget=budget_s(2.0)) is not None
        clock.advance(2.0 - (clock.monotonic_ns() - start) / 1e9)
    gaps = [later - earlier - 0.3 for earlier, later in pairwise(sensor.reads)]
    assert all(gap >= 2.0 - 1e-9 for gap in gaps)


def test_a_sensor_that_may_not_be_read_yet_is_left_out_and_not_called_failed(clock) -> None:
    slow = ScriptedSensor("dht", 20.0)
    fast = ScriptedSensor("host", 1.0, quantities=("cpu_load",), min_interval_s=0)
    watched = [Probe(slow, clock), Probe(fast, clock)]
    assert set(one_round(clock, judged=watched, budget=0.08)["data"]) == {"temperature", "cpu_load"}
    clock.advance(0.1)
    kept = one_round(clock, judged=watched, budget=0.08)
    assert set(kept["data"]) == {"cpu_load"}
    assert kept["fail"] == []


def test_a_round_that_is_cut_short_by_the_end_is_not_kept(clock) -> None:
    assert one_round(clock, ScriptedSensor("dht", TransientReadError("noise")), stops=True) is None


def test_a_broken_sensor_is_logged_once_and_once_when_it_works_again(clock, caplog) -> None:
    caplog.set_level("INFO")
    sensor = ScriptedSensor("dht", *[PartFailed("gone")] * 5, 20.0)
    watched = [Probe(sensor, clock)]
    for _ in range(8):
        one_round(clock, judged=watched)
        clock.advance(30)
    assert caplog.text.count("sensor failed") == 1
    assert caplog.text.count("works again") == 1


def test_what_is_read_after_a_long_stop_is_no_part_of_the_round_from_before(clock) -> None:
    first = ScriptedSensor("dht", 20.0, clock=clock, takes_s=40.0)
    second = ScriptedSensor("host", 1.0, quantities=("cpu_load",), min_interval_s=0)
    kept = one_round(clock, first, second)
    assert kept["data"] == {"temperature": None}
    assert "its age is unknown" in kept["quality"]["temperature"]["reason"]


def test_a_part_that_is_not_ready_is_named_with_its_reason_and_not_asked_again_in_the_round(clock) -> None:
    warming = ScriptedSensor("pms", NotReady("warms up for another 20 s"), quantities=("PM2.5",), clock=clock)
    kept = one_round(clock, warming)
    assert len(warming.reads) == 1
    assert kept["fail"] == ["pms"]
    assert kept["quality"]["PM2.5"]["reason"].startswith("warms up for another 20 s")


def test_a_sensor_that_has_failed_for_long_costs_one_try_a_round_until_it_works(clock) -> None:
    sensor = ScriptedSensor("dht", *[TransientReadError("noise")] * 14, 20.0, TransientReadError("noise"), clock=clock)
    watched, tries = [Probe(sensor, clock)], []
    for _ in range(7):
        before = len(sensor.reads)
        one_round(clock, judged=watched)
        tries.append(len(sensor.reads) - before)
        clock.advance(30)
    assert tries == [4, 4, 4, 1, 1, 1, 4]


def test_a_recording_is_believed_as_it_is(clock) -> None:
    sensors = [ScriptedSensor("replay", 20.0, 70.0, min_interval_s=0, clock=clock)]
    replayed = HardwareOptions(mode=Mode.REPLAYED, replay=ReplayOptions(file="x.csv"))
    for hardware, told in ((replayed, 70.0), (HardwareOptions(mode=Mode.SIMULATED), 70.0)):
        sensors[0].script = [20.0, 70.0]
        judged = probes(sensors, hardware, clock)
        one_round(clock, judged=judged)
        kept = one_round(clock, judged=judged)
        assert kept["data"] == {"temperature": told}
        assert ("quality" in kept) is (hardware is not replayed)


def test_a_round_is_over_well_before_the_next() -> None:
    assert [budget_s(interval) for interval in (0.1, 2, 30, 3600)] == pytest.approx([0.08, 1.6, 10, 10])


def test_a_status_report_only_asks_the_accessories_own_thread() -> None:
    class Asked:
        count = 0

        def want_report(self) -> None:
            self.count += 1

    asked = Asked()
    report_status(asked)
    assert asked.count == 1


# --- schedule --------------------------------------------------------------------------------------------------------


class WallClock:
    """The library's wall clock, in a test's hands: real scheduler, real triggers, no waiting."""

    def __init__(self, monkeypatch, clock: FakeClock) -> None:
        class patched(datetime):  # noqa: N801
            @classmethod
            def now(cls, tz=None):
                return clock.now().astimezone(tz)

        monkeypatch.setattr(apscheduler.schedulers.base, "datetime", patched)
        monkeypatch.setattr(apscheduler.executors.base, "datetime", patched)
        monkeypatch.setattr("pi_agent.jobs.schedule.datetime", patched)


def drive(schedule: Schedule, clock: FakeClock, seconds: float, tick_s: float, on_step=lambda: None) -> None:
    """What the library's loop does: it sleeps until it thinks something is due; `follow_clock` runs beside it."""
    end = clock.monotonic_ns() + round(seconds * 1e9)
    scheduler = schedule.planner.scheduler
    wakes_at = checks_at = clock.monotonic_ns()
    while clock.monotonic_ns() < end:
        now = clock.monotonic_ns()
        if now >= checks_at:
            planned = [job.next_run_time for job in scheduler.get_jobs()]
            schedule.follow_clock()
            checks_at = now + round(tick_s * 1e9)
            if [job.next_run_time for job in scheduler.get_jobs()] != planned:
                wakes_at = now  # the library wakes itself
        if now >= wakes_at:
            wait_s = scheduler._process_jobs()
            wakes_at = now + round((60 if wait_s is None else wait_s) * 1e9)
        on_step()
        clock.advance(max(0.001, (min(wakes_at, checks_at, end) - now) / 1e9))


HOUR, DAY = 3600.0, 86400.0


@pytest.mark.parametrize("step_s", [HOUR, -HOUR, DAY, -DAY, 7.0, -7.0, 0.4, -0.4], ids=lambda s: f"{s:+g}s")
@pytest.mark.parametrize("period_s", [0.5, 30.0])
def test_a_clock_step_costs_at_most_one_round(monkeypatch, clock, step_s, period_s) -> None:
    gaps = _gaps(monkeypatch, clock, period_s, lambda: clock.step(step_s))
    assert max(gaps) <= 2 * period_s
    assert len(gaps) >= 8


@pytest.mark.parametrize("period_s", [0.5, 30.0])
def test_a_pi_that_wakes_in_1970_samples_before_and_after_it_learns_the_date(monkeypatch, period_s) -> None:
    clock = FakeClock(datetime(1970, 1, 1, 0, 0, 20, tzinfo=timezone.utc))  # noqa: UP017
    gaps = _gaps(monkeypatch, clock, period_s, lambda: clock.step(timedelta(days=20_500).total_seconds()))
    assert max(gaps) <= 2 * period_s


def test_a_clock_that_falls_back_to_1970_stops_nothing(monkeypatch, clock) -> None:
    gaps = _gaps(monkeypatch, clock, 30.0, lambda: clock.step(-timedelta(days=20_500).total_seconds()))
    assert max(gaps) <= 60


def test_a_steady_clock_gives_steady_rounds(monkeypatch, clock) -> None:
    gaps = _gaps(monkeypatch, clock, 30.0, lambda: None)
    assert gaps == pytest.approx([30.0] * len(gaps), abs=0.01)


def _gaps(monkeypatch, clock, period_s, jump) -> list[float]:
    WallClock(monkeypatch, clock)
    ran: list[float] = []
    schedule = Schedule(clock, Planner(executor=DebugExecutor()))
    schedule.every(period_s, "sample", lambda: ran.append(clock.monotonic_ns() / 1e9))
    schedule.planner.scheduler._event = threading.Event()
    BaseScheduler.start(schedule.planner.scheduler)  # all of `start` but the loop, which `drive` is
    tick_s = min(1.0, schedule.shortest_period_s)
    drive(schedule, clock, period_s * 4.3, tick_s)
    jump()
    drive(schedule, clock, period_s * 5.5, tick_s)
    return [later - earlier for earlier, later in pairwise(ran)]


def test_a_job_that_fails_is_trouble(clock) -> None:
    schedule = Schedule(clock)
    schedule.every(30, "sample", lambda: 1 / 0)
    assert schedule.trouble() is None
    schedule._jobs[0].run()
    assert "sample failed" in schedule.trouble()


def test_a_job_that_hangs_is_trouble_but_not_after_the_process_was_frozen(clock) -> None:
    schedule = Schedule(clock)
    schedule.every(30, "sample", lambda: None)
    clock.advance(140)
    assert schedule.trouble() is None
    clock.advance(20)
    assert "has not ended" in schedule.trouble()
    schedule.excuse()
    assert schedule.trouble() is None
