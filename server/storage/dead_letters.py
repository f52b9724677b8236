"""Dead letters: messages of the other doors that can never be stored, and whose sender could not be told."""

from msgspec import Struct
from sqlalchemy import Connection, delete, func, insert, select

from server.storage.engine import Database
from server.storage.tables import dead_letters
from shared.clock import Clock, from_ms, iso_utc, to_ms
from shared.errors import Refusal

_KEPT = 1_000
_SHOWN_CHARS = 1_000


class DeadLetter(Struct, frozen=True):
    """One message that was given up."""

    at: str
    door: str
    topic: str
    payload: str
    code: str
    message: str


class DeadLetters:
    """The newest thousand of one database."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def keep(self, door: str, topic: str, payload: bytes | bytearray, refusal: Refusal) -> None:
        """Put a message on record; the oldest beyond the bound go. Raises `DatabaseFailed`."""
        text = payload[:_SHOWN_CHARS].decode("utf-8", "backslashreplace").replace("\x00", "\\x00")
        row = {
            "at": to_ms(self._clock.now()),
            "door": door,
            "topic": topic[:_SHOWN_CHARS].replace("\x00", "\\x00"),
            "payload": text,
            "code": str(refusal.code),
            "message": refusal.message[:_SHOWN_CHARS],
        }

        def run(connection: Connection) -> None:
            connection.execute(insert(dead_letters).values(row))
            newest = connection.scalar(select(func.max(dead_letters.c.id))) or 0
            connection.execute(delete(dead_letters).where(dead_letters.c.id <= newest - _KEPT))

        self._database.write(run)

    def newest(self, limit: int) -> list[DeadLetter]:
        """The last ones, newest first."""
        columns = [dead_letters.c[name] for name in ("at", "door", "topic", "payload", "code", "message")]
        rows = self._database.rows(select(*columns).order_by(dead_letters.c.id.desc()).limit(limit))
        return [DeadLetter(iso_utc(from_ms(at)), *rest) for at, *rest in rows]

    def count(self) -> int:
        """How many are kept."""
        return int(self._database.rows(select(func.count()).select_from(dead_letters))[0][0])
