"""Commands that wait for their turn: which of them run, which are too late, and which a newer one has overtaken."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pi_agent.accessories.command import Command
from shared.contract.payloads import Action
from shared.errors import Code

_MOST_WAITING = 32
_BLIND_S = 10.0
"""How long a command may wait for the relay's time, unless its own time to live says otherwise."""


@dataclass(frozen=True)
class Entry:
    """A command in the queue. `targets` are the accessories that it is about."""

    command: Command
    targets: tuple[str, ...]
    arrived_s: float
    again: bool = False
    """It came before: what became of it is said again, nothing more."""

    @property
    def switches(self) -> bool:
        """True where it drives a pin."""
        return self.command.action is not Action.CHECK and not self.again

    def late(self, now_s: float, relay_ms: float | None) -> bool:
        """True when its time to live has ended, by this clock or by the relay's."""
        if self.again:
            return False
        command, waited_s = self.command, now_s - self.arrived_s
        if command.ttl_s is not None and waited_s > command.ttl_s:
            return True
        if command.expires_ms is None:
            return False
        if relay_ms is None:
            return command.ttl_s is None and waited_s > _BLIND_S
        return relay_ms > command.expires_ms

    def blind(self, relay_ms: float | None) -> bool:
        """True while nobody can say whether it is late."""
        return relay_ms is None and self.command.expires_ms is not None and not self.again


@dataclass(frozen=True)
class Ticket:
    """An entry whose turn it is, and for each of its targets why it does not run (None: it runs)."""

    entry: Entry
    verdicts: Mapping[str, Code | None]


class CommandQueue:
    """A bounded queue. One lock of its owner's guards it."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, command_id: object) -> bool:
        return any(entry.command.id == command_id and entry.switches for entry in self._entries)

    @property
    def full(self) -> bool:
        """True when no more fit."""
        return len(self._entries) >= _MOST_WAITING

    def put(self, entry: Entry) -> None:
        """Queue it behind the others."""
        self._entries.append(entry)

    def clear(self) -> None:
        """Nobody waits for them any more."""
        self._entries.clear()

    def take(self, now_s: float, relay_ms: float | None) -> Sequence[Ticket]:
        """Take out what can be decided now, in the order in which it came."""
        late = [entry.late(now_s, relay_ms) for entry in self._entries]
        # What is too late itself overtakes nothing.
        rivals = [entry for entry, is_late in zip(self._entries, late, strict=True) if entry.switches and not is_late]
        tickets, waiting = [], []
        for entry, is_late in zip(self._entries, late, strict=True):
            if is_late:
                tickets.append(Ticket(entry, dict.fromkeys(entry.targets, Code.EXPIRED)))
            elif entry.blind(relay_ms):
                waiting.append(entry)
            else:
                tickets.append(Ticket(entry, {name: _overtaken(entry, name, rivals) for name in entry.targets}))
        self._entries = waiting
        return tickets

    def due_in_s(self, now_s: float, relay_ms: float | None) -> float | None:
        """How long until `take` has something to decide; None: not before something is put in."""
        if any(not entry.blind(relay_ms) for entry in self._entries):
            return 0.0
        ends = [
            entry.arrived_s + (_BLIND_S if entry.command.ttl_s is None else entry.command.ttl_s)
            for entry in self._entries
        ]
        return max(0.0, min(ends) - now_s) if ends else None


def _overtaken(entry: Entry, accessory: str, rivals: Sequence[Entry]) -> Code | None:
    if not entry.switches:
        return None
    newer = (rival for rival in rivals if accessory in rival.targets and _newer(rival, entry, rivals))
    return Code.SUPERSEDED if any(newer) else None


def _newer(one: Entry, other: Entry, order: Sequence[Entry]) -> bool:
    """By their numbers where one relay gave both, else by their arrival."""
    a, b = one.command, other.command
    if a.seq is not None and b.seq is not None and a.ledger == b.ledger:
        return a.seq > b.seq
    return order.index(one) > order.index(other)
