"""How commands whose turn it is are carried out: the intent first, then the pin, then what it reads back."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pi_agent.accessories.command import Command, StatusSink
from pi_agent.accessories.journal import Intent, Journal, Outcome
from pi_agent.accessories.queue import Ticket
from pi_agent.accessories.relay_time import RelayTime
from pi_agent.accessories.station import Station, fault
from shared.clock import Clock, monotonic_s
from shared.contract.events import ACCESSORIES, COMMAND_APPLIED_PUB_PI, accessory_events
from shared.contract.payloads import PASSIVE, Action, Cause
from shared.errors import Code

log = logging.getLogger(__name__)

_GONE = "The agent ended while the command ran; its settings no longer have the accessory."


@dataclass(frozen=True)
class _Task:
    """One command at one accessory. `verdict` says why it does not run."""

    station: Station
    ticket: Ticket
    verdict: Code | None

    @property
    def command(self) -> Command:
        return self.ticket.entry.command

    @property
    def noteworthy(self) -> bool:
        return self.ticket.entry.switches and self.command.id is not None

    def intent(self) -> Intent:
        command = self.command
        name = self.station.name
        return Intent(command.id or "", name, command.action, command.ledger, command.seq, self.verdict)


class Executor:
    """Carries out tickets, on the one thread that drives the `stations`."""

    def __init__(
        self,
        stations: Mapping[str, Station],
        sink: StatusSink,
        journal: Journal,
        relay_time: RelayTime,
        clock: Clock,
    ) -> None:
        self._stations = stations
        self._sink = sink
        self._journal = journal
        self._relay_time = relay_time
        self._clock = clock

    def work(self, tickets: Sequence[Ticket]) -> None:
        """Note what is about to be done, in one commit, then do it and answer."""
        tasks = self._tasks(tickets)
        intents = [task.intent() for task in tasks if task.noteworthy]
        noted = not intents or self._journal.begin(intents)
        for task in tasks:
            if task.ticket.entry.again:
                self._answer_again(task)
            elif task.command.action is Action.CHECK:
                self._answer_check(task)
            else:
                self._execute(task, noted)

    def interrupted(self, intent: Intent) -> None:
        """Answer what a process before began, by what the pin reads. To be called before anything is switched."""
        code = intent.verdict or Code.INTERRUPTED
        log.warning("command of a process before: command=%s accessory=%s code=%s", intent.id, intent.accessory, code)
        station = self._stations.get(intent.accessory)
        if station is not None:
            fields = station.fields(station.read(), Cause.RESTART) | {"fault": fault(code)}
        else:
            named = {} if intent.accessory in ACCESSORIES else {"accessory": intent.accessory}
            fields = {"status": False, "cause": Cause.RESTART, "fault": fault(code, _GONE), **named}
        outcome = Outcome(intent.id, intent.accessory, fields["status"], code)
        self._sink.change(accessory_events(intent.accessory).status, fields | {"command": intent.id}, outcome)

    def _tasks(self, tickets: Sequence[Ticket]) -> list[_Task]:
        """One for each command and accessory, in order; what a newer one has overtaken does not run."""
        tasks = []
        taken: dict[tuple[str, str], int] = {}
        for ticket in tickets:
            entry = ticket.entry
            ledger, seq = entry.command.ledger, entry.command.seq
            for name, said in ticket.verdicts.items():
                verdict = said
                if entry.switches and ledger is not None and seq is not None:
                    highest = max(self._journal.taken(ledger, name), taken.get((ledger, name), -1))
                    if verdict is None and seq < highest:
                        verdict = Code.SUPERSEDED
                    taken[ledger, name] = max(seq, highest)
                tasks.append(_Task(self._stations[name], ticket, verdict))
        return tasks

    def _execute(self, task: _Task, noted: bool) -> None:
        command, station, verdict = task.command, task.station, task.verdict
        if verdict is None and task.ticket.entry.late(monotonic_s(self._clock), self._relay_time.latest_ms()):
            verdict = Code.EXPIRED  # the disk took its time
        if verdict is None and not noted and command.action is Action.ON:
            # What cannot be noted may come a second time, after a restart: that must not turn anything on.
            verdict = Code.UNAVAILABLE
        if verdict is not None:
            log.info("command not executed: action=%s accessory=%s code=%s", command.action, station.name, verdict)
            station.settle(command.id, station.cause, verdict)
            return
        on = command.action is Action.ON
        trouble = station.switch(on, command.why, lease_s=command.lease_s, light=command.light)
        if command.id is not None and command.seq is not None:
            # Only a relay that numbers its commands knows the event.
            self._sink.answer(COMMAND_APPLIED_PUB_PI, {"command": command.id, "accessory": station.name})
        station.settle(command.id, command.why, trouble, wanted=on)

    def _answer_check(self, task: _Task) -> None:
        station = task.station
        fields = station.fields(station.read(), station.cause)
        if task.command.id is not None:
            fields["command"] = task.command.id
        if task.verdict is None:
            fields["method"] = PASSIVE
        else:
            fields["fault"] = fault(task.verdict)
        self._sink.answer(station.spec, fields)

    def _answer_again(self, task: _Task) -> None:
        """Say again what became of a command. The answer for good is in the outbox, or on its way there."""
        station = task.station
        reading = station.read()
        fields = station.fields(reading, station.cause)
        for outcome in self._journal.outcomes(task.command.id or ""):
            # An old status must not be taken for the present one.
            if outcome.accessory == station.name and outcome.status is reading.status:
                fields |= {"command": outcome.id} | ({"fault": fault(outcome.fault)} if outcome.fault else {})
                self._sink.answer(station.spec, fields)
                return
        self._sink.report(station.spec, fields)
