"""Windows of 60 s over a wearer's readings, relative to the wearer's own running baseline.

No feature tells the time: neither the clock, nor how long a wearer has been measured, nor how much baseline there is.
"""

import hashlib
import math
import statistics
from array import array
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Sequence
from operator import mul
from typing import Final

from server.stress.readings import SIGNALS, Reading, Reason, in_range

WINDOW_S: Final = 60
BUCKET_S: Final = 10
"""The baseline is kept as means of so many seconds."""
BASELINE_BUCKETS: Final = 30 * 60 // BUCKET_S
RECENT_BUCKETS: Final = 4 * 60 // BUCKET_S
WARM_UP_S: Final = 6 * 60
GAP_S: Final = 10
"""After a longer silence the window fills anew."""
LOST_S: Final = 120
"""After a longer silence the baseline begins anew, too: who knows who wears the sensor now."""
LATE_S: Final = 2.0
"""A reading may come so much out of order; one that is older still means that the clock was set back."""
MOST_WEARERS: Final = 500

EDA_FLOOR_US: Final = 0.01
"""Below it the logarithm would show the noise of the electrodes."""

STATISTICS: Final = ("minus_median_30min", "minus_previous_4min", "sd", "slope", "range")
NAMES: Final = tuple(f"{signal}_{statistic}" for signal in ("hr", "temp", "ln_eda") for statistic in STATISTICS)
"""The features, in order. hr in bpm, temp in °C, ln_eda without unit; a slope is per second."""
HASH: Final = hashlib.sha256("\n".join(NAMES).encode()).hexdigest()[:16]

Features = tuple[float, ...]


