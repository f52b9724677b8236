"""Care for agents from afar: their settings, log level, restart and diagnostics. One question, one answer."""

import logging
from collections.abc import Mapping
from typing import Any

import msgspec
from gevent import Timeout
from gevent.event import AsyncResult

from server.fanout.broadcast import Broadcast
from server.state.devices import Device, Registry
from server.storage.profiles import ProfileStore
from shared.contract.events import CARE_PUBLISH_SERVER
from shared.contract.payloads import Ack, CareAction, CareReport, CareRequest
from shared.errors import Code, Refusal
from shared.ids import new_id
from shared.wire import StrictJson

log = logging.getLogger(__name__)

_ANSWER_S = 30.0


class Care:
    """Asks agents, and waits for what they say."""

    def __init__(self, registry: Registry, broadcast: Broadcast, store: ProfileStore) -> None:
        self._registry = registry
        self._broadcast = broadcast
        self._store = store
        self._waiting: dict[str, tuple[str, AsyncResult[CareReport]]] = {}

    def ask(self, name: str, action: CareAction, by: str, **fields: Any) -> Any:
        """Have a device do `action`; returns what it says, decoded. Blocks the calling greenlet alone.

        What changes something is in the device's log under `by`. Raises `Refusal`: `unknown_device`, `device_offline`,
        `queue_full`, `no_answer`, and whatever the device refuses with.
        """
        device = self._registry.get(name)
        session = _session(device)
        request = CareRequest.build(request=new_id(), action=action, **fields)
        answer: AsyncResult[CareReport] = AsyncResult()
        self._waiting[request.request] = (name, answer)
        try:
            self._broadcast.to_device(
                CARE_PUBLISH_SERVER, request, session, lambda ack: self._acked(request.request, ack)
            )
            report = answer.get(timeout=_ANSWER_S)
        except Timeout:
            raise Refusal(Code.NO_ANSWER, f"{name} did not answer within {_ANSWER_S:g} s") from None
        finally:
            self._waiting.pop(request.request, None)
        if report is None:
            raise RuntimeError("woken without a report")
        if not report.ok:
            # Who may ask is the relay's to say, not a device's.
            code = Code.INTERNAL if report.code is Code.UNAUTHENTICATED else report.code
            raise Refusal(code, report.message)
        if action in (CareAction.CHANGE, CareAction.LOG_LEVEL, CareAction.RESTART):
            told = {"settings": fields.get("change")} if action is CareAction.CHANGE else {str(action): True} | fields
            self._store.record(name, told, by)
        return StrictJson.loads(report.text)

    def reported(self, device: str, report: CareReport) -> None:
        """A device answers."""
        waiting = self._waiting.get(report.request)
        if waiting is not None and waiting[0] == device:
            waiting[1].set(report)

    def disconnected(self, device: str) -> None:
        """A connection of a device has ended: what was asked by it is answered by nobody."""
        for request, (name, answer) in self._waiting.items():
            if name == device:
                report = CareReport(request=request, ok=False, code=Code.DEVICE_OFFLINE, message="it has just gone")
                answer.set(report)

    def _acked(self, request: str, answer: object) -> None:
        """A refusal is an answer; an acceptance is not yet one."""
        waiting = self._waiting.get(request)
        if waiting is None or not isinstance(answer, Mapping):
            return
        try:
            ack = msgspec.convert(answer, Ack)
        except msgspec.ValidationError:
            return
        if not ack.ok:
            report = CareReport(request=request, ok=False, code=ack.code, message=ack.message or "")
            waiting[1].set(report)


def _session(device: Device) -> str:
    if device.hello.door is not None or device.hello.about is None:
        raise Refusal(Code.UNKNOWN_EVENT, f"{device.name} is no agent that can be cared for from afar")
    if device.session is None or not device.online:
        raise Refusal(Code.DEVICE_OFFLINE)
    return device.session
