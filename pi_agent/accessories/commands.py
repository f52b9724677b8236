"""The one thread that drives accessories: commands, leases, frames, reports."""

import logging
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from pi_agent.accessories.base import Accessory, Reading
from pi_agent.hardware.base import HardwareError
from shared.clock import Clock, monotonic_s
from shared.contract.events import ACCESSORIES
from shared.contract.payloads import PASSIVE, Action, Cause
from shared.contract.spec import EventSpec
from shared.errors import MEANING, Code

log = logging.getLogger(__name__)

_MOST_WAITING = 32
_REMEMBERED = 256
"""Commands by id, so that one that comes twice is not executed twice."""
_IDLE_S = 5.0


@dataclass(frozen=True)
class Command:
    """One request of the relay. `accessory` is None for *clean*: everything but the sensors."""

    action: Action
    accessory: str | None = None
    id: str | None = None
    lease_s: float | None = None
    ttl_s: float | None = None
    """From its arrival on."""


class StatusSink(Protocol):
    """Where statuses go. Must not block."""

    def change(self, spec: EventSpec, fields: Mapping[str, Any]) -> None:
        """A state changed: durable."""

    def answer(self, spec: EventSpec, fields: Mapping[str, Any]) -> None:
        """Somebody asked: now or not at all."""

    def report(self, spec: EventSpec, fields: Mapping[str, Any]) -> None:
        """It is as it was: only the newest counts."""


@dataclass
class _Station:
    """What is known of one accessory."""

    accessory: Accessory
    on_at_start: bool
    status: bool | None = None
    """As last published; None before the first time."""
    cause: Cause = Cause.RESTART
    lease_ends_s: float | None = None
    next_tick_s: float | None = None
    fault: Code | None = None


