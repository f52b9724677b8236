"""A run that went wrong is told so, whatever it was; the report and the picture show it."""

import io
import xml.etree.ElementTree as ET
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from tests.faults.accounting import Account, Zeros
from tests.faults.journal import Key
from tests.faults.picture import picture
from tests.faults.plan import Fault, Kind
from tests.faults.programme import Injected, Run, judge
from tests.faults.relay_damage import Wreck
from tests.faults.report import report
from tests.faults.supervisor import Life

SOUND = Account(
    Zeros((), (), (), (), ()), durable=500, unknown=0, acked=500, stored=500, resends=7, dropped={}, unnumbered=0,
    differences={},
)  # fmt: skip
KILL = Fault(Kind.KILL_RELAY, 1.0, how="upload")
CUT = Fault(Kind.PARTITION, 1.0, 2.0)


def run(**changes: Any) -> Run:
    """A run in which all went well, but for the changes."""
    well = Run(
        "sqlite",
        seed=7,
        planned=[((KILL,), (CUT,))],
        began_s=100.0,
        ended_s=120.0,
        injected=[
            Injected(KILL, 0, 105.0, 105.1, recovery_s=0.8, alone=True),
            Injected(CUT, 1, 106.0, 108.0, recovery_s=1.25),
        ],
        samples=[(100.5 + at, at * 10, at * 9, at) for at in range(19)],
        lives={"relay": [Life(100.0, 105.1, -9, wanted=True), Life(105.4, 119.0, -9, wanted=True)]},
        account=SOUND,
        calm_s=0.4,
        wrecks=[Wreck("log cut short", "77", lost=3, named=3, kept=497, restored_s=1.5)],
    )
    changed = replace(well, **changes)
    judge(changed)
    return changed


def text(of: Run) -> str:
    out = io.StringIO()
    report(of, Console(file=out, width=140))
    return out.getvalue()


def test_where_all_went_well_it_has_passed():
    well = run()
    assert well.passed
    said = text(well)
    for words in (
        "kill relay",
        "partition",
        "1.25",
        "largest backlog",
        "18",
        "hash mismatch",
        "log cut short",
        "passed",
    ):
        assert words in said


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"account": replace(SOUND, zeros=replace(SOUND.zeros, duplicate_keys=(Key("pi", "s", 3),)))}, "s/3"),
        ({"account": None}, "no account"),
        ({"injected": [Injected(CUT, 1, 106.0, 108.0)]}, "kill relay: 0 of 1"),
        ({"injected": [Injected(KILL, 0, 105, 106, trouble="nothing ran"), Injected(CUT, 1, 106, 108)]}, "not 1"),
        ({"account": replace(SOUND, dropped={"overflow": 4})}, "4 events dropped for no good reason: overflow"),
        ({"lives": {"relay": [Life(100.0, 110.0, 1, lines=["x", "out of luck"])]}}, "out of luck"),
        ({"wrecks": [Wreck("log cut short", "77", problems=["no service"])]}, "no service"),
    ],
    ids=["zero", "account", "time", "kill", "drop", "death", "wreck"],
)
def test_whatever_went_wrong_fails_the_run_and_is_told(changes, problem):
    wrong = run(**changes)
    assert not wrong.passed
    assert problem in " ".join(wrong.problems)
    assert "FAILED" in text(wrong)


def test_a_relay_that_cannot_start_on_a_full_disk_is_excused_and_one_that_ran_is_not():
    full = Injected(Fault(Kind.FULL_RELAY, 1.0, 3.0), 2, 104.0, 107.0)
    planned = [((KILL,), (CUT,), (full.fault,))]
    lives = [Life(105.4, 106.0, 1, lines=["no room"]), Life(106.2, 119.0, -9, wanted=True)]
    happened = [*run().injected, full]
    assert run(planned=planned, injected=happened, lives={"relay": lives}).passed
    lives[0].lines.insert(0, "relay ready: url=…")
    assert "no room" in run(planned=planned, injected=happened, lives={"relay": lives}).problems[0]


def test_the_picture_is_a_drawing_with_every_process_every_fault_and_the_backlog():
    drawn = picture(run(account=replace(SOUND, dropped={"<odd & ends>": 1})))
    root = ET.fromstring(drawn)
    titles = [title.text for title in root.iter("{http://www.w3.org/2000/svg}title")]
    assert titles == ["kill relay upload", "partition"]
    [line] = root.iter("{http://www.w3.org/2000/svg}polyline")
    assert len(line.attrib["points"].split()) == 19
    assert "FAILED" in drawn


def test_an_empty_run_can_be_drawn_and_told():
    nothing = run(injected=[], samples=[], lives={}, account=None, calm_s=None, wrecks=[])
    ET.fromstring(picture(nothing))
    assert "never" in text(nothing)
