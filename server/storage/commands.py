"""The ledger of commands on disk: rows go there in groups, as the log's events do, and are told of after COMMIT."""

import secrets
from collections.abc import Collection, Iterable
from typing import Any

from msgspec import Struct
from msgspec.structs import astuple
from sqlalchemy import Connection, Select, func, select, text, update

from server.storage.bridge import Outcome
from server.storage.dialect import Dialect, as_json, insert_many
from server.storage.engine import Database
from server.storage.fold import marks_of, set_mark
from server.storage.tables import NEWS, commands, devices, events, streams
from server.storage.ticket import Promise

_KEY_BITS = 48
_GROUP_ROWS = 2_000
_IN_LIST = 500
MAX_LISTED = 1_000
"""Rows in one answer."""


class CommandRow(Struct, frozen=True):
    """One command at one device, in the order of the table's columns. Times are milliseconds since 1970, UTC."""

    id: int
    """Increasing: the order in which they were asked for."""
    command: str
    device: str
    seq: int
    request: str
    """JSON of the `CommandRequest`."""
    asked_by: str
    cause: str
    asked_at: int
    expires_ms: int
    """In the relay's time."""
    state: str
    code: str
    message: str
    status: int | None
    times: str
    """JSON: state to when it came to it."""
    ended_at: int | None
    """Null while it is open."""
    late: str | None = None


class Answer(Struct, frozen=True):
    """A stored status that names a command."""

    device: str
    event: str
    body: str


class Known(Struct, frozen=True):
    """What the ledger must know again after a restart."""

    key: str
    """Names this numbering; made with the database."""
    last_id: int
    seqs: dict[str, int]
    """Device to the highest number it was given."""
    open: tuple[CommandRow, ...]
    answers: tuple[Answer, ...]
    """What devices said since the oldest open one was asked for: a result may have been on its way to the disk."""


_COLUMNS = tuple(column.name for column in commands.columns)
_CHANGING = ("state", "code", "message", "status", "times", "ended_at")


class CommandBook:
    """Keeps rows, and finds them. Calls that read block the calling greenlet alone."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._dialect = database.dialect
        changes = ", ".join(f"{name} = excluded.{name}" for name in _CHANGING)
        self._statement = insert_many(
            self._dialect,
            commands,
            _COLUMNS,
            f"ON CONFLICT (id) DO UPDATE SET {changes} WHERE commands.ended_at IS NULL",
        )
        self._waiting: list[tuple[tuple[CommandRow, ...], Promise[None]]] = []
        self._writing = False

    def load(self) -> Known:
        """What was known before a restart; the ledger's key is made when there is none. Raises `DatabaseFailed`."""
        return self._database.write(lambda connection: _load(self._dialect, connection))

    def keep(self, rows: Iterable[CommandRow]) -> Promise[None]:
        """Write rows, new or changed, in one transaction. Returns at once; the promise is kept after COMMIT.

        A row that has ended stays as it is. The promise fails with `DatabaseFailed` where nothing of it was written.
        """
        promise: Promise[None] = Promise()
        self._waiting.append((tuple(rows), promise))
        self._write()
        return promise

    def note_late(self, command: str, device: str, text: str, unsure: Collection[str]) -> None:
        """Note beside a result whose code is one of `unsure` what the device said after it.

        Returns at once; nobody waits for it.
        """
        own = (commands.c.command == command) & (commands.c.device == device)
        unknown = commands.c.late.is_(None) & commands.c.code.in_(list(unsure))
        change = update(commands).where(own, unknown).values(late=text)
        self._database.post(lambda link: link.transaction(lambda connection: connection.execute(change)), _ignore)

    def find(self, command: str) -> list[CommandRow]:
        """The rows of a command, one per device. Raises `DatabaseFailed`."""
        return self._rows(_chosen().where(commands.c.command == command).order_by(commands.c.device))

    def named(self, ids: Iterable[str]) -> list[CommandRow]:
        """The rows of several commands. Raises `DatabaseFailed`."""
        wanted = sorted(ids)
        slices = (wanted[at : at + _IN_LIST] for at in range(0, len(wanted), _IN_LIST))
        return [row for part in slices for row in self._rows(_chosen().where(commands.c.command.in_(part)))]

    def newest(self, device: str | None, states: tuple[str, ...], limit: int) -> list[CommandRow]:
        """The newest rows, of `device` and in one of `states` where they are named. Raises `DatabaseFailed`."""
        chosen = _chosen().order_by(commands.c.id.desc()).limit(min(limit, MAX_LISTED))
        if device is not None:
            chosen = chosen.where(commands.c.device == device)
        if states:
            chosen = chosen.where(commands.c.state.in_(states))
        return self._rows(chosen)

    def _rows(self, chosen: Select[Any]) -> list[CommandRow]:
        return [CommandRow(*row) for row in self._database.rows(chosen)]

    # --- the writer's turn: on the hub, one group in the native thread at a time -----------------------------------

    def _write(self) -> None:
        # At once, before the status that brought a result goes to the log: somebody waits for the result. What comes
        # while a group is on its way makes the next one.
        if self._writing or not self._waiting:
            return
        group: list[tuple[tuple[CommandRow, ...], Promise[None]]] = []
        rows: dict[int, CommandRow] = {}
        while self._waiting and len(rows) < _GROUP_ROWS:
            group.append(self._waiting.pop(0))
            rows.update((row.id, row) for row in group[-1][0])
        given = as_json([astuple(row) for row in rows.values()])
        self._writing = True

        def written(outcome: Outcome[None]) -> None:
            self._writing = False
            self._write()
            for _, promise in group:
                promise.keep(outcome)

        self._database.post(
            lambda link: link.direct(lambda connection: _run(connection, self._statement, given)), written
        )


def _run(connection: Connection, statement: str, rows: str) -> None:
    """One statement, one commit: past SQLAlchemy, which would begin a transaction and leave it open."""
    cursor = connection.connection.cursor()
    try:
        cursor.execute(statement, (rows,))
    finally:
        cursor.close()


def _ignore(_: Outcome[Any]) -> None:
    pass


def _chosen() -> Select[Any]:
    return select(*commands.columns)


def _load(dialect: Dialect, connection: Connection) -> Known:
    key = marks_of(connection).get("ledger")
    if key is None:
        key = secrets.randbits(_KEY_BITS)
        set_mark(dialect, connection, "ledger", key)
    still = _chosen().where(commands.c.ended_at.is_(None)).order_by(commands.c.id)
    open_ = tuple(CommandRow(*row) for row in dialect.rows(connection, still))
    highest = select(commands.c.device, func.max(commands.c.seq)).group_by(commands.c.device)
    return Known(
        key=f"{key:x}",
        last_id=connection.scalar(select(func.max(commands.c.id))) or 0,
        seqs=dict(dialect.rows(connection, highest)),
        open=open_,
        answers=_answers(dialect, connection, open_),
    )


def _answers(dialect: Dialect, connection: Connection, open_: tuple[CommandRow, ...]) -> tuple[Answer, ...]:
    if not open_:
        return ()
    said = (
        select(devices.c.name, events.c.event, events.c.body)
        .select_from(events.join(streams).join(devices))
        .where(
            text(NEWS),
            devices.c.name.in_(sorted({row.device for row in open_})),
            events.c.received_at >= min(row.asked_at for row in open_),
            events.c.body.contains('"command":'),
        )
        .order_by(events.c.cursor)
    )
    return tuple(Answer(*row) for row in dialect.rows(connection, said))
