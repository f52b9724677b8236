"""The power may go at any moment: the agent's card is whole, and what a commit had promised is on it.

Thousands of cuts: `make faults ARGS="--card 3000"`.
"""

from pathlib import Path

import pytest

from tests.bench import bench_card
from tests.faults import card

pytestmark = [pytest.mark.faults, pytest.mark.skipif(bool(card.why_not()), reason=card.why_not() or "can be done")]


def test_a_power_cut_at_any_moment_leaves_a_working_agent(tmp_path: Path) -> None:
    result = card.trial(tmp_path, seconds=2, count=60, seed=7)
    assert result.failures == []
    assert result.cuts == 60
    assert result.promises > 100
    assert result.torn > 0


def test_a_card_that_lies_about_flushes_is_found_out(tmp_path: Path) -> None:
    # Else the test above would prove nothing.
    assert card.trial(tmp_path, seconds=1, count=15, seed=7, honest=False).failures


def test_what_a_day_writes_to_the_card_is_bounded() -> None:
    written = bench_card.measure(rounds=8)
    assert 0 < written.by_process < 10_000  # 29 MB a day at one round every 30 s
    assert written.by_card is not None
    assert 0 < written.by_card < 60_000  # 173 MB a day, the file system's own included
