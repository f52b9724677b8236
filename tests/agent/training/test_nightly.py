"""Once a night, whatever the wall clock does."""

from datetime import datetime, timedelta

import pytest

from pi_agent.jobs.nightly import PERIOD_S, Nightly
from pi_agent.training.options import TrainingOptions
from shared.contract.payloads import TrainingTrigger
from tests.support.clock import FakeClock


class Runner:
    """Counts what it is asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.busy = False

    def refresh(self) -> None:
        pass

    def request_training(self, trigger: TrainingTrigger) -> str | None:
        assert trigger is TrainingTrigger.SCHEDULE
        self.asked += not self.busy
        return None if self.busy else "job"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(datetime(2026, 3, 1, 0, 0).astimezone())


def live(nightly: Nightly, clock: FakeClock, hours: float) -> None:
    for _ in range(round(hours * 3600 / PERIOD_S)):
        nightly.look()
        clock.advance(PERIOD_S)


def test_one_job_a_night(clock: FakeClock) -> None:
    runner = Runner()
    live(Nightly(TrainingOptions(), runner, clock), clock, 72)
    assert runner.asked == 3


def test_none_where_it_is_turned_off(clock: FakeClock) -> None:
    runner = Runner()
    live(Nightly(TrainingOptions(nightly=False), runner, clock), clock, 48)
    assert runner.asked == 0


def test_a_clock_that_is_set_back_and_forth_makes_no_second_job(clock: FakeClock) -> None:
    runner = Runner()
    nightly = Nightly(TrainingOptions(), runner, clock)
    live(nightly, clock, 4)
    for hours in (-1, 1, -24, 24, -1):
        clock.wall += timedelta(hours=hours)
        live(nightly, clock, 0.5)
    assert runner.asked == 1


def test_while_one_runs_it_asks_again_within_the_hour(clock: FakeClock) -> None:
    runner = Runner()
    runner.busy = True
    nightly = Nightly(TrainingOptions(), runner, clock)
    live(nightly, clock, 3.5)
    runner.busy = False
    live(nightly, clock, 1)
    assert runner.asked == 1
