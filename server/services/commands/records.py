"""What became of commands, also of those before the last restart."""

from dataclasses import dataclass

from server.services.commands.entry import result_of
from server.services.commands.ledger import Ledger
from server.storage.commands import MAX_LISTED, CommandBook, CommandRow
from shared.contract.payloads import FINAL_STATES, CommandRequest, CommandResult, CommandState, parse
from shared.errors import Code, Refusal
from shared.wire import StrictJson

_SILENT = (Code.NO_ANSWER, Code.DEVICE_OFFLINE, Code.EXPIRED)


@dataclass(frozen=True)
class Record:
    """A request, and where it stands at each device."""

    command: str
    request: CommandRequest
    by: str
    cause: str
    results: tuple[CommandResult, ...]

    @property
    def final(self) -> bool:
        """Whether every device has its final result."""
        return all(result.state in FINAL_STATES for result in self.results)

    @property
    def silent(self) -> tuple[str, ...]:
        """The devices that did not answer."""
        ended = (result for result in self.results if result.state in FINAL_STATES)
        return tuple(result.device for result in ended if result.code in _SILENT)


class Records:
    """Reads the ledger. Calls block the calling greenlet alone."""

    def __init__(self, ledger: Ledger, book: CommandBook) -> None:
        self._ledger = ledger
        self._book = book

    def get(self, command: str) -> Record:
        """A command by its id. Raises `Refusal` with `unknown_command`."""
        rows = self._book.find(command)
        if not rows:
            raise Refusal(Code.UNKNOWN_COMMAND)
        first = rows[0]
        request = parse(CommandRequest, StrictJson.loads(first.request))
        return Record(command, request, first.asked_by, first.cause, tuple(self._result(row) for row in rows))

    def newest(
        self, device: str | None = None, states: tuple[CommandState, ...] = (), limit: int = 100
    ) -> list[CommandResult]:
        """The newest results, of one device and in some states where they are named. Raises `Refusal`."""
        if not 1 <= limit <= MAX_LISTED:
            raise Refusal(Code.INVALID_PAYLOAD, f"limit={limit} is not in 1..{MAX_LISTED}")
        return [self._result(row) for row in self._book.newest(device, states, limit)]

    def _result(self, row: CommandRow) -> CommandResult:
        """The disk has each final state before anybody is told it; the steps before that are in memory."""
        entry = self._ledger.get(row.command, row.device)
        return result_of(row) if entry is None or entry.decided else self._ledger.result(entry)
