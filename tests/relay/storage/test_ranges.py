"""The set of ids behaves as a set, and tells which of its ranges must be saved."""

from hypothesis import given
from hypothesis import strategies as st

from server.storage.ranges import IdRanges

_RANGES = st.tuples(st.integers(0, 40), st.integers(0, 6)).map(lambda pair: (pair[0], pair[0] + pair[1]))
_STEPS = st.lists(st.one_of(st.integers(0, 46), _RANGES, st.just("save")), max_size=60)


def _model(ids: set[int]) -> list[tuple[int, int]]:
    ranges: list[tuple[int, int]] = []
    for id_ in sorted(ids):
        if ranges and ranges[-1][1] == id_ - 1:
            ranges[-1] = (ranges[-1][0], id_)
        else:
            ranges.append((id_, id_))
    return ranges


@given(steps=_STEPS)
def test_it_holds_what_was_put_in_as_ranges_that_do_not_touch(steps):
    ranges, ids = IdRanges(), set()
    for step in steps:
        if step == "save":
            continue
        first, last = step if isinstance(step, tuple) else (step, step)
        if first == last:
            assert ranges.add(first) is (first >= max(ids, default=first))
        else:
            ranges.add_range(first, last)
        ids |= set(range(first, last + 1))
        assert list(ranges) == _model(ids)
    assert {id_ for id_ in range(50) if id_ in ranges} == ids
    assert len(ranges) == len(ids)


@given(steps=_STEPS)
def test_saving_only_what_changed_saves_everything(steps):
    ranges: IdRanges = IdRanges()
    saved: dict[int, int] = {}
    for step in [*steps, "save"]:
        if step == "save":
            for first in ranges.gone:
                saved.pop(first, None)
            saved.update({first: ranges.last_of(first) for first in ranges.changed})
            ranges.settled()
            assert sorted(saved.items()) == list(ranges)
        elif isinstance(step, tuple):
            ranges.add_range(*step)
        else:
            ranges.add(step)


@given(ids=st.sets(st.integers(0, 30)), start=st.integers(0, 30), length=st.integers(0, 30))
def test_holes_are_what_is_not_there(ids, start, length):
    ranges = IdRanges((id_, id_) for id_ in ids)
    holes = list(ranges.holes(start, start + length))
    assert holes == _model(set(range(start, start + length + 1)) - ids)
