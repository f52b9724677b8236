"""Who is measured against whom under which load, in alternating rounds."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from tests.bench.fanout.contestants import FLASK, FLOOR, MOSQUITTO, NODE, OURS, STOCK_PATH, TWO, UWS, Contestant
from tests.bench.fanout.rounds import Load, Outcome, play

Round = Mapping[str, Outcome]
"""What one round gave, by label; without those that could not be measured."""


@dataclass(frozen=True, eq=False)
class Heat:
    """In each round all entries play, one after the other: by label, a contestant and its load."""

    title: str
    entries: Mapping[str, tuple[str, Load]]


def _heat(load: Load, *names: str) -> Heat:
    return Heat(load.name, {name: (name, load) for name in names})


STEADY = _heat(Load("1,000 subscribers × 20 events/s", 1000, 20), FLOOR, OURS, MOSQUITTO, NODE, STOCK_PATH, FLASK)
BURSTS = _heat(Load("1,000 subscribers, 10 bursts/s of 5 events", 1000, 10, burst=5), FLOOR, OURS, MOSQUITTO, NODE)
SATURATED = _heat(
    Load("1,000 subscribers, saturated: 8 events in flight", 1000, in_flight=8, seconds=2), OURS, UWS, MOSQUITTO, NODE
)
WIRE = _heat(
    Load("100 subscribers × 100 events/s over the wire, with acks", 100, 100, wire=True), OURS, MOSQUITTO, NODE, FLASK
)
FEW, MANY = "500 subscribers", "5,000 subscribers"
SIZES = Heat(
    # So seldom that, on a busy machine too, hardly two events join into one write.
    "500 and 5,000 subscribers × 5 events/s",
    {FEW: (OURS, Load(FEW, 500, 5)), MANY: (OURS, Load(MANY, 5000, 5))},
)
COMMANDS = _heat(
    Load("1,000 subscribers × 20 events/s, and 50 commands/s", 1000, 20, commands=50, seconds=4), OURS, NODE, FLASK
)
POLLING = _heat(
    Load("1,000 subscribers, 50 of them by long polling, × 10 events/s", 1000, 10, polling=50, seconds=2),
    OURS,
    NODE,
    FLASK,
)
ONE_WORKER, TWO_WORKERS = "one worker", "two workers"
WORKERS = Heat(
    # The generator shares the second core with the second worker: its own share is measured.
    "2,000 subscribers, saturated: one worker and two",
    {
        ONE_WORKER: (OURS, Load(ONE_WORKER, 2000, in_flight=8, seconds=2)),
        TWO_WORKERS: (TWO, Load(TWO_WORKERS, 2000, in_flight=8, seconds=2)),
    },
)
HEATS = (STEADY, BURSTS, SATURATED, WIRE, SIZES, COMMANDS, POLLING, WORKERS)


def alternate(
    heat: Heat,
    here: Mapping[str, Contestant],
    rounds: int,
    most_s: float,
    told: Callable[[str], None],
    played: Callable[[Contestant, Load], Outcome] = play,
) -> Sequence[Round]:
    """Play a heat with who is `here`, each measuring for `most_s` or less. `told` hears what cannot be measured."""
    results = []
    for number in range(1, rounds + 1):
        outcomes = {}
        for label, (name, load) in heat.entries.items():
            if name not in here:
                continue
            try:
                outcomes[label] = played(here[name], replace(load, seconds=min(load.seconds, most_s)))
            except (RuntimeError, OSError) as error:
                told(f"{heat.title}: {label}, round {number}: {error}")
        results.append(outcomes)
    return results
