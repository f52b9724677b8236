"""Training from afar: a device is asked once, and says at once whether it begins; how it goes on it tells everybody."""

import logging

import msgspec
from gevent import Timeout
from gevent.event import AsyncResult

from server.fanout.broadcast import Broadcast
from server.state.devices import Device, Registry
from server.storage.profiles import ProfileStore
from shared.contract.events import MODEL_TRAIN_PUBLISH_SERVER
from shared.contract.payloads import Ack, TrainCommand
from shared.errors import Code, Refusal
from shared.ids import new_id

log = logging.getLogger(__name__)

_ANSWER_S = 10.0


class Training:
    """Has devices train their forecasters."""

    def __init__(self, registry: Registry, broadcast: Broadcast, store: ProfileStore) -> None:
        self._registry = registry
        self._broadcast = broadcast
        self._store = store

    def request(self, name: str, by: str) -> Ack:
        """Have a device begin now; the news of the job carry the ack's `command`. Blocks the calling greenlet alone.

        Who asked is in the device's log. Raises `Refusal`: `unknown_device`, `retired`, `unknown_event` where the
        device has nothing to train, `device_offline`, `queue_full`, `busy`, `no_answer`.
        """
        session = _session(self._registry.get(name))
        command = new_id()
        answer: AsyncResult[object] = AsyncResult()
        self._broadcast.to_device(MODEL_TRAIN_PUBLISH_SERVER, TrainCommand.build(command=command), session, answer.set)
        try:
            _check(answer.get(timeout=_ANSWER_S))
        except Timeout:
            raise Refusal(Code.NO_ANSWER, f"{name} did not answer within {_ANSWER_S:g} s") from None
        self._store.record(name, {"train": command}, by)
        log.info("training asked for: device=%s by=%s command=%s", name, by, command)
        return Ack(ok=True, code=Code.ACCEPTED, command=command, devices=(name,))


def _session(device: Device) -> str:
    if device.profile.retired:
        raise Refusal(Code.RETIRED, f"{device.name} is retired")
    if device.hello.door is not None or device.original:
        raise Refusal(Code.UNKNOWN_EVENT, f"{device.name} is no agent that trains a model")
    if device.session is None or not device.online:
        raise Refusal(Code.DEVICE_OFFLINE)
    return device.session


def _check(answer: object) -> None:
    """Raises the `Refusal` that the device answered with."""
    try:
        ack = msgspec.convert(answer, Ack)
    except msgspec.ValidationError:
        raise Refusal(Code.NO_ANSWER, "the device answered with what is no ack") from None
    if not ack.ok:
        raise Refusal(ack.code, ack.message or "")
