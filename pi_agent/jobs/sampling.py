"""One sampling round: every sensor is read, and one that fails is named, never hidden."""

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from pi_agent.hardware.base import HardwareError, PartFailed, Sensor
from shared.clock import Clock, monotonic_s
from shared.contract import quantities
from shared.contract.events import SENSOR_DATA_PUB_PI
from shared.contract.payloads import QualityState
from shared.contract.spec import EventSpec

log = logging.getLogger(__name__)

_MOST_TRIES = 4
_WORST_BUDGET_S = 10.0
_BUDGET_SHARE = 0.8


class Keeps(Protocol):
    """The outbox, as far as a job needs it."""

    def append(self, spec: EventSpec, fields: Mapping[str, Any], monotonic_ns: int | None = None) -> None:
        """Keep an event."""


@dataclass
class Probe:
    """One sensor, and what is remembered of it from round to round."""

    sensor: Sensor
    ended_s: float = float("-inf")
    """When its last read ended, monotonic."""
    failing: bool = False

    @property
    def ready_s(self) -> float:
        """When the hardware allows the next read."""
        return self.ended_s + self.sensor.min_interval_s


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
        _read(probe, outcomes[probe.sensor.name], clock)
    if due:
        outbox.append(SENSOR_DATA_PUB_PI, _round(due, outcomes), start_ns)


def _read(probe: Probe, outcome: _Outcome, clock: Clock) -> None:
    outcome.tries += 1
    try:
        values = probe.sensor.read()
        trouble = _problem(probe.sensor, values)
        if trouble is None:
            outcome.values, outcome.final = values, True
        else:
            outcome.trouble = trouble
    except HardwareError as error:
        outcome.trouble = str(error)
        outcome.final = isinstance(error, PartFailed)
    probe.ended_s = monotonic_s(clock)
    # A sensor without a pause of its own has had its chance: whatever it was is not noise on a slow bus.
    outcome.final = outcome.final or outcome.tries >= (_MOST_TRIES if probe.sensor.min_interval_s else 2)


def _problem(sensor: Sensor, values: Mapping[str, float]) -> str | None:
    """Why these cannot be readings."""
    for name in sensor.quantities:
        value = values.get(name, math.nan)
        trouble = quantities.problem(name, value) if math.isfinite(value) else f"`{name}` is no number"
        if trouble:
            return trouble
    return None


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
            if not outcome.values:
                quality[name] = {"state": QualityState.FAILED, "reason": outcome.trouble[:500]}
            elif outcome.tries > 1:
                reason = f"read at attempt {outcome.tries}: {outcome.trouble}"
                quality[name] = {"state": QualityState.DEGRADED, "reason": reason[:500]}
    return {"data": data, "fail": fail} | ({"quality": quality} if quality else {})


def _log_change(probe: Probe, outcome: _Outcome) -> None:
    """Once per change of state: a sensor that fails for a week must not fill the log."""
    probe.failing = not outcome.values
    if probe.failing:
        log.warning("sensor failed: sensor=%s tries=%d: %s", probe.sensor.name, outcome.tries, outcome.trouble)
    else:
        log.info("sensor works again: sensor=%s", probe.sensor.name)


def _rounded(name: str, value: float) -> float:
    known = quantities.QUANTITIES.get(name)
    return round(value, known.decimals if known else 3)
