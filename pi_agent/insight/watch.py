"""What the agent makes of each round: scores, findings, forecasts. It adds them to the round; it asks nobody."""

import threading
from collections import Counter, deque
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pi_agent.insight.anomaly import AnomalyScore
from pi_agent.insight.faults import Found, SlotRules, SpikeRule
from pi_agent.insight.motion import MotionHours, hour_of
from pi_agent.insight.slots import Slot, Slots
from pi_agent.training.climate import QUANTITIES, SLOTS_PER_DAY, Series
from pi_agent.training.features import HISTORY, Features
from pi_agent.training.history import History
from pi_agent.training.model import ForecastModel
from shared.contract import quantities
from shared.contract.payloads import FindingKind

_WARM_DAYS = 8
_TOLD_FROM = 0.01


class Watch:
    """Sees every round of one agent. `observe` is the sampling thread's; the others may be called from any."""

    def __init__(self, history: History, *, rules: bool = True) -> None:
        """`rules`: whether faults are looked for; where rounds come seldom, an empty slot means nothing."""
        self._with_rules = rules
        self._both = False
        """Whether the rounds have temperature and humidity: the rules judge the one by the other."""
        self._history = history
        self._lock = threading.Lock()
        self._served: tuple[int, ForecastModel] | None = None
        self._untold = False
        """A model serves that has not forecast yet: the next round says what it makes of the slot that has begun."""
        self._movements = 0
        self._unsaved: Counter[int] = Counter()
        """Movements by hour that the history has not got yet: it is written once per slot."""
        self._scores = {quantity: AnomalyScore() for quantity in QUANTITIES}
        self._spikes = SpikeRule()
        self._slots = Slots()
        self._motion = MotionHours(history.motion())
        self._begin(history.recent(_WARM_DAYS))

    def serve(self, version: int, model: ForecastModel) -> None:
        """Forecast with `model` from now on."""
        self._served = (version, model)
        self._untold = True

    def moved(self) -> None:
        """The infrared sensor saw a movement begin. Never blocks for long."""
        with self._lock:
            self._movements += 1

    def observe(self, readings: Mapping[str, float | None], moment: datetime, monotonic_s: float) -> dict[str, Any]:
        """Take in a round taken at `moment`. Returns the fields of an `Insight`, none where there is nothing to say."""
        fields: dict[str, Any] = {}
        self._both = all(quantity in readings for quantity in QUANTITIES)
        if scores := self._score(readings):
            fields["scores"] = scores
        findings = self._spike(readings.get("temperature"))
        findings += self._move(moment)
        ended = self._slots.see(readings, moment, monotonic_s)
        if self._slots.set_back_to is not None:
            self._history.forget_from(self._slots.set_back_to)
        for slot in ended:
            findings += self._take(slot)
        if ended:
            for hour, movements in self._unsaved.items():
                self._history.add_motion(hour, movements)
            self._unsaved.clear()
        if findings:
            fields["findings"] = findings
        if (ended or self._untold) and (forecast := self._forecast(None if ended else self._slots.begun())):
            self._untold = False
            fields |= forecast
        return fields

    # --- parts --------------------------------------------------------------------------------------------------

    def _begin(self, series: Series) -> None:
        """Learn what is usual from what is remembered; what was wrong then is no news."""
        self._rules = SlotRules()
        self._recent: deque[Slot] = deque(maxlen=HISTORY + SLOTS_PER_DAY)
        for index in range(len(series)):
            slot = Slot(series.start + index, series.temperature[index], series.humidity[index])
            self._rules.see(slot.temperature, slot.humidity)
            self._recent.append(slot)

    def _score(self, readings: Mapping[str, float | None]) -> dict[str, float]:
        scores = {}
        for quantity, score in self._scores.items():
            value = readings.get(quantity)
            told = score.see(value) if value is not None else 0.0
            if told >= _TOLD_FROM:
                scores[quantity] = round(told, 3)
        return scores

    def _spike(self, temperature: float | None) -> list[dict[str, Any]]:
        away = self._spikes.see(temperature)
        if away is None:
            return []
        cause = f"one reading {away:+.1f} °C from those before and after it: noise on the sensor's line"
        return [_finding(Found(FindingKind.SPIKE, active=True, cause=cause))]

    def _move(self, moment: datetime) -> list[dict[str, Any]]:
        with self._lock:
            movements, self._movements = self._movements, 0
        self._unsaved[hour_of(moment)] += movements
        told = self._motion.see(moment, movements)
        if told is None:
            return []
        active, cause = told
        return [_finding(Found(FindingKind.UNUSUAL_MOTION, active, cause, "motion"))]

    def _take(self, slot: Slot) -> list[dict[str, Any]]:
        self._history.add(slot.number, slot.temperature, slot.humidity)
        last = self._recent[-1].number if self._recent else slot.number - 1
        if slot.number <= last:
            # The wall clock was set back: what is remembered is of another time.
            self._recent.clear()
        elif missed := range(last + 1, slot.number)[-HISTORY:]:
            # The agent was not running: no fault of the sensor.
            self._recent.extend(Slot(number, None, None) for number in missed)
            self._rules.skip(len(missed))
        self._recent.append(slot)
        if not (self._both and self._with_rules):
            return []
        return [_finding(found) for found in self._rules.see(slot.temperature, slot.humidity)]

    def _forecast(self, begun: Slot | None) -> dict[str, Any]:
        if self._served is None:
            return {}
        version, model = self._served
        slots = [*self._recent]
        if begun is not None:
            last = slots[-1].number if slots else begun.number - 1
            slots += [Slot(number, None, None) for number in range(last + 1, begun.number)[-HISTORY:]]
            slots.append(begun)
        # By the last one: of a long gap not every slot is there.
        first = slots[-1].number - len(slots) + 1
        series = Series(first, [slot.temperature for slot in slots], [slot.humidity for slot in slots])
        points = [
            {
                "quantity": point.quantity,
                "minutes": point.minutes,
                "value": _possible(point.quantity, point.value),
                "low": _possible(point.quantity, point.low),
                "high": _possible(point.quantity, point.high),
            }
            for point in model.forecast(Features(series), len(series) - 1)
        ]
        return {"forecast": points, "model": version} if points else {}


def _finding(found: Found) -> dict[str, Any]:
    return {
        "kind": found.kind,
        "active": found.active,
        "severity": found.severity,
        "quantity": found.quantity,
        "cause": found.cause,
    }


def _possible(name: str, value: float) -> float:
    """`value` within what the quantity can be, to two decimals."""
    known = quantities.QUANTITIES[name]
    return round(min(max(value, known.low), known.high), 2)
