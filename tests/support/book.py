"""The ledger's table in memory: what is committed survives a restart, what is on its way does not."""

from collections.abc import Callable, Collection, Iterable, Mapping

from msgspec.structs import replace

from server.storage.bridge import Outcome
from server.storage.commands import Answer, CommandBook, CommandRow, Known
from server.storage.failures import DatabaseFailed
from server.storage.ticket import Promise


class AtOnce(Promise[None]):
    """A promise whose listeners are told without a hub."""

    def then(self, told: Callable[[Outcome[None]], None]) -> None:
        if self._outcome is None:
            self._then += (told,)
        else:
            told(self._outcome)

    def keep(self, outcome: Outcome[None]) -> None:
        self._outcome = outcome
        for told in self._then:
            told(outcome)


class MemoryBook(CommandBook):
    """A book without a database. New rows are committed at once; changes too, unless `slow`."""

    def __init__(self) -> None:
        self.rows: dict[int, CommandRow] = {}
        self.late: list[tuple[str, str, str]] = []
        self.answers: list[Answer] = []
        self.slow = False
        self.broken = False
        self.key = "ledger-1"
        self._on_the_way: list[tuple[list[CommandRow], AtOnce]] = []

    def keep(self, rows: Iterable[CommandRow]) -> Promise[None]:
        promise = AtOnce()
        self._on_the_way.append((list(rows), promise))
        if not self.slow or any(row.id not in self.rows for row in self._on_the_way[-1][0]):
            self.commit()
        return promise

    def commit(self) -> None:
        """What is on its way gets there, in order; or all of it fails, where the disk is `broken`."""
        while self._on_the_way:
            rows, promise = self._on_the_way.pop(0)
            if self.broken:
                promise.keep(Outcome(error=DatabaseFailed("disk full")))
                continue
            for row in rows:
                known = self.rows.get(row.id)
                if known is None or known.ended_at is None:
                    self.rows[row.id] = row
            promise.keep(Outcome())

    def crash(self) -> None:
        """What is on its way is lost."""
        self._on_the_way.clear()

    def load(self) -> Known:
        rows = sorted(self.rows.values(), key=lambda row: row.id)
        seqs: Mapping[str, int] = {row.device: row.seq for row in sorted(rows, key=lambda row: row.seq)}
        open_ = tuple(row for row in rows if row.ended_at is None)
        return Known(self.key, rows[-1].id if rows else 0, dict(seqs), open_, tuple(self.answers))

    def find(self, command: str) -> list[CommandRow]:
        return [row for row in self.rows.values() if row.command == command]

    def named(self, ids: Iterable[str]) -> list[CommandRow]:
        wanted = set(ids)
        return [row for row in self.rows.values() if row.command in wanted]

    def newest(self, device: str | None, states: tuple[str, ...], limit: int) -> list[CommandRow]:
        rows = sorted(self.rows.values(), key=lambda row: -row.id)
        chosen = [row for row in rows if device in (None, row.device) and (not states or row.state in states)]
        return chosen[:limit]

    def note_late(self, command: str, device: str, text: str, unsure: Collection[str]) -> None:
        for row in self.find(command):
            if row.device == device and row.late is None and row.code in unsure:
                self.late.append((command, device, text))
                self.rows[row.id] = replace(row, late=text)
