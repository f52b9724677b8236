"""What devices report: taken over once, shown at once, acked when it is stored.

Fan-out does not wait for the disk, but never shows a resend: the recorder knows every key that it was ever given. The
ack follows the commit.
"""

import itertools
import logging
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial

from server.fanout.broadcast import Broadcast
from server.services import frames
from server.services.alerts.service import Alerts
from server.services.calibration import calibrated
from server.services.commands import Commands
from server.services.replay import Frame, LiveFrames
from server.state.devices import Device, Registry
from server.state.newest import as_of
from server.storage.bridge import Outcome
from server.storage.recorder import Recorder
from server.storage.records import Drop, Event, Stored
from server.storage.ticket import Ticket
from shared.clock import Clock, iso_utc, parse_iso_utc, to_ms
from shared.contract.events import (
    ACCESSORY_STATUS_PUB_CLIENT,
    DROP_PUB_PI,
    MODEL_TRAIN_PUB_CLIENT,
    MODEL_TRAIN_PUB_PI,
    MOTION_PUB_CLIENT,
    MOTION_PUB_PI,
    SENSOR_DATA_PUB_CLIENT,
    SENSOR_DATA_PUB_PI,
)
from shared.contract.payloads import (
    AccessoryStatus,
    Ack,
    Dropped,
    ModelTrain,
    Motion,
    Outboxed,
    SensorData,
)
from shared.contract.spec import EventSpec
from shared.errors import Code, Refusal
from shared.wire import StrictJson

log = logging.getLogger(__name__)

Shown = tuple[EventSpec, Frame] | None
Note = Callable[[], Shown]
"""Takes a new event into the state, and returns what pages are shown of it."""


