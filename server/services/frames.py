"""What a page is shown for an event of a device: live and in a replay, the same frame, which says in which it is."""

from datetime import datetime

from shared.clock import iso_utc, local_text
from shared.contract.events import (
    ACCESSORIES,
    ACCESSORY_STATUS_PUB_CLIENT,
    FURTHER,
    MODEL_TRAIN_PUB_CLIENT,
    MODEL_TRAIN_PUB_PI,
    MOTION_PUB_CLIENT,
    MOTION_PUB_PI,
    SENSOR_DATA_PUB_CLIENT,
    SENSOR_DATA_PUB_PI,
    accessory_events,
)
from shared.contract.payloads import (
    AccessoryState,
    AccessoryStatus,
    ClientModelTrain,
    ClientMotion,
    ClientSensorData,
    ModelTrain,
    Motion,
    Payload,
    SensorData,
    extend,
    parse,
)
from shared.contract.spec import EventSpec
from shared.wire import StrictJson

TRAINED = "face_model"
"""The original's name for what is trained."""
_ACCESSORY_OF = {events.status.name: accessory for accessory, events in ACCESSORIES.items()}
_FURTHER = f"{FURTHER.status.name}/"


def stored_as(accessory: str) -> str:
    """Under which name the log has an accessory's status: of each one it keeps the newest."""
    events = accessory_events(accessory)
    return f"{_FURTHER}{accessory}" if events is FURTHER else events.status.name


def accessory_of(event: str) -> str | None:
    """The accessory whose status the log has under this name; None for other events."""
    return event.removeprefix(_FURTHER) if event.startswith(_FURTHER) else _ACCESSORY_OF.get(event)


def sensor_data(device: str, body: SensorData, cursor: int) -> ClientSensorData:
    """A round as pages see it."""
    return extend(ClientSensorData, body, device=device, cursor=cursor)


def motion(device: str, body: Motion, cursor: int) -> ClientMotion:
    """A movement as pages see it."""
    return extend(ClientMotion, body, device=device, cursor=cursor)


def training(device: str, body: ModelTrain, at: datetime, cursor: int) -> ClientModelTrain:
    """A training job's news as pages see it."""
    return extend(ClientModelTrain, body, device=device, cursor=cursor, datatime=local_text(at), accessory=TRAINED)


def change(device: str, accessory: str, body: AccessoryStatus, at: datetime, cursor: int) -> AccessoryState:
    """A past change of an accessory, as a replay tells it: what was desired or linked then is not known now."""
    return extend(
        AccessoryState,
        body,
        device=device,
        cursor=cursor,
        datatime=local_text(at),
        accessory=accessory,
        reported_at=body.taken_at or iso_utc(at),
    )


def replayed(event: str, device: str, body: str, at: datetime, cursor: int) -> tuple[EventSpec, Payload] | None:
    """The frame of a stored event, None where pages are not shown any. `body` is its stored JSON."""
    decoded = StrictJson.loads(body)
    if event == SENSOR_DATA_PUB_PI.name:
        return SENSOR_DATA_PUB_CLIENT, sensor_data(device, parse(SensorData, decoded), cursor)
    if event == MOTION_PUB_PI.name:
        return MOTION_PUB_CLIENT, motion(device, parse(Motion, decoded), cursor)
    if event == MODEL_TRAIN_PUB_PI.name:
        return MODEL_TRAIN_PUB_CLIENT, training(device, parse(ModelTrain, decoded), at, cursor)
    accessory = accessory_of(event)
    if accessory is not None:
        body_in = parse(AccessoryStatus, decoded)
        return ACCESSORY_STATUS_PUB_CLIENT, change(device, accessory, body_in, at, cursor)
    return None
