"""What rules switch: held by a lease that is renewed while the alert is open, and let go when it closes."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import msgspec

from server.rules import Rule, RuleCommand
from server.services.commands import Commands
from shared.clock import Clock, monotonic_s
from shared.contract.payloads import Action, Alert, AlertState, Cause, CommandRequest
from shared.errors import Code, Refusal

log = logging.getLogger(__name__)

_LEASE_S = 120.0
_RETRY_S = 10.0


@dataclass
class _Hold:
    """One accessory in the hands of rules."""

    device: str
    command: RuleCommand
    rule: str
    alerts: set[str] = field(default_factory=set)
    due_s: float | None = 0.0
    """When the next command is due; None: it has what it needs."""
    told: Code | None = None

    @property
    def lease_s(self) -> float:
        """For how long an *on* lasts by itself."""
        return self.command.lease_s or _LEASE_S


class Holds:
    """Gives the commands of rules, through the same service as everybody."""

    def __init__(
        self,
        commands: Commands,
        clock: Clock,
        spawn: Callable[[Callable[[], None]], object],
        online: Callable[[str], bool],
    ) -> None:
        """`spawn` runs its argument in a greenlet of its own: a command waits for the disk."""
        self._commands = commands
        self._online = online
        self._clock = clock
        self._spawn = spawn
        self._holds: dict[tuple[str, str, Action], _Hold] = {}

    def follow(self, alert: Alert, rule: Rule | None) -> None:
        """An alert, or its rule, is as it is: hold what the rule wants held, and let go of all else."""
        command = rule.command if rule is not None and alert.state is not AlertState.CLOSED else None
        device = (command.device or alert.device) if command is not None else None
        wanted = (device, command.accessory, command.action) if command is not None and device is not None else None
        for key, hold in list(self._holds.items()):
            if key != wanted and alert.alert in hold.alerts:
                hold.alerts.discard(alert.alert)
                if not hold.alerts:
                    del self._holds[key]
                    self._let_go(hold)
        if wanted is None or rule is None or command is None:
            return
        hold = self._holds.setdefault(wanted, _Hold(wanted[0], command, rule.name))
        hold.alerts.add(alert.alert)
        if hold.command != command:
            hold.command, hold.rule, hold.due_s = command, rule.name, 0.0

    def came(self, device: str) -> None:
        """A device is back: it gets what it missed."""
        for hold in self._holds.values():
            if hold.device == device:
                hold.due_s = monotonic_s(self._clock)

    def tick(self) -> None:
        """Give what is due. Call it once a second."""
        now = monotonic_s(self._clock)
        for hold in self._holds.values():
            if hold.due_s is not None and hold.due_s <= now:
                if not self._online(hold.device):
                    # It gets it when it comes.
                    hold.due_s = None
                    continue
                hold.due_s = now + hold.lease_s / 3 if hold.command.action is Action.ON else None
                self._spawn(partial(self._give, hold))

    def _give(self, hold: _Hold) -> None:
        command = hold.command
        lease = {"lease_s": hold.lease_s} if command.action is Action.ON else {}
        light = {"light": msgspec.to_builtins(command.light)} if command.light is not None else {}
        try:
            self._ask(hold, command.action, lease | light)
            hold.told = None
        except Refusal as refusal:
            hold.due_s = monotonic_s(self._clock) + min(_RETRY_S, hold.lease_s / 3)
            if hold.told is not refusal.code:
                hold.told = refusal.code
                log.warning("rule %s cannot switch: device=%s: %s", hold.rule, hold.device, refusal.message)

    def _let_go(self, hold: _Hold) -> None:
        """What a rule turned on goes off; what it turned off stays so: nothing switches on by surprise."""
        if hold.command.action is not Action.ON or not self._online(hold.device):
            # Without us its lease ends.
            return

        def ask() -> None:
            try:
                self._ask(hold, Action.OFF, {})
            except Refusal as refusal:
                log.warning("rule %s cannot let go: device=%s: %s", hold.rule, hold.device, refusal.message)

        self._spawn(ask)

    def _ask(self, hold: _Hold, action: Action, fields: dict[str, Any]) -> None:
        request = CommandRequest.build(device=hold.device, accessory=hold.command.accessory, action=action, **fields)
        self._commands.request(request, by=f"rule:{hold.rule}", cause=Cause.RULE)
