"""Commands: one request, one addressed command per device, one final result each.

A command is `sent`, then `accepted` by the device's queue, then `verified` once the device has read the pin back and
says so. An original agent accepts nothing; its next status decides, and a check is sent to get it soon.
"""

import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import msgspec

from server.fanout.broadcast import Broadcast
from server.state.devices import Device, Registry
from shared.clock import Clock, iso_utc, monotonic_s
from shared.contract.events import ACCESSORIES, COMMAND_RESULT_PUB_CLIENT, SERVER_CLEAN_PUB
from shared.contract.payloads import (
    FINAL_STATES,
    PASSIVE,
    AccessoryStatus,
    Ack,
    Action,
    CheckCommand,
    CleanCommand,
    CommandApplied,
    CommandRequest,
    CommandResult,
    CommandState,
    Payload,
    SwitchCommand,
)
from shared.contract.spec import EventSpec
from shared.errors import MEANING, Code, Refusal

_REMEMBERED = 1_000
"""Commands whose results can still be asked for."""
_OPEN = 200
"""Commands that may wait for one device; what it does not answer must not pile up."""
_MESSAGE_CHARS = 500
"""A device's own words may be longer, and must not cost the command its result."""
_MARGIN_S = 1.0
"""The device may run a command until its time to live has ended; its answer needs a moment more."""


@dataclass
class Ticket:
    """One command at one device, until its final result."""

    command: str
    device: str
    action: Action
    accessory: str | None
    awaits: set[str]
    """Accessories whose status is still to come."""
    want: bool | None
    """What the pins must read; None for a check."""
    started_s: float
    deadline_s: float
    state: CommandState = CommandState.SENT
    status: bool | None = None


@dataclass
class Command:
    """A request as it was taken over, with the newest result of each device."""

    id: str
    request: CommandRequest
    by: str
    devices: tuple[str, ...]
    results: dict[str, CommandResult] = field(default_factory=dict)

    @property
    def final(self) -> bool:
        """Whether every device has its final result."""
        known = [self.results.get(device) for device in self.devices]
        return all(result is not None and result.state in FINAL_STATES for result in known)


