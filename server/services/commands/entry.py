"""One command at one device: which states it may go through, and what its final one is."""

from dataclasses import dataclass, field

import msgspec

from server.storage.commands import CommandRow
from shared.clock import from_ms, iso_utc
from shared.contract.payloads import (
    FINAL_STATES,
    AccessoryStatus,
    Action,
    Cause,
    CommandRequest,
    CommandResult,
    CommandState,
    parse,
)
from shared.errors import MEANING, Code
from shared.wire import StrictJson

S = CommandState
ON_THE_WAY = (S.SENT, S.ACCEPTED, S.APPLIED)
"""The device was given it, in the order in which it goes on."""
MOVES: dict[CommandState, frozenset[CommandState]] = {
    S.QUEUED: frozenset({S.SENT}) | FINAL_STATES,
    S.SENT: frozenset({S.ACCEPTED, S.APPLIED}) | FINAL_STATES,
    S.ACCEPTED: frozenset({S.APPLIED}) | FINAL_STATES,
    S.APPLIED: FINAL_STATES,
}
"""From each state, those that may follow; none follows a final one."""

UNSURE = (Code.NO_ANSWER, Code.DEVICE_OFFLINE)
"""What became of a command that ended so is not known: the device may say it yet."""
_MESSAGE_CHARS = 500
"""A device's own words may be longer, and must not cost the command its result."""
_OF_CODE = {Code.EXPIRED: S.EXPIRED, Code.SUPERSEDED: S.SUPERSEDED}
_WORST_FIRST = (S.FAILED, S.EXPIRED, S.SUPERSEDED)


@dataclass(frozen=True)
class Outcome:
    """A final state, why, and what was read back."""

    state: CommandState
    code: Code
    message: str = ""
    status: bool | None = None


