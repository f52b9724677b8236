"""A real agent trains, and a program at the relay sees it, step by step."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import socketio

from pi_agent.hardware.options import Mode
from pi_agent.training.climate import slot_of
from pi_agent.training.history import History
from pi_agent.training.options import beside, history_path
from shared.contract.events import MODEL_TRAIN_PUB_CLIENT, SENSOR_DATA_PUB_CLIENT
from shared.contract.payloads import ClientModelTrain, parse
from shared.contract.spec import Namespace
from tests.agent.training.rooms import room
from tests.support import processes
from tests.support.processes import RelayProcess

pytestmark = pytest.mark.integration

HOUR = 12


def midday() -> dict[str, str]:
    """The environment of an agent in a place where it is half past twelve now: in no test does the hour end."""
    now = datetime.now(UTC)
    west, minutes = divmod(abs(ahead := now.hour * 60 + now.minute - (HOUR * 60 + 30)), 60)
    return {"TZ": f"TST{'-' if ahead < 0 else ''}{west:02}:{minutes:02}"}


NIGHTLY = {"TRAINING__NIGHTLY": "true", "TRAINING__HOUR": str(HOUR)}


@pytest.fixture
def relay(tmp_path: Path) -> Iterator[RelayProcess]:
    with processes.relay(tmp_path / "relay") as running:
        yield running


@pytest.fixture
def told(relay: RelayProcess) -> Iterator[list[tuple[str, dict[str, Any]]]]:
    seen: list[tuple[str, dict[str, Any]]] = []
    client = socketio.Client()
    for spec in (MODEL_TRAIN_PUB_CLIENT, SENSOR_DATA_PUB_CLIENT):
        client.on(spec.name, lambda body, name=spec.name: seen.append((name, body)), namespace=Namespace.CLIENT)
    client.connect(relay.url, namespaces=[Namespace.CLIENT], transports=["websocket"])
    yield seen
    client.disconnect()


def steps(told: list[tuple[str, dict[str, Any]]]) -> list[dict[str, Any]]:
    return [body for name, body in told if name == MODEL_TRAIN_PUB_CLIENT.name]


def test_pages_see_a_job_from_its_start_to_its_plot(relay: RelayProcess, told: Any, tmp_path: Path) -> None:
    state = tmp_path / "agent"
    history = History(history_path(beside(state / "outbox.db", Mode.SIMULATED)))
    series = room(days=8, start=slot_of(datetime.now(UTC)) - 8 * 144)
    for number in range(len(series)):
        history.add(series.start + number, series.temperature[number], series.humidity[number])
    history.close()
    with processes.agent(state, relay.url, surroundings=midday(), **NIGHTLY) as agent:
        processes.wait_for("the end of a job", lambda: [one for one in steps(told) if not one["status"]], 60)
        seen = [parse(ClientModelTrain, body) for body in steps(told)]
        assert [one.phase for one in seen] == ["started", *["progress"] * 4, "finished"]
        assert [one.progress for one in seen] == [0.0, 0.25, 0.5, 0.75, 1.0, None]
        last = seen[-1]
        assert (last.device, last.trigger, last.model_version) == ("pi-1", "schedule", 1)
        assert {(one.quantity, one.minutes) for one in last.horizons} == {
            ("temperature", 10),
            ("temperature", 60),
            ("humidity", 10),
            ("humidity", 60),
        }
        assert all(len(one.at_ms) == len(one.truth) == len(one.forecast) == 48 for one in last.plot)
        assert "model serves" not in agent.log
        # Sampling went on meanwhile.
        rounds = [body for name, body in told if name == SENSOR_DATA_PUB_CLIENT.name]
        assert len(rounds) > 5
        # What the agent makes of a round comes along, through relay and all, once a value of this slow room changes.
        processes.wait_for("a score", lambda: [body for _, body in told if body.get("insight", {}).get("scores")], 60)


def test_a_new_agent_says_why_it_does_not_train(relay: RelayProcess, told: Any, tmp_path: Path) -> None:
    with processes.agent(tmp_path / "agent", relay.url, surroundings=midday(), **NIGHTLY):
        processes.wait_for("the end of a job", lambda: [one for one in steps(told) if not one["status"]], 30)
        last = steps(told)[-1]
        assert (last["phase"], last["reason"]) == ("skipped", "insufficient_data")
