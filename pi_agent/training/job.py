"""One training job: a child process under a watch, and what became of it."""

import os
import selectors
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Final

import msgspec

from pi_agent.training.climate import Series
from pi_agent.training.messages import LONGEST_LINE, Curve, Failed, Finished, Line, Order, Progress, Skipped
from pi_agent.training.model import ForecastModel, check
from pi_agent.training.store import is_full
from shared.clock import Clock, monotonic_s
from shared.contract.payloads import TrainingPhase, TrainingReason
from shared.model_file import ModelRefused

COMMAND: Final = (sys.executable, "-m", "pi_agent.training.child")
TIMEOUT_S: Final = 180.0
_LOOK_S: Final = 0.1
_FOLLOW_S: Final = 5.0


@dataclass(frozen=True)
class Outcome:
    """How a job ended: with a model, or with a reason."""

    phase: TrainingPhase
    model: ForecastModel | None = None
    curves: tuple[Curve, ...] = ()
    reason: TrainingReason | None = None
    message: str = ""
    peak_rss_bytes: int | None = None


def run_child(
    series: Series,
    clock: Clock,
    progress: Callable[[float], None],
    stopping: Callable[[], bool] = lambda: False,
    command: Sequence[str] = COMMAND,
    timeout_s: float = TIMEOUT_S,
) -> Outcome:
    """Train on `series` in a process of its own, and wait for it.

    `progress` is told the share that is done; `stopping` is asked again and again, and ends the job early. Whatever the
    process does, an outcome is returned; it is dead by then.
    """
    try:
        # A file, not a pipe: a child that reads nothing must not block the one who writes.
        with tempfile.TemporaryFile() as order:
            order.write(msgspec.json.encode(Order.of(series)))
            order.seek(0)
            # The command is this program's own; nothing of it comes from outside.
            process = subprocess.Popen(command, stdin=order, stdout=subprocess.PIPE)  # noqa: S603
    except OSError as error:
        return _failed(TrainingReason.DISK_FULL if is_full(error) else TrainingReason.CHILD_FAILED, str(error))
    assert process.stdout is not None  # noqa: S101  # asked for above
    with process.stdout as told:
        try:
            return _follow(process, told, clock, progress, stopping, timeout_s)
        finally:
            process.kill()
            process.wait()


def _follow(
    process: "subprocess.Popen[bytes]",
    told: IO[bytes],
    clock: Clock,
    progress: Callable[[float], None],
    stopping: Callable[[], bool],
    timeout_s: float,
) -> Outcome:
    deadline_s = monotonic_s(clock) + timeout_s
    last: Line | None = None
    try:
        for text in _lines(told, lambda: stopping() or monotonic_s(clock) > deadline_s):
            last = msgspec.json.decode(text, type=Line)
            if isinstance(last, Progress):
                progress(last.share)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return _failed(TrainingReason.CHILD_FAILED, f"it wrote what is no message: {error}")
    if stopping():
        return _failed(TrainingReason.STOPPED, "the agent ends")
    if monotonic_s(clock) > deadline_s:
        return _failed(TrainingReason.TIMEOUT, f"not done after {timeout_s:.0f} s")
    try:
        # Its output has ended; it may take a moment to follow.
        return _judge(process.wait(_FOLLOW_S), last)
    except subprocess.TimeoutExpired:
        return _failed(TrainingReason.TIMEOUT, "it closed its output and did not end")


def _judge(code: int, last: Line | None) -> Outcome:
    if isinstance(last, Skipped):
        reason = TrainingReason(last.reason)
        return Outcome(TrainingPhase.SKIPPED, reason=reason, message=last.message, peak_rss_bytes=last.peak_rss_bytes)
    if isinstance(last, Failed):
        return _failed(TrainingReason(last.reason), last.message)
    if isinstance(last, Finished) and code == 0:
        try:
            model = check(msgspec.json.decode(bytes(last.model)))
        except ModelRefused as refused:
            return _failed(TrainingReason.MODEL_REFUSED, str(refused))
        return Outcome(TrainingPhase.FINISHED, model, last.curves, peak_rss_bytes=last.peak_rss_bytes)
    if code == -signal.SIGXCPU:
        return _failed(TrainingReason.CPU_LIMIT, "it used up its CPU time")
    if code < 0:
        return _failed(TrainingReason.KILLED, f"ended by {signal.Signals(-code).name}")
    return _failed(TrainingReason.CHILD_FAILED, f"ended with code {code}")


def _failed(reason: TrainingReason, message: str) -> Outcome:
    return Outcome(TrainingPhase.FAILED, reason=reason, message=message)


def _lines(told: IO[bytes], over: Callable[[], bool]) -> Iterator[bytes]:
    """What the child writes, line by line, until it ends or `over` says so."""
    rest = b""
    with selectors.DefaultSelector() as selector:
        selector.register(told, selectors.EVENT_READ)
        while not over():
            if not selector.select(_LOOK_S):
                continue
            data = os.read(told.fileno(), 65_536)
            if not data:
                return
            *lines, rest = (rest + data).split(b"\n")
            yield from lines
            if len(rest) > LONGEST_LINE:
                raise msgspec.DecodeError("a line without end")
