"""What a reading must pass, and the state that follows: in fake time."""

import math
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pi_agent.hardware.base import HardwareError, PartFailed, TransientReadError
from pi_agent.hardware.quality import Judge, QualityOptions
from pi_agent.jobs.sampling import Probe, sample_sensors
from shared.settings import SettingsError
from tests.agent.hardware.test_options import load_with
from tests.support.clock import FakeClock

HOUR = 3600.0


class Sensor:
    """Tells what a test puts into `air`; the next of `script` first. Exceptions are raised."""

    name = "dht22"

    def __init__(self, *quantities, min_interval_s=2.1, clock=None):
        self.quantities = quantities or ("temperature", "humidity")
        self.min_interval_s = min_interval_s
        self.air = dict.fromkeys(self.quantities, 20.0)
        self.script = []
        self.reads = 0
        self.takes_s, self.clock = 0.0, clock

    def read(self):
        self.reads += 1
        if self.clock:
            self.clock.advance(self.takes_s)
        told = self.script.pop(0) if self.script else self.air
        if isinstance(told, Exception):
            raise told
        return dict(told)

    def close(self):
        pass


class Rounds:
    """Sampling rounds of one sensor; `at` tells the last one."""

    def __init__(self, sensor, clock, options=None):
        self.sensor, self.clock = sensor, clock
        self.probe = Probe(sensor, clock, options or QualityOptions())
        self.kept = []

    def append(self, spec, fields, monotonic_ns=None):
        self.kept.append(fields)

    def after(self, seconds=30.0, **air):
        """The round so much later, with that in the air."""
        self.sensor.air |= air
        self.clock.advance(seconds)
        count = len(self.kept)
        sample_sensors([self.probe], self, self.clock, 10.0, lambda wait_s: self.clock.advance(wait_s))
        return Told(self.kept[-1]) if len(self.kept) > count else None


class Told:
    """One round: values, states and reasons by quantity."""

    def __init__(self, fields):
        self.values = fields["data"]
        self.fail = fields["fail"]
        self.quality = fields.get("quality", {})

    def state(self, name="temperature"):
        return self.quality[name]["state"] if name in self.quality else "good"

    def reason(self, name="temperature"):
        return self.quality[name]["reason"]


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def rounds(clock):
    rounds = Rounds(Sensor(), clock)
    rounds.after(temperature=20.0, humidity=50.0)
    return rounds


# Range


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 81.0, -41.0])
def test_what_cannot_be_is_not_told(rounds, value):
    told = rounds.after(temperature=value)
    assert told.values == {"temperature": None, "humidity": None}
    assert (told.state(), told.fail) == ("failed", ["dht22"])


def test_a_narrower_range_can_be_set(clock):
    rounds = Rounds(Sensor(), clock, QualityOptions(ranges={"temperature": (5.0, 35.0)}))
    assert rounds.after(temperature=34.0).state() == "good"
    told = rounds.after(300, temperature=36.0)
    assert told.values["temperature"] is None
    assert "outside 5 to 35 as hardware.quality.ranges has it" in told.reason()


# Slope


def test_a_single_spike_is_read_again_and_never_told(rounds):
    rounds.sensor.script = [{"temperature": 60.0, "humidity": 50.0}]
    told = rounds.after(temperature=20.1)
    assert told.values["temperature"] == 20.1
    assert told.state() == "degraded"
    assert re.match(r"read at attempt 2: `temperature` jumped by \+40 in 30 s; degraded since 2026-", told.reason())
    assert rounds.after(temperature=20.2).state() == "good"


def test_a_real_jump_is_believed_when_a_second_read_confirms_it(rounds):
    told = rounds.after(temperature=35.0)
    assert told.values["temperature"] == 35.0
    assert told.state() == "degraded"
    assert "jumped by +15 in 32 s, confirmed by a second read" in told.reason()
    assert rounds.after(temperature=35.1).state() == "good"


def test_two_different_spikes_do_not_confirm_each_other(rounds):
    spikes = [{"temperature": value, "humidity": 50.0} for value in (60.0, -20.0, 75.0, 3.0)]
    rounds.sensor.script = list(spikes)
    told = rounds.after()
    assert told.values["temperature"] is None
    assert rounds.after().values["temperature"] == 20.0


def test_a_jump_is_confirmed_by_the_next_round_where_there_is_one_try(clock):
    rounds = Rounds(Sensor(), clock, QualityOptions(tries=1))
    rounds.after(temperature=20.0)
    assert rounds.after(temperature=30.0).values["temperature"] is None
    assert rounds.after(temperature=30.4).values["temperature"] == 30.4


