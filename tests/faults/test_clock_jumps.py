"""The agent's wall clock is moved about, its own and APScheduler's alike: it samples on, and dates are put right."""

import time
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest

from shared.clock import parse_iso_utc
from shared.contract.events import SENSOR_DATA_PUB_PI
from tests.faults.generator import set_clock
from tests.faults.world import Load, world

pytestmark = [pytest.mark.faults, pytest.mark.timeout(120)]
PERIOD_S = 0.4
SLACK_S = 0.3
"""For a machine that is busy with other things."""
SINCE_1970_S = time.time()


def test_whatever_the_clock_does_no_round_is_more_than_two_periods_after_the_last(tmp_path: Path):
    with world(tmp_path, "sqlite", seed=1) as made:
        made.load = Load(PERIOD_S, crowd_per_s=0.0)
        made.start()
        for offset_s in (3600, -3600, 86400, -86400, -SINCE_1970_S + 60, 0):
            time.sleep(2.2 * PERIOD_S)
            set_clock(made.clock, offset_s)
        time.sleep(2.2 * PERIOD_S)
        made.proxy.refuse()
        made.proxy.reset()
        # A Pi without a clock of its own, cut off, until somebody tells it the time.
        set_clock(made.clock, -SINCE_1970_S + 60, synchronised=False)
        time.sleep(4.2 * PERIOD_S)
        set_clock(made.clock)
        last_known = datetime.now(UTC), time.monotonic_ns()
        made.calm(30)
        account, contents = made.settle(tmp_path / "state")
    bodies = [event.body for event in contents.events if event.event == SENSOR_DATA_PUB_PI.name]
    assert account.zeros.all_zero
    taken_s = [body["clock"]["monotonic_ns"] / 1e9 for body in bodies if body["clock"]["monotonic_ns"] < last_known[1]]
    assert len(taken_s) > 10
    assert max(later - earlier for earlier, later in pairwise(taken_s)) <= 2 * PERIOD_S + SLACK_S
    redated = [body for body in bodies if body["clock"].get("redated")]
    assert len(redated) >= 2
    for body in redated:
        ago_s = (last_known[1] - body["clock"]["monotonic_ns"]) / 1e9
        assert abs((last_known[0] - parse_iso_utc(body["taken_at"])).total_seconds() - ago_s) < SLACK_S
