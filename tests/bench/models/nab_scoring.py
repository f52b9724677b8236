"""How the Numenta Anomaly Benchmark scores: early in a window is worth most, far from every window costs most.

Written from the benchmark's definition (Lavin and Ahmad 2015; Ahmad et al. 2017, doi 10.1016/j.neucom.2017.04.070) in
the form its version 1.1 has: one threshold for the whole corpus, the best one; 0 is a detector that never speaks, 100
one that speaks at the first element of each window and at no other time.
"""

import csv
import io
import json
import math
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

ARCHIVE = "nab_corpus_v1.1.tar.gz"
PROBATION_SHARE: Final = 0.15
PROBATION_OF_AT_MOST: Final = 5000
"""The first 15 % of a series, but never of more than 5,000 rows, are for the detector to learn from."""


@dataclass(frozen=True)
class Profile:
    """What hits, misses and false alarms weigh."""

    hit: float = 1.0
    miss: float = 1.0
    false: float = 0.11


PROFILES: Final = {
    "standard": Profile(),
    "reward_low_FP_rate": Profile(false=0.22),
    "reward_low_FN_rate": Profile(miss=2.0),
}


@dataclass(frozen=True)
class Labelled:
    """One series: its values, and the windows (first and last element) in which it is anomalous."""

    name: str
    times: Sequence[datetime]
    values: Sequence[float]
    windows: Sequence[tuple[int, int]]

    @property
    def probation(self) -> int:
        """How many elements at the beginning are not judged."""
        return math.floor(PROBATION_SHARE * min(len(self.values), PROBATION_OF_AT_MOST))


def read_corpus(data: Path) -> list[Labelled]:
    """All series of the corpus. Raises `FileNotFoundError`."""
    file = data / ARCHIVE
    if not file.exists():
        raise FileNotFoundError(f"{data} has no {ARCHIVE}")
    with tarfile.open(file) as archive:

        def text(name: str) -> str:
            member = archive.extractfile(name)
            assert member is not None, name
            return member.read().decode()

        labels = json.loads(text("labels/combined_windows.json"))
        return [_series(name, text(f"data/{name}"), windows) for name, windows in sorted(labels.items())]


def _series(name: str, table: str, windows: Sequence[Sequence[str]]) -> Labelled:
    rows = list(csv.DictReader(io.StringIO(table)))
    times = [datetime.fromisoformat(row["timestamp"]) for row in rows]
    at = {time: index for index, time in reversed(list(enumerate(times)))}
    spans = [(at[datetime.fromisoformat(begin)], at[datetime.fromisoformat(end)]) for begin, end in windows]
    return Labelled(name, times, [float(row["value"]) for row in rows], spans)


def sigmoid(position: float) -> float:
    """What an alarm is worth: near 1 well inside a window, 0 at its end, near -1 far behind it."""
    return -1.0 if position > 3.0 else 2 / (1 + math.exp(5 * position)) - 1


@dataclass(frozen=True)
class _Alarm:
    score: float
    window: int | None
    """Numbered over the corpus; None outside all windows."""
    worth: float


def best(corpus: Sequence[Labelled], scores: Sequence[Sequence[float]], profile: Profile) -> tuple[float, float]:
    """The benchmark's score of a detector (0 null, 100 perfect) at its best threshold, and that threshold.

    `scores` holds one score per element of each series; higher is more unusual.
    """
    alarms: list[_Alarm] = []
    windows = 0
    for series, own in zip(corpus, scores, strict=True):
        alarms += _worth(series, own, windows, profile)
        windows += len(series.windows)
    if not windows:
        raise ValueError("a corpus without anomalies cannot be scored")
    alarms.sort(key=lambda alarm: -alarm.score)
    reached: dict[int, float] = {}
    total = highest = -profile.miss * windows
    threshold = math.inf
    for number, alarm in enumerate(alarms):
        if alarm.window is None:
            total += alarm.worth
        else:
            before = reached.get(alarm.window, -profile.miss)
            reached[alarm.window] = max(before, alarm.worth)
            total += reached[alarm.window] - before
        last = number + 1 == len(alarms) or alarms[number + 1].score != alarm.score
        if last and total > highest:
            highest, threshold = total, alarm.score
    return 100 * (highest + profile.miss * windows) / ((profile.hit + profile.miss) * windows), threshold


def _worth(series: Labelled, scores: Sequence[float], first: int, profile: Profile) -> list[_Alarm]:
    """What an alarm at each judged element would be worth."""
    alarms = []
    behind: tuple[int, int] | None = None
    ahead = list(enumerate(series.windows, first))
    for index, score in enumerate(scores):
        while ahead and ahead[0][1][1] < index:
            behind = ahead.pop(0)[1]
        inside = ahead[0] if ahead and ahead[0][1][0] <= index else None
        if index < series.probation:
            continue
        if inside is not None:
            number, (begin, end) = inside
            worth = sigmoid(-(end - index + 1) / (end - begin + 1)) / sigmoid(-1.0) * profile.hit
            alarms.append(_Alarm(score, number, worth))
        else:
            away = math.inf if behind is None else (index - behind[1]) / max(1, behind[1] - behind[0])
            alarms.append(_Alarm(score, None, sigmoid(away) * profile.false))
    return alarms


def normalised(corpus: Sequence[Labelled], scores: Sequence[Sequence[float]]) -> Mapping[str, float]:
    """The score of a detector under each profile."""
    return {name: best(corpus, scores, profile)[0] for name, profile in PROFILES.items()}