def test_after_a_long_silence_any_possible_value_is_believed(rounds):
    assert rounds.after(HOUR, temperature=-10.0).state() == "good"


def test_noise_within_a_second_is_no_jump(clock):
    rounds = Rounds(Sensor(min_interval_s=0.0), clock)
    rounds.after(0.02, temperature=20.0)
    assert rounds.after(0.02, temperature=20.6).state() == "good"


def test_the_slope_is_a_setting_and_0_is_none(clock):
    strict = Rounds(Sensor(), clock, QualityOptions(max_change_per_s={"temperature": 0.01}))
    strict.after(temperature=20.0)
    assert "jumped" in strict.after(temperature=20.5).reason()
    loose = Rounds(Sensor(), clock, QualityOptions(max_change_per_s={"temperature": 0.0}))
    loose.after(temperature=20.0)
    assert loose.after(temperature=70.0).state() == "good"


def test_a_quantity_of_a_place_has_the_limits_of_its_kind(clock):
    rounds = Rounds(Sensor("temperature.attic"), clock)
    rounds.after()
    assert "jumped" in rounds.after(**{"temperature.attic": 40.0}).reason("temperature.attic")


# Stuck


def live(rounds, hours, period_s=300.0):
    """A sensor that follows the air for so long."""
    for step in range(int(hours * HOUR / period_s)):
        assert (
            rounds.after(period_s, temperature=20 + 0.1 * (step % 7), humidity=50 + 0.1 * (step % 5)).state() == "good"
        )


def test_a_sensor_that_froze_is_told_with_care_after_its_hours(rounds):
    live(rounds, 2)
    states = [rounds.after(HOUR).state() for _ in range(9)]
    assert states == ["good"] * 6 + ["degraded"] * 3
    told = rounds.after(HOUR)
    assert re.match(
        r"has not changed for 10.\d h, 0.\d h at most before: it may be stuck; degraded since", told.reason()
    )
    assert told.values["temperature"] is not None
    assert rounds.after(temperature=24.0).state() == "good"


def test_one_quantity_that_rests_while_the_other_moves_is_not_stuck(rounds):
    live(rounds, 2)
    for step in range(100):
        assert rounds.after(HOUR, humidity=50 + 0.1 * (step % 5)).state() == "good"


def test_a_coarse_sensor_that_often_rests_for_long_is_not_called_stuck(clock):
    rounds = Rounds(Sensor(), clock)
    for step in range(30):  # whole degrees: four hours without a change are its habit
        for _ in range(4):
            assert rounds.after(HOUR, temperature=20.0 + step % 2, humidity=50.0).state() == "good"
    states = [rounds.after(HOUR).state() for _ in range(20)]
    assert "degraded" not in states[:11]
    assert states[-1] == "degraded"


def test_of_a_sensor_that_never_changed_little_is_known_so_it_gets_more_time(rounds):
    states = [rounds.after(HOUR).state() for _ in range(30)]
    assert states.index("degraded") == 24


def test_stuck_is_a_setting_and_0_is_never(clock):
    never = QualityOptions(stuck_after_s={"temperature": 0.0, "humidity": 0.0})
    rounds = Rounds(Sensor(), clock, never)
    assert all(rounds.after(HOUR).state() == "good" for _ in range(100))
    soon = Rounds(Sensor(), clock, QualityOptions(stuck_after_s={"temperature": 600.0}))
    live(soon, 2, period_s=60.0)
    assert [soon.after(300).state() for _ in range(6)][-1] == "degraded"


def test_particles_may_stay_away_for_days(clock):
    rounds = Rounds(Sensor("PM2.5"), clock)
    rounds.sensor.air = {"PM2.5": 0.0}
    assert all(rounds.after(HOUR).state("PM2.5") == "good" for _ in range(100))


# Failures


def test_many_failed_reads_are_told_though_each_round_has_its_value(rounds):
    for _ in range(12):
        rounds.sensor.script = [TransientReadError("checksum")] * 3
        told = rounds.after()
    assert told.values["temperature"] == 20.0
    assert re.search(r"read at attempt 4: checksum, 15 of the last 20 reads failed; degraded since", told.reason())
    for _ in range(30):
        told = rounds.after()
    assert told.state() == "good"


def test_the_state_tells_since_when_it_holds(rounds, clock):
    rounds.sensor.script = [PartFailed("not found")] * 10
    first = rounds.after()
    later = rounds.after(600)
    assert first.reason() == later.reason() == "not found; failed since 2026-03-01T12:01:00.000Z"
    rounds.sensor.script = []
    assert rounds.after().state() == "good"
    rounds.sensor.script = [PartFailed("not found")]
    assert rounds.after().reason() != first.reason()


