"""The service: is it installed, does it run, how did its last lives end?"""

from datetime import timedelta
from pathlib import Path

from pi_agent.check.findings import Finding, ok, warn
from pi_agent.check.surroundings import Surroundings
from pi_agent.lives import FILE_NAME, Ending, Life, read_lives
from shared.clock import parse_iso_utc

_RECENT = timedelta(days=7)
_WORDS = {
    Ending.RUNNING: "is running",
    Ending.STOPPED: "was stopped",
    Ending.FAILED: "failed",
    Ending.KILLED: "was killed or crashed",
    Ending.POWER: "ended with the power, or a reset",
}
_OFTEN = 3


def history(here: Surroundings, state: Path, *, running: bool) -> Finding:
    """What the record of starts and ends says of the last seven days."""
    lives = read_lives(state / FILE_NAME, here.clock.boot_id)
    if not lives:
        return ok("history", f"no start is on record in {state}")
    if running and lives[-1].ending is Ending.KILLED:
        last = f"running since {lives[-1].began_at}, version {lives[-1].version}"
        before = lives[:-1]
    else:
        last, before = f"the last agent {_end_of(lives[-1])}", lives
    since = here.clock.now() - _RECENT
    bad = [
        life
        for life in before
        if life.ending in (Ending.FAILED, Ending.KILLED, Ending.POWER) and parse_iso_utc(life.began_at) >= since
    ]
    if not bad:
        return ok("history", last)
    told = f"{last}; in seven days {len(bad)} ended badly, the last one {_end_of(bad[-1])}"
    if bad[-1].ending is Ending.POWER and len(bad) >= _OFTEN:
        return warn("history", told, "look at the supply and its cable; end a Pi with sudo poweroff")
    if len(bad) >= _OFTEN or bad[-1] is before[-1]:
        return warn("history", told, "sudo journalctl -u pi-agent -p warning -n 30; sudo journalctl -k -n 30")
    return ok("history", told)


def _end_of(life: Life) -> str:
    when = f" at {life.ended_at}" if life.ended_at else f" (it began at {life.began_at})"
    return f"{_WORDS[life.ending]}{when}{': ' + life.reason if life.reason else ''}"
