"""When each device came and went, and why."""

from msgspec import Struct
from sqlalchemy import Connection, func, insert, select

from server.storage.engine import Database
from server.storage.tables import availability
from shared.contract.payloads import Absence


class Availability(Struct, frozen=True):
    """A device came or went, or began or ended to do so again and again."""

    device: str
    at_ms: int
    online: bool
    reason: Absence | None = None
    flapping: bool = False


class AvailabilityStore:
    """The comings and goings of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, connection: Connection, changes: list[Availability]) -> None:
        """Add changes, in a transaction that is open."""
        rows = [
            {
                "device": change.device,
                "at": change.at_ms,
                "online": int(change.online),
                "reason": change.reason,
                "flapping": int(change.flapping),
            }
            for change in changes
        ]
        if rows:
            connection.execute(insert(availability), rows)

    def newest(self) -> dict[str, Availability]:
        """The last change of each device. Raises `DatabaseFailed`."""
        last = select(func.max(availability.c.id)).group_by(availability.c.device).scalar_subquery()
        rows = self._database.rows(_CHANGES.where(availability.c.id.in_(last)))
        return {row[0]: _change(row) for row in rows}


_CHANGES = select(
    availability.c.device,
    availability.c.at,
    availability.c.online,
    availability.c.reason,
    availability.c.flapping,
)


def _change(row: list[object]) -> Availability:
    device, at, online, reason, flapping = row
    return Availability(
        str(device), int(str(at)), bool(online), None if reason is None else Absence(str(reason)), bool(flapping)
    )
