"""The training process: what it costs, and that whatever it does the agent has an outcome and its old model."""

import errno
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from pi_agent.outbox.rows import Stamp, encode
from pi_agent.training.climate import Series
from pi_agent.training.job import Outcome, run_child
from pi_agent.training.runner import TrainingRunner
from pi_agent.training.store import ModelStore
from pi_agent.uplink.inbound import Inbound
from shared.clock import SystemClock
from shared.contract.events import MODEL_TRAIN_PUB_PI, MODEL_TRAIN_PUBLISH_SERVER
from shared.contract.payloads import TrainingPhase, TrainingReason, TrainingTrigger
from shared.errors import Code
from tests.agent.training.rooms import constant, room
from tests.support.clock import FakeClock

ROOT = Path(__file__).parents[3]


def child(series: Series, script: str = "", **more: Any) -> Outcome:
    """Run the real child, or a script in its place."""
    command: dict[str, Any] = {"command": (sys.executable, "-c", script)} if script else {}
    return run_child(series, SystemClock(), lambda _: None, **command, **more)


def test_a_fortnight_is_trained_within_its_limits() -> None:
    outcome = child(room())
    assert (outcome.phase, outcome.reason) == (TrainingPhase.FINISHED, None)
    assert outcome.model is not None
    assert outcome.model.days == 14
    assert outcome.peak_rss_bytes is not None
    assert outcome.peak_rss_bytes < 32 * 2**20


@pytest.mark.parametrize(
    ("series", "reason"),
    [(room(days=2), TrainingReason.INSUFFICIENT_DATA), (constant(), TrainingReason.CONSTANT_SERIES)],
    ids=["two days", "constant"],
)
def test_too_little_is_skipped(series: Series, reason: TrainingReason) -> None:
    outcome = child(series)
    assert (outcome.phase, outcome.reason, outcome.model) == (TrainingPhase.SKIPPED, reason, None)


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("import os; os.kill(os.getpid(), 9)", TrainingReason.KILLED),
        ("import os, signal; os.kill(os.getpid(), signal.SIGXCPU)", TrainingReason.CPU_LIMIT),
        ("raise SystemExit(3)", TrainingReason.CHILD_FAILED),
        ("print('this is no message')", TrainingReason.CHILD_FAILED),
        ("import os; os.write(1, b'\\xff\\n')", TrainingReason.CHILD_FAILED),
        ("import os; os.write(1, b'x' * 1000000)", TrainingReason.CHILD_FAILED),
        ("import time; time.sleep(60)", TrainingReason.TIMEOUT),
        ("import os, time; os.close(1); time.sleep(60)", TrainingReason.TIMEOUT),
        (
            """print('{"type":"finished","model":{"schema":7},"curves":[],"peak_rss_bytes":1}')""",
            TrainingReason.MODEL_REFUSED,
        ),
        ("""print('{"type":"progress","share":0.5}')""", TrainingReason.CHILD_FAILED),
    ],
)
def test_a_child_that_misbehaves_has_an_outcome(script: str, reason: TrainingReason) -> None:
    outcome = child(room(days=2), script, timeout_s=1.0)
    assert (outcome.phase, outcome.reason, outcome.model) == (TrainingPhase.FAILED, reason, None)
    assert outcome.message


def test_out_of_memory_is_an_outcome() -> None:
    script = """
import pi_agent.training.child as child
child.MEMORY_BYTES = 60 * 2**20
child.train = lambda *_: bytearray(2**27)
child.main()
"""
    outcome = child(room(days=2), script)
    assert (outcome.phase, outcome.reason) == (TrainingPhase.FAILED, TrainingReason.OUT_OF_MEMORY)


def test_the_child_limits_itself() -> None:
    script = """
import os, resource, sys
import pi_agent.training.child as child
def told(*_):
    limits = [resource.getrlimit(limit)[0] for limit in (resource.RLIMIT_CPU, resource.RLIMIT_AS)]
    print(os.nice(0), *limits, file=sys.stderr)
    raise ArithmeticError
child.train = told
child.main()
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        input=b'{"start":0,"temperature":[],"humidity":[]}',
        capture_output=True,
        cwd=ROOT,
        check=True,
    )
    assert done.stderr.split() == [str(min(19, os.nice(0) + 15)).encode(), b"120", str(192 * 2**20).encode()]


def test_no_process_is_left_behind(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    script = f"import os, time; open({str(pid_file)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    child(room(days=2), script, timeout_s=1.0)
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid_file.read_text()), signal.SIGCONT)


def test_an_agent_that_ends_ends_the_job() -> None:
    outcome = child(room(days=2), "import time; time.sleep(60)", stopping=lambda: True)
    assert outcome.reason is TrainingReason.STOPPED


def test_no_room_for_the_order_is_an_outcome(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    assert child(room(days=2)).reason is TrainingReason.DISK_FULL


# --- the runner ---------------------------------------------------------------------------------------------------


class Told:
    """Takes the news as the outbox does: only what the contract allows."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.bodies: list[Mapping[str, Any]] = []
        self.served: list[int] = []

    def news(self, fields: Mapping[str, Any]) -> None:
        encode(MODEL_TRAIN_PUB_PI, fields, Stamp.of(self.clock), self.clock)
        self.bodies.append(fields)

    def runner(self, store: ModelStore, run: Callable[..., Outcome] = run_child) -> TrainingRunner:
        return TrainingRunner(
            room, store, SystemClock(), self.news, lambda version, _: self.served.append(version), run
        )


