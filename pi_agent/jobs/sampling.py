"""One sampling round: every sensor is read, and one that fails is named, never hidden."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from pi_agent.hardware.base import HardwareError, NotReady, PartFailed, Sensor
from pi_agent.hardware.options import HardwareOptions, Mode
from pi_agent.hardware.quality import AS_RECORDED, Judge, QualityOptions
from shared.clock import Clock, monotonic_s
from shared.contract import quantities
from shared.contract.events import SENSOR_DATA_PUB_PI
from shared.contract.spec import EventSpec

log = logging.getLogger(__name__)

_WORST_BUDGET_S = 10.0
_BUDGET_SHARE = 0.8
_LONGEST_ROUND_S = 30.0


class Keeps(Protocol):
    """The outbox, as far as a job needs it."""

    def append(self, spec: EventSpec, fields: Mapping[str, Any], monotonic_ns: int | None = None) -> None:
        """Keep an event."""


class Probe:
    """One sensor, and what is remembered of it from round to round."""

    def __init__(self, sensor: Sensor, clock: Clock, options: QualityOptions | None = None) -> None:
        self.sensor = sensor
        self.judge = Judge(sensor, options or QualityOptions(), clock)
        self.ended_s = float("-inf")
        """When its last read ended, monotonic."""
        self.failing = False

    @property
    def ready_s(self) -> float:
        """When the hardware, or the settings, allow the next read."""
        return self.ended_s + self.judge.min_interval_s


def probes(sensors: Iterable[Sensor], hardware: HardwareOptions, clock: Clock) -> list[Probe]:
    """A probe for each sensor, judged as the settings say; a recording is believed as it is."""
    options = AS_RECORDED if hardware.mode is Mode.REPLAYED else hardware.quality
    return [Probe(sensor, clock, options) for sensor in sensors]


@dataclass
class _Outcome:
    """What one round got from one sensor."""

    values: Mapping[str, float] = field(default_factory=dict)
    trouble: str = "not read"
    tries: int = 0
    final: bool = False


def budget_s(interval_s: float) -> float:
    """How long a round may take for its retries: it must be over well before the next one."""
    return min(_WORST_BUDGET_S, interval_s * _BUDGET_SHARE)


def sample_sensors(
    probes: Sequence[Probe],
    outbox: Keeps,
    clock: Clock,
    budget_s: float,
    pause: Callable[[float], bool],
) -> None:
    """Read every sensor, retry those that failed while the budget lasts, and keep one round.

    `pause` waits so many seconds; it returns True when the agent stops, and the round is given up. A sensor whose
    hardware allows no read within the budget is left out of the round: no old value is told as a new one.
    """
    start_ns = clock.monotonic_ns()
    start_s = start_ns / 1e9
    due = [probe for probe in probes if probe.ready_s <= start_s + budget_s]
    outcomes = {probe.sensor.name: _Outcome() for probe in due}
    while waiting := [probe for probe in due if not outcomes[probe.sensor.name].final]:
        probe = min(waiting, key=lambda probe: probe.ready_s)
        wait_s = probe.ready_s - monotonic_s(clock)
        if probe.ready_s > start_s + budget_s:
            break
        if wait_s > 0 and pause(wait_s):
            return
        if monotonic_s(clock) - start_s > _LONGEST_ROUND_S:
            # The process was stopped meanwhile: what is read now belongs to another time than this round's.
            due = [probe for probe in due if outcomes[probe.sensor.name].tries]
            break
        _read(probe, outcomes[probe.sensor.name], clock)
    if due:
        outbox.append(SENSOR_DATA_PUB_PI, _round(due, outcomes), start_ns)


def _read(probe: Probe, outcome: _Outcome, clock: Clock) -> None:
    outcome.tries += 1
    most = probe.judge.tries
    began_ns = clock.monotonic_ns()
    try:
        values = probe.sensor.read()
    except HardwareError as error:
        probe.judge.failed()
        outcome.trouble = str(error)
        outcome.final = isinstance(error, PartFailed | NotReady)
    else:
        if trouble := probe.judge.trouble(values, began_ns):
            outcome.trouble = trouble
        else:
            outcome.values, outcome.final = values, True
    probe.ended_s = monotonic_s(clock)
    outcome.final = outcome.final or outcome.tries >= most


def _round(due: Sequence[Probe], outcomes: Mapping[str, _Outcome]) -> dict[str, Any]:
    data: dict[str, float | None] = {}
    quality: dict[str, dict[str, str]] = {}
    fail = []
    for probe in due:
        sensor, outcome = probe.sensor, outcomes[probe.sensor.name]
        if not outcome.values:
            fail.append(sensor.name)
        if probe.failing is bool(outcome.values):
            _log_change(probe, outcome)
        for name in sensor.quantities:
            data[name] = _rounded(name, outcome.values[name]) if outcome.values else None
        quality |= probe.judge.verdict(outcome.tries, outcome.trouble, told=bool(outcome.values))
    return {"data": data, "fail": fail} | ({"quality": quality} if quality else {})


def _log_change(probe: Probe, outcome: _Outcome) -> None:
    """Once per change of state: a sensor that fails for a week must not fill the log."""
    probe.failing = not outcome.values
    if probe.failing:
        log.warning("sensor failed: sensor=%s tries=%d: %s", probe.sensor.name, outcome.tries, outcome.trouble)
    else:
        log.info("sensor works again: sensor=%s", probe.sensor.name)


def _rounded(name: str, value: float) -> float:
    known = quantities.known(name)
    return round(value, known.decimals if known else 3)