class Ingest:
    """Takes events over from devices."""

    def __init__(
        self,
        registry: Registry,
        broadcast: Broadcast,
        commands: Commands,
        recorder: Recorder,
        live: LiveFrames,
        clock: Clock,
        alerts: Alerts,
        keep: Callable[[Device], None],
    ) -> None:
        """`keep` stores what a device has made of its readings, when that has changed."""
        self._alerts = alerts
        self._keep = keep
        self._registry = registry
        self._broadcast = broadcast
        self._commands = commands
        self._recorder = recorder
        self._live = live
        self._clock = clock
        self._own_stream = f"relay-{to_ms(clock.now())}"
        self._own_ids: defaultdict[str, Iterator[int]] = defaultdict(lambda: itertools.count(1))

    def sensor_data(self, name: str, body: SensorData) -> Ack:
        """One sampling round."""
        return self._take(*self._round(name, body))

    def sensor_data_soon(self, name: str, body: SensorData, told: Callable[[Ack | Exception], None]) -> None:
        """The same without waiting: `told` gets the ack once it is on disk, or why there is none."""
        event, note = self._round(name, body)
        self._offer(event, note).then(partial(_tell, event, told))

    def _round(self, name: str, body: SensorData) -> tuple[Event, Note]:
        device, now = self._registry.get(name), self._clock.now()
        body = calibrated(body, device.profile)
        taken = _taken(body, now)
        event = self._event(SENSOR_DATA_PUB_PI.name, name, body, body.id, taken, readings=body.data)
        return event, partial(self._note_round, device, body, now, taken)

    def _note_round(self, device: Device, body: SensorData, now: datetime, taken: datetime) -> Shown:
        if (body.insight is not None or device.insights.passing) and device.insights.take(
            body.insight, as_of(body.taken_at, now) or iso_utc(now)
        ):
            self._keep(device)
        self._alerts.readings(device, body, device.note_readings(body, now, taken))
        return SENSOR_DATA_PUB_CLIENT, partial(frames.sensor_data, device.name, body, self._recorder.cursor)

    def motion(self, name: str, body: Motion) -> Ack:
        """A movement began or ended."""
        device, now = self._registry.get(name), self._clock.now()

        def note() -> Shown:
            frame = frames.motion(name, body, self._recorder.cursor)
            device.note_motion(frame, now)
            return MOTION_PUB_CLIENT, lambda: frame

        return self._take(self._event(MOTION_PUB_PI.name, name, body, body.id, _taken(body, now)), note)

    def model_train(self, name: str, body: ModelTrain) -> Ack:
        """News of a training job."""
        device, now = self._registry.get(name), self._clock.now()

        def note() -> Shown:
            device.training = frame = frames.training(name, body, now, self._recorder.cursor)
            return MODEL_TRAIN_PUB_CLIENT, lambda: frame

        return self._take(self._event(MODEL_TRAIN_PUB_PI.name, name, body, body.id, _taken(body, now)), note)

    def dropped(self, name: str, body: Dropped) -> Ack:
        """Events that the device gave up: what a gap in its ids means."""
        log.warning(
            "device gave events up: device=%s count=%d first_id=%s last_id=%s reason=%s",
            name,
            body.count,
            body.first_id,
            body.last_id,
            body.reason,
        )
        stream = body.of_stream or body.stream
        drop = None
        if stream is not None and body.first_id is not None and body.last_id is not None:
            drop = Drop(stream=stream, first=body.first_id, last=body.last_id, reason=body.reason)
        return self._take(
            self._event(DROP_PUB_PI.name, name, body, body.id, _taken(body, self._clock.now()), drop=drop), lambda: None
        )

    def status(self, name: str, accessory: str, body: AccessoryStatus) -> Ack:
        """A status: a change is stored, a periodic report only shown. Raises `Refusal` with `unknown_accessory`."""
        device, now = self._registry.get(name), self._clock.now()
        device.info(accessory)
        known = device.record(accessory).reported
        changed = known is None or known.status is not body.status

        def note() -> Shown:
            state = device.note_status(accessory, body, now, self._commands.by(name, body))
            if state is None:
                return None
            self._alerts.status(state)
            return ACCESSORY_STATUS_PUB_CLIENT, lambda: state

        def settle() -> None:
            # After the frame, so that no page sees a command done before it sees the state.
            self._commands.reported(device, accessory, body)

        if body.id is not None or (device.original and changed):
            return self._take(
                self._event(frames.stored_as(accessory), name, body, body.id, _taken(body, now)), note, settle
            )
        if (shown := note()) is not None:
            self._show(*shown, name)
        settle()
        return Ack(ok=True, code=Code.ACCEPTED)

    def _event(
        self,
        event: str,
        device: str,
        body: Outboxed,
        id_: int | None,
        taken: datetime,
        readings: dict[str, float | None] | None = None,
        drop: Drop | None = None,
    ) -> Event:
        stream = body.stream
        if stream is None or id_ is None:
            # An original agent numbers its rounds from the start again; it resends nothing, so each is a new one.
            stream, id_ = self._own_stream, next(self._own_ids[device])
        return Event(
            device=device,
            event=event,
            taken_at_ms=to_ms(taken),
            body=StrictJson.dumps(body),
            stream=stream,
            id=id_,
            readings=readings or {},
            drop=drop,
        )

    def _take(self, event: Event, note: Note, settle: Callable[[], None] = lambda: None) -> Ack:
        """Note and show what is new, and answer once it is on disk."""
        return _stored(event, self._offer(event, note, settle).wait())

    def _offer(self, event: Event, note: Note, settle: Callable[[], None] = lambda: None) -> Ticket:
        """Put an event on its way to the disk; note and show it where it is new."""
        ticket = self._recorder.offer(event)
        if ticket.fresh:
            if (shown := note()) is not None:
                self._live.show(ticket, *shown)
                self._show(*shown, event.device)
            settle()
        return ticket

    def _show(self, spec: EventSpec, frame: Frame, device: str) -> None:
        if self._broadcast.watched(device):
            self._broadcast.to_pages(spec, frame(), device)


def _tell(event: Event, told: Callable[[Ack | Exception], None], outcome: Outcome[Stored]) -> None:
    told(_stored(event, outcome.get()) if outcome.error is None else outcome.error)


def _stored(event: Event, stored: Stored) -> Ack:
    return Ack(ok=True, code=Code.DUPLICATE if stored.duplicate else Code.STORED, id=event.id, cursor=stored.cursor)


def _taken(body: Outboxed, now: datetime) -> datetime:
    """When it was. Raises `Refusal` for what has the shape of a time and is none, such as a month 13."""
    if not body.taken_at:
        return now
    try:
        return parse_iso_utc(body.taken_at)
    except (ValueError, OverflowError):
        raise Refusal(Code.INVALID_PAYLOAD, f"`taken_at` is no time: {body.taken_at!r}") from None
