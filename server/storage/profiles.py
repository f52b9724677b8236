"""Devices as people know them, and who changed what of it."""

from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import Connection, delete, insert, select, update

from server.storage.engine import Database
from server.storage.tables import profile_changes, profiles
from shared.clock import Clock, to_ms
from shared.contract.payloads import DeviceProfile, parse


class ProfileStore:
    """The profiles of one database."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def all(self) -> list[DeviceProfile]:
        """Every profile that was ever written, by device."""
        rows = self._database.rows(select(profiles.c.body).order_by(profiles.c.device))
        return [parse(DeviceProfile, msgspec.json.decode(body)) for (body,) in rows]

    def save(self, profile: DeviceProfile, change: Mapping[str, Any], by: str) -> None:
        """Write a profile and who changed what, in one transaction. Raises `DatabaseFailed`."""
        self._database.write(lambda connection: self.put(connection, profile, change, by))

    def record(self, device: str, change: Mapping[str, Any], by: str) -> None:
        """Put on record what was done to a device beside its profile. Raises `DatabaseFailed`."""
        self._database.write(lambda connection: self.note(connection, device, change, by))

    def put(self, connection: Connection, profile: DeviceProfile, change: Mapping[str, Any], by: str) -> None:
        """As `save`, in a transaction that is open."""
        body = msgspec.json.encode(profile).decode()
        changed = connection.execute(update(profiles).where(profiles.c.device == profile.device).values(body=body))
        if not changed.rowcount:
            connection.execute(insert(profiles).values(device=profile.device, body=body))
        self.note(connection, profile.device, change, by)

    def note(self, connection: Connection, device: str, change: Mapping[str, Any], by: str) -> None:
        """Record a change."""
        now = to_ms(self._clock.now())
        connection.execute(
            insert(profile_changes).values(
                at=now, device=device, changed_by=by, change=msgspec.json.encode(dict(change)).decode()
            )
        )

    def forget(self, connection: Connection, device: str) -> None:
        """Remove a profile, in a transaction that is open."""
        connection.execute(delete(profiles).where(profiles.c.device == device))