class Commands:
    """Takes commands from any thread, executes them one by one on its own, and says what the part reads back."""

    def __init__(self, accessories: Iterable[tuple[Accessory, bool]], sink: StatusSink, clock: Clock) -> None:
        """Each of `accessories` comes with whether it is on from the start."""
        self._stations = {part.name: _Station(part, on_at_start) for part, on_at_start in accessories}
        self._sink = sink
        self._clock = clock
        self._wake = threading.Condition()
        self._stopping = False
        # Guarded by `_wake`:
        self._waiting: deque[tuple[Command, float]] = deque()
        self._seen: OrderedDict[tuple[Action, str | None, str], None] = OrderedDict()
        self._report_wanted = False

    # --- from any thread ----------------------------------------------------------------------------------------

    def submit(self, command: Command) -> Code:
        """Queue a command: `accepted`, `duplicate` (it is answered again, not executed again), or why it is refused."""
        if command.accessory is not None and command.accessory not in self._stations:
            return Code.UNKNOWN_ACCESSORY
        with self._wake:
            if len(self._waiting) >= _MOST_WAITING:
                return Code.QUEUE_FULL
            code = Code.ACCEPTED
            if command.id is not None:
                key = (command.action, command.accessory, command.id)
                if key in self._seen:
                    code, command = Code.DUPLICATE, replace(command, action=Action.CHECK)
                else:
                    self._seen[key] = None
                    if len(self._seen) > _REMEMBERED:
                        self._seen.popitem(last=False)
            self._waiting.append((command, monotonic_s(self._clock)))
            self._wake.notify()
        return code

    def want_report(self) -> None:
        """Have every accessory report, soon."""
        with self._wake:
            self._report_wanted = True
            self._wake.notify()

    def stop(self) -> None:
        """Let `run` turn everything off and return."""
        with self._wake:
            self._stopping = True
            self._wake.notify()

    # --- on the one thread --------------------------------------------------------------------------------------

    def run(self, beat: Callable[[], None]) -> None:
        """Drive the accessories until `stop`; everything is off before and afterwards."""
        self.begin()
        try:
            while not self._stopping:
                beat()
                wait_s = self.step()
                with self._wake:
                    if not (self._waiting or self._report_wanted or self._stopping):
                        self._wake.wait(min(wait_s, _IDLE_S))
        finally:
            self.end()

    def begin(self) -> None:
        """Everything off, whatever ran before; then on, what the settings want on."""
        for station in self._stations.values():
            self._switch(station, on=False, cause=Cause.RESTART)
            if station.on_at_start:
                self._switch(station, on=True, cause=Cause.RESTART)
            self._publish(station, Cause.RESTART)

    def end(self) -> None:
        """Everything off."""
        for station in self._stations.values():
            self._switch(station, on=False, cause=Cause.RESTART)
            self._publish(station, Cause.RESTART)

    def step(self) -> float:
        """Do all that is due. Returns how long until something is due again, in seconds."""
        with self._wake:
            waiting, self._waiting = self._waiting, deque()
            report, self._report_wanted = self._report_wanted, False
        for command, arrived_s in waiting:
            self._execute(command, arrived_s)
        now = monotonic_s(self._clock)
        for station in self._stations.values():
            self._expire_lease(station, now)
            self._tick(station, now)
            if report:
                self._report(station)
        due = [station.next_tick_s for station in self._stations.values()]
        due += [station.lease_ends_s for station in self._stations.values()]
        return max(0.0, min((at for at in due if at is not None), default=now + _IDLE_S) - monotonic_s(self._clock))

    def _execute(self, command: Command, arrived_s: float) -> None:
        late = command.ttl_s is not None and monotonic_s(self._clock) > arrived_s + command.ttl_s
        for station in self._targets(command):
            if late:
                log.warning("command expired: action=%s accessory=%s", command.action, station.accessory.name)
                self._answer(station, command, Code.EXPIRED)
            elif command.action is Action.CHECK:
                self._answer(station, command)
            else:
                on = command.action is Action.ON
                lease_s = command.lease_s if on else None
                cause = Cause.CLEAN if command.action is Action.CLEAN else Cause.USER
                self._switch(station, on=on, cause=cause, lease_s=lease_s)
                self._publish(station, cause, command=command, wanted=on)

    def _targets(self, command: Command) -> list[_Station]:
        if command.accessory is not None:
            return [self._stations[command.accessory]]
        return [station for name, station in self._stations.items() if not ACCESSORIES[name].sensor]

    def _switch(self, station: _Station, *, on: bool, cause: Cause, lease_s: float | None = None) -> None:
        now = monotonic_s(self._clock)
        station.lease_ends_s = None if lease_s is None else now + lease_s
        station.next_tick_s = None
        station.cause = cause
        try:
            station.accessory.switch(on, now)
            station.next_tick_s = now
        except HardwareError as error:
            self._broken(station, error)

    def _expire_lease(self, station: _Station, now: float) -> None:
        if station.lease_ends_s is not None and now >= station.lease_ends_s:
            log.info("lease ended, turned off: accessory=%s", station.accessory.name)
            self._switch(station, on=False, cause=Cause.LEASE)
            self._publish(station, Cause.LEASE, wanted=False)

    def _tick(self, station: _Station, now: float) -> None:
        if station.next_tick_s is None or now < station.next_tick_s:
            return
        try:
            station.next_tick_s = station.accessory.tick(now)
        except HardwareError as error:
            station.next_tick_s = None
            self._broken(station, error)
            self._publish(station, Cause.LOCAL_FAULT)

    # --- what is said -------------------------------------------------------------------------------------------

    def _publish(
        self, station: _Station, cause: Cause, *, command: Command | None = None, wanted: bool | None = None
    ) -> None:
        """Say what came of something that was done: durably where the state changed, else to whoever asked."""
        reading = self._read(station)
        fields = self._fields(station, reading, cause)
        if wanted is not None and reading.status is not wanted and "fault" not in fields:
            fields["fault"] = _fault(Code.READBACK_DIFFERS)
        if command is not None and command.id is not None:
            fields["command"] = command.id
        spec = ACCESSORIES[station.accessory.name].status
        if reading.status is not station.status:
            station.status = reading.status
            log.info(
                "accessory %s: status=%s cause=%s", station.accessory.name, "on" if reading.status else "off", cause
            )
            self._sink.change(spec, fields)
        elif command is not None:
            self._sink.answer(spec, fields)
        else:
            self._sink.report(spec, fields)

    def _answer(self, station: _Station, command: Command, code: Code | None = None) -> None:
        """Answer a check, or a command that is not executed."""
        fields = self._fields(station, self._read(station), station.cause)
        if command.id is not None:
            fields["command"] = command.id
        if code is not None:
            fields["fault"] = _fault(code)
        else:
            fields["method"] = PASSIVE
        self._sink.answer(ACCESSORIES[station.accessory.name].status, fields)

    def _report(self, station: _Station) -> None:
        """Say how it is; a part that changed by itself has a fault."""
        reading = self._read(station)
        changed = station.status is not None and reading.status is not station.status
        self._publish(station, Cause.LOCAL_FAULT if changed else station.cause)

    def _read(self, station: _Station) -> Reading:
        try:
            reading = station.accessory.read()
        except HardwareError as error:
            self._broken(station, error)
            return Reading(status=bool(station.status))
        if not reading.follows and station.fault is None:
            log.warning("accessory %s does not follow: it reads back another state", station.accessory.name)
            station.fault = Code.READBACK_DIFFERS
        elif reading.follows and station.fault is not None:
            log.info("accessory %s follows again", station.accessory.name)
            station.fault = None
        return reading

    def _broken(self, station: _Station, error: HardwareError) -> None:
        if station.fault is not Code.HARDWARE_FAULT:
            log.error("accessory %s failed: %s", station.accessory.name, error)
        station.fault = Code.HARDWARE_FAULT

    def _fields(self, station: _Station, reading: Reading, cause: Cause) -> dict[str, Any]:
        fields: dict[str, Any] = {"status": reading.status, "cause": cause}
        if reading.level is not None:
            fields["level"] = reading.level
        if station.fault is not None:
            fields["fault"] = _fault(station.fault)
        return fields


def _fault(code: Code) -> dict[str, str]:
    return {"code": code, "message": MEANING[code]}
