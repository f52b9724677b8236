"""What a plan promises, and what the damages do to a file."""

import random
from collections import Counter
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from tests.faults.inject import cut_short, flip_bits
from tests.faults.plan import JUMPS_S, KILLS, Kind, Stage, long_form, short_form

POSTGRES = {Kind.KILL_POSTGRES, Kind.KILL_BACKEND, Kind.FREEZE_POSTGRES}


def kinds(stages: list[Stage]) -> Counter[Kind]:
    return Counter(fault.kind for stage in stages for lane in stage for fault in lane)


@given(st.integers(0, 10**6), st.sampled_from([long_form, short_form]), st.sampled_from(["sqlite", "postgres"]))
def test_a_seed_gives_the_same_plan_again_and_another_seed_another(seed, form, database):
    assert form(seed, 5, database) == form(seed, 5, database)
    assert form(seed, 5, database) != form(seed + 1, 5, database)


@given(st.integers(0, 10**6), st.integers(1, 60), st.sampled_from(["sqlite", "postgres"]))
def test_the_long_form_kills_each_program_so_often_and_does_everything_else_at_least_once(seed, count, database):
    done = kinds(long_form(seed, count, database))
    killed = Counter(KILLS[kind] for kind in done.elements() if kind in KILLS)
    targets = {"agent", "relay", "postgres"} if database == "postgres" else {"agent", "relay"}
    assert {name: killed[name] for name in targets} == dict.fromkeys(targets, count)
    assert set(Kind) - set(done) == (POSTGRES if database == "sqlite" else set())


def test_the_short_form_has_each_kind_as_well_and_takes_less_than_half_a_minute():
    stages = short_form(1, 2, "sqlite")
    assert set(kinds(stages)) == set(Kind) - POSTGRES
    longest_s = sum(max(sum(f.after_s + f.lasts_s for f in lane) for lane in stage) for stage in stages)
    assert longest_s < 30


def test_the_clock_jumps_in_every_way():
    [_, storm] = short_form(1, 2, "postgres")
    assert {fault.how for lane in storm for fault in lane if fault.kind is Kind.CLOCK} == set(JUMPS_S)


@given(st.binary(min_size=1, max_size=5000), st.integers(0, 10**6))
def test_flipped_bits_are_flipped_where_it_says_and_nowhere_else(content, seed):
    path = Path(f"/dev/shm/flip-{seed}") if Path("/dev/shm").is_dir() else Path(f"flip-{seed}")
    try:
        path.write_bytes(content)
        places = flip_bits(path, random.Random(seed))
        after = path.read_bytes()
    finally:
        path.unlink(missing_ok=True)
    changed = [at for at, (old, new) in enumerate(zip(content, after, strict=True)) if old != new]
    assert set(changed) <= set(places)
    assert all((content[at] ^ after[at]).bit_count() == 1 for at in changed if places.count(at) == 1)


def test_a_file_is_cut_at_its_end_and_a_missing_one_is_left_alone(tmp_path: Path):
    path = tmp_path / "file"
    path.write_bytes(bytes(range(200)))
    gone = cut_short(path, random.Random(1))
    assert path.read_bytes() == bytes(range(200))[: 200 - gone]
    assert 0 < gone <= 200
    assert cut_short(tmp_path / "none", random.Random(1)) == 0
    assert flip_bits(tmp_path / "none", random.Random(1)) == []
