"""What the rounds must show: each measure with what was reached. A ratio is of two outcomes of the same round."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tests.bench.fanout.contestants import FLASK, FLOOR, MOSQUITTO, NODE, OURS, UWS
from tests.bench.fanout.heats import (
    BURSTS,
    COMMANDS,
    FEW,
    MANY,
    ONE_WORKER,
    SATURATED,
    SIZES,
    STEADY,
    TWO_WORKERS,
    WIRE,
    WORKERS,
    Heat,
    Round,
)
from tests.bench.fanout.rounds import Outcome


@dataclass(frozen=True)
class Measure:
    """One row: `of` the outcome of `who`, ÷ that of `peer` where there is one. Less is better, where not said."""

    name: str
    heat: Heat
    aim: float
    must: float | None = None
    who: str = OURS
    peer: str | None = None
    of: Callable[[Outcome], float] = lambda one: one.cpu_us
    unit: str = ""
    more: bool = False
    """More is better."""

    def values(self, rounds: Sequence[Round]) -> list[float]:
        """One per round in which all that it needs was measured."""
        if self.peer is None:
            return [self.of(one[self.who]) for one in rounds if self.who in one]
        pairs = [
            (self.of(one[self.who]), self.of(one[self.peer])) for one in rounds if {self.who, self.peer} <= one.keys()
        ]
        return [ours / peer for ours, peer in pairs if peer]

    def row(self, rounds: Sequence[Round]) -> tuple[str, ...]:
        """Its name, the median of the rounds, the rounds, what must be reached, what is aimed at, what was reached."""
        values = self.values(rounds)
        median = statistics.median(values) if values else None
        return (
            self.name,
            "–" if median is None else f"{median:.2f}{self.unit}",
            " ".join(f"{value:.2f}" for value in values),
            "reported" if self.must is None else f"{self._sign} {self.must:g}{self.unit}",
            f"{self._sign} {self.aim:g}{self.unit}",
            self._verdict(median),
        )

    def _verdict(self, median: float | None) -> str:
        if median is None:
            return "not measured"
        if self._reaches(median, self.aim):
            return "yes, and the aim"
        if self.must is None:
            return "not the aim"
        return "yes" if self._reaches(median, self.must) else "no"

    def _reaches(self, value: float, bound: float) -> bool:
        return value >= bound if self.more else value <= bound

    @property
    def _sign(self) -> str:
        return "≥" if self.more else "≤"


MEASURES = (
    Measure("1,000 × 20 events/s: CPU per delivery ÷ send() floor", STEADY, must=1.4, aim=1.2, peer=FLOOR),
    Measure("the same ÷ Node socket.io", STEADY, must=0.6, aim=0.45, peer=NODE),
    Measure("the same ÷ mosquitto", STEADY, must=0.8, aim=0.6, peer=MOSQUITTO),
    Measure("the same ÷ stock Flask-SocketIO on gevent", STEADY, must=0.2, aim=0.15, peer=FLASK),
    Measure("bursts (10/s of 5 events): CPU per delivery ÷ send() floor", BURSTS, must=0.6, aim=0.4, peer=FLOOR),
    Measure("saturated, 8 events in flight: CPU per delivery ÷ µWebSockets (socketify)", SATURATED, aim=1.5, peer=UWS),
    Measure(
        "100 × 100 events/s, producer and ack: CPU per delivery ÷ mosquitto", WIRE, must=1.2, aim=1.0, peer=MOSQUITTO
    ),
    Measure("CPU per delivery at 5,000 subscribers ÷ at 500", SIZES, must=1.3, aim=1.1, who=MANY, peer=FEW),
    Measure("RSS per subscriber", STEADY, must=25, aim=16, of=lambda one: one.kb_per_client, unit=" KB"),
    Measure(
        "command round trip, 1,000 loaded subscribers: p99 ÷ Node",
        COMMANDS,
        must=1.0,
        aim=0.5,
        peer=NODE,
        of=lambda one: one.command_p99_ms,
    ),
    Measure(
        "two workers on two cores ÷ one, deliveries/s",
        WORKERS,
        aim=1.7,
        who=TWO_WORKERS,
        peer=ONE_WORKER,
        of=lambda one: one.per_s,
        more=True,
    ),
    # What the generator takes of the two cores, two workers cannot have: 2 ÷ this is what they would reach without it.
    Measure("two workers ÷ one: CPU per delivery, Redis and all", WORKERS, aim=1.18, who=TWO_WORKERS, peer=ONE_WORKER),
)

Column = tuple[str, Callable[[Outcome], float | None], str]
COLUMNS: Sequence[Column] = (
    ("µs/delivery", lambda one: one.cpu_us, ".2f"),
    ("per s", lambda one: one.per_s, ",.0f"),
    ("came", lambda one: one.share, ".0%"),
    ("p50 ms", lambda one: one.p50_ms, ".1f"),
    ("p99 ms", lambda one: one.p99_ms, ".1f"),
    ("ack p99", lambda one: one.ack_p99_ms or None, ".1f"),
    ("command p50", lambda one: one.command_p50_ms if one.commanded else None, ".1f"),
    ("command p99", lambda one: one.command_p99_ms if one.commanded else None, ".1f"),
    ("KB/client", lambda one: one.kb_per_client, ".1f"),
    ("wrong", lambda one: one.wrong, ".0f"),
    ("generator µs", lambda one: one.crowd_us, ".2f"),
    ("its core", lambda one: one.crowd_core, ".0%"),
    ("waited", lambda one: one.waited, ".0%"),
)


def by_label(rounds: Sequence[Round]) -> Mapping[str, list[Outcome]]:
    """All outcomes of each entry."""
    labels = dict.fromkeys(label for one in rounds for label in one)
    return {label: [one[label] for one in rounds if label in one] for label in labels}


def cells(outcomes: Sequence[Outcome]) -> list[str]:
    """The medians of one entry's rounds, a cell for each of `COLUMNS`; all that went wrong in any."""
    return [_cell(name, [of(one) for one in outcomes], how) for name, of, how in COLUMNS]


def _cell(name: str, values: Sequence[float | None], how: str) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return ""
    return format(sum(known) if name == "wrong" else statistics.median(known), how)
