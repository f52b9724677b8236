"""Faults of temperature sensors, seeded into real rooms: how many are found as what they are, and false alarms per day.

Each kind is put into each room at times drawn from a seed, one at a time, after three days of the untouched room; it
counts as found when an alarm of its own kind begins before the fault's deadline.
"""

import math
import random
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from pi_agent.insight.faults import SlotRules, SpikeRule
from pi_agent.training.climate import SLOTS_PER_DAY, Series
from shared.contract.payloads import FindingKind
from tests.bench.models.drawing import BAD, GOOD, LINE, SECOND, Drawing
from tests.bench.models.rooms import read_rooms

SEED = 20
TRIALS = 60
"""Of each kind in each room."""
BEFORE_SLOTS = 8 * SLOTS_PER_DAY
WARM_UP_SLOTS = 3 * SLOTS_PER_DAY
FALSE_ALARMS = 0.12
"""At most so many per sensor and day."""

Pair = tuple[float | None, float | None]


@dataclass(frozen=True)
class Injection:
    """One kind of fault: what it makes of the pair at a number of slots after it began, and when it must be found."""

    title: str
    kind: FindingKind
    must: float | None
    within_slots: int
    change: Callable[[int, float, Pair, Pair], Pair]
    """Of (slots since it began, +1 or -1, the pair just before it began, the pair itself)."""


def _moved(pair: Pair, by_c: float, by_pct: float = 0.0) -> Pair:
    t, h = pair
    return (None if t is None else t + by_c, None if h is None else max(0.0, min(100.0, h + by_pct)))


def _window(slot: int, _sign: float, _before: Pair, pair: Pair) -> Pair:
    """Forty minutes of winter air: 4 °C colder with a time constant of 20 minutes, back within some two hours."""
    depth = 4.0 * (1 - math.exp(-min(slot + 1, 4) / 2))
    if slot >= 4:
        depth *= math.exp(-(slot - 3) / 6)
    return _moved(pair, -depth, -1.5 * depth)


INJECTIONS = (
    Injection(
        "spike, 3 °C for one reading", FindingKind.SPIKE, 0.95, 2, lambda n, s, _, p: _moved(p, 3 * s * (n == 0))
    ),
    Injection("open window, 40 min", FindingKind.OPEN_WINDOW, 0.90, 6, _window),
    Injection(
        "offset, 2 °C from one reading on",
        FindingKind.OFFSET,
        0.93,
        SLOTS_PER_DAY,
        lambda _, s, __, p: _moved(p, 2 * s),
    ),
    Injection(
        "drift, 4 °C in 12 h",
        FindingKind.DRIFT,
        0.58,
        SLOTS_PER_DAY,
        lambda n, s, _, p: _moved(p, 4 * s * min(1, n / 72)),
    ),
    Injection("stuck, both values, 4 h", FindingKind.STUCK, 0.98, 24, lambda n, _, b, p: b if n < 24 else p),
    Injection("silent, 1 h", FindingKind.SILENT, None, 6, lambda n, _, __, p: (None, None) if n < 6 else p),
)


def run(data: Path, console: Console) -> str:
    rooms = read_rooms(data)
    table = Table("found as what it is", *rooms, "mean", "must reach")
    means = []
    for injection in INJECTIONS:
        rates = [recall(injection, series, name) for name, series in rooms.items()]
        means.append(statistics.fmean(rates))
        must = "" if injection.must is None else f"≥ {injection.must:.2f}"
        table.add_row(injection.title, *(f"{rate:.2f}" for rate in rates), f"[bold]{means[-1]:.3f}", must)
    alarms = [false_alarms(series) for series in rooms.values()]
    mean = statistics.fmean(sum(one.values()) for one in alarms)
    table.add_section()
    for kind in FindingKind:
        table.add_row(f"false: {kind}", *(f"{one.get(kind, 0.0):.3f}" for one in alarms), "", "")
    table.add_row(
        "false alarms per sensor-day",
        *(f"{sum(one.values()):.3f}" for one in alarms),
        f"[bold]{mean:.3f}",
        f"≤ {FALSE_ALARMS}",
    )
    console.print(table)
    drawing = Drawing(f"Faults seeded into {len(rooms)} real rooms, {TRIALS} of each kind in each")
    for injection, rate in zip(INJECTIONS, means, strict=True):
        enough = rate >= (injection.must or 0.0)
        drawing.bars(injection.title, [("found as what it is", rate, GOOD if enough else BAD)], injection.must)
    drawing.bars(
        "false alarms per sensor and day, the rooms as they were (people did open windows)",
        [(name, sum(one.values()), SECOND) for name, one in zip(rooms, alarms, strict=True)]
        + [("mean", mean, LINE if mean <= FALSE_ALARMS else BAD)],
        FALSE_ALARMS,
    )
    return drawing.svg()


def recall(injection: Injection, series: Series, name: str) -> float:
    """The share of seeded faults that were found in time."""
    rng = random.Random(f"{SEED}/{injection.kind}/{name}")
    pairs = list(zip(series.temperature, series.humidity, strict=True))
    found = 0
    for _ in range(TRIALS):
        begin = rng.randrange(BEFORE_SLOTS, len(pairs) - SLOTS_PER_DAY)
        sign = rng.choice((-1.0, 1.0))
        course = [
            injection.change(slot, sign, pairs[begin - 1], pairs[begin + slot])
            for slot in range(injection.within_slots)
        ]
        begun = alarms(pairs[begin - BEFORE_SLOTS : begin] + course)
        found += any(kind is injection.kind and at >= BEFORE_SLOTS for at, kind in begun)
    return found / TRIALS


def false_alarms(series: Series) -> dict[FindingKind, float]:
    """Alarms per day by kind, of the room as it was."""
    begun = alarms(list(zip(series.temperature, series.humidity, strict=True)))
    days = (len(series) - WARM_UP_SLOTS) / SLOTS_PER_DAY
    counts: dict[FindingKind, float] = {}
    for at, kind in begun:
        if at >= WARM_UP_SLOTS:
            counts[kind] = counts.get(kind, 0.0) + 1 / days
    return counts


def alarms(pairs: Sequence[Pair]) -> list[tuple[int, FindingKind]]:
    """What begins, and at which element, when the rules see `pairs` one after the other."""
    spikes, rules = SpikeRule(), SlotRules()
    begun = []
    for at, (temperature, humidity) in enumerate(pairs):
        if spikes.see(temperature) is not None:
            begun.append((at, FindingKind.SPIKE))
        begun += [(at, found.kind) for found in rules.see(temperature, humidity) if found.active]
    return begun