@dataclass
class Entry:
    """One row of the ledger while it is open. Times are milliseconds since 1970; `expires_ms` is the relay's time."""

    id: int
    command: str
    device: str
    seq: int
    request: CommandRequest
    by: str
    cause: Cause
    asked_at_ms: int
    started_s: float
    """Monotonic."""
    expires_ms: int
    awaits: set[str]
    """Accessories whose status is still to come."""
    state: CommandState
    code: Code
    message: str = ""
    status: bool | None = None
    times: dict[CommandState, int] = field(default_factory=dict)
    answers: dict[str, Outcome] = field(default_factory=dict)
    """By accessory."""
    session: str | None = None
    """The connection over which it was sent last."""
    decided: bool = False
    """It has its final state; that is on its way to the disk. From then on nothing changes it."""

    @property
    def want(self) -> bool | None:
        """What the pins must read; None for a check."""
        return {Action.ON: True, Action.CHECK: None}.get(self.request.action, False)

    def move(self, state: CommandState, code: Code, at_ms: int, message: str = "") -> bool:
        """Go to `state`. False, and nothing changes, where it cannot follow: news that is late or came twice."""
        if self.decided or state not in MOVES[self.state]:
            return False
        self.state, self.code, self.message = state, code, message[:_MESSAGE_CHARS]
        self.times[state] = at_ms
        self.decided = state in FINAL_STATES
        return True

    def refuse(self, code: Code, message: str) -> None:
        """It is not taken over: that is how it goes on record."""
        self.state, self.code, self.message = S.REFUSED, code, message[:_MESSAGE_CHARS]
        self.times = {S.REFUSED: self.asked_at_ms}
        self.decided = True

    def answer(self, accessory: str, said: AccessoryStatus) -> Outcome | None:
        """Take what the device says of one accessory. Returns the outcome once all of them have answered."""
        if accessory not in self.awaits:
            return None
        self.awaits.discard(accessory)
        self.answers[accessory] = self._judge(said)
        self.status = said.status
        return None if self.awaits else self.summary()

    def summary(self) -> Outcome:
        """What all answers come to: verified where each one is, else the worst of them."""
        for state in _WORST_FIRST:
            troubled = {name: told for name, told in self.answers.items() if told.state is state}
            if troubled:
                told = next(iter(troubled.values()))
                words = "; ".join(f"{name}: {one.message}" for name, one in troubled.items())
                return Outcome(state, told.code, words, told.status)
        return Outcome(S.VERIFIED, Code.VERIFIED, status=self.status)

    def unanswered(self) -> Outcome:
        """The outcome when its end has come, and somebody has not answered."""
        if self.state is S.QUEUED:
            return self.expired()
        missing = ", ".join(sorted(self.awaits))
        words = f"{MEANING[Code.NO_ANSWER]}{f' Silent: {missing}.' if self.answers else ''}"
        return Outcome(S.FAILED, Code.NO_ANSWER, words, self.status)

    def expired(self) -> Outcome:
        """The outcome of one that was never sent."""
        return Outcome(S.EXPIRED, Code.EXPIRED, "the device did not come back in time; it will not run")

    def _judge(self, said: AccessoryStatus) -> Outcome:
        if said.fault is not None:
            code = said.fault.code
            words = said.fault.message or MEANING[code]
            return Outcome(_OF_CODE.get(code, S.FAILED), code, words, said.status)
        if self.want is not None and said.status is not self.want:
            return Outcome(S.FAILED, Code.READBACK_DIFFERS, MEANING[Code.READBACK_DIFFERS], said.status)
        return Outcome(S.VERIFIED, Code.VERIFIED, status=said.status)

    # --- on disk and on the wire ----------------------------------------------------------------------------------

    def row(self) -> CommandRow:
        """As the ledger's table has it."""
        return CommandRow(
            id=self.id,
            command=self.command,
            device=self.device,
            seq=self.seq,
            request=StrictJson.dumps(self.request),
            asked_by=self.by,
            cause=self.cause,
            asked_at=self.asked_at_ms,
            expires_ms=self.expires_ms,
            state=self.state,
            code=self.code,
            message=self.message,
            status=None if self.status is None else int(self.status),
            times=StrictJson.dumps(self.times),
            ended_at=self.times.get(self.state) if self.state in FINAL_STATES else None,
        )

    @classmethod
    def of(cls, row: CommandRow, awaits: set[str], started_s: float) -> "Entry":
        """The open entry that `row` has on record. Raises `Refusal` or `ValueError` where its fields are damaged."""
        return cls(
            id=row.id,
            command=row.command,
            device=row.device,
            seq=row.seq,
            request=parse(CommandRequest, StrictJson.loads(row.request)),
            by=row.asked_by,
            cause=Cause(row.cause),
            asked_at_ms=row.asked_at,
            started_s=started_s,
            expires_ms=row.expires_ms,
            awaits=awaits,
            state=CommandState(row.state),
            code=Code(row.code),
            message=row.message,
            times=times_of(row),
        )

    def result(self, now_s: float, expires_at: str | None = None) -> CommandResult:
        """As callers and pages are told."""
        return CommandResult.build(
            command=self.command,
            device=self.device,
            action=self.request.action,
            state=self.state,
            code=self.code,
            at=iso_utc(from_ms(self.times[self.state])),
            accessory=self.request.accessory,
            message=self.message,
            status=self.status,
            elapsed_ms=round(max(0.0, now_s - self.started_s) * 1e3, 3),
            by=self.by,
            seq=self.seq,
            expires_at=expires_at if self.state is S.QUEUED else None,
        )


def refused_by_device(code: Code, message: str) -> Outcome:
    """The outcome of a command that the device did not take."""
    return Outcome(_OF_CODE.get(code, S.REFUSED), code, message or MEANING[code])


def times_of(row: CommandRow) -> dict[CommandState, int]:
    """When a row came to each of its states."""
    return msgspec.convert(StrictJson.loads(row.times), dict[CommandState, int])


def result_of(row: CommandRow) -> CommandResult:
    """A row as callers are told of it. Raises `Refusal` where its fields are damaged."""
    request = parse(CommandRequest, StrictJson.loads(row.request))
    times = times_of(row)
    at_ms = times.get(CommandState(row.state), row.asked_at)
    return CommandResult.build(
        command=row.command,
        device=row.device,
        action=request.action,
        state=row.state,
        code=row.code,
        at=iso_utc(from_ms(at_ms)),
        accessory=request.accessory,
        message=row.message,
        status=None if row.status is None else bool(row.status),
        elapsed_ms=float(max(0, at_ms - row.asked_at)),
        by=row.asked_by,
        seq=row.seq,
    )