@pytest.fixture(scope="module")
def good() -> Callable[..., Outcome]:
    """What takes the place of a child that succeeds."""
    outcome = child(room(days=8))
    return lambda *_: outcome


def failing(reason: TrainingReason) -> Callable[..., Outcome]:
    return lambda *_: Outcome(TrainingPhase.FAILED, reason=reason)


def test_a_job_is_told_from_its_start_to_its_result(tmp_path: Path) -> None:
    told = Told()
    told.runner(ModelStore(tmp_path)).train("job", TrainingTrigger.COMMAND)
    phases = [body["phase"] for body in told.bodies]
    assert phases == ["started", "progress", "progress", "progress", "progress", "finished"]
    assert [body["status"] for body in told.bodies] == [True] * 5 + [False]
    last = told.bodies[-1]
    assert (last["model_version"], last["samples"], last["days"], last["trigger"]) == (1, 2016, 14.0, "command")
    assert {one["quantity"] for one in last["plot"]} == {"temperature", "humidity"}
    assert len(last["horizons"]) == 4
    assert told.served == [1]


@pytest.mark.parametrize("reason", list(TrainingReason))
def test_after_any_failure_the_old_model_serves(
    tmp_path: Path, reason: TrainingReason, good: Callable[..., Outcome]
) -> None:
    told, store = Told(), ModelStore(tmp_path)
    told.runner(store, good).train("one", TrainingTrigger.SCHEDULE)
    told.runner(store, failing(reason)).train("two", TrainingTrigger.SCHEDULE)
    assert told.bodies[-1]["reason"] == reason
    assert told.bodies[-1]["status"] is False
    serving = store.serving()
    assert serving is not None
    assert (serving.number, told.served) == (1, [1])


@pytest.mark.parametrize(
    ("error", "reason"), [(errno.ENOSPC, TrainingReason.DISK_FULL), (errno.EROFS, TrainingReason.NOT_STORED)]
)
def test_a_disk_that_refuses_the_model_fails_the_job(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: int,
    reason: TrainingReason,
    good: Callable[..., Outcome],
) -> None:
    told, store = Told(), ModelStore(tmp_path)
    runner = told.runner(store, good)
    runner.train("one", TrainingTrigger.SCHEDULE)

    def refuse(*_: object) -> None:
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr(os, "fsync", refuse)
    outcome = runner.train("two", TrainingTrigger.SCHEDULE)
    assert (outcome.phase, outcome.reason) == (TrainingPhase.FAILED, reason)
    assert [version.number for version in store.versions()] == [1]
    assert told.served == [1]


def test_one_job_at_a_time(tmp_path: Path) -> None:
    told, go = Told(), threading.Event()

    def slow(*_: object) -> Outcome:
        go.wait(10)
        return Outcome(TrainingPhase.SKIPPED, reason=TrainingReason.INSUFFICIENT_DATA)

    runner = told.runner(ModelStore(tmp_path), slow)
    thread = threading.Thread(target=lambda: deque(runner.work(), maxlen=0))
    thread.start()
    first = runner.request_training(TrainingTrigger.COMMAND)
    assert first is not None
    assert runner.request_training(TrainingTrigger.SCHEDULE) is None
    assert runner.busy
    go.set()
    while runner.busy:
        pass
    assert runner.request_training(TrainingTrigger.SCHEDULE) not in (None, first)
    runner.stop()
    thread.join(10)
    assert not thread.is_alive()
    assert runner.request_training(TrainingTrigger.SCHEDULE) is None


def test_what_somebody_trained_or_took_back_outside_serves_too(tmp_path: Path, good: Callable[..., Outcome]) -> None:
    told, store = Told(), ModelStore(tmp_path)
    runner = told.runner(store, good)
    runner.refresh()
    runner.train("one", TrainingTrigger.SCHEDULE)
    Told().runner(store, good).train("elsewhere", TrainingTrigger.COMMAND)
    runner.refresh()
    runner.refresh()
    store.rollback()
    runner.refresh()
    assert told.served == [1, 2, 1]


def test_a_command_to_train_is_acked_at_once_and_comes_back_in_the_news(
    tmp_path: Path, good: Callable[..., Outcome]
) -> None:
    told = Told()
    runner = told.runner(ModelStore(tmp_path), good)
    inbound = Inbound(
        lambda _: Code.ACCEPTED,
        lambda _: None,
        lambda command: runner.request_training(TrainingTrigger.COMMAND, command) is not None,
    )
    acks = [inbound.receive(MODEL_TRAIN_PUBLISH_SERVER.name, ({"command": "c-1"},)) for _ in range(2)]
    assert [(ack.ok, ack.code, ack.retry) for ack in acks if ack] == [
        (True, Code.ACCEPTED, None),
        (False, Code.BUSY, True),
    ]
    wrong = inbound.receive(MODEL_TRAIN_PUBLISH_SERVER.name, ({"command": 7},))
    assert wrong is not None
    assert wrong.code is Code.INVALID_PAYLOAD
    thread = threading.Thread(target=lambda: deque(runner.work(), maxlen=0))
    thread.start()
    while runner.busy:
        pass
    runner.stop()
    thread.join(10)
    assert {body["command"] for body in told.bodies} == {"c-1"}
    assert {body["trigger"] for body in told.bodies} == {TrainingTrigger.COMMAND}
