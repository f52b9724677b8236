"""What the rounds must show is reckoned round by round, and said as it is."""

from dataclasses import replace

import pytest

from tests.bench.fanout.contestants import FLOOR, OURS, Contestant
from tests.bench.fanout.heats import HEATS, STEADY, alternate
from tests.bench.fanout.measures import MEASURES, Measure, cells
from tests.bench.fanout.picture import Bar, picture
from tests.bench.fanout.rounds import Load, Outcome

OUTCOME = Outcome(
    cpu_us=1.0,
    crowd_us=1.0,
    crowd_core=0.2,
    waited=0.0,
    per_s=100.0,
    share=1.0,
    p50_ms=1.0,
    p99_ms=2.0,
    ack_p99_ms=0.0,
    commanded=0,
    command_p50_ms=0.0,
    command_p99_ms=0.0,
    kb_per_client=6.0,
    wrong=0,
)
RATIO = Measure("ours ÷ floor", STEADY, aim=1.2, must=1.4, peer=FLOOR)


def rounds(*pairs: tuple[float, float]) -> list[dict[str, Outcome]]:
    """Rounds in which we and the floor took so long."""
    return [{OURS: replace(OUTCOME, cpu_us=ours), FLOOR: replace(OUTCOME, cpu_us=floor)} for ours, floor in pairs]


def test_a_ratio_is_of_two_outcomes_of_the_same_round() -> None:
    # A machine that is slow for one round is slow for both.
    assert RATIO.values(rounds((1.0, 1.0), (10.0, 10.0), (1.0, 0.5))) == [1.0, 1.0, 2.0]
    assert RATIO.row(rounds((1.0, 1.0), (10.0, 10.0), (1.0, 0.5)))[1] == "1.00"


def test_a_round_in_which_one_of_them_is_missing_says_nothing() -> None:
    assert RATIO.values([*rounds((1.0, 1.0)), {OURS: OUTCOME}, {FLOOR: OUTCOME}, {}]) == [1.0]


@pytest.mark.parametrize(
    ("ratio", "must", "verdict"),
    [
        (1.2, 1.4, "yes, and the aim"),
        (1.3, 1.4, "yes"),
        (1.5, 1.4, "no"),
        (1.1, None, "yes, and the aim"),
        (1.3, None, "not the aim"),
    ],
)
def test_what_was_reached_is_said(ratio: float, must: float | None, verdict: str) -> None:
    assert replace(RATIO, must=must).row(rounds((ratio, 1.0)))[-1] == verdict


def test_what_was_not_measured_is_not_reached() -> None:
    assert RATIO.row([])[-1] == "not measured"


def test_one_wrong_delivery_in_any_round_is_shown() -> None:
    assert "1" in cells([OUTCOME, replace(OUTCOME, wrong=1), OUTCOME])


def test_in_each_round_all_who_are_here_play_in_turn() -> None:
    here = {name: Contestant(name, ()) for name in (FLOOR, OURS)}
    order: list[str] = []

    def played(contestant: Contestant, load: Load) -> Outcome:
        order.append(contestant.name)
        if len(order) == 3:
            raise RuntimeError("it fell over")
        return replace(OUTCOME, per_s=load.seconds)

    told: list[str] = []
    results = alternate(STEADY, here, 2, 0.5, told.append, played)
    assert order == [FLOOR, OURS, FLOOR, OURS]
    assert [set(one) for one in results] == [{FLOOR, OURS}, {OURS}]
    assert results[0][OURS].per_s == 0.5
    assert told == [f"{STEADY.title}: {FLOOR}, round 2: it fell over"]


def test_every_measure_is_of_a_heat_that_is_played() -> None:
    for measure in MEASURES:
        assert measure.heat in HEATS
        assert {measure.who, measure.peer or measure.who} <= measure.heat.entries.keys()


def test_the_picture_shows_every_server_with_its_figure() -> None:
    drawn = picture({"a load": [Bar(OURS, 5.5, 12.0, 6.5), Bar("R&D", 11.0, 30.0, 40.0)]})
    assert "a load" in drawn
    assert "5.50 µs, p99 12 ms, 6.5 KB a client" in drawn
    assert "R&amp;D" in drawn
