"""Where statuses go: what must last to the outbox, what is only worth telling now to the live lane."""

from collections.abc import Mapping
from typing import Any

from pi_agent.accessories.journal import Outcome
from pi_agent.outbox.outbox import Outbox
from pi_agent.uplink.live import LiveLane
from pi_agent.uplink.sender import OutboxSender
from shared.contract.spec import EventSpec


class Statuses:
    """See `pi_agent.accessories.command.StatusSink`."""

    def __init__(self, outbox: Outbox, lane: LiveLane, sender: OutboxSender) -> None:
        self._outbox = outbox
        self._lane = lane
        self._sender = sender

    def change(self, spec: EventSpec, fields: Mapping[str, Any], outcome: Outcome | None = None) -> None:
        self._outbox.append(spec, fields, receipt=outcome)
        if self._sender.backlogged and "command" in fields:
            # Somebody waits for this answer; the record of it waits behind a backlog.
            self._lane.answer(spec, fields)

    def answer(self, spec: EventSpec, fields: Mapping[str, Any]) -> None:
        self._lane.answer(spec, fields)

    def report(self, spec: EventSpec, fields: Mapping[str, Any]) -> None:
        self._lane.report(spec, fields)