def test_without_a_clock_it_tells_for_how_long(rounds, clock):
    clock.is_synchronised = False
    rounds.sensor.script = [PartFailed("not found")] * 10
    rounds.after()
    assert rounds.after(600).reason() == "not found; failed for 600 s"
    clock.step(20_000 * 86400)
    clock.is_synchronised = True
    since = rounds.after(60).reason().rpartition("since ")[2]
    assert since[:4] == str(clock.now().year)  # re-dated by the clock that is right now


def test_a_read_that_was_interrupted_for_long_is_of_unknown_age(clock):
    rounds = Rounds(Sensor(clock=clock), clock)
    rounds.sensor.takes_s = 11.0
    told = rounds.after()
    assert told.values["temperature"] is None
    assert "the read took 11 s: its age is unknown" in told.reason()


def test_a_long_reason_is_cut_and_keeps_its_since(rounds):
    rounds.sensor.script = [PartFailed("x" * 2000)]
    reason = rounds.after().reason()
    assert len(reason) == 500
    assert reason.endswith("failed since 2026-03-01T12:01:00.000Z")


def test_a_sensor_may_be_read_less_often_than_its_hardware_allows(clock):
    rounds = Rounds(Sensor(), clock, QualityOptions(min_interval_s={"dht22": 100.0}))
    told = [rounds.after(30) for _ in range(12)]
    assert rounds.sensor.reads == sum(round_ is not None for round_ in told) == 4


# Whatever happens


steps = st.lists(
    st.one_of(
        st.floats(allow_nan=True, allow_infinity=True, width=32),
        st.sampled_from([20.0, 20.1, 19.9]),
        st.sampled_from([TransientReadError("noise"), PartFailed("gone"), HardwareError("?")]),
    ),
    max_size=60,
)
gaps = st.lists(st.sampled_from([0.02, 2.0, 30.0, 3600.0, 86400.0]), min_size=1)


@settings(deadline=None)
@given(steps=steps, gaps=gaps)
def test_what_is_told_was_just_read_and_is_possible_and_what_is_not_has_a_reason(steps, gaps):
    clock = FakeClock()
    sensor = Sensor("temperature")
    rounds = Rounds(sensor, clock)
    for at in range(0, len(steps), 3):
        read = [step if isinstance(step, Exception) else {"temperature": step} for step in steps[at : at + 3]]
        sensor.script, before = list(read), sensor.reads
        told = rounds.after(gaps[at % len(gaps)])
        if told is None:
            continue
        value = told.values["temperature"]
        fresh = [one["temperature"] for one in [*read, sensor.air][: sensor.reads - before] if isinstance(one, dict)]
        if value is None:
            assert told.state() == "failed"
            assert told.fail == ["dht22"]
            assert told.reason()
        else:
            assert -40 <= value <= 80
            assert any(value == round(one, 1) for one in fresh if math.isfinite(one))
            assert told.state() in ("good", "degraded")


@given(steps=st.lists(st.floats(-40, 80), min_size=1, max_size=40))
def test_no_sensor_is_locked_out_a_steady_value_is_told_at_once_or_at_the_next_try(steps):
    clock = FakeClock()
    judge = Judge(Sensor("temperature"), QualityOptions(), clock)
    for value in steps:
        clock.advance(2.1)
        judge.trouble({"temperature": value}, clock.monotonic_ns())
    troubles = []
    for _ in range(2):
        clock.advance(2.1)
        troubles.append(judge.trouble({"temperature": 21.0}, clock.monotonic_ns()))
    assert troubles[1] is None


# Settings


def test_it_is_set_in_the_file_and_the_environment():
    options = load_with(QUALITY__TRIES="2", QUALITY__RANGES="{temperature = [0, 40]}")
    assert options.quality.tries == 2
    assert options.quality.ranges == {"temperature": (0, 40)}


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"QUALITY__RANGES": "{temperature = [40, 0]}"}, r"ranges.temperature is \[40, 0\]; write \[lowest, highest\]"),
        ({"QUALITY__STUCK_AFTER_S": "{temprature = 60.0}"}, "no quantity temprature; did you mean temperature"),
        ({"QUALITY__TRIES": "0"}, ">= 1"),
        ({"QUALITY__MAX_CHANGE_PER_S": "{temperature = -1.0}"}, ">= 0"),
    ],
)
def test_a_setting_that_cannot_work_is_refused(variables, words):
    with pytest.raises(SettingsError, match=words):
        load_with(**variables)
