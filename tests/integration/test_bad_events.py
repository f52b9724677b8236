"""Any body of any event of any door: an answer with a stable code, never a traceback, never a closed connection."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.contract.examples import example_of
from shared.contract.schemas import every_event
from shared.contract.spec import EventSpec, Namespace, Role
from shared.errors import Code
from tests.support import processes
from tests.support.processes import RelayProcess
from tests.support.raw import RawClient

TAKEN = [spec for spec in every_event() if spec.subscriber is Role.RELAY]
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=40)
    | st.sampled_from(["", "2026-01-31T12:00:00.000Z", "9" * 400, -1, 2**53, 1e308, "\x00", "\ud83d\ude00", "../.."])
)
ANY = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner), max_leaves=8
)
CODES = {str(code) for code in Code}


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RelayProcess]:
    limits = {"LIMITS__DEVICE_EVENTS_PER_S": "100000", "LIMITS__CLIENT_EVENTS_PER_S": "100000"}
    with processes.relay(tmp_path_factory.mktemp("relay"), **limits) as running:
        yield running


@pytest.fixture(scope="module")
def doors(relay: RelayProcess) -> Iterator[dict[Namespace, RawClient]]:
    """One connection for each namespace, for all bodies: were one closed, the next body would find it so."""
    pi = RawClient(relay.url, "/pi", {"device": "fuzz", "contract": "1.0"})
    client = RawClient(relay.url, "/client", query="&device=nobody")
    root = RawClient(relay.url, "", query="&type=esp32")
    root.send("40")
    root.frame()
    yield {Namespace.PI: pi, Namespace.CLIENT: client, Namespace.ROOT: root}
    for one in (pi, client, root):
        one.close()


def bodies(spec: EventSpec) -> st.SearchStrategy[Any]:
    """Any JSON; and the example with fields changed, left out and added, which comes further."""
    shown = json.loads(json.dumps(example_of(spec)))
    changed = st.dictionaries(st.sampled_from([*shown, "id", "stream", "taken_at", "extra"]), ANY, max_size=3)
    left_out = st.sets(st.sampled_from([*shown, "nothing"]), max_size=1)
    near = st.builds(lambda new, gone: {k: v for k, v in {**shown, **new}.items() if k not in gone}, changed, left_out)
    return near | ANY


@pytest.mark.parametrize("spec", TAKEN, ids=lambda spec: f"{spec.namespace}-{spec.name}")
def test_any_body_is_answered_and_the_connection_lives_on(
    spec: EventSpec, relay: RelayProcess, doors: dict[Namespace, RawClient]
) -> None:
    wire = doors[spec.namespace]
    counts = {"asked": 0}

    @settings(max_examples=40, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(bodies(spec))
    def answered(body: Any) -> None:
        counts["asked"] += 1
        values = call(wire, spec, body, counts["asked"])
        assert len(values) == 1, values
        ack = values[0]
        assert isinstance(ack, dict), ack
        if "ok" not in ack:
            # The stress monitor's own shapes: a code is there where it is refused.
            assert ack["code"] in CODES if ack.get("status") == "error" else "code" not in ack
        elif ack["ok"] is False:
            assert ack["code"] in CODES - {"internal"}, ack
            assert ack["message"]

    answered()
    assert counts["asked"] >= 10
    assert "Traceback" not in relay.process.log


def call(wire: RawClient, spec: EventSpec, body: Any, number: int) -> list[Any]:
    head = "" if spec.namespace is Namespace.ROOT else f"{spec.namespace},"
    wire.send(f"42{head}{number}{json.dumps([spec.name, body])}")
    while not (frame := wire.frame()).startswith(f"43{head}{number}["):
        pass
    wire.received.clear()
    values: list[Any] = json.loads(frame[len(f"43{head}{number}") :])
    return values
