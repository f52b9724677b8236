"""What the relay knew before it was restarted, from its database. Everything is offline until it comes back."""

import logging

from server.services import frames
from server.state.devices import Registry
from server.storage.records import LoggedEvent, State
from shared.clock import from_ms, iso_utc
from shared.contract.events import MODEL_TRAIN_PUB_PI, MOTION_PUB_PI, SENSOR_DATA_PUB_PI
from shared.contract.payloads import AccessoryStatus, ModelTrain, Motion, PiHello, SensorData, parse
from shared.errors import Refusal
from shared.wire import StrictJson

log = logging.getLogger(__name__)

ENDED = "ended"
"""Beside what a device says when it connects: it has said that it ends."""


def restore(registry: Registry, state: State) -> None:
    """Fill `registry` with the newest of each."""
    for known in state.devices:
        device = registry.add(known.name, from_ms(known.last_seen_ms))
        device.hello = _hello(known.info)
        device.original = device.hello.contract is None
        device.ended = known.info.get(ENDED) is True
    for row in state.events:
        try:
            _note(registry, row)
        except Refusal as refusal:
            # One row that cannot be read must not keep the relay from starting; the device will say it anew.
            log.warning("stored event not understood: cursor=%d event=%s: %s", row.cursor, row.event, refusal.message)
    for last in state.readings:
        registry.add(last.device, from_ms(last.taken_at_ms)).note_value(
            last.quantity, last.value, iso_utc(from_ms(last.taken_at_ms))
        )


def _hello(info: dict[str, object]) -> PiHello:
    try:
        return parse(PiHello, info)
    except Refusal:
        # An older version wrote it; the device says it again when it connects.
        return PiHello()


def _note(registry: Registry, row: LoggedEvent) -> None:
    at = from_ms(row.received_at_ms)
    device = registry.add(row.device, at)
    body = StrictJson.loads(row.body)
    if row.event == SENSOR_DATA_PUB_PI.name:
        device.note_readings(parse(SensorData, body), at)
    elif row.event == MOTION_PUB_PI.name:
        device.note_motion(frames.motion(row.device, parse(Motion, body), row.cursor), at)
    elif row.event == MODEL_TRAIN_PUB_PI.name:
        device.training = frames.training(row.device, parse(ModelTrain, body), at, row.cursor)
    elif (accessory := frames.accessory_of(row.event)) in {info.accessory for info in device.infos} and accessory:
        # What an earlier Pi under this name had and this one has not, is not there.
        device.note_status(accessory, parse(AccessoryStatus, body), at)
