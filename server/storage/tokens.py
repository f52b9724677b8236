"""Tokens: who may connect.

A token is 256 random bits, so one round of SHA-256 is enough to keep it secret and lets it be found by its hash; slow
hashes such as argon2 are for what people can remember.
"""

import hashlib
import secrets

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, insert, select, update

from server.storage.bridge import Outcome
from server.storage.engine import Database, Link
from server.storage.failures import KeyTaken
from server.storage.tables import tokens
from shared.clock import Clock, from_ms, iso_utc, to_ms
from shared.contract.payloads import DeviceId, Label
from shared.errors import Code, Refusal

PREFIX = "bl_"
ROLES = ("device", "viewer", "operator")
_USE_NOTED_MS = 60_000
"""How precisely the time of the last use is kept."""


class Token(Struct, frozen=True):
    """One token, without its secret. Times are ISO 8601, UTC."""

    id: int
    name: str
    role: str
    created_at: str
    last_used_at: str | None
    revoked_at: str | None


class Tokens:
    """The tokens of one database; every process that opens it sees the same."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def add(self, name: str, role: str) -> str:
        """Make a token and return it in plain text, this once.

        Raises `Refusal` when the name is taken by a token that is not revoked, or when name or role cannot be one.
        """
        _check(name, role)
        plain = PREFIX + secrets.token_urlsafe(32)
        row = {"name": name, "role": role, "hash": _hash(plain), "created_at": self._now_ms()}
        try:
            self._database.write(lambda connection: connection.execute(insert(tokens).values(row)))
        except KeyTaken:
            raise Refusal(
                Code.INVALID_PAYLOAD, f"{name!r} has a token already; revoke it first, or take another name"
            ) from None
        return plain

    def list(self) -> list[Token]:
        """All tokens, the revoked ones too, oldest first."""
        return [_token(row) for row in self._database.rows(_SELECT.order_by(tokens.c.id))]

    def revoke(self, name: str) -> bool:
        """End the token of this name. False where there is none that is not revoked."""
        ended = update(tokens).where(tokens.c.name == name, tokens.c.revoked_at.is_(None))

        def run(connection: Connection) -> bool:
            return connection.execute(ended.values(revoked_at=self._now_ms())).rowcount > 0

        return self._database.write(run)

    def find(self, plain: str) -> Token | None:
        """The token that reads `plain`; None where there is none, or where it is revoked."""
        if not plain.startswith(PREFIX) or len(plain) > 100:
            return None
        valid = (tokens.c.hash == _hash(plain)) & tokens.c.revoked_at.is_(None)
        rows = self._database.rows(_SELECT.where(valid))
        if not rows:
            return None
        self._note_use(*rows[0])
        return _token(rows[0])

    def _note_use(self, id_: int, *row: object) -> None:
        now, last = self._now_ms(), row[3]
        if isinstance(last, int) and abs(now - last) < _USE_NOTED_MS:
            return
        used = update(tokens).where(tokens.c.id == id_).values(last_used_at=now)

        def run(link: Link) -> None:
            link.transaction(lambda connection: connection.execute(used))

        self._database.post(run, _not_worth_waiting_for)

    def _now_ms(self) -> int:
        return to_ms(self._clock.now())


_SELECT = select(
    tokens.c.id, tokens.c.name, tokens.c.role, tokens.c.created_at, tokens.c.last_used_at, tokens.c.revoked_at
)


def _not_worth_waiting_for(_: Outcome[None]) -> None:
    """Whether the last use was noted: who connects does not wait for it, nor fail with it."""


def _check(name: str, role: str) -> None:
    if role not in ROLES:
        raise Refusal(Code.INVALID_PAYLOAD, f"{role!r} is no role; there are {', '.join(ROLES)}")
    try:
        # A device's token gives the device its name.
        msgspec.convert(name, DeviceId if role == "device" else Label)
    except msgspec.ValidationError as error:
        raise Refusal(Code.INVALID_PAYLOAD, f"{name!r} cannot be a name: {error}") from None


def _hash(plain: str) -> str:
    return hashlib.sha256(plain.encode(errors="replace")).hexdigest()


def _token(row: "list[object]") -> Token:
    id_, name, role, *times = row
    created, used, revoked = (iso_utc(from_ms(at)) if isinstance(at, int) else None for at in times)
    return Token(int(str(id_)), str(name), str(role), created or "", used, revoked)
