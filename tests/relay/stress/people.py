"""Made-up people, for tests: pulse and EDA rise in stress. They show that code works, never what a model is worth."""

import random
from collections.abc import Sequence
from pathlib import Path

from server.stress.readings import Reading
from server.stress.recordings import COLUMNS, Recording, Sample

BLOCKS = ((0, 420), (1, 180), (0, 180), (1, 180), (0, 120))
"""Label and seconds."""


def person(number: int, blocks: Sequence[tuple[int, int]] = BLOCKS, effect: float = 1.0) -> Recording:
    """One reading a second through `blocks`; `effect` scales what stress does."""
    rng = random.Random(number)
    pulse, skin, eda = rng.uniform(60, 80), rng.uniform(29, 34), rng.uniform(0.3, 2.0)
    lift, samples = 0.0, []
    labels = [label for label, seconds in blocks for _ in range(seconds)]
    for second, label in enumerate(labels):
        lift += (label * effect - lift) / 30
        samples.append(
            Sample(
                float(second),
                round(pulse + 15 * lift + rng.gauss(0, 2), 2),
                round(skin - 0.3 * lift + rng.gauss(0, 0.02), 2),
                round(eda * (1 + 0.8 * lift) * rng.uniform(0.97, 1.03), 4),
                bool(label),
            )
        )
    return Recording(f"p{number}", tuple(samples))


def people(count: int, effect: float = 1.0) -> tuple[Recording, ...]:
    """`count` different people."""
    return tuple(person(number, effect=effect) for number in range(count))


def calm(seconds: int, wearer: str = "w", sensor: str = "s", start_s: float = 0.0) -> list[Reading]:
    """Readings of a person at rest, one a second."""
    recording = person(1, blocks=((0, seconds),))
    return [Reading(wearer, sensor, start_s + one.at_s, one.hr, one.temp, one.eda) for one in recording.samples]


def write_csv(path: Path, recordings: Sequence[Recording]) -> Path:
    """`recordings` as `pi-relay stress train` takes them."""
    lines = [",".join(COLUMNS)]
    for recording in recordings:
        lines += [f"{recording.subject},{s.at_s},{s.hr},{s.temp},{s.eda},{int(s.stress)}" for s in recording.samples]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
