"""What the relay asks for, and where the answers go."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from pi_agent.accessories.journal import Outcome
from shared.contract.payloads import Action, Cause, LightOptions
from shared.contract.spec import EventSpec


@dataclass(frozen=True)
class Command:
    """One request of the relay. `accessory` is None for *clean*: everything but the sensors."""

    action: Action
    accessory: str | None = None
    id: str | None = None
    ledger: str | None = None
    """Who numbered it."""
    seq: int | None = None
    lease_s: float | None = None
    light: LightOptions | None = None
    ttl_s: float | None = None
    """From its arrival on."""
    expires_ms: int | None = None
    """In the relay's time."""
    cause: Cause | None = None

    @property
    def why(self) -> Cause:
        """The cause of the state that it makes."""
        return self.cause or (Cause.CLEAN if self.action is Action.CLEAN else Cause.USER)


class StatusSink(Protocol):
    """Where statuses go. Must not block."""

    def change(self, spec: EventSpec, fields: Mapping[str, Any], outcome: Outcome | None = None) -> None:
        """A state changed, or a command is answered: durable. `outcome` goes to the journal once it is on disk."""

    def answer(self, spec: EventSpec, fields: Mapping[str, Any]) -> None:
        """Somebody asked: now or not at all."""

    def report(self, spec: EventSpec, fields: Mapping[str, Any]) -> None:
        """It is as it was: only the newest counts."""
