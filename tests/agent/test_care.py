"""What is asked of an agent from afar is answered once, and truly."""

from collections import deque
from pathlib import Path
from typing import Any

from pi_agent.care.care import Care, Place
from pi_agent.care.changes import ChangesFile
from pi_agent.settings import read_settings
from shared.contract.payloads import CareRequest


def test_a_change_never_takes_the_place_of_another_that_is_on_trial(tmp_path: Path) -> None:
    answers: list[dict[str, Any]] = []
    restarts: list[str] = []
    changes, unused = ChangesFile(tmp_path), None

    def report(request: str, fields: Any) -> None:
        answers.append({"request": request, **fields})
        if len(answers) == 3:
            care.stop()

    care = Care(
        read_settings(None, {}),
        Place(None, {}),
        changes,
        unused,  # type: ignore[arg-type]  # diagnostics are not asked for
        report,
        lambda: restarts.append("restart"),
    )
    for name, change in (
        ("first", {"sample_interval_s": 7.0}),
        ("second", {"status_interval_s": 9.0}),
        ("third", {"device": "another"}),
    ):
        care.submit(CareRequest.build(request=name, action="change", change=change))
    deque(care.work(), maxlen=0)
    assert [(one["request"], one["ok"], str(one["code"])) for one in answers] == [
        ("first", True, "accepted"),
        ("second", False, "busy"),
        ("third", False, "forbidden"),
    ]
    assert answers[2]["message"] == "device is changed at the machine alone"
    assert changes.read().settings == {"sample_interval_s": 7.0}
    assert restarts == ["restart"]
    changes.confirm()
    assert changes.read().before is None
