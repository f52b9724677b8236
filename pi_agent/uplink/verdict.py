"""One emission, and what its ack means for the event."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from shared.contract.spec import EventSpec
from shared.errors import Code


class LinkDown(ConnectionError):
    """The connection cannot carry anything any more."""


@dataclass(frozen=True)
class Token:
    """Names one emission, so that its ack finds back."""

    stream: str | None
    """The outbox's; None for a live status."""
    id: int


Emit = Callable[[EventSpec, Mapping[str, Any], Token], None]
"""Hands an event to the connection; the ack comes back with the token. Raises `LinkDown`."""


class Fate(Enum):
    """What becomes of an event."""

    DONE = auto()
    """The relay has it: forget it."""
    LATER = auto()
    """Not now: send it again."""
    NEVER = auto()
    """It is refused for good."""
    LINK = auto()
    """Not the event but this connection is refused: keep it, and connect again."""


@dataclass(frozen=True)
class Verdict:
    """A fate, with the relay's reason."""

    fate: Fate
    code: str = ""
    message: str = ""


_ABOUT_THE_CONNECTION = {
    Code.UNAUTHENTICATED,
    Code.FORBIDDEN,
    Code.HOST_REFUSED,
    Code.ORIGIN_REFUSED,
    Code.SLOW_CONSUMER,
    Code.REPLACED,
    Code.UNKNOWN_DEVICE,
}
"""A revoked token, or a device that was deleted meanwhile, must not turn a whole outbox into dead letters."""


def judge(answer: tuple[object, ...]) -> Verdict:
    """Read an ack. A relay one version newer may use codes that are not known here."""
    first = answer[0] if answer else None
    if first is True:
        return Verdict(Fate.DONE)  # the original's three values
    if not isinstance(first, Mapping) or not isinstance(first.get("ok"), bool):
        return Verdict(Fate.LATER, "unreadable", f"not an ack: {answer!r:.100}")
    code, message = str(first.get("code", "")), str(first.get("message") or "")
    if first["ok"]:
        return Verdict(Fate.DONE, code)
    if code in _ABOUT_THE_CONNECTION:
        return Verdict(Fate.LINK, code, message)
    return Verdict(Fate.LATER if first.get("retry") is True else Fate.NEVER, code, message)
