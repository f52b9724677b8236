"""What the relay sends: commands, each queued and acked at once, and refusals, which are logged."""

import logging
from collections.abc import Callable, Mapping
from typing import Any, Final

from pi_agent.accessories.command import Command
from shared.contract.events import (
    ACCESSORIES,
    CARE_PUBLISH_SERVER,
    ERROR_PUB_PI,
    FURTHER,
    MODEL_TRAIN_PUBLISH_SERVER,
    SERVER_CLEAN_PUB,
    AccessoryEvents,
)
from shared.contract.payloads import (
    Ack,
    Action,
    CareRequest,
    CheckCommand,
    CommandBody,
    ErrorBody,
    SwitchCommand,
    TrainCommand,
    parse,
)
from shared.contract.spec import EventSpec
from shared.errors import Code, Refusal

log = logging.getLogger(__name__)


def _of(events: AccessoryEvents, accessory: str | None) -> dict[str, tuple[EventSpec, Action, str | None]]:
    asked = ((events.check, Action.CHECK), (events.on, Action.ON), (events.off, Action.OFF))
    return {spec.name: (spec, action, accessory) for spec, action in asked}


COMMANDS: Final[Mapping[str, tuple[EventSpec, Action, str | None]]] = {
    SERVER_CLEAN_PUB.name: (SERVER_CLEAN_PUB, Action.CLEAN, None),
    **{name: command for accessory, events in ACCESSORIES.items() for name, command in _of(events, accessory).items()},
    **_of(FURTHER, None),
}
"""Every command by its name on the wire: its event, what it asks, and of which accessory (None: its body may say)."""


Train = Callable[[str | None], bool]
"""Has a training job begin, for a command where there is one; false while one runs. Never blocks."""


Tend = Callable[[CareRequest], Code]
"""Has the agent itself cared for: `accepted`, or why not. Never blocks."""


class Inbound:
    """Turns events of the relay into commands. Called on a thread of the library; never blocks."""

    def __init__(
        self,
        submit: Callable[[Command], Code],
        on_error: Callable[[ErrorBody], None],
        on_train: Train = lambda _: False,
        on_care: Tend = lambda _: Code.FORBIDDEN,
    ) -> None:
        self._submit = submit
        self._on_train = on_train
        self._on_care = on_care
        self._on_error = on_error

    def receive(self, name: str, bodies: tuple[Any, ...]) -> Ack | None:
        """Take one event; returns what to ack."""
        try:
            if len(bodies) != 1:
                raise Refusal(Code.INVALID_PAYLOAD, f"an event has one body; this one has {len(bodies)}")
            if name == ERROR_PUB_PI.name:
                self._on_error(parse(ErrorBody, bodies[0]))
                return None
            if name == MODEL_TRAIN_PUBLISH_SERVER.name:
                return self._train(parse(TrainCommand, bodies[0]))
            if name == CARE_PUBLISH_SERVER.name:
                return self._care(parse(CareRequest, bodies[0]))
            if name not in COMMANDS:
                raise Refusal(Code.UNKNOWN_EVENT, f"{name[:64]!r} is not an event that an agent takes")
            return self._command(*COMMANDS[name], bodies[0])
        except Refusal as refusal:
            log.warning("refused: event=%s code=%s: %s", name[:64], refusal.code, refusal.message)
            return Ack.refused(refusal)

    def _care(self, wanted: CareRequest) -> Ack:
        code = self._on_care(wanted)
        if code is not Code.ACCEPTED:
            raise Refusal(code)
        return Ack(ok=True, code=code)

    def _train(self, wanted: TrainCommand) -> Ack:
        if not self._on_train(wanted.command):
            raise Refusal(Code.BUSY)
        return Ack(ok=True, code=Code.ACCEPTED, command=wanted.command)

    def _command(self, spec: EventSpec, action: Action, accessory: str | None, body: object) -> Ack:
        wanted = parse(spec.payload, body)
        # Every command's payload is one; the catalogue's type does not say so.
        assert isinstance(wanted, CommandBody)  # noqa: S101
        if accessory is None and isinstance(wanted, CheckCommand | SwitchCommand):
            if wanted.accessory is None:
                raise Refusal(Code.INVALID_PAYLOAD, f"{spec.name} needs an `accessory`")
            accessory = wanted.accessory
        switch = wanted if isinstance(wanted, SwitchCommand) and action is Action.ON else None
        code = self._submit(
            Command(
                action=action,
                accessory=accessory,
                id=wanted.command,
                ledger=wanted.ledger,
                seq=wanted.seq,
                lease_s=switch.lease_s if switch else None,
                light=switch.light if switch else None,
                ttl_s=wanted.ttl_s,
                expires_ms=wanted.expires_ms,
                cause=wanted.cause,
            )
        )
        if code not in (Code.ACCEPTED, Code.DUPLICATE):
            raise Refusal(code)
        return Ack(ok=True, code=code, command=wanted.command)
