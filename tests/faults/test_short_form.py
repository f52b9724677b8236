"""The short form of the programme, with the same demands as the long one: `make faults`."""

from pathlib import Path

import pytest

from tests.faults.plan import Kind, short_form
from tests.faults.postgres import NoPostgres
from tests.faults.programme import Programme, Run
from tests.faults.world import world

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]
KILLS = 2


def programme(out: Path, database: str, seed: int, wrecks: int = 0) -> Run:
    try:
        with world(out, database, seed) as made:
            run = Programme(made, short_form(seed, KILLS, database), seconds=120, wrecks=wrecks, ways=2).run()
    except NoPostgres as error:
        pytest.skip(str(error))
    if not run.passed:
        print("\n".join(line for name in run.lives for life in run.lives[name] for line in (name, life.tail)))
    return run


def test_whatever_dies_every_event_is_stored_once_or_declared_lost(tmp_path: Path):
    run = programme(tmp_path, "sqlite", seed=20260301, wrecks=1)
    assert run.problems == []
    # The faults must have been felt, else this proves nothing.
    assert run.account is not None
    assert run.account.durable > 100
    assert run.account.resends > 0
    assert len(run.lives["agent"]) > KILLS
    assert max(waiting for _, _, _, waiting in run.samples) > 10
    # What damage hits is chance: mostly events, at times a page without any. The relay must serve again in any case.
    assert run.wrecks
    assert all(wreck.restored_s is not None for wreck in run.wrecks)
    impossible = {one.fault.kind for one in run.injected if one.trouble}
    assert impossible <= {Kind.FULL_AGENT, Kind.FULL_RELAY, Kind.LINK_DOWN}


@pytest.mark.postgres
def test_the_same_holds_on_postgresql(tmp_path: Path):
    run = programme(tmp_path, "postgres", seed=20260302)
    assert run.problems == []
    assert run.account is not None
    assert run.account.durable > 100
    assert len(run.lives["relay"]) > KILLS
