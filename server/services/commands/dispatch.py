"""What goes on the wire for a command, and what is sent again to a device that comes back."""

from collections.abc import Iterator
from enum import Enum, auto
from typing import Any

from server.services.commands.entry import Entry
from server.state.devices import Device
from shared.contract.events import FURTHER, SERVER_CLEAN_PUB, accessory_events
from shared.contract.payloads import (
    Action,
    Cause,
    CheckCommand,
    CleanCommand,
    CommandState,
    Payload,
    SwitchCommand,
)
from shared.contract.spec import EventSpec


class Return(Enum):
    """What becomes of an open command when its device connects again."""

    SEND = auto()
    WAIT = auto()
    """The device has taken it and answers for it."""
    GIVE_UP = auto()
    """It was never received, and nothing may switch on by surprise."""


def at_return(entry: Entry, device: Device, ledger: str) -> Return:
    """The rule for `entry`, from what `device` says it has taken of this `ledger`.

    A program without a journal (the original, older agents) does not tell: what it was given is given up.
    """
    if entry.state is CommandState.QUEUED and not device.journals:
        return Return.SEND
    if not device.journals:
        return Return.GIVE_UP
    taken = device.hello.seq if device.hello.ledger == ledger else None
    if taken is not None and entry.seq <= taken:
        return Return.WAIT
    if entry.request.action is Action.ON:
        return Return.GIVE_UP
    return Return.SEND


def events(entry: Entry, device: Device, ledger: str, ttl_s: float) -> Iterator[tuple[EventSpec, Payload]]:
    """What is sent for `entry`: an original agent is also asked to report, as it acks nothing."""
    common: dict[str, Any] = {
        "command": entry.command,
        "ledger": ledger,
        "seq": entry.seq,
        "ttl_s": ttl_s,
        "expires_ms": entry.expires_ms,
        "cause": None if entry.cause is Cause.USER else entry.cause,
    }
    action, accessory = entry.request.action, entry.request.accessory
    if accessory is None:
        yield SERVER_CLEAN_PUB, CleanCommand.build(action="clean", **common)
        checked = device.switched_by_clean()
    else:
        checked = (accessory,)
        if action is not Action.CHECK:
            yield _switch(entry, device, accessory, common)
    if action is Action.CHECK or device.original:
        for name in checked:
            yield accessory_events(name).check, CheckCommand.build(action="check", accessory=_named(name), **common)


def _named(accessory: str) -> str | None:
    """Said only in the event that many share: an original agent is sent no more than it knows."""
    return accessory if accessory_events(accessory) is FURTHER else None


def _switch(entry: Entry, device: Device, accessory: str, common: dict[str, Any]) -> tuple[EventSpec, Payload]:
    info, on, spec = device.info(accessory), entry.request.action is Action.ON, accessory_events(accessory)
    return spec.on if on else spec.off, SwitchCommand.build(
        pin=info.pin,
        mode=info.mode,
        code=200,
        accessory=accessory,
        status=on,
        type=spec.on_type if on else spec.off_type,
        msg=f"turn {accessory} {'on' if on else 'off'}",
        lease_s=entry.request.lease_s,
        light=entry.request.light,
        **common,
    )
