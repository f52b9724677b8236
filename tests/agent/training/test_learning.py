"""Learning between sampling and outbox; and what the agent's process must never import."""

import ast
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pi_agent.hardware.options import HardwareOptions, Mode, SimulationOptions
from pi_agent.hardware.sim.room import Room
from pi_agent.jobs.learning import Learning
from pi_agent.jobs.past import simulated_past
from pi_agent.outbox.rows import Stamp, encode
from pi_agent.training.climate import STEP_S, slot_begin
from pi_agent.training.history import History
from pi_agent.training.options import TrainingOptions, beside, history_path
from shared.contract.events import MODEL_TRAIN_PUB_PI, SENSOR_DATA_PUB_PI
from shared.contract.payloads import SensorData, TrainingTrigger
from shared.contract.spec import EventSpec
from tests.agent.training.rooms import room
from tests.support.clock import FakeClock

ROOT = Path(__file__).parents[3]


class Outbox:
    """Keeps only what the contract allows."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self.kept: list[tuple[EventSpec, Mapping[str, Any]]] = []

    def append(self, spec: EventSpec, fields: Mapping[str, Any], monotonic_ns: int | None = None) -> None:
        stamp = Stamp.of(self._clock, monotonic_ns)
        self.kept.append((spec, msgspec.json.decode(encode(spec, fields, stamp, self._clock))))

    def bodies(self, spec: EventSpec) -> list[Mapping[str, Any]]:
        return [fields for kept, fields in self.kept if kept is spec]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(slot_begin(2_900_000))


def live(learning: Learning, clock: FakeClock, days: float, first: int = 0) -> None:
    series = room(days=first / 144 + days)
    for t, h in list(zip(series.temperature, series.humidity, strict=True))[first:]:
        learning.append(SENSOR_DATA_PUB_PI, {"data": {"temperature": t, "humidity": h, "PM2.5": None}, "fail": []})
        clock.advance(STEP_S)


def test_a_fortnight_of_rounds_is_trained_on_and_then_forecast(tmp_path: Path, clock: FakeClock) -> None:
    outbox = Outbox(clock)
    learning = Learning(tmp_path / "outbox.db", TrainingOptions(), 30.0, outbox, clock)
    live(learning, clock, 8)
    learning.runner.train("job", TrainingTrigger.SCHEDULE)
    assert [body["phase"] for body in outbox.bodies(MODEL_TRAIN_PUB_PI)][-1] == "finished"
    live(learning, clock, 0.1, first=8 * 144)
    rounds = outbox.bodies(SENSOR_DATA_PUB_PI)
    assert "forecast" in rounds[-1]["insight"]
    assert not any("forecast" in body.get("insight", {}) for body in rounds[: 8 * 144])
    learning.close()


def test_what_a_round_says_is_left_as_it_is(tmp_path: Path, clock: FakeClock) -> None:
    outbox = Outbox(clock)
    learning = Learning(tmp_path / "outbox.db", TrainingOptions(), 30.0, outbox, clock)
    fields = {"data": {"temperature": None, "humidity": None}, "fail": ["dht22"]}
    learning.append(SENSOR_DATA_PUB_PI, fields)
    assert outbox.bodies(SENSOR_DATA_PUB_PI) == [fields]
    learning.close()


@pytest.mark.parametrize("data", [{"PM2.5": 3.0}, {"temperature": 21.0}, {}])
def test_who_has_no_such_sensor_is_not_told_that_it_is_silent(
    tmp_path: Path, clock: FakeClock, data: dict[str, float]
) -> None:
    outbox = Outbox(clock)
    learning = Learning(tmp_path / "outbox.db", TrainingOptions(), 30.0, outbox, clock)
    for _ in range(300):
        learning.append(SENSOR_DATA_PUB_PI, {"data": data, "fail": []})
        clock.advance(STEP_S / 4)
    assert not any("findings" in body.get("insight", {}) for body in outbox.bodies(SENSOR_DATA_PUB_PI))
    learning.close()


def test_rounds_that_come_seldom_are_no_silence(tmp_path: Path, clock: FakeClock) -> None:
    outbox = Outbox(clock)
    learning = Learning(tmp_path / "outbox.db", TrainingOptions(), 3600.0, outbox, clock)
    for _ in range(50):
        learning.append(SENSOR_DATA_PUB_PI, {"data": {"temperature": 21.0, "humidity": 45.0}, "fail": []})
        clock.advance(3600)
    assert not any("findings" in body.get("insight", {}) for body in outbox.bodies(SENSOR_DATA_PUB_PI))
    learning.close()


def test_an_agent_that_starts_again_serves_the_model_it_had(tmp_path: Path, clock: FakeClock) -> None:
    outbox = Outbox(clock)
    series = room(days=8)
    history = History(history_path(tmp_path / "outbox.db"))
    for number in range(len(series)):
        history.add(series.start + number, series.temperature[number], series.humidity[number])
    history.close()
    clock.advance(8 * 86400)
    first = Learning(tmp_path / "outbox.db", TrainingOptions(), 30.0, outbox, clock)
    first.runner.train("job", TrainingTrigger.COMMAND)
    first.close()
    again = Learning(tmp_path / "outbox.db", TrainingOptions(), 30.0, outbox, clock)
    again.runner.refresh()
    live(again, clock, 0.05, first=8 * 144)
    assert outbox.bodies(SENSOR_DATA_PUB_PI)[-1]["insight"]["model"] == 1
    again.close()


def test_an_old_relay_or_page_reads_a_round_with_insight() -> None:
    body = SensorData.build(id=1, datetime="2026-01-31 23:59:59", fail=(), data={"temperature": 21.0})
    assert b"insight" not in msgspec.json.encode(body)


@pytest.mark.parametrize("module", ["numpy", "sklearn", "scipy", "pandas"])
def test_no_module_of_the_agent_imports_number_crunching(module: str) -> None:
    script = f"""
