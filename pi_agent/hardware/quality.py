"""How far a sensor can be trusted: what each reading must pass, and the state that follows from the last ones.

A reading that cannot be is refused, and read again while the budget lasts; one that is odd is told with the state
`degraded` and the reason; where there is none the state is `failed`. An old value is never told again.

    good       told, nothing to remark
    degraded   told, but: read at a later attempt, jumped, has not changed for hours, or many reads fail
    failed     not told: noise, silence, out of range, a jump that nobody confirmed
"""

import difflib
import math
from collections import deque
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Final, TypeVar

from msgspec import Meta, Struct

from pi_agent.hardware.base import Sensor
from shared.clock import Clock, iso_utc
from shared.contract import quantities
from shared.contract.payloads import QualityState

MAX_CHANGE_PER_S: Final[Mapping[str, float]] = {"temperature": 0.2, "humidity": 1.0, "cpu_temperature": 5.0}
"""Faster than a room does it: a sensor that says so twice is believed, for somebody may breathe on it."""
STUCK_AFTER_S: Final[Mapping[str, float]] = {"temperature": 6 * 3600.0, "humidity": 6 * 3600.0}
"""What is measured in the air is never still; a count of particles in clean air may well be."""

T = TypeVar("T")

_SHORTEST_S = 5.0
"""Between two reads of one second the noise of a sensor is larger than any change."""
_LONGEST_READ_S = 10.0
_TRIES_WITHOUT_PAUSE = 2
_DEAD_ROUNDS = 3
_RECENT_READS = 20
_STEADY = 4
"""How many times longer than ever before a value must stand still to be called stuck."""
_FEW_CHANGES = 10
_MOST_CHARS = 500

PerQuantity = Annotated[dict[str, Annotated[float, Meta(ge=0, le=1e9)]], Meta(max_length=64)]


class QualityOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What makes a reading suspicious. Tables go by quantity; what they do not name keeps its default, 0 is never."""

    tries: Annotated[int, Meta(ge=1, le=10, description="reads of a noisy sensor in one round, at most")] = 4
    min_interval_s: Annotated[
        dict[str, Annotated[float, Meta(ge=0, le=86400)]],
        Meta(max_length=64, description="by sensor: read it less often than its hardware allows, in s"),
    ] = {}
    ranges: Annotated[
        dict[str, tuple[float, float]],
        Meta(max_length=64, description="by quantity: [lowest, highest] believed, within what the sensor can tell"),
    ] = {}
    max_change_per_s: Annotated[
        PerQuantity,
        Meta(
            description="by quantity: a faster change must be confirmed by a second read; temperature 0.2, humidity 1"
        ),
    ] = {}
    stuck_after_s: Annotated[
        PerQuantity,
        Meta(description="by quantity: the same value for so long is suspicious; temperature and humidity 21600"),
    ] = {}
    failing_share: Annotated[
        float, Meta(gt=0, le=1, description="degraded when more than this share of the last 20 reads failed")
    ] = 0.5

    def __post_init__(self) -> None:
        for name, (low, high) in self.ranges.items():
            if not low < high:
                raise ValueError(f"ranges.{name} is [{low:g}, {high:g}]; write [lowest, highest]")
        for table in (self.ranges, self.max_change_per_s, self.stuck_after_s):
            for name in table:
                if quantities.known(name) is None:
                    close = difflib.get_close_matches(name, quantities.QUANTITIES, n=1)
                    hint = f"did you mean {close[0]}?" if close else "docs/EVENTS.md has the table of them"
                    raise ValueError(f"there is no quantity {name}; {hint}")


AS_RECORDED: Final = QualityOptions(
    max_change_per_s=dict.fromkeys(MAX_CHANGE_PER_S, 0.0), stuck_after_s=dict.fromkeys(STUCK_AFTER_S, 0.0)
)
"""For recordings, which may be told a thousand times faster than they happened."""


class Judge:
    """Judges one sensor, from its first read on. Times are monotonic; only `since` is told in wall time."""

    def __init__(self, sensor: Sensor, options: QualityOptions, clock: Clock) -> None:
        self._quantities = sensor.quantities
        self._options = options
        self._clock = clock
        self._resting = sensor.min_interval_s > 0
        self.min_interval_s = max(sensor.min_interval_s, options.min_interval_s.get(sensor.name, 0.0))
        """A read begins at least so long after the last one ended."""
        self._believed: tuple[Mapping[str, float], int] | None = None
        self._candidate: tuple[Mapping[str, float], int] | None = None
        self._reads: deque[bool] = deque(maxlen=_RECENT_READS)
        self._lost_rounds = 0
        self._stillness = _Stillness(_limits(sensor.quantities, options.stuck_after_s, STUCK_AFTER_S))
        self._state = QualityState.GOOD
        self._since_ns = clock.monotonic_ns()
        self._jumped: dict[str, str] = {}

    @property
    def tries(self) -> int:
        """How often it is worth reading in this round: a sensor that has failed for long must not hold up the rest."""
        if self._lost_rounds >= _DEAD_ROUNDS:
            return 1
        return self._options.tries if self._resting else min(self._options.tries, _TRIES_WITHOUT_PAUSE)

    @property
    def state(self) -> QualityState:
        """The state since the last round."""
        return self._state

    def trouble(self, values: Mapping[str, float], began_ns: int) -> str | None:
        """Why `values`, just read, are not believed; None where they are. The read began at `began_ns`."""
        now_ns = self._clock.monotonic_ns()
        why = self._impossible(values, now_ns - began_ns)
        if why is None:
            jumps = self._jumps(self._believed, values, now_ns)
            confirmed = self._candidate is not None and not self._jumps(self._candidate, values, now_ns)
            if jumps and not confirmed:
                self._candidate = (values, now_ns)
                why = next(iter(jumps.values()))
            else:
                self._believed, self._candidate = (values, now_ns), None
                self._jumped = {name: f"{jump}, confirmed by a second read" for name, jump in jumps.items()}
                self._stillness.saw(values, now_ns)
        self._reads.append(why is not None)
        return why

    def failed(self) -> None:
        """Count a read that gave no values."""
        self._reads.append(True)

    def verdict(self, tries: int, trouble: str, *, told: bool) -> dict[str, dict[str, str]]:
        """At the end of a round: a state and a reason for each quantity that is not good.

        `told`: whether there are values; `tries` and `trouble`: how many reads it took, and the last that was wrong.
        """
        reasons = self._reasons(tries, trouble) if told else dict.fromkeys(self._quantities, trouble)
        state = QualityState.FAILED if not told else QualityState.DEGRADED if reasons else QualityState.GOOD
        self._lost_rounds = 0 if told else self._lost_rounds + 1
        if state is not self._state:
            self._state, self._since_ns = state, self._clock.monotonic_ns()
        since = f"; {state} {self._since()}"
        return {
            name: {"state": state.value, "reason": reason[: _MOST_CHARS - len(since)] + since}
            for name, reason in reasons.items()
        }

    def _impossible(self, values: Mapping[str, float], took_ns: int) -> str | None:
        if took_ns > _LONGEST_READ_S * 1e9:
            # A process that was stopped in the middle of a read: the value may be from before.
            return f"the read took {took_ns / 1e9:.0f} s: its age is unknown"
        for name in self._quantities:
            value = values.get(name, math.nan)
            if not math.isfinite(value):
                return f"`{name}` is no number"
            if why := quantities.problem(name, value):
                return why
            low, high = _limit(name, self._options.ranges, {}) or (-math.inf, math.inf)
            if not low <= value <= high:
                return f"`{name}` is {value:g}, outside {low:g} to {high:g} as hardware.quality.ranges has it"
        return None

    def _jumps(
        self, earlier: tuple[Mapping[str, float], int] | None, values: Mapping[str, float], now_ns: int
    ) -> dict[str, str]:
        if earlier is None:
            return {}
        before, at_ns = earlier
        passed_s = max((now_ns - at_ns) / 1e9, _SHORTEST_S)
        found = {}
        for name, most in _limits(self._quantities, self._options.max_change_per_s, MAX_CHANGE_PER_S).items():
            change = values[name] - before[name]
            if abs(change) > most * passed_s:
                found[name] = f"`{name}` jumped by {change:+.3g} in {(now_ns - at_ns) / 1e9:.0f} s"
        return found

    def _reasons(self, tries: int, trouble: str) -> dict[str, str]:
        """Why values that are told are to be taken with care, by quantity."""
        common = []
        if tries > 1 and not self._jumped:  # a jump was read again to confirm it, and says so
            common.append(f"read at attempt {tries}: {trouble}")
        bad = sum(self._reads)
        if bad > self._options.failing_share * _RECENT_READS:
            common.append(f"{bad} of the last {len(self._reads)} reads failed")
        still = self._stillness.reason(self._clock.monotonic_ns())
        reasons = {}
        for name in self._quantities:
            own = [self._jumped.get(name, ""), still if name in self._stillness.limits_s else ""]
            if words := ", ".join(word for word in (*common, *own) if word):
                reasons[name] = words
        return reasons

    def _since(self) -> str:
        passed_s = (self._clock.monotonic_ns() - self._since_ns) / 1e9
        if self._clock.synchronised():
            return f"since {iso_utc(self._clock.now() - timedelta(seconds=passed_s))}"
        return f"for {passed_s:.0f} s"


class _Stillness:
    """Finds a sensor that tells the same for ever: all its restless quantities at once, far longer than ever before.

    A DHT11 tells whole degrees and may repeat itself for hours: what counts is how long it has stood still so far.
    Until it has changed a few times little is known of it, and it gets more time.
    """

    def __init__(self, limits_s: Mapping[str, float]) -> None:
        self.limits_s = limits_s
        self._last: tuple[float, ...] | None = None
        self._since_ns = 0
        self._longest_ns = 0
        self._changes = 0

    def saw(self, values: Mapping[str, float], now_ns: int) -> None:
        """Note a reading that is believed."""
        told = tuple(values[name] for name in self.limits_s)
        if told == self._last:
            return
        if self._last is not None:
            self._changes += 1
            self._longest_ns = max(self._longest_ns, now_ns - self._since_ns)
        self._last, self._since_ns = told, now_ns

    def reason(self, now_ns: int) -> str:
        """Why the sensor seems stuck; empty where it does not."""
        if not self.limits_s or self._last is None:
            return ""
        limit_ns = min(self.limits_s.values()) * 1e9
        if self._changes < _FEW_CHANGES:
            limit_ns *= _STEADY
        still_ns = now_ns - self._since_ns
        if still_ns <= max(limit_ns, _STEADY * self._longest_ns):
            return ""
        before = f", {self._longest_ns / 3.6e12:.1f} h at most before" if self._changes else ""
        return f"has not changed for {still_ns / 3.6e12:.1f} h{before}: it may be stuck"


def _limit(name: str, chosen: Mapping[str, T], defaults: Mapping[str, T]) -> T | None:
    """What holds for quantity `name`, which may carry a label: the nearest that is set."""
    for table in (chosen, defaults):
        for key in (name, name.rpartition(".")[0]):
            if key in table:
                return table[key]
    return None


def _limits(names: tuple[str, ...], chosen: Mapping[str, float], defaults: Mapping[str, float]) -> dict[str, float]:
    """The limits of those quantities that have one; 0 is none."""
    found = {name: _limit(name, chosen, defaults) for name in names}
    return {name: limit for name, limit in found.items() if limit}
