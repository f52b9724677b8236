"""What a decoder of rounds refuses does not depend on what it has heard before."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.fanout.words import Rounds, _AnyRound
from shared.contract.payloads import SensorData

GOOD: dict[str, Any] = {
    "id": 1,
    "device": "pi-1",
    "stream": "Qk3v9XyZ",
    "datetime": "2026-01-31 23:59:59",
    "taken_at": "2026-01-31T23:59:59.000Z",
    "fail": ["motion"],
    "data": {"temperature": 21.0, "PM2.5": None},
    "clock": {"boot_id": "b", "monotonic_ns": 1, "synchronised": True},
}
WORDS = st.sampled_from(["pi-1", "kitchen", "", "-", "a b", "a\x00b", "x" * 65, "2026-01-31 23:59:59", "ü"])
MOMENTS = [
    second + fraction
    for second in ("2026-01-31T23:59:59", "2026-01-31 23:59:59", "2026-01-31T23:59:59.")
    for fraction in ("", ".001Z", ".001Z\n", ".01Z", "\n")
]
"""Some are times, and most are nearly."""
ROUNDS = st.fixed_dictionaries(
    {
        "id": st.sampled_from([1, -1]),
        "datetime": st.sampled_from([GOOD["datetime"], "now", *MOMENTS]),
        "fail": st.lists(WORDS, max_size=2),
        "data": st.dictionaries(WORDS | st.just("temperature"), st.sampled_from([21.0, 1000.0, None]), max_size=3),
    },
    optional={
        "device": WORDS | st.none(),
        "stream": WORDS | st.none(),
        "taken_at": st.sampled_from([GOOD["taken_at"], "2026", *MOMENTS]),
        "clock": st.fixed_dictionaries({"boot_id": WORDS, "monotonic_ns": st.just(1), "synchronised": st.just(True)}),
    },
)


def text(body: Any) -> str:
    return msgspec.json.encode(["sensor_data_pub_pi", body]).decode()


@given(st.lists(ROUNDS, max_size=20))
def test_it_is_as_strict_as_the_contract_whatever_came_before(bodies: list[dict[str, Any]]) -> None:
    strict, rounds = msgspec.json.Decoder(tuple[str, SensorData]), Rounds()
    for body in [GOOD, *bodies, *bodies]:
        try:
            expected = strict.decode(text(body))
        except msgspec.ValidationError:
            with pytest.raises(msgspec.ValidationError):
                rounds.decode(text(body))
        else:
            got = rounds.decode(text(body))
            assert isinstance(got[1], SensorData)
            assert msgspec.json.encode(got) == msgspec.json.encode(expected)


def test_a_round_like_the_last_one_is_stored_as_the_contract_writes_it() -> None:
    rounds = Rounds()
    first, second = rounds.decode(text(GOOD)), rounds.decode(text(GOOD))
    assert (type(first[1]), type(second[1])) == (SensorData, _AnyRound)
    assert msgspec.json.encode(second) == msgspec.json.encode(first)


def test_but_for_patterns_both_kinds_of_round_are_the_same() -> None:
    assert {one.name: one.required for one in msgspec.structs.fields(_AnyRound)} == {
        one.name: one.required for one in msgspec.structs.fields(SensorData)
    }


def test_it_remembers_a_bounded_number_of_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.fanout.words._MOST", 10)
    rounds = Rounds()
    for number in range(25):
        rounds.decode(text(GOOD | {"device": f"pi-{number}"}))
        rounds.decode(text(GOOD | {"datetime": f"2026-01-{number + 1:02d} 23:59:59"}))
    assert len(rounds._known) <= 10
    assert len(rounds._hours) <= 10