import importlib, pkgutil, sys
import pi_agent
for found in pkgutil.walk_packages(pi_agent.__path__, "pi_agent."):
    # Drivers of real parts need libraries of the Pi; none of them computes.
    if ".real" not in found.name and not found.name.endswith("__main__"):
        importlib.import_module(found.name)
assert "pi_agent.training.child" in sys.modules
assert "pi_agent.insight.watch" in sys.modules
assert {module!r} not in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], check=True, cwd=ROOT)


def test_the_source_of_the_agent_names_no_number_crunching() -> None:
    heavy = {"numpy", "sklearn", "scipy", "pandas", "torch", "pickle", "joblib"}
    for file in (ROOT / "pi_agent").rglob("*.py"):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        named = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        named |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        assert not heavy & {name.partition(".")[0] for name in named}, file


def test_a_simulated_room_has_a_past_to_learn_from_and_forecasts_within_its_first_slot(
    tmp_path: Path, clock: FakeClock
) -> None:
    outbox = Outbox(clock)
    options = SimulationOptions(past_days=8)
    past = simulated_past(options, clock)
    assert past is not None
    file = beside(tmp_path / "outbox.db", Mode.SIMULATED)
    learning = Learning(file, TrainingOptions(), 2.0, outbox, clock, past)
    assert learning.runner.busy, "there is no model yet"
    learning.runner.train("job", TrainingTrigger.SCHEDULE)
    climate = Room(options.seed).climate(clock.now())
    data = dict(zip(("temperature", "humidity"), climate, strict=True))
    learning.append(SENSOR_DATA_PUB_PI, {"data": data, "fail": []})
    clock.advance(2)
    learning.append(SENSOR_DATA_PUB_PI, {"data": data, "fail": []})
    told, after = outbox.bodies(SENSOR_DATA_PUB_PI)
    assert {point["minutes"] for point in told["insight"]["forecast"]} == {10, 60}
    assert "forecast" not in after.get("insight", {}), "once per model and slot"
    learning.close()
    again = Learning(file, TrainingOptions(), 2.0, outbox, clock, simulated_past(options, clock))
    assert not again.runner.busy, "it has a model"
    again.append(SENSOR_DATA_PUB_PI, {"data": data, "fail": []})
    assert outbox.bodies(SENSOR_DATA_PUB_PI)[-1]["insight"]["model"] == 1, "a restart forecasts at once"
    again.close()


def test_what_was_measured_is_not_replaced_by_a_simulated_past(tmp_path: Path, clock: FakeClock) -> None:
    history = History(tmp_path / "history.db")
    past = simulated_past(SimulationOptions(past_days=1), clock)
    assert past is not None
    history.add(past.start, 5.0, 5.0)
    history.fill(past)
    known = history.recent()
    assert (len(known), known.temperature[0]) == (len(past), 5.0)
    assert known.temperature[1] == past.temperature[1]
    history.close()


@pytest.mark.parametrize("mode", ["real", "replayed"])
def test_a_past_is_invented_for_no_room_but_a_simulated_one(mode: str) -> None:
    fields = {"mode": mode, "replay": {"file": "a.csv"}, "simulation": {"past_days": 3}}
    with pytest.raises(msgspec.ValidationError, match="would invent a past"):
        msgspec.convert(fields, HardwareOptions)
    assert simulated_past(SimulationOptions(), FakeClock()) is None


def test_what_a_simulated_room_taught_never_serves_a_real_one(tmp_path: Path) -> None:
    outbox = tmp_path / "outbox.db"
    assert history_path(beside(outbox, Mode.REAL)) == tmp_path / "history.db"
    assert len({history_path(beside(outbox, mode)).parent for mode in (Mode.REAL, Mode.SIMULATED)}) == 2
