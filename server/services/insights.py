"""What devices make of their readings, kept across restarts of the relay."""

from sqlalchemy import Connection

from server.state.devices import Device, Registry
from server.storage.behind import WriteBehind
from server.storage.insights import InsightStore


class KeptInsights:
    """Stores what holds now, whenever findings or forecast have changed."""

    def __init__(self, store: InsightStore, behind: WriteBehind) -> None:
        self._store = store
        self._behind = behind

    def restore(self, registry: Registry) -> None:
        """Take over what was known. When devices are restored."""
        for name, known in self._store.all().items():
            if registry.knows(name):
                registry.get(name).insights.recall(known)

    def keep(self, device: Device) -> None:
        """Store it, soon."""
        known = device.insights.known
        if known is None:
            return

        def work(connection: Connection) -> None:
            self._store.put(connection, device.name, known)

        self._behind.submit(work)
