"""What each device has last made of its readings: rounds tell what is new, a restart must not forget the rest."""

import logging

import msgspec
from sqlalchemy import Connection, delete, insert, select

from server.storage.engine import Database
from server.storage.tables import insights
from shared.contract.payloads import DeviceInsight, parse
from shared.errors import Refusal

log = logging.getLogger(__name__)


class InsightStore:
    """The insights of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, connection: Connection, device: str, insight: DeviceInsight) -> None:
        """Replace what is known of a device, in a transaction that is open."""
        connection.execute(delete(insights).where(insights.c.device == device))
        connection.execute(insert(insights).values(device=device, body=msgspec.json.encode(insight).decode()))

    def all(self) -> dict[str, DeviceInsight]:
        """By device, but for what cannot be read: the device tells it anew. Raises `DatabaseFailed`."""
        found = {}
        for device, body in self._database.rows(select(insights.c.device, insights.c.body)):
            try:
                found[device] = parse(DeviceInsight, msgspec.json.decode(body))
            except (Refusal, msgspec.DecodeError) as error:
                log.warning("stored insight not understood: device=%s: %s", device, error)
        return found
