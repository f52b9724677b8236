"""The table of compared fields is written by hand; here it is held against the contract."""

import pytest

from shared.contract.events import CATALOGUE
from shared.contract.payloads import ClockStamp, Outboxed, Quality
from shared.contract.spec import Role
from tests.faults.fingerprint import _CLOCK, _PARTS, COMPARED, NOT_COMPARED, fingerprint

OUTGOING = [spec for spec in CATALOGUE if spec.publisher is Role.PI and issubclass(spec.payload, Outboxed)]
"""What is stored; the rest is now or not at all."""


@pytest.mark.parametrize("spec", OUTGOING, ids=lambda spec: spec.name)
def test_every_field_of_every_event_is_either_compared_or_free_to_change(spec):
    assert set(COMPARED[spec.name]) | NOT_COMPARED >= set(spec.payload.__struct_fields__)
    assert not set(COMPARED[spec.name]) & NOT_COMPARED


def test_so_is_every_field_of_their_parts():
    assert set(_CLOCK) | {"redated"} == set(ClockStamp.__struct_fields__)
    assert set(_PARTS["quality"]) == set(Quality.__struct_fields__)


def test_the_same_body_under_another_name_is_another_event():
    assert fingerprint("LED_status_pub_pi", {"status": True}) != fingerprint("infrared_status_pub_pi", {"status": True})


def test_true_is_not_one_and_null_is_not_zero():
    prints = {fingerprint("motion_pub_pi", {"motion": value}) for value in (True, 1, None, 0, False)}
    assert len(prints) == 5
