from hypothesis import given
from hypothesis import strategies as st

from pi_agent.hardware.motion import Debouncer

HOLD, WARM = 50, 300


def held_long_enough(levels, hold, warm):
    """The definition, over the whole history at once: [(level, from_ns)] and the end → the states that count."""
    edges, end = levels
    state, counted = False, []
    runs = []
    for level, at in edges:
        if not runs or runs[-1][0] != level:
            runs.append((level, max(at, warm)))
    for (level, since), until in zip(runs, [*(at for _, at in runs[1:]), end], strict=True):
        if level != state and until - since >= max(hold, 1):
            state = level
            counted.append((level, since))
    return counted


histories = st.lists(
    st.tuples(st.booleans(), st.integers(1, 3 * HOLD), st.integers(0, 3 * HOLD)), min_size=1, max_size=30
)


@given(history=histories, hold=st.sampled_from([0, HOLD]), warm=st.sampled_from([0, WARM]), first=st.booleans())
def test_a_state_counts_once_it_held_long_enough_however_often_it_is_asked_for(history, hold, warm, first):
    debouncer = Debouncer(lambda: first, hold, warm)
    debouncer.begin(0)
    now, edges, told = 0, [(first, 0)], []
    for level, gap, asked_after in history:
        if asked_after < gap:
            told += debouncer.take(now + asked_after)
        now += gap
        debouncer.changed(level, now)
        edges.append((level, now))
    end = max(now, warm) + hold + 1
    told += debouncer.take(end)
    assert told == held_long_enough((edges, end), hold, warm)
    assert debouncer.next_ns() is None


def test_it_says_when_a_state_will_count():
    debouncer = Debouncer(lambda: False, HOLD, WARM)
    debouncer.begin(0)
    assert debouncer.next_ns() is None
    debouncer.changed(active=True, at_ns=10)
    assert list(debouncer.take(20)) == []
    assert debouncer.next_ns() == WARM + HOLD
    assert list(debouncer.take(WARM + HOLD - 1)) == []
    assert list(debouncer.take(WARM + HOLD)) == [(True, WARM)]


def test_of_a_storm_the_newest_edges_are_kept():
    debouncer = Debouncer(lambda: False, 0, 0)
    debouncer.begin(0)
    for at in range(1, 10_001):
        debouncer.changed(active=at % 2 == 0, at_ns=at)
    told = list(debouncer.take(10_000))
    assert len(told) <= 256
    assert told[-1] == (True, 10_000)


def test_what_was_unread_at_the_stop_is_forgotten_at_the_next_start():
    debouncer = Debouncer(lambda: False, 0, 0)
    debouncer.begin(0)
    debouncer.changed(active=True, at_ns=10)
    debouncer.begin(20)
    assert list(debouncer.take(30)) == []
