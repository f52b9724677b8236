"""The stress monitor: what a wearer's sensor measured is judged, stored as a round like any other, and looked up."""

import logging
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime
from typing import Final, NamedTuple

from server.services.calibration import calibrated
from server.services.ingest import Ingest
from server.services.presence import Presence
from server.state.devices import Registry
from server.storage.records import LoggedEvent
from server.storage.rounds import Rounds
from server.stress.alerts import Alert, AlertPolicy
from server.stress.predictor import Label, Prediction, StressPredictor, TreePredictor, label_of
from server.stress.readings import Reading
from server.stress.trees import load
from shared.clock import iso_utc, local_text, to_ms
from shared.contract.door_payloads import StressPrediction, StressReading, StressSample
from shared.contract.payloads import Quality, QualityState, SensorData, parse
from shared.errors import Code
from shared.model_file import ModelRefused
from shared.wire import StrictJson

log = logging.getLogger(__name__)

DOOR: Final = "esp32"
HEART_RATE, SKIN_TEMPERATURE, EDA, STRESS = "heart_rate", "skin_temperature", "eda", "stress"
"""The quantities of a round."""
_MOST_OPEN = 1_000

_Key = tuple[str, str, int]


class Taken(NamedTuple):
    """What became of a reading."""

    sample: StressSample | None
    """None where it was stored before, and the log does not go back to it any more."""
    fresh: bool
    """Whether it was stored just now, not before."""
    alert: Alert | None = None


class StressMonitor:
    """Takes wearers' readings in."""

    def __init__(
        self,
        registry: Registry,
        presence: Presence,
        ingest: Ingest,
        rounds: Rounds,
        seen: Callable[[str, str, int], bool],
        predictor: StressPredictor,
        policy: AlertPolicy,
    ) -> None:
        """`seen(device, stream, id)` says whether an event is a resend: `Recorder.seen`."""
        self._registry = registry
        self._presence = presence
        self._ingest = ingest
        self._rounds = rounds
        self._seen = seen
        self._predictor = predictor
        self._policy = policy
        self._open: OrderedDict[_Key, tuple[Prediction, Alert | None]] = OrderedDict()
        """Of readings that were judged and are not known to be stored: judged once, however often they are sent."""

    @property
    def model(self) -> str | None:
        """The short name of the model that serves; None: there is none."""
        return self._predictor.version

    def take(self, name: str, reading: StressReading, at: datetime) -> Taken:
        """Judge and store a reading that was taken `at`; one that is sent again is neither judged nor stored again.

        Raises `Refusal`: `conflict`, `retired`, `unavailable`, `queue_full`.
        """
        device = self._presence.spoke(name, DOOR)
        key = None if reading.stream is None or reading.id is None else (name, reading.stream, reading.id)
        if key is not None and key not in self._open and self._seen(*key):
            return self._again(key)
        prediction, alert = self._judged(
            key, Reading(name, name, at.timestamp(), reading.hr, reading.temp, reading.eda)
        )
        body = _round(reading, prediction, at)
        ack = self._ingest.sensor_data(name, body)
        if key is not None:
            self._open.pop(key, None)
            if ack.code is Code.DUPLICATE:
                return self._again(key)
        return Taken(sample(ack.cursor or 0, name, calibrated(body, device.profile)), fresh=True, alert=alert)

    def newest(self, device: str | None, span: tuple[datetime, datetime], limit: int) -> tuple[StressSample, ...]:
        """At most `limit` stored readings, newest first: of one device, or of all wearers.

        `span` is from and to (excluded).
        """
        wearers = [one.name for one in self._registry if one.hello.door == DOOR and device in (None, one.name)]
        found = self._rounds.newest(wearers, HEART_RATE, (to_ms(span[0]), to_ms(span[1])), limit)
        return tuple(map(_stored, found))

    def _judged(self, key: _Key | None, reading: Reading) -> tuple[Prediction, Alert | None]:
        if key is not None and key in self._open:
            return self._open[key]
        prediction = self._predictor.predict(reading)
        judged = prediction, self._policy.see(reading, prediction)
        if key is not None:
            self._open[key] = judged
            if len(self._open) > _MOST_OPEN:
                self._open.popitem(last=False)
        return judged

    def _again(self, key: _Key) -> Taken:
        found = self._rounds.find(*key)
        return Taken(_stored(found) if found is not None else None, fresh=False)


def shipped_predictor() -> StressPredictor:
    """The predictor with the model that came with this program; without one, all is unknown."""
    try:
        return TreePredictor(load())
    except ModelRefused as trouble:
        log.warning("stress model not loaded, every prediction is unknown: reason=%s", trouble)
        return TreePredictor(None)


def prediction_of(told: StressSample) -> StressPrediction:
    """The prediction in a sample, as its device is told it."""
    return StressPrediction.build(label=told.stress_level, confidence=told.confidence / 100, reason=told.reason)


def sample(cursor: int, device: str, body: SensorData) -> StressSample:
    """A stored round as pages see it."""
    probability = body.data.get(STRESS)
    quality = body.quality.get(STRESS)
    label = Label.UNKNOWN if probability is None else label_of(probability)
    return StressSample.build(
        id=cursor,
        timestamp=body.taken_at,
        hr=body.data[HEART_RATE],
        temp=body.data[SKIN_TEMPERATURE],
        eda=body.data[EDA],
        stress_level=label,
        confidence=round(100 * Prediction(label, probability, None).confidence, 1),
        device_id=device,
        reason=quality.reason if quality is not None and probability is None else "",
    )


def _round(reading: StressReading, prediction: Prediction, at: datetime) -> SensorData:
    values = {HEART_RATE: reading.hr, SKIN_TEMPERATURE: reading.temp, EDA: reading.eda, STRESS: prediction.probability}
    quality = {}
    if prediction.probability is None:
        quality[STRESS] = Quality(state=QualityState.FAILED, reason=prediction.reason or "")
    return SensorData.build(
        id=reading.id or 0,
        stream=reading.stream,
        datetime=local_text(at),
        taken_at=iso_utc(at),
        fail=(),
        data=values,
        quality=quality,
    )


def _stored(event: LoggedEvent) -> StressSample:
    return sample(event.cursor, event.device, parse(SensorData, StrictJson.loads(event.body)))
