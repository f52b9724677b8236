"""One accessory with all that is known of it: its lease, its hours, its fault, what was last said."""

import logging
from typing import Any

import msgspec

from pi_agent.accessories.base import Accessory, Conduct, Reading
from pi_agent.accessories.command import StatusSink
from pi_agent.accessories.journal import Outcome
from pi_agent.hardware.base import HardwareError
from shared.clock import Clock, monotonic_s
from shared.contract.events import ACCESSORIES, accessory_events
from shared.contract.payloads import AccessoryInfo, Cause, LightOptions, SafeState, extend
from shared.contract.spec import EventSpec
from shared.errors import MEANING, Code

log = logging.getLogger(__name__)


class Station:
    """Drives one accessory and reads it back; owned by the one thread that may. Never raises `HardwareError`."""

    def __init__(self, accessory: Accessory, conduct: Conduct, sink: StatusSink, clock: Clock) -> None:
        self.name = accessory.name
        self.cause = Cause.RESTART
        """Why it is as it is."""
        self._accessory = accessory
        self._conduct = conduct
        self._sink = sink
        self._clock = clock
        self._status: bool | None = None
        """As last published; None before the first time."""
        self._alone = False
        """True while the relay has been away for longer than the conduct allows."""
        self._lease_ends_s: float | None = None
        self._next_tick_s: float | None = None
        self._fault: Code | None = None

    @property
    def spec(self) -> EventSpec:
        """The event by which it reports."""
        return accessory_events(self.name).status

    def info(self) -> AccessoryInfo:
        """What the relay should know of it."""
        return extend(AccessoryInfo, self._accessory.info(), safe=self._conduct.safe)

    # --- driving ------------------------------------------------------------------------------------------------

    def switch(
        self, on: bool, cause: Cause, *, lease_s: float | None = None, light: LightOptions | None = None
    ) -> Code | None:
        """Drive it; returns what went wrong (None: nothing). Whether it follows is for `read` to say."""
        now = monotonic_s(self._clock)
        bounds = [bound for bound in (lease_s, self._conduct.longest_lease_s) if bound is not None]
        self._lease_ends_s = now + min(bounds) if on and bounds else None
        self._next_tick_s = None
        self.cause = cause
        try:
            self._accessory.switch(on, now, light)
        except HardwareError as error:
            self._broken(error)
            return Code.HARDWARE_FAULT
        self._next_tick_s = now
        return None

    def begin(self) -> None:
        """To the safe state, whatever ran before; or on, where the settings want that."""
        if self._conduct.on_at_start:
            self.switch(on=True, cause=Cause.RESTART)
        else:
            self._make_safe(Cause.RESTART)
        self.publish(Cause.RESTART)

    def end(self) -> None:
        """To the safe state."""
        self._make_safe(Cause.RESTART)
        self.publish(Cause.RESTART)

    def _make_safe(self, cause: Cause) -> bool | None:
        """Go to the safe state; returns which that is, None where it stays as it is."""
        self._lease_ends_s = None
        safe = self._conduct.safe
        if safe is SafeState.KEEP:
            return None
        self.switch(safe is SafeState.ON, cause)
        self._lease_ends_s = None
        return safe is SafeState.ON

    # --- what happens by itself ---------------------------------------------------------------------------------

    def step(self, proven_s: float) -> None:
        """Do what is due. The relay last answered at `proven_s`, monotonic."""
        now = monotonic_s(self._clock)
        self._keep_hours()
        limit_s = self._conduct.link_loss_s
        alone = limit_s is not None and now >= proven_s + limit_s
        cut, self._alone = alone and not self._alone, alone
        if cut and not self._safe_already():
            self._fall_back(f"no relay for {limit_s:g} s")
        elif self._lease_ends_s is not None and now >= self._lease_ends_s:
            self._fall_back("lease ended")
        if self._next_tick_s is not None and now >= self._next_tick_s:
            self._tick(now)

    def due_in_s(self, proven_s: float) -> float | None:
        """How long until something is due; None: nothing is."""
        now = monotonic_s(self._clock)
        waits = [at - now for at in (self._next_tick_s, self._lease_ends_s) if at is not None]
        if self._conduct.link_loss_s is not None and not self._alone:
            waits.append(proven_s + self._conduct.link_loss_s - now)
        if self._conduct.hours is not None:
            waits.append(self._conduct.hours.wait_s())
        return min(waits, default=None)

    def _keep_hours(self) -> None:
        hours = self._conduct.hours
        wanted = None if hours is None else hours.edge()
        # Without the relay for too long, nothing is turned on.
        if wanted is None or (wanted and self._alone):
            return
        log.info("schedule: accessory=%s turns %s", self.name, _word(wanted))
        self.switch(wanted, Cause.RULE)
        self.publish(Cause.RULE, wanted=wanted)

    def _safe_already(self) -> bool:
        safe = self._conduct.safe
        return safe is SafeState.KEEP or self._status is (safe is SafeState.ON)

    def _fall_back(self, why: str) -> None:
        wanted = self._make_safe(Cause.LEASE)
        log.warning("%s: accessory=%s safe_state=%s", why, self.name, self._conduct.safe)
        self.publish(self.cause, wanted=wanted)

    def _tick(self, now: float) -> None:
        try:
            self._next_tick_s = self._accessory.tick(now)
        except HardwareError as error:
            self._next_tick_s = None
            self._broken(error)
            self.publish(Cause.LOCAL_FAULT)

    # --- reading back -------------------------------------------------------------------------------------------

    def read(self) -> Reading:
        """Ask the part; where it does not answer, what was last known."""
        try:
            reading = self._accessory.read()
        except HardwareError as error:
            self._broken(error)
            return Reading(status=bool(self._status))
        if not reading.follows and self._fault is None:
            log.warning("accessory %s does not follow: it reads back another state", self.name)
            self._fault = Code.READBACK_DIFFERS
        elif reading.follows and self._fault is not None:
            log.info("accessory %s follows again", self.name)
            self._fault = None
        return reading

    def fields(self, reading: Reading, cause: Cause, wanted: bool | None = None) -> dict[str, Any]:
        """The body of a status. `wanted` is what the pin should read."""
        fields: dict[str, Any] = {"status": reading.status, "cause": cause}
        if self.name not in ACCESSORIES:
            fields["accessory"] = self.name
        if reading.level is not None:
            fields["level"] = reading.level
        if reading.light is not None:
            fields["light"] = msgspec.to_builtins(reading.light)
        if self._lease_ends_s is not None:
            fields["lease_left_s"] = round(max(0.0, self._lease_ends_s - monotonic_s(self._clock)), 3)
        if self._fault is not None:
            fields["fault"] = fault(self._fault)
        elif wanted is not None and reading.status is not wanted:
            fields["fault"] = fault(Code.READBACK_DIFFERS)
        return fields

    # --- what is said -------------------------------------------------------------------------------------------

    def publish(self, cause: Cause, *, wanted: bool | None = None) -> None:
        """Say how it is now: durably where the state changed. `wanted` is what the pin should read."""
        self._say(self.read(), cause, wanted)

    def report(self) -> None:
        """Say how it is; a part that changed by itself has a fault."""
        reading = self.read()
        changed = self._status is not None and reading.status is not self._status
        self._say(reading, Cause.LOCAL_FAULT if changed else self.cause, None)

    def settle(self, command_id: str | None, cause: Cause, code: Code | None, *, wanted: bool | None = None) -> None:
        """Answer a command for good. `code`: why it was not driven, or failed."""
        reading = self.read()
        fields = self.fields(reading, cause, wanted)
        if code is not None:
            fields["fault"] = fault(code)
        outcome = None
        if command_id is not None:
            fields["command"] = command_id
            why = Code(fields["fault"]["code"]) if "fault" in fields else None
            outcome = Outcome(command_id, self.name, reading.status, why)
        self._changed(reading, cause)
        self._sink.change(self.spec, fields, outcome)

    def _say(self, reading: Reading, cause: Cause, wanted: bool | None) -> None:
        fields = self.fields(reading, cause, wanted)
        if self._changed(reading, cause):
            self._sink.change(self.spec, fields)
        else:
            self._sink.report(self.spec, fields)

    def _changed(self, reading: Reading, cause: Cause) -> bool:
        if reading.status is self._status:
            return False
        self._status = reading.status
        log.info("accessory %s: status=%s cause=%s", self.name, _word(reading.status), cause)
        return True

    def _broken(self, error: HardwareError) -> None:
        if self._fault is not Code.HARDWARE_FAULT:
            log.error("accessory %s failed: %s", self.name, error)
        self._fault = Code.HARDWARE_FAULT


def fault(code: Code, message: str = "") -> dict[str, str]:
    """The `fault` of a status."""
    return {"code": code, "message": message or MEANING[code]}


def _word(on: bool) -> str:
    return "on" if on else "off"
