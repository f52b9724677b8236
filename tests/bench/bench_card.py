"""What an agent writes to its card in a day: told by the process, and seen by the card itself."""

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.faults import card
from tests.faults.card import Recorder, Write
from tests.support import processes
from tests.support.processes import Process, wait_for

ROUNDS = 20
WARM_UP_ROUNDS = 3
INTERVAL_S = 1.0
"""Every round has a commit of its own, as at the usual 30 s: what a round costs is the same, a day has fewer."""
ROUNDS_A_DAY = 86_400 / 30


@dataclass(frozen=True)
class Written:
    """Bytes per round of one agent that samples, delivers and settles."""

    by_process: float
    """What it handed to the system."""
    by_card: float | None
    """What reached the device, with the file system's own; None where that could not be watched."""


def run(console: Console) -> None:
    found = measure()
    table = Table("one round every 30 s", "bytes a round", "MB a day")
    table.add_row("written by the agent", f"{found.by_process:,.0f}", f"{found.by_process * ROUNDS_A_DAY / 1e6:.0f}")
    if found.by_card is None:
        table.add_row("reaching the card (ext4)", "not measured", card.why_not())
    else:
        table.add_row("reaching the card (ext4)", f"{found.by_card:,.0f}", f"{found.by_card * ROUNDS_A_DAY / 1e6:.0f}")
    console.print(table)


def measure(rounds: int = ROUNDS) -> Written:
    """Run a simulated agent and a relay for some rounds, the agent's state on a card that counts."""
    with tempfile.TemporaryDirectory() as directory:
        work = Path(directory)
        with processes.relay(work / "relay") as relay:
            if card.why_not():
                return Written(_rounds(work / "agent", relay.url, None, rounds)[0], None)
            with card.recorded(work) as (recorder, mount):
                told, seen = _rounds(mount / "agent", relay.url, recorder, rounds)
            return Written(told, seen)


def _rounds(state: Path, url: str, recorder: Recorder | None, rounds: int) -> tuple[float, float]:
    with processes.agent(state, url, SAMPLE_INTERVAL_S=str(INTERVAL_S), STATUS_INTERVAL_S="10") as agent:
        wait_for("the agent runs", lambda: "agent runs" in agent.log, 30)
        time.sleep(WARM_UP_ROUNDS * INTERVAL_S)
        before, seen_before = _handed_over(agent), _seen(recorder)
        time.sleep(rounds * INTERVAL_S)
        return (_handed_over(agent) - before) / rounds, (_seen(recorder) - seen_before) / rounds


def _handed_over(agent: Process) -> int:
    lines = Path(f"/proc/{agent.popen.pid}/io").read_text(encoding="ascii").splitlines()
    return int(dict(line.split(": ") for line in lines)["wchar"])


def _seen(recorder: Recorder | None) -> int:
    log = recorder.log[:] if recorder else []
    return sum(len(entry.data) for entry in log if isinstance(entry, Write))