class Commands:
    """Takes requests over, sends them, and gives each exactly one final result per device."""

    def __init__(
        self,
        registry: Registry,
        broadcast: Broadcast,
        clock: Clock,
        default_ttl_s: float,
        defer: Callable[[Callable[[], None]], None],
    ) -> None:
        """`defer` runs its argument once the caller has had its ack, so that no result overtakes it."""
        self._defer = defer
        self._registry = registry
        self._broadcast = broadcast
        self._clock = clock
        self._default_ttl_s = default_ttl_s
        self._commands: dict[str, Command] = {}
        self._open: dict[tuple[str, str], Ticket] = {}
        self.observers: list[Callable[[CommandResult], None]] = []

    def request(self, request: CommandRequest, by: str) -> Ack:
        """Send `request` to every device it names. Raises `Refusal` when it names nobody, or nothing of theirs."""
        devices = self._targets(request)
        if request.accessory is not None and request.device is not None:
            devices[0].info(request.accessory)
        command = Command(secrets.token_urlsafe(12), request, by, tuple(device.name for device in devices))
        self._remember(command)
        self._defer(lambda: self._start_all(command, devices))
        return Ack(ok=True, code=Code.ACCEPTED, command=command.id, devices=command.devices)

    def get(self, command: str) -> Command:
        """A command by its id. Raises `Refusal` with `unknown_command`."""
        try:
            return self._commands[command]
        except KeyError:
            raise Refusal(Code.UNKNOWN_COMMAND) from None

    def reported(self, device: Device, accessory: str, status: AccessoryStatus) -> None:
        """A status arrived: it may be what a command waits for."""
        for ticket in self._tickets(device.name):
            if accessory in ticket.awaits and _answers(ticket, device, status):
                self._confirm(ticket, accessory, status)

    def applied(self, device: str, news: CommandApplied) -> None:
        """A device has driven the pin; its read-back follows."""
        ticket = self._open.get((news.command, device))
        if ticket is not None and ticket.state in (CommandState.SENT, CommandState.ACCEPTED):
            self._tell(ticket, CommandState.APPLIED, Code.ACCEPTED)

    def disconnected(self, device: str) -> None:
        """A device went away: what it has not confirmed is not known."""
        for ticket in self._tickets(device):
            self._finish(ticket, CommandState.FAILED, Code.DEVICE_OFFLINE, "the connection ended before it confirmed")

    def tick(self) -> None:
        """End what has waited too long. Call it several times a second."""
        now = monotonic_s(self._clock)
        for ticket in [ticket for ticket in self._open.values() if now >= ticket.deadline_s]:
            self._finish(ticket, CommandState.EXPIRED, Code.NO_ANSWER)

    # --- down: to the device ------------------------------------------------------------------------------------

    def _targets(self, request: CommandRequest) -> list[Device]:
        if request.device is not None:
            return [self._registry.get(request.device)]
        if request.tag is not None:
            return self._registry.group(request.tag)
        devices = list(self._registry)
        if not devices:
            raise Refusal(Code.UNKNOWN_DEVICE, "no device has been seen yet")
        return devices

    def _start_all(self, command: Command, devices: Iterable[Device]) -> None:
        for device in devices:
            self._start(command, device)

    def _start(self, command: Command, device: Device) -> None:
        request = command.request
        now = monotonic_s(self._clock)
        ttl_s = request.ttl_s or self._default_ttl_s
        ticket = Ticket(
            command=command.id,
            device=device.name,
            action=request.action,
            accessory=request.accessory,
            awaits={request.accessory} if request.accessory else set(device.switched_by_clean()),
            want={Action.ON: True, Action.CHECK: None}.get(request.action, False),
            started_s=now,
            deadline_s=now + ttl_s + _MARGIN_S,
        )
        try:
            if request.accessory is not None:
                device.info(request.accessory)
            if device.session is None:
                raise Refusal(Code.DEVICE_OFFLINE)
            if len(self._tickets(device.name)) >= _OPEN:
                raise Refusal(Code.QUEUE_FULL)
        except Refusal as refusal:
            self._finish(ticket, CommandState.REFUSED, refusal.code, refusal.message)
            return
        if ticket.want is not None:
            for accessory in ticket.awaits:
                device.record(accessory).desired = ticket.want
        self._open[ticket.command, ticket.device] = ticket
        self._tell(ticket, CommandState.SENT, Code.ACCEPTED)
        for spec, body in self._events(request, device, command.id, ttl_s):
            self._broadcast.to_device(spec, body, device.session, lambda answer: self._acked(ticket, answer))

    def _events(
        self, request: CommandRequest, device: Device, command: str, ttl_s: float
    ) -> Iterable[tuple[EventSpec, Payload]]:
        """What is sent for a request: an original agent is also asked to report, as it acks nothing."""
        common = {"command": command, "ttl_s": ttl_s}
        if request.accessory is None:
            yield SERVER_CLEAN_PUB, CleanCommand.build(action="clean", **common)
            checked = device.switched_by_clean()
        else:
            events = ACCESSORIES[request.accessory]
            checked = (request.accessory,)
            if request.action is not Action.CHECK:
                info = device.info(request.accessory)
                on = request.action is Action.ON
                yield (
                    events.on if on else events.off,
                    SwitchCommand.build(
                        pin=info.pin,
                        mode=info.mode,
                        code=200,
                        accessory=request.accessory,
                        status=on,
                        type=events.on_type if on else events.off_type,
                        msg=f"turn {request.accessory} {'on' if on else 'off'}",
                        lease_s=request.lease_s,
                        **common,
                    ),
                )
        if request.action is Action.CHECK or device.original:
            for accessory in checked:
                yield ACCESSORIES[accessory].check, CheckCommand.build(action="check", **common)

    # --- up: what the device answers ----------------------------------------------------------------------------

    def _acked(self, ticket: Ticket, answer: object) -> None:
        if (ticket.command, ticket.device) not in self._open:
            return
        try:
            ack = msgspec.convert(answer, Ack)
        except msgspec.ValidationError:
            # An original agent's empty ack: the library sent it, nobody has accepted anything.
            return
        if not ack.ok:
            self._finish(ticket, CommandState.REFUSED, ack.code, ack.message or MEANING[ack.code])
        elif not ticket.awaits:
            self._finish(ticket, CommandState.VERIFIED, Code.VERIFIED, "the device has nothing to turn off")
        elif ticket.state is CommandState.SENT:
            self._tell(ticket, CommandState.ACCEPTED, ack.code)

    def _confirm(self, ticket: Ticket, accessory: str, status: AccessoryStatus) -> None:
        ticket.status = status.status
        if status.fault is not None:
            self._finish(ticket, CommandState.FAILED, status.fault.code, f"{accessory}: {status.fault.message}")
        elif ticket.want is not None and status.status is not ticket.want:
            self._finish(ticket, CommandState.FAILED, Code.READBACK_DIFFERS)
        else:
            ticket.awaits.discard(accessory)
            if not ticket.awaits:
                self._finish(ticket, CommandState.VERIFIED, Code.VERIFIED)

    def _tickets(self, device: str) -> list[Ticket]:
        return [ticket for ticket in self._open.values() if ticket.device == device]

    def _finish(self, ticket: Ticket, state: CommandState, code: Code, message: str = "") -> None:
        self._open.pop((ticket.command, ticket.device), None)
        self._tell(ticket, state, code, message or ("" if state is CommandState.VERIFIED else MEANING[code]))

    def _tell(self, ticket: Ticket, state: CommandState, code: Code, message: str = "") -> None:
        ticket.state = state
        result = CommandResult.build(
            command=ticket.command,
            device=ticket.device,
            action=ticket.action,
            state=state,
            code=code,
            at=iso_utc(self._clock.now()),
            accessory=ticket.accessory,
            message=message[:_MESSAGE_CHARS],
            status=ticket.status,
            elapsed_ms=round((monotonic_s(self._clock) - ticket.started_s) * 1e3, 3),
        )
        self._commands[ticket.command].results[ticket.device] = result
        self._broadcast.to_pages(COMMAND_RESULT_PUB_CLIENT, result, ticket.device)
        for observe in self.observers:
            observe(result)

    def _remember(self, command: Command) -> None:
        self._commands[command.id] = command
        if len(self._commands) > _REMEMBERED:
            # The oldest go first; one that is still open is kept until its deadline has passed.
            finished = (known.id for known in self._commands.values() if known.final)
            self._commands.pop(next(finished, ""), None)


def _answers(ticket: Ticket, device: Device, status: AccessoryStatus) -> bool:
    """Whether a status is about this command.

    An original agent does not say which command it answers. A periodic report of its, sent before it did what it was
    told, must not fail the command: only the answer to our check may.
    """
    if not device.original or status.command is not None:
        return status.command == ticket.command
    return status.method == PASSIVE or status.status is ticket.want