class WearerWindow:
    """What is remembered of one wearer: 60 s by the second, 30 min by the ten seconds; about 10 kB."""

    def __init__(self, sensor: str, why: Reason = Reason.WARMING_UP) -> None:
        self._begin(sensor, why)

    def _begin(self, sensor: str, why: Reason) -> None:
        self._sensor = sensor
        self._why = why
        self._origin_s: float | None = None
        self._last_s = -math.inf
        self._count = 0
        self._seconds = array("q")
        self._columns = tuple(array("d") for _ in SIGNALS)
        self._bucket: int | None = None
        self._bucket_sums = [0.0] * len(SIGNALS)
        self._bucket_count = 0
        self._numbers = array("q")
        self._means = tuple(array("d") for _ in SIGNALS)
        self._medians = [0.0] * len(SIGNALS)

    def see(self, reading: Reading) -> Features | Reason:
        """Take `reading` in; the features of the window that ends with it, or why there are none."""
        if reading.sensor != self._sensor:
            self._begin(reading.sensor, Reason.SENSOR_CHANGED)
        if reading.hr is None or reading.temp is None or reading.eda is None or not in_range(reading):
            return Reason.OUT_OF_RANGE
        since_s = reading.at_s - self._last_s
        if since_s < -LATE_S:
            self._begin(self._sensor, Reason.CLOCK_STEP)
        elif since_s < 0:
            return Reason.LATE
        elif self._origin_s is not None and since_s > LOST_S:
            self._begin(self._sensor, Reason.GAP)
        if self._origin_s is None:
            self._origin_s = reading.at_s
        self._last_s = reading.at_s
        # To the millisecond: the same readings give the same windows, whatever the epoch.
        second = round((reading.at_s - self._origin_s) * 1000) // 1000
        self._add(second, (reading.hr, reading.temp, math.log(max(reading.eda, EDA_FLOOR_US))))
        return self._features(second)

    def _add(self, second: int, values: tuple[float, float, float]) -> None:
        if self._seconds and second - self._seconds[-1] > GAP_S:
            self._cut(0)
        if self._seconds and self._seconds[-1] == second:
            self._count += 1
            for column, value in zip(self._columns, values, strict=True):
                column[-1] += (value - column[-1]) / self._count
        else:
            self._count = 1
            self._seconds.append(second)
            for column, value in zip(self._columns, values, strict=True):
                column.append(value)
            self._cut(len(self._seconds) - bisect_right(self._seconds, second - WINDOW_S))
        self._add_to_bucket(second // BUCKET_S, values)

    def _cut(self, keep: int) -> None:
        gone = len(self._seconds) - keep
        del self._seconds[:gone]
        for column in self._columns:
            del column[:gone]

    def _add_to_bucket(self, bucket: int, values: tuple[float, float, float]) -> None:
        if bucket != self._bucket:
            if self._bucket is not None:
                self._close(self._bucket)
            self._bucket, self._bucket_count = bucket, 0
            self._bucket_sums = [0.0] * len(values)
        self._bucket_count += 1
        for signal, value in enumerate(values):
            self._bucket_sums[signal] += value

    def _close(self, bucket: int) -> None:
        """Add the mean of a bucket that is full to the baseline, and let go what is older than 30 min."""
        self._numbers.append(bucket)
        for means, total in zip(self._means, self._bucket_sums, strict=True):
            means.append(total / self._bucket_count)
        while self._numbers[0] <= bucket - BASELINE_BUCKETS:
            del self._numbers[0]
            for means in self._means:
                del means[0]
        self._medians = [statistics.median(means) for means in self._means]

    def _features(self, second: int) -> Features | Reason:
        if second < WARM_UP_S:
            return self._why
        if self._seconds[0] > second - WINDOW_S + GAP_S:
            return Reason.GAP
        # Buckets that ended before the window began; at most those of four minutes.
        end = (second - WINDOW_S + 1) // BUCKET_S
        first, last = bisect_left(self._numbers, end - RECENT_BUCKETS), bisect_left(self._numbers, end)
        if (last - first) * 2 < RECENT_BUCKETS:
            return Reason.GAP
        columns = [column.tolist() for column in self._columns]
        spans = [max(column) - min(column) for column in columns]
        if not (spans[0] and spans[2]):
            return Reason.CONSTANT
        middle = sum(self._seconds) / len(self._seconds)
        away = [at - middle for at in self._seconds]
        features: list[float] = []
        for column, means, median, span in zip(columns, self._means, self._medians, spans, strict=True):
            mean, sd, slope = shape(away, column)
            before = math.fsum(means[first:last]) / (last - first)
            features += (mean - median, mean - before, sd, slope, span)
        return tuple(features)


def shape(away: Sequence[float], values: Sequence[float]) -> tuple[float, float, float]:
    """Mean, standard deviation and least-squares slope per second of `values`.

    `away` is when each was measured, in seconds from the mean of these times; at least two differ.
    """
    # fsum, not sum: its result is the same in every version of Python.
    mean = math.fsum(values) / len(values)
    off = [value - mean for value in values]
    sd = math.sqrt(math.fsum(map(mul, off, off)) / len(values))
    return mean, sd, math.fsum(map(mul, away, off)) / math.fsum(map(mul, away, away))


class Windows:
    """The windows of all wearers; the one that was silent longest is forgotten when there are too many."""

    def __init__(self, most: int = MOST_WEARERS) -> None:
        self._most = most
        self._wearers: OrderedDict[str, WearerWindow] = OrderedDict()

    def __len__(self) -> int:
        return len(self._wearers)

    def see(self, reading: Reading) -> Features | Reason:
        """Take `reading` in; the features of its wearer's window, or why there are none."""
        window = self._wearers.get(reading.wearer)
        if window is None:
            window = self._wearers[reading.wearer] = WearerWindow(reading.sensor)
            if len(self._wearers) > self._most:
                self._wearers.popitem(last=False)
        self._wearers.move_to_end(reading.wearer)
        return window.see(reading)

    def forget(self, wearer: str) -> None:
        """Forget all that is known of `wearer`."""
        self._wearers.pop(wearer, None)
